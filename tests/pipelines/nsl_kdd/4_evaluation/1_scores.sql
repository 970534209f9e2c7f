-- eval.scores: the anomaly score of every connection of Test+.
CREATE OR REPLACE TABLE eval.scores AS
SELECT
    line,
    is_attack,
    anomaly_score((SELECT model FROM models.isolation_forest), features) AS score
FROM silver.features
WHERE part = 'test';
