-- raw.events: network events as they landed, one row per flow, typed once.
-- To ingest other flows, map their columns here; everything after reads raw.events. Events without
-- labels have `CAST(NULL AS VARCHAR) AS label`: then no metric that needs labels is made.
CREATE OR REPLACE TABLE raw.events AS
SELECT
    CAST(event_id AS BIGINT)       AS event_id,
    CAST("timestamp" AS TIMESTAMP) AS event_time,
    CAST(src_ip AS VARCHAR)        AS src_ip,
    CAST(src_port AS INT)          AS src_port,
    CAST(dst_ip AS VARCHAR)        AS dst_ip,
    CAST(dst_port AS INT)          AS dst_port,
    CAST(protocol AS VARCHAR)      AS protocol,
    CAST(duration AS DOUBLE)       AS duration,    -- seconds
    CAST(bytes AS BIGINT)          AS bytes,
    CAST(packets AS BIGINT)        AS packets,
    CAST(label AS VARCHAR)         AS label        -- 'benign', the kind of attack, or NULL
FROM landing.events;

ASSERT EXISTS (SELECT 1 FROM raw.events) AS 'no events have landed';

ASSERT (
    SELECT count(*) FROM raw.events
    WHERE event_id IS NULL OR event_time IS NULL OR src_ip IS NULL OR dst_ip IS NULL
       OR protocol IS NULL OR duration IS NULL OR bytes IS NULL OR packets IS NULL
) = 0 AS 'only ports and labels may be NULL';

ASSERT (
    SELECT count(*) FROM raw.events
    WHERE duration < 0 OR isnan(duration) OR bytes < 0 OR packets < 0
       OR src_port NOT BETWEEN 0 AND 65535 OR dst_port NOT BETWEEN 0 AND 65535
) = 0 AS 'durations, bytes and packets are numbers from 0, and ports have 16 bits';

ASSERT NOT EXISTS (SELECT event_id FROM raw.events GROUP BY event_id HAVING count(*) > 1)
AS 'event_id is unique';
