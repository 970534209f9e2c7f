-- eval.scores: the anomaly score of every flow, in (0, 1]; larger is more anomalous. An alert is
-- a score above the model's threshold: what is_anomaly() says, without scoring twice.
CREATE OR REPLACE TABLE eval.scores AS
SELECT
    event_id,
    is_attack,
    score,
    score > (SELECT model_info(model)['threshold'] FROM models.isolation_forest) AS is_alert
FROM (
    SELECT
        event_id,
        is_attack,
        anomaly_score((SELECT model FROM models.isolation_forest), features) AS score
    FROM silver.features
);

ASSERT (SELECT count(*) FROM eval.scores WHERE score IS NULL OR score <= 0 OR score > 1) = 0
AS 'every flow has a score in (0, 1]';

ASSERT (SELECT count(*) FROM eval.scores) = (SELECT count(*) FROM raw.events)
AS 'no flow was lost on the way';
