-- models.isolation_forest: fitted on all minutes of all hosts; labels are not used.
CREATE OR REPLACE TABLE models.isolation_forest AS
SELECT train_isolation_forest(
    features,
    host_minute,
    {n_estimators: $trees, max_samples: $samples, seed: $seed}
) AS model
FROM silver.features;
