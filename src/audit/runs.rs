//! The life of a run: begin, record each step, finish.

use super::backend::{Outcome, Write};
use super::log::{Draft, RowChange, event};
use super::relations::{CHECKS, FILES, LINEAGE, METRICS, PARAMS, RUNS, STEPS, VERSIONS};
use super::values::{FromRow, Row, values};
use super::{AuditStore, NewVersion, ParamRecord, RunId, RunRecord, RunState};
use super::{StepOutcome, StepRecord, Value, VersionRecord};
use crate::error::Result;

/// The runs whose process died: they are running by their own account, but hold no lease.
const DEAD: &str = "
    WHERE state = 'running' AND id <> ?1
        AND NOT EXISTS (SELECT 1 FROM leases WHERE leases.run = runs.id)";

/// Ends one of them, if that is still so.
const ABANDON: &str = "
    UPDATE runs SET state = ?2, finished = ?3, error = ?4
    WHERE id = ?1 AND state = 'running'
        AND NOT EXISTS (SELECT 1 FROM leases WHERE leases.run = runs.id)";

/// A run that was given up by others may still say how it really ended; a published one is done.
const FINISH: &str = "
    UPDATE runs SET state = ?2, finished = ?3, error = ?4 WHERE id = ?1 AND state <> 'succeeded'";

impl AuditStore {
    /// Records that a run has begun, with its parameters. Call it while holding the lease: runs
    /// that are still `running` without one are marked as failed first, each in a transaction of
    /// its own.
    pub async fn begin_run(&self, run: &RunRecord, params: &[ParamRecord]) -> Result<()> {
        self.abandon_dead_runs(&run.id).await?;
        let mut batch = vec![Write::insert(&RUNS, run_row(run))];
        batch.extend(params.iter().map(|param| {
            let ParamRecord { name, value, origin } = param;
            Write::insert(&PARAMS, values![&run.id, name, value, origin])
        }));
        self.record(Draft::new(event::RUN_BEGUN, Some(&run.id)), batch).await.map(|_| ())
    }

    async fn abandon_dead_runs(&self, but: &RunId) -> Result<()> {
        let dead: Vec<Id> = self.select(&RUNS, DEAD, values![but]).await?;
        for Id(run) in dead {
            let why = "its process ended without a word";
            let end = self.end(ABANDON, &run, RunState::Failed, Some(why)).await?;
            let draft = Draft::new(event::RUN_ABANDONED, Some(&run));
            // Refused where it has ended since: it said how itself.
            let (Outcome::Committed | Outcome::Refused(_)) = self.record(draft, vec![end]).await?;
        }
        Ok(())
    }

    /// The statement that ends a run.
    async fn end(
        &self,
        sql: &'static str,
        run: &RunId,
        state: RunState,
        error: Option<&str>,
    ) -> Result<Write> {
        let now = self.now().await?;
        let ended = RowChange::Set(
            &RUNS,
            vec![
                ("id", run.into()),
                ("state", state.as_str().into()),
                ("finished", now.into()),
                ("error", error.into()),
            ],
        );
        Ok(Write::guard(sql, values![run, state.as_str(), now, error]).that(ended))
    }

    /// Records one step that has ended, with all that it made.
    pub async fn record_step(&self, outcome: &StepOutcome) -> Result<()> {
        let StepOutcome { step, version, check, metrics } = outcome;
        let mut draft = Draft::new(event::STEP_RECORDED, Some(&step.run));
        let mut batch = vec![];
        if let Some(version) = version {
            add_version(&mut batch, version);
            draft = draft.note("manifest", &version.manifest);
        }
        batch.push(Write::insert(&STEPS, step_row(step)));
        if let Some(check) = check {
            let row = values![
                &step.run,
                step.ordinal,
                &check.condition,
                &check.message,
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
                &metric.relation,
                &metric.version,
                metric.model.as_ref(),
                &metric.metric,
                metric.value,
            ];
            batch.push(Write::insert(&METRICS, row));
        }
        self.record(draft, batch).await.map(|_| ())
    }

    /// Ends a run that has nothing to publish: failed, cancelled, or succeeded without a change.
    /// `state` is not `Running`.
    ///
    /// # Errors
    /// `Conflict` where the run has succeeded already or never began.
    pub async fn finish_run(
        &self,
        run: &RunId,
        state: RunState,
        error: Option<&str>,
    ) -> Result<()> {
        let end = self.end(FINISH, run, state, error).await?;
        let draft = Draft::new(event::RUN_ENDED, Some(run));
        match self.record(draft, vec![end]).await? {
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
        &run.command,
        &run.user,
        &run.host,
        run.git_commit.as_ref(),
        run.git_dirty,
        &run.binary_version,
        &run.datafusion_version,
        &run.configuration,
        Value::Null,
    ]
}

fn step_row(step: &StepRecord) -> Vec<Value> {
    let duration = (step.finished - step.started).as_seconds_f64();
    values![
        &step.run,
        step.ordinal,
        &step.phase,
        &step.file,
        step.line,
        &step.kind,
        step.relation.as_ref(),
        &step.sql,
        &step.sql_hash,
        step.identity.as_ref(),
        step.state.as_str(),
        &step.reason,
        step.rows,
        step.bytes,
        step.started,
        step.finished,
        duration,
        step.error.as_ref(),
        step.version.as_ref(),
    ]
}

fn version_row(version: &VersionRecord) -> Vec<Value> {
    values![
        &version.id,
        &version.relation,
        version.kind.as_str(),
        version.definition.as_ref(),
        version.rows,
        version.bytes,
        &version.schema,
        &version.fingerprint,
        &version.identity,
        &version.run,
        version.created,
    ]
}

fn add_version(batch: &mut Vec<Write>, new: &NewVersion) {
    let NewVersion { version, files, inputs, .. } = new;
    let id = &version.id;
    batch.push(Write::insert(&VERSIONS, version_row(version)));
    batch.extend(files.iter().map(|file| {
        let row = values![
            id,
            &file.path,
            file.size,
            file.etag.as_ref(),
            file.rows,
            file.digest.as_ref(),
        ];
        Write::insert(&FILES, row)
    }));
    batch.extend(inputs.iter().zip(1_i64..).map(|(input, position)| {
        let row = values![
            id,
            position,
            &input.relation,
            input.kind.as_str(),
            &input.source,
            input.fingerprint.as_ref(),
            input.size,
            input.etag.as_ref(),
            input.modified,
        ];
        Write::insert(&LINEAGE, row)
    }));
}

struct Id(RunId);

impl FromRow for Id {
    fn from_row(row: &Row) -> Result<Self> {
        row.get("id").map(Self)
    }
}
