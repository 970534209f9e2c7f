-- models.isolation_forest: fitted on two days on which nothing malicious was seen.
CREATE OR REPLACE TABLE models.isolation_forest AS
SELECT train_isolation_forest(
    features,
    flow,
    {n_estimators: $trees, max_samples: $samples, seed: $seed}
) AS model
FROM silver.features
WHERE day IN (DATE '2020-12-17', DATE '2020-12-18');
