//! The tables and views of the audit store: the one list of their columns, in order.
//!
//! Types are stated here because SQLite does not know them for computed columns. A test compares
//! the list with both databases.

use super::ColumnType;

/// A column: its name and type. Any column may be NULL in a view.
pub type Column = (&'static str, ColumnType);

/// A readable table or view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Relation {
    /// Its name in the store, and below `audit.` in SQL.
    pub name: &'static str,
    /// Its columns, in order.
    pub columns: &'static [Column],
    /// The columns that tell its rows apart; none for a view, and for a table of one row.
    pub key: &'static [&'static str],
}

impl Relation {
    /// `SELECT` of all columns, without a condition.
    pub(super) fn select(&self) -> String {
        format!("SELECT {} FROM {}", self.column_list(), self.name)
    }

    /// `INSERT` of one row, with a placeholder for each column.
    pub(super) fn insert(&self) -> String {
        let values: Vec<_> = (1..=self.columns.len()).map(|n| format!("?{n}")).collect();
        let values = values.join(", ");
        format!("INSERT INTO {} ({}) VALUES ({values})", self.name, self.column_list())
    }

    /// Where a column is in its rows.
    pub(super) fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|(name, _)| *name == column)
    }

    fn column_list(&self) -> String {
        let names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }
}

macro_rules! relations {
    ($($constant:ident $name:literal [$($key:ident),*] {
        $($column:ident $type:ident),+ $(,)?
    })+) => {
        $(pub(super) const $constant: Relation = Relation {
            name: $name,
            columns: &[$((stringify!($column), ColumnType::$type)),+],
            key: &[$(stringify!($key)),*],
        };)+
    };
}

relations! {
    RUNS "runs" [id] {
        id Text, state Text, started Timestamp, finished Timestamp, command Text, user_name Text,
        host Text, git_commit Text, git_dirty Boolean, binary_version Text,
        datafusion_version Text, configuration Text, error Text,
    }
    PARAMS "params" [run, name] { run Text, name Text, value Text, origin Text }
    STEPS "steps" [run, ordinal] {
        run Text, ordinal Integer, phase Text, file Text, line Integer, kind Text, relation Text,
        sql Text, sql_hash Text, identity Text, state Text, reason Text, rows Integer,
        bytes Integer, started Timestamp, finished Timestamp, duration_seconds Real, error Text,
        version Text,
    }
    VERSIONS "versions" [id] {
        id Text, relation Text, kind Text, definition Text, rows Integer, bytes Integer,
        schema Text, fingerprint Text, identity Text, run Text, created Timestamp,
    }
    FILES "files" [version, path] {
        version Text, path Text, size Integer, etag Text, rows Integer, digest Text,
    }
    LINEAGE "lineage" [version, position] {
        version Text, position Integer, relation Text, kind Text, source Text, fingerprint Text,
        size Integer, etag Text, modified Timestamp,
    }
    CHECKS "checks" [run, step] {
        run Text, step Integer, condition Text, message Text, passed Boolean, offending Integer,
    }
    METRICS "metrics" [run, step, position] {
        run Text, step Integer, position Integer, relation Text, version Text, model Text,
        metric Text, value Real,
    }
    PUBLICATIONS "publications" [run, relation] { run Text, relation Text, version Text, published Timestamp }
    CURRENT "current" [relation] { relation Text, version Text, run Text, published Timestamp }
    LEASES "leases" [] {
        warehouse Text, run Text, token Integer, acquired Timestamp, expires Timestamp,
    }
    REMOVALS "removals" [version] { version Text, run Text, removed Timestamp }
    LOG "log" [sequence] {
        sequence Integer, time Timestamp, actor Text, run Text, event Text, payload Text,
        previous Text, hash Text,
    }
    STEP_EVENTS "step_events" [] {
        event_time Timestamp, phase Text, run Text, run_state Text, ordinal Integer, file Text,
        line Integer, kind Text, relation Text, state Text, reason Text, version Text,
        rows Integer, bytes Integer, duration_seconds Real, error Text, sql Text,
    }
    MODEL_PROVENANCE "model_provenance" [] {
        version Text, relation Text, fingerprint Text, created Timestamp, published Timestamp,
        is_current Boolean, data Text, parameters Text, metrics Text, sql Text, file Text,
        line Integer, run Text, run_state Text, run_started Timestamp, command Text,
        user_name Text, host Text, git_commit Text, git_dirty Boolean, binary_version Text,
        datafusion_version Text,
    }
}

/// The steps of one phase.
const fn phase_events(name: &'static str) -> Relation {
    Relation { name, ..STEP_EVENTS }
}

/// The tables whose every row the log explains.
pub(super) const EXPLAINED: &[Relation] = &[
    RUNS,
    PARAMS,
    STEPS,
    VERSIONS,
    FILES,
    LINEAGE,
    CHECKS,
    METRICS,
    PUBLICATIONS,
    CURRENT,
    LEASES,
    REMOVALS,
];

/// All of them: tables, then views.
pub(super) const ALL: &[Relation] = &[
    RUNS,
    PARAMS,
    STEPS,
    VERSIONS,
    FILES,
    LINEAGE,
    CHECKS,
    METRICS,
    PUBLICATIONS,
    CURRENT,
    LEASES,
    REMOVALS,
    LOG,
    STEP_EVENTS,
    phase_events("ingestion_events"),
    phase_events("transformation_events"),
    phase_events("training_events"),
    phase_events("evaluation_events"),
    MODEL_PROVENANCE,
];
