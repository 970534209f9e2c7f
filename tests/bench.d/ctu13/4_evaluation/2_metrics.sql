-- eval.metrics: how well the scores tell attacks from the rest.
CREATE OR REPLACE TABLE eval.metrics AS
SELECT 'roc_auc' AS metric, roc_auc(is_attack, score) AS value FROM eval.scores
UNION ALL
SELECT 'average_precision', average_precision(is_attack, score) FROM eval.scores;
