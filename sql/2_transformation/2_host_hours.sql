-- silver.host_hours: what each source host did in each hour; one row per (src_ip, event_hour).
-- A target is a destination address and port: a scan has many, a flood or a guesser few.
CREATE OR REPLACE TABLE silver.host_hours AS
WITH targets AS (
    SELECT src_ip, event_hour, dst_ip, dst_port, count(*) AS flows, sum(bytes) AS bytes
    FROM silver.flows
    GROUP BY src_ip, event_hour, dst_ip, dst_port
)
SELECT
    src_ip,
    event_hour,
    sum(flows) AS flows,
    count(*)   AS targets,
    sum(bytes) AS bytes
FROM targets
GROUP BY src_ip, event_hour;
