-- silver.host_minutes: the behaviour of each source over time; one row per (src_ip, minute) with
-- events. A scan has many destinations or ports, a flood many flows to one, an exfiltration far
-- more bytes than the hour before.
CREATE OR REPLACE TABLE silver.host_minutes AS
WITH
destinations AS (
    SELECT src_ip, minute, dst_ip, count(*) AS flows, sum(bytes) AS bytes
    FROM silver.flows
    GROUP BY src_ip, minute, dst_ip
),
ports AS (
    SELECT src_ip, minute, dst_port
    FROM silver.flows
    WHERE dst_port IS NOT NULL
    GROUP BY src_ip, minute, dst_port
),
minutes AS (
    SELECT src_ip, minute, sum(flows) AS flows, sum(bytes) AS bytes, count(*) AS destinations
    FROM destinations
    GROUP BY src_ip, minute
),
minute_ports AS (
    SELECT src_ip, minute, count(*) AS ports
    FROM ports
    GROUP BY src_ip, minute
)
SELECT
    m.src_ip,
    m.minute,
    m.flows,
    m.destinations,
    coalesce(p.ports, 0)                  AS ports,
    m.bytes,
    -- Bytes of this minute by those of a usual one in the hour before; NULL for the first.
    m.bytes / nullif(avg(m.bytes) OVER last_hour, 0) AS bytes_ratio
FROM minutes AS m
LEFT JOIN minute_ports AS p ON m.src_ip = p.src_ip AND m.minute = p.minute
WINDOW last_hour AS (
    PARTITION BY m.src_ip ORDER BY m.minute
    RANGE BETWEEN INTERVAL '1 hour' PRECEDING AND INTERVAL '1 minute' PRECEDING
);
