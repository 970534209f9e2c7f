-- eval.scores: the anomaly score of every minute of every host.
CREATE OR REPLACE TABLE eval.scores AS
SELECT
    host_minute,
    is_attack,
    anomaly_score((SELECT model FROM models.isolation_forest), features) AS score
FROM silver.features;
