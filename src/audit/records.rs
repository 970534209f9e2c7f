//! What the audit store keeps: plain records, one per table row.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Wraps an identifier made by the driver or read from the store.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_id! {
    /// A run: `20260131T235959123Z-1f2e3d`, sortable by start time.
    RunId
}
text_id! {
    /// A version: its folder below the warehouse, `silver/flows/20260131T235959123456Z-1f2e3d`.
    VersionId
}

macro_rules! text_enum {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// The text kept in the store.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }

            /// Reads the text kept in the store.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

text_enum! {
    /// State of a run.
    RunState {
        /// Under way, or its process died and nobody has noticed yet.
        Running = "running",
        /// All steps done and published.
        Succeeded = "succeeded",
        /// Ended with an error; nothing was published.
        Failed = "failed",
        /// Stopped by the user or the scheduler; nothing was published.
        Cancelled = "cancelled",
    }
}

text_enum! {
    /// State of a step at its end.
    StepState {
        /// Executed.
        Ran = "ran",
        /// An earlier result with the same identity stands in.
        Reused = "reused",
        /// Ended with an error.
        Failed = "failed",
        /// Not executed, because an earlier step failed.
        Skipped = "skipped",
    }
}

text_enum! {
    /// What a relation is.
    RelationKind {
        /// Rows in Parquet files.
        Table = "table",
        /// A stored query.
        View = "view",
    }
}

/// One run, as known when it starts.
#[derive(Debug, Clone)]
pub struct RunRecord {
    /// Its id.
    pub id: RunId,
    /// Start time.
    pub started: DateTime<Utc>,
    /// The command line, without secrets.
    pub command: String,
    /// Operating-system user.
    pub user: String,
    /// Host name.
    pub host: String,
    /// Commit of the scripts' repository, where they are in one.
    pub git_commit: Option<String>,
    /// Whether that work tree had uncommitted changes.
    pub git_dirty: Option<bool>,
    /// Version of this program.
    pub binary_version: String,
    /// Version of DataFusion.
    pub datafusion_version: String,
    /// The effective configuration as JSON, without secrets.
    pub configuration: String,
}

/// A parameter value bound in a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamRecord {
    /// Name without the `$`.
    pub name: String,
    /// Value as SQL literal text.
    pub value: String,
    /// Where it came from: `configuration` or `command line`.
    pub origin: String,
}

/// One step of a run, written when it ends.
#[derive(Debug, Clone)]
pub struct StepRecord {
    /// Its run.
    pub run: RunId,
    /// Position in the run, from 1.
    pub ordinal: i64,
    /// Sub-folder of the scripts without its number: `ingestion`, `training`.
    pub phase: String,
    /// Script file, relative to the scripts' folder.
    pub file: String,
    /// First line of the statement, from 1.
    pub line: i64,
    /// Kind of statement: `table`, `insert`, `view`, `drop`, `assert`, `select`, `other`.
    pub kind: String,
    /// The relation it writes, `silver.flows`.
    pub relation: Option<String>,
    /// The statement as written.
    pub sql: String,
    /// Hash of its canonical text (BLAKE3, hex).
    pub sql_hash: String,
    /// Hash of everything its result depends on, where that is known (BLAKE3, hex).
    pub identity: Option<String>,
    /// State at its end.
    pub state: StepState,
    /// Why it ran or was reused or skipped.
    pub reason: String,
    /// Rows written or read.
    pub rows: Option<i64>,
    /// Bytes written.
    pub bytes: Option<i64>,
    /// Start time.
    pub started: DateTime<Utc>,
    /// End time.
    pub finished: DateTime<Utc>,
    /// The error, where it failed.
    pub error: Option<String>,
    /// The version it made or reused.
    pub version: Option<VersionId>,
}

/// One immutable version of a relation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VersionRecord {
    /// Its id and folder.
    pub id: VersionId,
    /// `layer.name`.
    pub relation: String,
    /// Table or view.
    pub kind: RelationKind,
    /// The query of a view, parameters bound.
    pub definition: Option<String>,
    /// Rows; 0 for a view.
    pub rows: i64,
    /// Bytes of its files.
    pub bytes: i64,
    /// Column names and types as JSON.
    pub schema: String,
    /// Content fingerprint, 32 hex digits.
    pub fingerprint: String,
    /// Identity of the step that made it.
    pub identity: String,
    /// The run that made it.
    pub run: RunId,
    /// When it was made.
    pub created: DateTime<Utc>,
}

