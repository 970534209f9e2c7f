-- silver.flows: one row per event, with what follows from the event alone.
CREATE OR REPLACE TABLE silver.flows AS
SELECT
    event_id,
    event_time,
    date_trunc('minute', event_time)     AS minute,
    date_trunc('hour', event_time)       AS hour,
    date_part('hour', event_time)        AS hour_of_day,
    src_ip,
    dst_ip,
    dst_port,
    protocol,
    duration,
    bytes,
    packets,
    bytes / nullif(duration, 0)          AS bytes_per_second,   -- NULL where it took no time
    CASE
        WHEN bytes < 100         THEN 'tiny'
        WHEN bytes < 10000       THEN 'small'
        WHEN bytes < 1000000     THEN 'medium'
        WHEN bytes < 100000000   THEN 'large'
        ELSE                          'huge'
    END                                  AS size_category,
    label <> 'benign'                    AS is_attack,          -- NULL without a label
    label
FROM raw.events;
