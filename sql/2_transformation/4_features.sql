-- silver.features: the features of every flow. Their names are given here, once: the model keeps
-- them, and scoring matches by name. Edit this view to change what the detector looks at; more is
-- not better: a feature that does not tell attacks apart hides those that do.
-- A NULL is a missing value; the forest knows how to treat it.
CREATE OR REPLACE VIEW silver.features AS
SELECT
    f.event_id,
    f.is_attack,
    {
        ln_bytes:            ln(1.0 + f.bytes),
        ln_packets:          ln(1.0 + f.packets),
        ln_bytes_per_packet: ln(1.0 + f.bytes) - ln(1.0 + f.packets),
        ln_duration:         ln(1.0 + f.duration),
        is_tcp:              f.protocol = 'tcp',
        well_known_port:     coalesce(f.dst_port < 1024, true),
        ln_minute_flows:     ln(m.flows),
        ln_hour_flows:       ln(h.flows),
        ln_hour_targets:     ln(h.targets),
        ln_flows_per_target: ln(h.flows) - ln(h.targets)
    } AS features
FROM silver.flows AS f
JOIN silver.host_minutes AS m ON f.src_ip = m.src_ip AND f.minute = m.minute
JOIN silver.host_hours AS h ON f.src_ip = h.src_ip AND f.hour = h.hour;
