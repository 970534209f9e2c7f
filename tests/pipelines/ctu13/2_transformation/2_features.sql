-- silver.features: counts are heavy-tailed, and a random cut needs room between the many small ones.
CREATE OR REPLACE VIEW silver.features AS
SELECT
    concat(src_ip, ' ', minute) AS host_minute,
    is_attack,
    {
        ln_flows:     ln(1.0 + flows),
        ln_hosts:     ln(1.0 + hosts),
        ln_ports:     ln(1.0 + ports),
        ln_packets:   ln(1.0 + packets),
        ln_bytes:     ln(1.0 + bytes),
        ln_src_bytes: ln(1.0 + src_bytes)
    } AS features
FROM silver.host_minutes;
