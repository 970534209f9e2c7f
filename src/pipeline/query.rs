//! Read-only queries over what is published.

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::prelude::SessionContext;
use futures::StreamExt;

use super::plan::{self, Action};
use super::script::Statement;
use super::{diagnose, params, runner, script, select};
use crate::audit::{AuditStore, RunId};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::session;
use crate::warehouse::{Catalog, Stores};

/// The rows of a running query.
pub struct Rows {
    stream: SendableRecordBatchStream,
    /// Tables that are looked up while the query runs need their session.
    _session: SessionContext,
}

impl Rows {
    /// Names and types of the columns.
    pub fn schema(&self) -> SchemaRef {
        self.stream.schema()
    }

    /// The next rows, until there are none.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>> {
        let batch = self.stream.next().await.transpose();
        batch.map_err(|error| diagnose::translate(error, &[]))
    }
}

/// A session over what was published when it was opened, for one query or many.
pub struct Workbench {
    settings: Settings,
    catalog: Catalog,
    ctx: SessionContext,
}

impl Workbench {
    /// Opens warehouse and audit store to read.
    pub async fn open(settings: &Settings) -> Result<Self> {
        Self::open_at(settings, None).await
    }

    /// The same, over what was published when a run had ended.
    ///
    /// # Errors
    /// `Configuration` where no such run has succeeded.
    pub async fn open_after(settings: &Settings, run: &RunId) -> Result<Self> {
        Self::open_at(settings, Some(run)).await
    }

    async fn open_at(settings: &Settings, run: Option<&RunId>) -> Result<Self> {
        settings.params.check_types()?;
        let audit = runner::open_audit_to_read(settings).await?;
        let catalog = runner::open_catalog(settings, &Stores::new(&settings.s3), &audit).await?;
        if settings.warehouse.path().is_some_and(|path| !path.exists()) {
            tracing::warn!("there is no warehouse at {}", settings.warehouse);
        }
        if let Some(run) = run {
            refuse_unpublished(&audit, run).await?;
            catalog.return_to(run).await?;
        }
        let ctx = session::build(settings, &catalog)?;
        Ok(Self { settings: settings.clone(), catalog, ctx })
    }

    /// Plans and starts a query, which is one statement. Statements that write are refused.
    pub async fn start(&self, sql: &str) -> Result<Rows> {
        let mut statements = script::parse("query", sql)?;
        let (Some(statement), true) = (statements.pop(), statements.is_empty()) else {
            return Err(Error::sql("exactly one statement is needed"));
        };
        let bound = params::bind(&statement, &self.settings.params)?;
        let explain = |error| self.explain(error, &statement);
        let planned = plan::plan(bound.ast, &self.ctx.state(), &self.catalog).await;
        let Action::Query(plan) = planned.map_err(explain)? else {
            let subject = select::subject(&statement.ast);
            return Err(Error::sql(format!(
                "a statement that changes something is not a query: {subject}"
            ))
            .with_hint("put statements that write into a script and run `pipeline exec`"));
        };
        let frame = self.ctx.execute_logical_plan(plan).await.map_err(explain)?;
        let stream = frame.execute_stream().await.map_err(explain)?;
        Ok(Rows { stream, _session: self.ctx.clone() })
    }

    fn explain(&self, error: DataFusionError, statement: &Statement) -> Error {
        let error = diagnose::explain(error, statement, &self.catalog.readable_names());
        match self.catalog.is_empty() {
            false => error,
            true => error.with_context(
                "warehouse",
                format!("{} (nothing is published)", self.settings.warehouse),
            ),
        }
    }
}

/// An error where a run has not succeeded: nothing was published then.
async fn refuse_unpublished(audit: &AuditStore, run: &RunId) -> Result<()> {
    if audit.has_succeeded(run).await? {
        return Ok(());
    }
    Err(Error::configuration(format!("there is no run {run} that has succeeded"))
        .with_context("audit store", audit.location())
        .with_hint("`pipeline sql 'SELECT id, state, command FROM audit.runs'` lists all runs"))
}
