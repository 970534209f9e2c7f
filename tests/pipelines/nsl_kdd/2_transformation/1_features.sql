-- silver.features: the 38 numeric columns. protocol_type, service and flag are text and left out.
CREATE OR REPLACE VIEW silver.features AS
SELECT
    part,
    line,
    label <> 'normal' AS is_attack,
    {
        duration: duration, src_bytes: src_bytes, dst_bytes: dst_bytes, land: land,
        wrong_fragment: wrong_fragment, urgent: urgent, hot: hot,
        num_failed_logins: num_failed_logins, logged_in: logged_in,
        num_compromised: num_compromised, root_shell: root_shell, su_attempted: su_attempted,
        num_root: num_root, num_file_creations: num_file_creations, num_shells: num_shells,
        num_access_files: num_access_files, num_outbound_cmds: num_outbound_cmds,
        is_host_login: is_host_login, is_guest_login: is_guest_login, count: count,
        srv_count: srv_count, serror_rate: serror_rate, srv_serror_rate: srv_serror_rate,
        rerror_rate: rerror_rate, srv_rerror_rate: srv_rerror_rate, same_srv_rate: same_srv_rate,
        diff_srv_rate: diff_srv_rate, srv_diff_host_rate: srv_diff_host_rate,
        dst_host_count: dst_host_count, dst_host_srv_count: dst_host_srv_count,
        dst_host_same_srv_rate: dst_host_same_srv_rate,
        dst_host_diff_srv_rate: dst_host_diff_srv_rate,
        dst_host_same_src_port_rate: dst_host_same_src_port_rate,
        dst_host_srv_diff_host_rate: dst_host_srv_diff_host_rate,
        dst_host_serror_rate: dst_host_serror_rate,
        dst_host_srv_serror_rate: dst_host_srv_serror_rate,
        dst_host_rerror_rate: dst_host_rerror_rate,
        dst_host_srv_rerror_rate: dst_host_srv_rerror_rate
    } AS features
FROM raw.connections;
