-- The log: what happened, in order, each entry with the hash of the one before it. Append-only. Its
-- `run` need not be in `runs`: a run takes its lease before it begins.

CREATE TABLE log (
    sequence BIGINT NOT NULL PRIMARY KEY,
    time TIMESTAMPTZ NOT NULL,
    actor TEXT NOT NULL,
    run TEXT,
    event TEXT NOT NULL,
    payload TEXT NOT NULL,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
);

CREATE INDEX log_run ON log (run);

-- Versions that nobody ever saw and whose files were removed: they stay on record, and are not
-- used again.
CREATE TABLE removals (
    version TEXT NOT NULL PRIMARY KEY REFERENCES versions (id),
    run TEXT NOT NULL REFERENCES runs (id),
    removed TIMESTAMPTZ NOT NULL
);

-- Hash of a file's bytes; unknown for files from before this migration.
ALTER TABLE files ADD COLUMN digest TEXT;
