-- eval.metrics: how well the scores tell attacks from the rest. Tables with the columns metric
-- and value are recorded in the audit store too, under the model they judge.
CREATE OR REPLACE TABLE eval.metrics AS
SELECT 'roc_auc' AS metric, roc_auc(is_attack, score) AS value FROM eval.scores
UNION ALL
SELECT 'average_precision', average_precision(is_attack, score) FROM eval.scores
UNION ALL
SELECT 'precision', "precision"(is_attack, is_alert) FROM eval.scores
UNION ALL
SELECT 'recall', recall(is_attack, is_alert) FROM eval.scores
UNION ALL
SELECT 'f1_score', f1_score(is_attack, is_alert) FROM eval.scores;
