-- models.isolation_forest: fitted on the normal connections of Train+ alone, the usual protocol.
CREATE OR REPLACE TABLE models.isolation_forest AS
SELECT train_isolation_forest(
    features,
    line,
    {n_estimators: $trees, max_samples: $samples, seed: $seed}
) AS model
FROM silver.features
WHERE part = 'train' AND NOT is_attack;
