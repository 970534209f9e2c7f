-- eval.metrics: how well the scores tell attacks from the rest, day by day.
CREATE OR REPLACE TABLE eval.metrics AS
SELECT concat('roc_auc ', day) AS metric, roc_auc(is_attack, score) AS value
FROM eval.scores
GROUP BY day
UNION ALL
SELECT concat('average_precision ', day), average_precision(is_attack, score)
FROM eval.scores
GROUP BY day;
