-- raw.flows: the columns that the features need.
CREATE OR REPLACE TABLE raw.flows AS
SELECT
    row_number() OVER ()                              AS event_id,
    to_timestamp("StartTime", '%Y/%m/%d %H:%M:%S%.f') AS start_time,
    "Dur"                                             AS duration,
    "TotPkts"                                         AS packets,
    "TotBytes"                                        AS bytes,
    "SrcBytes"                                        AS src_bytes,
    "Label" LIKE '%Botnet%'                           AS is_attack
FROM landing.flows;
