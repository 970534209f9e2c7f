-- The tables of the audit store. The same text runs on PostgreSQL and SQLite; a shipped migration
-- never changes again.

CREATE TABLE runs (
    id TEXT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL CHECK (state IN ('running', 'succeeded', 'failed', 'cancelled')),
    started TIMESTAMPTZ NOT NULL,
    finished TIMESTAMPTZ,
    command TEXT NOT NULL,
    user_name TEXT NOT NULL,
    host TEXT NOT NULL,
    git_commit TEXT,
    git_dirty BOOLEAN,
    binary_version TEXT NOT NULL,
    datafusion_version TEXT NOT NULL,
    configuration TEXT NOT NULL,
    error TEXT,
    CHECK ((state = 'running') = (finished IS NULL))
);

CREATE INDEX runs_state ON runs (state);

CREATE TABLE params (
    run TEXT NOT NULL REFERENCES runs (id),
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    origin TEXT NOT NULL,
    PRIMARY KEY (run, name)
);

CREATE TABLE versions (
    id TEXT NOT NULL PRIMARY KEY,
    relation TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('table', 'view')),
    definition TEXT,
    rows BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    schema TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    identity TEXT NOT NULL,
    run TEXT NOT NULL REFERENCES runs (id),
    created TIMESTAMPTZ NOT NULL,
    CHECK ((kind = 'view') = (definition IS NOT NULL))
);

CREATE INDEX versions_identity ON versions (relation, identity, created);

CREATE INDEX versions_created ON versions (relation, created);

CREATE TABLE files (
    version TEXT NOT NULL REFERENCES versions (id),
    path TEXT NOT NULL,
    size BIGINT NOT NULL,
    etag TEXT,
    rows BIGINT NOT NULL,
    PRIMARY KEY (version, path)
);

-- Keyed by position: a source may be a query, too long for an index of PostgreSQL.
CREATE TABLE lineage (
    version TEXT NOT NULL REFERENCES versions (id),
    position BIGINT NOT NULL,
    relation TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('version', 'object', 'query')),
    source TEXT NOT NULL,
    fingerprint TEXT,
    size BIGINT,
    etag TEXT,
    modified TIMESTAMPTZ,
    PRIMARY KEY (version, position)
);

CREATE TABLE steps (
    run TEXT NOT NULL REFERENCES runs (id),
    ordinal BIGINT NOT NULL,
    phase TEXT NOT NULL,
    file TEXT NOT NULL,
    line BIGINT NOT NULL,
    kind TEXT NOT NULL,
    relation TEXT,
    sql TEXT NOT NULL,
    sql_hash TEXT NOT NULL,
    identity TEXT,
    state TEXT NOT NULL CHECK (state IN ('ran', 'reused', 'failed', 'skipped')),
    reason TEXT NOT NULL,
    rows BIGINT,
    bytes BIGINT,
    started TIMESTAMPTZ NOT NULL,
    finished TIMESTAMPTZ NOT NULL,
    duration_seconds DOUBLE PRECISION NOT NULL,
    error TEXT,
    version TEXT REFERENCES versions (id),
    PRIMARY KEY (run, ordinal)
);

CREATE INDEX steps_identity ON steps (identity);

CREATE TABLE checks (
    run TEXT NOT NULL,
    step BIGINT NOT NULL,
    condition TEXT NOT NULL,
    message TEXT NOT NULL,
    passed BOOLEAN NOT NULL,
    offending BIGINT,
    PRIMARY KEY (run, step),
    FOREIGN KEY (run, step) REFERENCES steps (run, ordinal)
);

-- Keyed by position: one table of metrics may name a metric several times, once per segment.
CREATE TABLE metrics (
    run TEXT NOT NULL,
    step BIGINT NOT NULL,
    position BIGINT NOT NULL,
    relation TEXT NOT NULL,
    version TEXT NOT NULL REFERENCES versions (id),
    model TEXT REFERENCES versions (id),
    metric TEXT NOT NULL,
    value DOUBLE PRECISION,
    PRIMARY KEY (run, step, position),
    FOREIGN KEY (run, step) REFERENCES steps (run, ordinal)
);

CREATE INDEX metrics_model ON metrics (model, relation);

-- Append-only: what every run published, so that any past state of the warehouse can be named.
CREATE TABLE publications (
    run TEXT NOT NULL REFERENCES runs (id),
    relation TEXT NOT NULL,
    version TEXT REFERENCES versions (id),
    published TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (run, relation)
);

CREATE INDEX publications_relation ON publications (relation, published);

CREATE INDEX publications_version ON publications (version);

CREATE TABLE current (
    relation TEXT NOT NULL PRIMARY KEY,
    version TEXT NOT NULL REFERENCES versions (id),
    run TEXT NOT NULL REFERENCES runs (id),
    published TIMESTAMPTZ NOT NULL
);

-- One row for ever, because a store serves one warehouse: that of the first run. Free where `run`
-- is NULL, and tokens keep growing. The run need not have begun yet.
CREATE TABLE leases (
    warehouse TEXT,
    run TEXT,
    token BIGINT NOT NULL,
    acquired TIMESTAMPTZ,
    expires TIMESTAMPTZ,
    CHECK ((run IS NULL) = (expires IS NULL))
);

INSERT INTO leases (token) VALUES (0);
