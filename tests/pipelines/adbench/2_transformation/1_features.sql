-- silver.features: what the detector looks at.
CREATE OR REPLACE VIEW silver.features AS
SELECT
    event_id,
    is_attack,
    {ln_duration: ln_duration, ln_src_bytes: ln_src_bytes, ln_dst_bytes: ln_dst_bytes} AS features
FROM raw.connections;
