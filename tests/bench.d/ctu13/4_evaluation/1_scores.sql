-- eval.scores: the anomaly score of every flow.
CREATE OR REPLACE TABLE eval.scores AS
SELECT
    event_id,
    is_attack,
    anomaly_score((SELECT model FROM models.isolation_forest), features) AS score
FROM silver.features;
