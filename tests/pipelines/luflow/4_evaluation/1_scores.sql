-- eval.scores: the anomaly score of every flow of the three days with attacks.
CREATE OR REPLACE TABLE eval.scores AS
SELECT
    flow,
    day,
    is_attack,
    anomaly_score((SELECT model FROM models.isolation_forest), features) AS score
FROM silver.features
WHERE day IN (DATE '2020-12-16', DATE '2020-12-21', DATE '2020-12-28');
