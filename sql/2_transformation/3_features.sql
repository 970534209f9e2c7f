-- silver.features: the features of every flow. Their names are given here, once: the model keeps
-- them, and scoring matches by name. Edit this view to change what the detector looks at.
CREATE OR REPLACE VIEW silver.features AS
SELECT
    f.event_id,
    f.is_attack,
    {
        ln_bytes:            ln(1.0 + f.bytes),
        ln_packets:          ln(1.0 + f.packets),
        ln_duration:         ln(1.0 + f.duration),
        ln_bytes_per_packet: ln(1.0 + f.bytes) - ln(1.0 + f.packets),
        well_known_port:     f.dst_port BETWEEN 1 AND 1023,
        is_tcp:              f.protocol = 'tcp',
        ln_host_flows:       ln(1.0 + h.flows),
        ln_host_targets:     ln(1.0 + h.targets),
        ln_flows_per_target: ln(1.0 + h.flows) - ln(1.0 + h.targets)
    } AS features
FROM silver.flows AS f
JOIN silver.host_hours AS h ON f.src_ip = h.src_ip AND f.event_hour = h.event_hour;
