//! Metrics: any table in `eval` with the columns `metric` (text) and `value` (number) is recorded
//! in the audit store too, under the run and the models it judges.

use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::arrow::array::{Array, AsArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type, Schema};
use datafusion::datasource::TableProvider;
use datafusion::error::Result as DataFusionResult;
use datafusion::prelude::SessionContext;

use crate::audit::{
    AuditStore, InputKind, LineageRecord, MetricRecord, RelationKind, VersionId, VersionRecord,
};
use crate::error::Result;
use crate::warehouse::{Layer, Relation};

/// More rows than a table of metrics has: it is something else.
const MAX_METRICS: usize = 10_000;

/// Whether a table is one of metrics.
pub(super) fn is_metrics(relation: &Relation, schema: &Schema) -> bool {
    let column = |name| schema.field_with_name(name).map(|field| field.data_type());
    relation.layer == Layer::Eval
        && matches!(column("metric"), Ok(DataType::Utf8 | DataType::Utf8View | DataType::LargeUtf8))
        && column("value").is_ok_and(DataType::is_numeric)
}

/// Reads the metrics of a version that was just written.
pub(super) async fn read(
    ctx: &SessionContext,
    table: Arc<dyn TableProvider>,
) -> DataFusionResult<Vec<(String, Option<f64>)>> {
    let rows = ctx.read_table(table)?.select_columns(&["metric", "value"])?;
    let mut metrics = vec![];
    for batch in rows.limit(0, Some(MAX_METRICS))?.collect().await? {
        let names = cast(batch.column(0), &DataType::Utf8)?;
        let values = cast(batch.column(1), &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        for (row, name) in names.as_string::<i32>().iter().enumerate() {
            let value = values.is_valid(row).then(|| values.value(row));
            metrics.extend(name.map(|name| (name.to_owned(), value)));
        }
    }
    if metrics.len() == MAX_METRICS {
        tracing::warn!("only the first {MAX_METRICS} metrics are recorded");
    }
    metrics.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(metrics)
}

/// The metrics as records, once per model among the inputs, or once without.
pub(super) fn records(
    version: &VersionRecord,
    metrics: &[(String, Option<f64>)],
    models: &BTreeSet<VersionId>,
) -> Vec<MetricRecord> {
    let models: Vec<Option<&VersionId>> = match models.is_empty() {
        true => vec![None],
        false => models.iter().map(Some).collect(),
    };
    let record =
        |model: Option<&VersionId>, (metric, value): &(String, Option<f64>)| MetricRecord {
            relation: version.relation.clone(),
            version: version.id.clone(),
            model: model.cloned(),
            metric: metric.clone(),
            value: *value,
        };
    models.iter().flat_map(|model| metrics.iter().map(|m| record(*model, m))).collect()
}

/// The nearest model versions behind some inputs, through all versions between.
pub(super) async fn models_behind(
    audit: &AuditStore,
    inputs: &[LineageRecord],
) -> Result<BTreeSet<VersionId>> {
    let mut models = BTreeSet::new();
    let mut seen = BTreeSet::new();
    let mut waiting = inputs.to_vec();
    while let Some(input) = waiting.pop() {
        if input.kind != InputKind::Version || !seen.insert(input.source.clone()) {
            continue;
        }
        let id = VersionId::new(input.source);
        let in_models = Relation::parse(&input.relation).is_some_and(|r| r.layer == Layer::Models);
        let is_table = audit.version(&id).await?.is_some_and(|v| v.kind == RelationKind::Table);
        if in_models && is_table {
            models.insert(id);
        } else {
            waiting.extend(audit.inputs(&id).await?);
        }
    }
    Ok(models)
}
