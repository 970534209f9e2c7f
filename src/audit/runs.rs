//! The life of a run: begin, record each step, finish.

use super::backend::{Outcome, Write};
use super::relations::{CHECKS, FILES, LINEAGE, METRICS, PARAMS, RUNS, STEPS, VERSIONS};
use super::values::values;
use super::{AuditStore, NewVersion, ParamRecord, RunId, RunRecord, RunState};
use super::{StepOutcome, StepRecord, Value, VersionRecord};
use crate::error::Result;

/// Ends the runs whose process died: they are running by their own account, but hold no lease.
const ABANDON: &str = "
    UPDATE runs SET state = 'failed', finished = ?2, error = 'its process ended without a word'
    WHERE state = 'running' AND id <> ?1
        AND NOT EXISTS (SELECT 1 FROM leases WHERE leases.run = runs.id)";

/// A run that was given up by others may still say how it really ended; a published one is done.
const FINISH: &str = "
    UPDATE runs SET state = ?2, finished = ?3, error = ?4 WHERE id = ?1 AND state <> 'succeeded'";

impl AuditStore {
    /// Records that a run has begun, with its parameters. Call it while holding the lease: runs
    /// that are still `running` without one are marked as failed.
    pub async fn begin_run(&self, run: &RunRecord, params: &[ParamRecord]) -> Result<()> {
        let mut batch = vec![
            Write::new(ABANDON, values![&run.id, self.now().await?]),
            Write::insert(&RUNS, run_row(run)),
        ];
        batch.extend(params.iter().map(|param| {
            let ParamRecord {
                name,
                value,
                origin,
            } = param;
            Write::insert(
                &PARAMS,
                values![&run.id, name.as_str(), value.as_str(), origin.as_str()],
            )
        }));
        self.write(batch).await.map(|_| ())
    }

    /// Records one step that has ended, with all that it made.
    pub async fn record_step(&self, outcome: &StepOutcome) -> Result<()> {
        let StepOutcome {
            step,
            version,
            check,
            metrics,
        } = outcome;
        let mut batch = vec![];
        if let Some(version) = version {
            add_version(&mut batch, version);
        }
        batch.push(Write::insert(&STEPS, step_row(step)));
        if let Some(check) = check {
            let row = values![
                &step.run,
                step.ordinal,
                check.condition.as_str(),
                check.message.as_str(),
                check.passed,
                check.offending,
            ];
            batch.push(Write::insert(&CHECKS, row));
        }
        for (metric, position) in metrics.iter().zip(1_i64..) {
            let row = values![
                &step.run,
                step.ordinal,
                position,
                metric.relation.as_str(),
                &metric.version,
                metric.model.as_ref(),
                metric.metric.as_str(),
                metric.value,
            ];
            batch.push(Write::insert(&METRICS, row));
        }
        self.write(batch).await.map(|_| ())
    }

    /// Ends a run that has nothing to publish: failed, cancelled, or succeeded without a change.
    ///
    /// # Errors
    /// `Conflict` where the run has succeeded already or never began.
    pub async fn finish_run(
        &self,
        run: &RunId,
        state: RunState,
        error: Option<&str>,
    ) -> Result<()> {
        let params = values![run, state.as_str(), self.now().await?, error];
        match self.write(vec![Write::guard(FINISH, params)]).await? {
            Outcome::Committed => Ok(()),
            Outcome::Refused(_) => {
                let message =
                    format!("run {run} cannot end as {state}: it has succeeded or never began");
                Err(self.conflict(message))
            }
        }
    }
}

fn run_row(run: &RunRecord) -> Vec<Value> {
    values![
        &run.id,
        RunState::Running.as_str(),
        run.started,
        Value::Null,
        run.command.as_str(),
        run.user.as_str(),
        run.host.as_str(),
        run.git_commit.as_deref(),
        run.git_dirty,
        run.binary_version.as_str(),
        run.datafusion_version.as_str(),
        run.configuration.as_str(),
        Value::Null,
    ]
}

fn step_row(step: &StepRecord) -> Vec<Value> {
    let duration = (step.finished - step.started).as_seconds_f64();
    values![
        &step.run,
        step.ordinal,
        step.phase.as_str(),
        step.file.as_str(),
        step.line,
        step.kind.as_str(),
        step.relation.as_deref(),
        step.sql.as_str(),
        step.sql_hash.as_str(),
        step.identity.as_deref(),
        step.state.as_str(),
        step.reason.as_str(),
        step.rows,
        step.bytes,
        step.started,
        step.finished,
        duration,
        step.error.as_deref(),
        step.version.as_ref(),
    ]
}

fn version_row(version: &VersionRecord) -> Vec<Value> {
    values![
        &version.id,
        version.relation.as_str(),
        version.kind.as_str(),
        version.definition.as_deref(),
        version.rows,
        version.bytes,
        version.schema.as_str(),
        version.fingerprint.as_str(),
        version.identity.as_str(),
        &version.run,
        version.created,
    ]
}

fn add_version(batch: &mut Vec<Write>, new: &NewVersion) {
    let NewVersion {
        version,
        files,
        inputs,
    } = new;
    let id = &version.id;
    batch.push(Write::insert(&VERSIONS, version_row(version)));
    batch.extend(files.iter().map(|file| {
        let row = values![
            id,
            file.path.as_str(),
            file.size,
            file.etag.as_deref(),
            file.rows
        ];
        Write::insert(&FILES, row)
    }));
    batch.extend(inputs.iter().zip(1_i64..).map(|(input, position)| {
        let row = values![
            id,
            position,
            input.relation.as_str(),
            input.kind.as_str(),
            input.source.as_str(),
            input.fingerprint.as_deref(),
            input.size,
            input.etag.as_deref(),
            input.modified,
        ];
        Write::insert(&LINEAGE, row)
    }));
}
