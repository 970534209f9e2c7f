-- models.isolation_forest: 100 trees of 256 rows, over all flows.
CREATE OR REPLACE TABLE models.isolation_forest AS
SELECT train_isolation_forest(features, event_id) AS model
FROM silver.features;
