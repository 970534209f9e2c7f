-- The views of the audit store. Lists are aggregated in scalar subqueries over ordered rows: the
-- order is then fixed without `ORDER BY` inside an aggregate, which SQLite has only since 3.44.

CREATE VIEW step_events AS
SELECT
    s.finished AS event_time,
    s.phase,
    s.run,
    r.state AS run_state,
    s.ordinal,
    s.file,
    s.line,
    s.kind,
    s.relation,
    s.state,
    s.reason,
    s.version,
    s.rows,
    s.bytes,
    s.duration_seconds,
    s.error,
    s.sql
FROM steps AS s
INNER JOIN runs AS r ON r.id = s.run;

CREATE VIEW ingestion_events AS
SELECT * FROM step_events WHERE phase = 'ingestion';

CREATE VIEW transformation_events AS
SELECT * FROM step_events WHERE phase = 'transformation';

CREATE VIEW training_events AS
SELECT * FROM step_events WHERE phase = 'training';

CREATE VIEW evaluation_events AS
SELECT * FROM step_events WHERE phase = 'evaluation';

-- One row per model version: from which data, when, by which code and parameters, how good.
CREATE VIEW model_provenance AS
SELECT
    v.id AS version,
    v.relation,
    v.fingerprint,
    v.created,
    (SELECT MIN(p.published) FROM publications AS p WHERE p.version = v.id) AS published,
    EXISTS (SELECT 1 FROM current AS c WHERE c.version = v.id) AS is_current,
    -- Every input, direct or not, one a line.
    (
        WITH RECURSIVE inputs (relation, kind, source, fingerprint, etag) AS (
            SELECT l.relation, l.kind, l.source, l.fingerprint, l.etag
            FROM lineage AS l
            WHERE l.version = v.id
            UNION
            SELECT l.relation, l.kind, l.source, l.fingerprint, l.etag
            FROM inputs AS i
            INNER JOIN lineage AS l ON l.version = i.source
            WHERE i.kind = 'version'
        )
        SELECT STRING_AGG(ordered.item, '
')
        FROM (
            SELECT
                i.relation || ' = ' || i.source || COALESCE(
                    ' (fingerprint ' || i.fingerprint || ')',
                    ' (etag ' || i.etag || ')',
                    ''
                ) AS item
            FROM inputs AS i
            ORDER BY i.relation COLLATE "C", i.source COLLATE "C", i.fingerprint COLLATE "C", i.etag COLLATE "C"
        ) AS ordered
    ) AS data,
    (
        SELECT STRING_AGG(ordered.item, ', ')
        FROM (
            SELECT p.name || '=' || p.value AS item
            FROM params AS p
            WHERE p.run = v.run
            ORDER BY p.name COLLATE "C"
        ) AS ordered
    ) AS parameters,
    -- Of every table of metrics that judges the model, the newest version: ids sort by time. A model
    -- of equal content is the same model: a table that judged it is not made again.
    (
        SELECT STRING_AGG(ordered.item, ', ')
        FROM (
            SELECT m.metric || '=' || COALESCE(CAST(m.value AS TEXT), 'NULL') AS item
            FROM metrics AS m
            WHERE
                m.model IN (
                    SELECT e.id
                    FROM versions AS e
                    WHERE e.relation = v.relation AND e.fingerprint = v.fingerprint
                )
                AND m.version = (
                    SELECT MAX(n.version)
                    FROM metrics AS n
                    INNER JOIN versions AS e ON e.id = n.model
                    WHERE
                        e.relation = v.relation
                        AND e.fingerprint = v.fingerprint
                        AND n.relation = m.relation
                )
            ORDER BY m.metric COLLATE "C", m.relation COLLATE "C", m.value
        ) AS ordered
    ) AS metrics,
    s.sql,
    s.file,
    s.line,
    v.run,
    r.state AS run_state,
    r.started AS run_started,
    r.command,
    r.user_name,
    r.host,
    r.git_commit,
    r.git_dirty,
    r.binary_version,
    r.datafusion_version
FROM versions AS v
INNER JOIN runs AS r ON r.id = v.run
LEFT JOIN steps AS s ON s.run = v.run AND s.version = v.id AND s.state = 'ran'
WHERE v.relation LIKE 'models.%' AND v.kind = 'table';
