-- silver.features: benign and malicious flows by the day on which they ended. Outliers, which the
-- publisher could not tell to be either, are left out. Bytes, packets and times are heavy-tailed,
-- and a random cut needs room between the many small ones.
CREATE OR REPLACE VIEW silver.features AS
SELECT
    concat(start_time, ' ', src_as, ':', src_port, ' ', dst_as, ':', dst_port) AS flow,
    CAST(end_time AS DATE)                                                     AS day,
    label = 'malicious'                                                        AS is_attack,
    {
        ln_bytes_in:      ln(1.0 + bytes_in),
        ln_bytes_out:     ln(1.0 + bytes_out),
        ln_num_pkts_in:   ln(1.0 + num_pkts_in),
        ln_num_pkts_out:  ln(1.0 + num_pkts_out),
        ln_entropy:       ln(1.0 + entropy),
        ln_total_entropy: ln(1.0 + total_entropy),
        ln_avg_ipt:       ln(1.0 + avg_ipt),
        ln_duration:      ln(1.0 + duration),
        ln_src_port:      ln(1.0 + coalesce(src_port, 0)),
        ln_dst_port:      ln(1.0 + coalesce(dst_port, 0))
    } AS features
FROM raw.flows
WHERE label IN ('benign', 'malicious');
