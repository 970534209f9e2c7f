//! What a run tells whoever watches it.

use std::sync::Arc;
use std::time::Duration;

use datafusion::arrow::array::RecordBatch;

use crate::audit::{RunId, StepState};
use crate::error::Error;
use crate::warehouse::Progress;

/// A step that is about to run.
#[derive(Debug, Clone)]
pub struct StepOutlook {
    /// Position in the run, from 1.
    pub ordinal: usize,
    /// Number of steps in the run.
    pub total: usize,
    /// `file:line`.
    pub at: String,
    /// The relation it writes, or its kind of statement.
    pub subject: String,
}

/// A step that has ended.
#[derive(Debug, Clone)]
pub struct StepSummary {
    /// What it was.
    pub outlook: StepOutlook,
    /// How it ended; in a dry run, how it would.
    pub state: StepState,
    /// Why it ran, was reused or was skipped.
    pub reason: String,
    /// Rows written or read.
    pub rows: Option<i64>,
    /// Bytes written.
    pub bytes: Option<i64>,
    /// Wall time.
    pub elapsed: Duration,
}

/// Watches a run. Every method has an empty default.
pub trait Observer: Send + Sync {
    /// Another holds the warehouse, as `refused` says; waits for it, at most so long. Told once.
    fn waiting(&self, _refused: &Error, _at_most: Duration) {}
    /// A run begins.
    fn run_started(&self, _run: &RunId) {}
    /// A step begins; its progress can be read while it runs.
    fn step_started(&self, _step: &StepOutlook, _progress: Arc<Progress>) {}
    /// The first rows of a `SELECT` among the statements, and how many there are in all.
    fn rows(&self, _batches: &[RecordBatch], _total: usize) {}
    /// A step has ended.
    fn step_finished(&self, _step: &StepSummary) {}
}
