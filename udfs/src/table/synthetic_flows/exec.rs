//! The physical plan: one contiguous range of events per partition, made batch by batch.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Result, Statistics, internal_err, project_schema};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{
    EquivalenceProperties, Partitioning, PhysicalExpr, PhysicalSortExpr, expressions,
};
use datafusion::physical_plan::coop::make_cooperative;
use datafusion::physical_plan::display::ProjectSchemaDisplay;
use datafusion::physical_plan::execution_plan::{
    Boundedness, ChildrenPropertiesMode, EmissionType, ReplaceChildrenOptions, SchedulingType,
};
use datafusion::physical_plan::metrics::{BaselineMetrics, ExecutionPlanMetricsSet, MetricsSet};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, StatisticsArgs,
};

use super::columns::{self, Column};
use crate::synthetic::Generator;

/// Makes the first `rows` events of a generator.
#[derive(Debug)]
pub(super) struct SyntheticFlowsExec {
    generator: Arc<Generator>,
    seed: i64,
    rows: u64,
    columns: Vec<Column>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    metrics: ExecutionPlanMetricsSet,
}

impl SyntheticFlowsExec {
    pub(super) fn try_new(
        generator: Arc<Generator>,
        seed: i64,
        rows: u64,
        partitions: usize,
        projection: Option<&Vec<usize>>,
    ) -> Result<Self> {
        let schema = project_schema(&columns::schema(), projection)?;
        let columns = match projection {
            Some(projection) => projection.iter().map(|&column| Column::ALL[column]).collect(),
            None => Column::ALL.to_vec(),
        };
        let orderings = columns.iter().enumerate().filter(|(_, column)| column.is_ordered()).map(
            |(position, _)| {
                let column = expressions::Column::new(schema.field(position).name(), position);
                [PhysicalSortExpr::new_default(Arc::new(column))]
            },
        );
        let equivalences =
            EquivalenceProperties::new_with_orderings(Arc::clone(&schema), orderings);
        let properties = PlanProperties::new(
            equivalences,
            Partitioning::UnknownPartitioning(partitions),
            EmissionType::Incremental,
            Boundedness::Bounded,
        )
        .with_scheduling_type(SchedulingType::Cooperative);
        Ok(Self {
            generator,
            seed,
            rows,
            columns,
            schema,
            properties: Arc::new(properties),
            metrics: ExecutionPlanMetricsSet::new(),
        })
    }

    fn partitions(&self) -> usize {
        self.properties.partitioning.partition_count()
    }

    /// The ids of a partition.
    fn event_ids(&self, partition: usize) -> Range<u64> {
        let bound = |partition: usize| {
            let rows = u128::from(self.rows) * partition as u128 / self.partitions() as u128;
            rows as u64
        };
        bound(partition)..bound(partition + 1)
    }
}

impl DisplayAs for SyntheticFlowsExec {
    fn fmt_as(&self, format: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (rows, seed, partitions) = (self.rows, self.seed, self.partitions());
        match format {
            DisplayFormatType::Default | DisplayFormatType::Verbose => write!(
                f,
                "SyntheticFlowsExec: rows={rows}, seed={seed}, partitions={partitions}, \
                 projection={}",
                ProjectSchemaDisplay(&self.schema)
            ),
            DisplayFormatType::TreeRender => {
                write!(f, "rows={rows}\nseed={seed}\npartitions={partitions}\n")
            }
        }
    }
}

impl ExecutionPlan for SyntheticFlowsExec {
    fn name(&self) -> &str {
        "SyntheticFlowsExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![]
    }

    fn apply_expressions(
        &self,
        _visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if !children.is_empty() {
            return internal_err!("{} has no children", self.name());
        }
        Ok(self)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(
            children,
            ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute),
        )
    }

    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let metrics = BaselineMetrics::new(&self.metrics, partition);
        let mut batches = Batches {
            generator: Arc::clone(&self.generator),
            event_ids: self.event_ids(partition),
            batch_size: context.session_config().batch_size() as u64,
            columns: self.columns.clone(),
            schema: Arc::clone(&self.schema),
        };
        let stream = futures::stream::iter(std::iter::from_fn(move || {
            let _timer = metrics.elapsed_compute().timer();
            batches.next().inspect(|batch| {
                if let Ok(batch) = batch {
                    metrics.record_output(batch.num_rows());
                }
            })
        }));
        let stream = RecordBatchStreamAdapter::new(Arc::clone(&self.schema), stream);
        Ok(make_cooperative(Box::pin(stream)))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        Some(self.metrics.clone_inner())
    }

    fn statistics_from_inputs(
        &self,
        _inputs: &[Arc<Statistics>],
        args: &StatisticsArgs,
    ) -> Result<Arc<Statistics>> {
        let rows = match args.partition() {
            Some(partition) => {
                let event_ids = self.event_ids(partition);
                event_ids.end - event_ids.start
            }
            None => self.rows,
        };
        let statistics = Statistics::new_unknown(&self.schema);
        Ok(Arc::new(statistics.with_num_rows(Precision::Exact(rows as usize))))
    }
}

/// The batches of one partition.
struct Batches {
    generator: Arc<Generator>,
    event_ids: Range<u64>,
    batch_size: u64,
    columns: Vec<Column>,
    schema: SchemaRef,
}

impl Iterator for Batches {
    type Item = Result<RecordBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        let Range { start, end } = self.event_ids;
        if start == end {
            return None;
        }
        let split = end.min(start.saturating_add(self.batch_size));
        self.event_ids.start = split;
        // A query that reads no column only counts.
        let options = RecordBatchOptions::new().with_row_count(Some((split - start) as usize));
        let arrays = if self.columns.is_empty() {
            vec![]
        } else {
            let flows: Vec<_> = self.generator.flows(start..split).collect();
            self.columns.iter().map(|column| column.array(&flows)).collect()
        };
        let batch = RecordBatch::try_new_with_options(Arc::clone(&self.schema), arrays, &options);
        Some(batch.map_err(Into::into))
    }
}