/// One Parquet file of a version. A file may belong to several versions (`INSERT INTO`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Path below the warehouse.
    pub path: String,
    /// Bytes.
    pub size: i64,
    /// Entity tag given by the store, where it gives one.
    pub etag: Option<String>,
    /// Rows.
    pub rows: i64,
    /// BLAKE3 of its bytes, hex. None for files written before there was a log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
}

text_enum! {
    /// What an input of a version is.
    InputKind {
        /// A version in the warehouse.
        Version = "version",
        /// A file or object outside of it.
        Object = "object",
        /// A query over functions alone.
        Query = "query",
    }
}

/// One direct input of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineageRecord {
    /// The relation read: `raw.events`, `landing.events`.
    pub relation: String,
    /// What it is.
    pub kind: InputKind,
    /// The version id, the object's URI, or the query.
    pub source: String,
    /// Fingerprint of a version.
    pub fingerprint: Option<String>,
    /// Bytes of an object.
    pub size: Option<i64>,
    /// Entity tag of an object.
    pub etag: Option<String>,
    /// Last modification of an object.
    pub modified: Option<DateTime<Utc>>,
}

impl LineageRecord {
    /// A version as an input.
    pub fn version(version: &VersionRecord) -> Self {
        Self {
            fingerprint: Some(version.fingerprint.clone()),
            ..Self::untagged(&version.relation, InputKind::Version, version.id.as_str())
        }
    }

    /// A query as an input.
    pub fn query(relation: &str, query: &str) -> Self {
        Self::untagged(relation, InputKind::Query, query)
    }

    fn untagged(relation: &str, kind: InputKind, source: &str) -> Self {
        Self {
            relation: relation.to_owned(),
            kind,
            source: source.to_owned(),
            fingerprint: None,
            size: None,
            etag: None,
            modified: None,
        }
    }
}

/// The result of one `ASSERT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRecord {
    /// The condition as written.
    pub condition: String,
    /// Its message.
    pub message: String,
    /// Whether it held.
    pub passed: bool,
    /// Number of offending rows, where the condition tells.
    pub offending: Option<i64>,
}

/// One metric of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct MetricRecord {
    /// The relation that holds it, `eval.metrics`.
    pub relation: String,
    /// Its version.
    pub version: VersionId,
    /// Version of the model it judges, where the lineage names one.
    pub model: Option<VersionId>,
    /// Name: `roc_auc`.
    pub metric: String,
    /// Value; NULL where it is undefined.
    pub value: Option<f64>,
}

/// Everything that one step adds to the store, in one transaction.
#[derive(Debug, Clone)]
pub struct StepOutcome {
    /// The step.
    pub step: StepRecord,
    /// The version it made, with its files and inputs. None where nothing new was made.
    pub version: Option<NewVersion>,
    /// Result of an `ASSERT`.
    pub check: Option<CheckRecord>,
    /// Metrics read from the version it made.
    pub metrics: Vec<MetricRecord>,
}

/// A version with its files and direct inputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewVersion {
    /// The version.
    pub version: VersionRecord,
    /// Its files.
    pub files: Vec<FileRecord>,
    /// Its direct inputs.
    pub inputs: Vec<LineageRecord>,
    /// BLAKE3 of its manifest, hex.
    pub manifest: String,
}

/// What a publish does to one relation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `layer.name`.
    pub relation: String,
    /// The version that becomes current, or None where the relation was dropped.
    pub version: Option<VersionId>,
}

/// The right to publish, held by one run at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The run that holds it.
    pub run: RunId,
    /// Fencing token: grows with every acquisition.
    pub token: i64,
}

/// The type of a column of the audit store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8 text.
    Text,
    /// 64-bit integer.
    Integer,
    /// 64-bit float.
    Real,
    /// Truth value.
    Boolean,
    /// UTC time, microseconds.
    Timestamp,
}

/// One value of the audit store.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// SQL NULL.
    Null,
    /// UTF-8 text.
    Text(String),
    /// 64-bit integer.
    Integer(i64),
    /// 64-bit float.
    Real(f64),
    /// Truth value.
    Boolean(bool),
    /// UTC time, microseconds.
    Timestamp(DateTime<Utc>),
}

/// The content of a table or view of the audit store.
#[derive(Debug, Clone, PartialEq)]
pub struct Rows {
    /// Column names and types.
    pub columns: Vec<(String, ColumnType)>,
    /// Rows, one value per column.
    pub rows: Vec<Vec<Value>>,
}
