-- silver.host_minutes: what each source did in each minute; one row per (src_ip, minute). A
-- minute is an attack where a flow of the botnet began in it.
CREATE OR REPLACE TABLE silver.host_minutes AS
SELECT
    src_ip,
    date_trunc('minute', start_time)  AS minute,
    count(*)                          AS flows,
    count(DISTINCT dst_ip)            AS hosts,
    count(DISTINCT dst_port)          AS ports,
    sum(packets)                      AS packets,
    sum(bytes)                        AS bytes,
    sum(src_bytes)                    AS src_bytes,
    bool_or(label LIKE '%Botnet%')    AS is_attack
FROM raw.flows
GROUP BY src_ip, minute;
