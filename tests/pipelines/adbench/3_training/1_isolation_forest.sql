-- models.isolation_forest: fitted on all rows; labels are not used.
CREATE OR REPLACE TABLE models.isolation_forest AS
SELECT train_isolation_forest(
    features,
    event_id,
    {n_estimators: $trees, max_samples: $samples, seed: $seed}
) AS model
FROM silver.features;
