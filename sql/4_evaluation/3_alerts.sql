-- eval.alerts: the flows above the model's threshold, most anomalous first, each with the three
-- features that made its score.
CREATE OR REPLACE TABLE eval.alerts AS
SELECT s.score, f.event_id, f.event_time, f.src_ip, f.dst_ip, f.dst_port, f.protocol,
       f.duration, f.bytes, f.packets, f.label,
       explain_anomaly((SELECT model FROM models.isolation_forest), x.features, 3) AS reasons
FROM eval.scores AS s
JOIN silver.flows AS f ON s.event_id = f.event_id
JOIN silver.features AS x ON s.event_id = x.event_id
WHERE s.is_alert
ORDER BY s.score DESC, f.event_id;
