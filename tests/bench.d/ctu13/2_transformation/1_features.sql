-- silver.features: as in peers.py.
CREATE OR REPLACE VIEW silver.features AS
SELECT
    event_id,
    is_attack,
    {
        ln_dur:       ln(1.0 + duration),
        ln_pkts:      ln(1.0 + packets),
        ln_bytes:     ln(1.0 + bytes),
        ln_src_bytes: ln(1.0 + src_bytes),
        bps:          bytes / greatest(duration, 1e-6),
        hour:         date_part('hour', start_time)
    } AS features
FROM raw.flows;
