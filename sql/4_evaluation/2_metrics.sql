-- eval.metrics: what the scores are like and, where events have labels, how well they tell attacks
-- from the rest. Without labels those metrics are absent, not made up. A table with the columns
-- metric and value is recorded in the audit store too, under the model it judges.
-- Scores are averaged as decimals: unlike floating-point sums, theirs do not depend on the order of
-- the rows, and equal input must give equal bytes.
CREATE OR REPLACE TABLE eval.metrics AS
WITH
scores AS (
    SELECT
        is_attack,
        score,
        is_alert,
        CAST(score AS DECIMAL(20, 15))         AS exact,
        CAST(score * score AS DECIMAL(20, 15)) AS square
    FROM eval.scores
),
all_scores AS (
    SELECT
        CAST(sum(CAST(is_alert AS BIGINT)) AS DOUBLE) / count(*) AS anomaly_rate,
        CAST(avg(exact) AS DOUBLE)                                AS score_mean,
        CAST(avg(square) AS DOUBLE)                               AS square_mean
    FROM scores
),
labelled AS (
    SELECT
        roc_auc(is_attack, score)           AS roc_auc,
        average_precision(is_attack, score) AS average_precision,
        "precision"(is_attack, is_alert)    AS "precision",
        recall(is_attack, is_alert)         AS recall,
        f1_score(is_attack, is_alert)       AS f1_score
    FROM scores
    WHERE is_attack IS NOT NULL
    HAVING count(*) > 0
)
SELECT metric, value
FROM (
    SELECT 'anomaly_rate' AS metric, anomaly_rate AS value FROM all_scores
    UNION ALL
    SELECT 'score_mean', score_mean FROM all_scores
    UNION ALL
    SELECT 'score_std', sqrt(square_mean - score_mean * score_mean) FROM all_scores
    UNION ALL
    SELECT 'roc_auc', roc_auc FROM labelled
    UNION ALL
    SELECT 'average_precision', average_precision FROM labelled
    UNION ALL
    SELECT 'precision', "precision" FROM labelled
    UNION ALL
    SELECT 'recall', recall FROM labelled
    UNION ALL
    SELECT 'f1_score', f1_score FROM labelled
)
WHERE value IS NOT NULL    -- undefined: for example without any attack
ORDER BY metric;
