-- silver.flows: one clean row per event, with the hour and the truth that evaluation needs.
-- Sums are over whole numbers: a sum of floating-point numbers depends on the order of the rows,
-- and equal input must give equal bytes.
CREATE OR REPLACE TABLE silver.flows AS
SELECT
    event_id,
    event_time,
    date_trunc('hour', event_time)       AS event_hour,
    src_ip,
    dst_ip,
    coalesce(dst_port, 0)                AS dst_port,
    protocol,
    greatest(duration, 0.0)              AS duration,
    greatest(bytes, 0)                   AS bytes,
    greatest(packets, 0)                 AS packets,
    label <> 'benign'                    AS is_attack,
    label
FROM raw.events;

ASSERT (SELECT count(*) - count(DISTINCT event_id) FROM silver.flows) = 0
AS 'event_id must be unique';
