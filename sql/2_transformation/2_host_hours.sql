-- silver.host_hours: what each source host did in each hour; one row per (src_ip, event_hour).
CREATE OR REPLACE TABLE silver.host_hours AS
SELECT
    src_ip,
    event_hour,
    count(*)                 AS flows,
    count(DISTINCT dst_ip)   AS destinations,
    count(DISTINCT dst_port) AS ports,
    sum(bytes)               AS bytes
FROM silver.flows
GROUP BY src_ip, event_hour;
