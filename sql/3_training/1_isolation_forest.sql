-- models.isolation_forest: an isolation forest over all flows; labels are not used.
CREATE OR REPLACE TABLE models.isolation_forest AS
SELECT train_isolation_forest(
    features,
    event_id,
    {n_estimators: $trees, max_samples: $samples, contamination: $contamination, seed: $seed}
) AS model
FROM silver.features;
