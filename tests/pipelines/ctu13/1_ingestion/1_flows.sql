-- raw.flows: NetFlow records, typed once. An unknown port is empty, and ICMP writes its type and
-- code there in hexadecimal: both are no port here. Addresses stay text, as some are IPv6 or MAC
-- addresses. The type of service of a direction without packets is NULL.
CREATE OR REPLACE TABLE raw.flows AS
SELECT
    to_timestamp("StartTime", '%Y/%m/%d %H:%M:%S%.f') AS start_time,
    "Dur"                                             AS duration,
    "Proto"                                           AS protocol,
    "SrcAddr"                                         AS src_ip,
    TRY_CAST("Sport" AS INT)                          AS src_port,
    trim("Dir")                                       AS direction,
    "DstAddr"                                         AS dst_ip,
    TRY_CAST("Dport" AS INT)                          AS dst_port,
    "State"                                           AS state,
    CAST("sTos" AS INT)                               AS src_tos,
    CAST("dTos" AS INT)                               AS dst_tos,
    "TotPkts"                                         AS packets,
    "TotBytes"                                        AS bytes,
    "SrcBytes"                                        AS src_bytes,
    "Label"                                           AS label
FROM landing.flows;

ASSERT (
    SELECT count(*) FROM raw.flows
    WHERE src_port NOT BETWEEN 0 AND 65535 OR dst_port NOT BETWEEN 0 AND 65535
) = 0 AS 'a port has 16 bits';

ASSERT (SELECT count(*) FROM raw.flows WHERE label LIKE '%Botnet%') = 4630
AS 'scenario 6 has 4,630 flows of the botnet';
