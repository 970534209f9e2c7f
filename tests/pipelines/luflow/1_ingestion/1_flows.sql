-- raw.flows: flows of eleven days. Times are published as seconds since 1970 without the decimal
-- point and without trailing zeros: padded to 16 digits they are microseconds. ICMP has no ports,
-- which some files write as 0 and others leave empty. The addresses are autonomous systems.
CREATE OR REPLACE TABLE raw.flows AS
SELECT
    to_timestamp_micros(CAST(rpad(time_start, 16, '0') AS BIGINT)) AS start_time,
    to_timestamp_micros(CAST(rpad(time_end, 16, '0') AS BIGINT))   AS end_time,
    proto                                                          AS protocol,
    src_ip                                                         AS src_as,
    nullif(src_port, 0)                                            AS src_port,
    dest_ip                                                        AS dst_as,
    nullif(dest_port, 0)                                           AS dst_port,
    bytes_in,
    bytes_out,
    num_pkts_in,
    num_pkts_out,
    entropy,
    total_entropy,
    avg_ipt,
    duration,
    label
FROM landing.flows;

ASSERT (
    SELECT count(*) FROM raw.flows
    WHERE abs((CAST(end_time AS BIGINT) - CAST(start_time AS BIGINT)) / 1e6 - duration) > 0.001
) = 0 AS 'the times agree with the duration in seconds';
