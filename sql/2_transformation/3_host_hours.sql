-- silver.host_hours: the same by hour, which smooths hosts with few events; one row per
-- (src_ip, hour). A target is a destination address and port.
CREATE OR REPLACE TABLE silver.host_hours AS
WITH targets AS (
    SELECT src_ip, hour, dst_ip, dst_port, count(*) AS flows, sum(bytes) AS bytes
    FROM silver.flows
    GROUP BY src_ip, hour, dst_ip, dst_port
)
SELECT
    src_ip,
    hour,
    sum(flows) AS flows,
    count(*)   AS targets,
    sum(bytes) AS bytes
FROM targets
GROUP BY src_ip, hour;
