-- raw.connections: KDD Cup 1999 connections of one service, as ADBench gives them. Its three
-- numbers are ln(0.1 + x) of duration (s), bytes sent and bytes received.
CREATE OR REPLACE TABLE raw.connections AS
SELECT
    event_id,
    f0        AS ln_duration,
    f1        AS ln_src_bytes,
    f2        AS ln_dst_bytes,
    label = 1 AS is_attack
FROM landing.connections;
