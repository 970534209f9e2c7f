-- raw.events: network events as they landed, one row per flow, typed once.
-- To ingest other flows, map their columns here; everything after reads raw.events.
CREATE OR REPLACE TABLE raw.events AS
SELECT
    CAST(event_id AS BIGINT)       AS event_id,
    CAST("timestamp" AS TIMESTAMP) AS event_time,
    src_ip,
    CAST(src_port AS INT)          AS src_port,
    dst_ip,
    CAST(dst_port AS INT)          AS dst_port,
    protocol,
    CAST(duration AS DOUBLE)       AS duration,
    CAST(bytes AS BIGINT)          AS bytes,
    CAST(packets AS BIGINT)        AS packets,
    label
FROM landing.events;

ASSERT EXISTS (SELECT 1 FROM raw.events) AS 'no events have landed';

ASSERT (SELECT count(*) FROM raw.events WHERE event_id IS NULL) = 0
AS 'events without an event_id cannot be traced';
