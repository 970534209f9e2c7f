-- raw.connections: both parts as published. A compressed file is read by one thread from its
-- start, so the number of a row is its line.
CREATE OR REPLACE TABLE raw.connections AS
SELECT 'train' AS part, row_number() OVER () AS line, * FROM landing.train
UNION ALL
SELECT 'test' AS part, row_number() OVER () AS line, * FROM landing.test;

ASSERT (SELECT count(*) FROM raw.connections WHERE part = 'train' AND label = 'normal') = 67343
AS 'Train+ has 67,343 normal connections';
