//! `synthetic_flows(rows, seed)`: labelled network events to try and test with.

mod columns;
mod exec;

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::{DataType, SchemaRef};
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::{Result, plan_err};
use datafusion::datasource::TableType;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::scalar::ScalarValue;

use crate::doc::{Argument, FunctionDoc, Kind};
use crate::synthetic::Generator;

use exec::SyntheticFlowsExec;

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "synthetic_flows",
    kind: Kind::Table,
    summary: "Makes one week of labelled network events of a simulated office network.",
    syntax: "synthetic_flows(rows, seed)",
    arguments: &[
        Argument {
            name: "rows",
            types: "integer literal",
            description: "Number of events, 0 or more. More rows mean a higher rate of events in \
                          the same week.",
        },
        Argument {
            name: "seed",
            types: "integer literal",
            description: "Any 64-bit integer. It decides the hosts, their habits, the attack \
                          campaigns and every event.",
        },
    ],
    returns: "event_id BIGINT (0 to rows - 1), timestamp TIMESTAMP (microseconds, UTC, from \
              2026-01-05 00:00:00 for 7 days, never decreasing with event_id), src_ip TEXT, \
              src_port INT, dst_ip TEXT, dst_port INT, protocol TEXT (tcp, udp, icmp), duration \
              DOUBLE (seconds, 0 to 21600), bytes BIGINT (40 or more), packets BIGINT (1 or more), \
              label TEXT (benign, or the attack: scan, flood, exfiltration, beacon, brute_force; \
              1 % of events are attacks). Addresses are from ranges reserved for private use, \
              benchmarks and documentation.",
    nulls: "Ports are NULL for icmp; no other column has NULLs. A NULL argument is an error.",
    empty: "0 rows give an empty relation. Below a few thousand rows some kinds of attack, or all, \
            may be missing.",
    errors: "A wrong number of arguments, an argument that is not an integer literal, NULL, or \
             rows < 0 is an error while planning.",
    determinism: "Every event is a pure function of (seed, rows, event_id), bit for bit on every \
                  machine, whatever the number of partitions, the batch size, the columns or the \
                  LIMIT.",
    cost: "A few hundred kilobytes and one batch per partition, for any number of rows; O(1) per \
           row. Only the columns that a query reads are built, and count(*) reads none.",
    example: "SELECT label, count(*) AS events FROM synthetic_flows(100000, 42) GROUP BY label \
              ORDER BY label",
    example_result: "beacon 121\nbenign 98998\nbrute_force 194\nexfiltration 163\nflood 288\nscan 236",
    source: "This project's own model. Heavy tails: Crovella, Bestavros 1997, Self-similarity in \
             World Wide Web traffic. Randomness: Steele, Lea, Flood 2014, SplitMix64.",
    related: &["roc_auc", "average_precision"],
    since: "0.1.0",
};

/// The table function.
#[derive(Debug)]
pub(crate) struct SyntheticFlows;

impl TableFunctionImpl for SyntheticFlows {
    fn call_with_args(&self, args: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let [rows, seed] = args.exprs() else {
            return plan_err!(
                "synthetic_flows takes 2 arguments (rows, seed), got {}",
                args.exprs().len()
            );
        };
        let seed = integer("seed", seed)?;
        let rows = integer("rows", rows)?;
        let Ok(rows) = u64::try_from(rows) else {
            return plan_err!("synthetic_flows: rows must be 0 or more, got {rows}");
        };
        let generator = Generator::new(seed.cast_unsigned(), rows);
        Ok(Arc::new(SyntheticFlowsTable {
            generator: Arc::new(generator),
            seed,
            schema: columns::schema(),
        }))
    }
}

/// The value of a literal argument of any integer type.
fn integer(name: &str, argument: &Expr) -> Result<i64> {
    if let Expr::Literal(value, _) = argument
        && !value.is_null()
        && value.data_type().is_integer()
        && let Ok(ScalarValue::Int64(Some(value))) = value.cast_to(&DataType::Int64)
    {
        return Ok(value);
    }
    plan_err!("synthetic_flows: {name} must be a BIGINT literal, got {argument}")
}

/// The relation of one call.
#[derive(Debug)]
struct SyntheticFlowsTable {
    generator: Arc<Generator>,
    seed: i64,
    schema: SchemaRef,
}

#[async_trait]
impl TableProvider for SyntheticFlowsTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Temporary
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        // The rows of a LIMIT are the first ones: nothing after them needs to be made.
        let rows = limit.map_or(u64::MAX, |limit| limit as u64).min(self.generator.rows());
        let batches = rows.div_ceil(state.config().batch_size() as u64);
        let partitions = batches.clamp(1, state.config().target_partitions() as u64);
        Ok(Arc::new(SyntheticFlowsExec::try_new(
            Arc::clone(&self.generator),
            self.seed,
            rows,
            partitions as usize,
            projection,
        )?))
    }
}

#[cfg(test)]
mod tests;
