//! Recall as a SQL aggregate.

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

use super::metric::Metric;
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::metrics::Confusion;

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "recall",
    kind: Kind::Aggregate,
    summary: "Share of anomalies that were predicted.",
    syntax: "recall(label, predicted)",
    arguments: &[
        Argument {
            name: "label",
            types: "BOOLEAN or a number",
            description: "The truth: true or 1 for an anomaly, false or 0 otherwise.",
        },
        Argument {
            name: "predicted",
            types: "BOOLEAN or a number",
            description: "What was predicted: true or 1 for an anomaly, false or 0 otherwise.",
        },
    ],
    returns: "DOUBLE in [0, 1]: 1 where every anomaly was found, 0 where all were missed.",
    nulls: "A row whose label or prediction is NULL changes nothing. NaN is an error.",
    empty: "NULL where there is no anomaly, so also for no rows (scikit-learn warns and returns \
            0).",
    errors: "A label or prediction other than 0 and 1 fails the query. Wrong argument types, a \
             wrong number of arguments and DISTINCT are errors before any row is read.",
    determinism: "Bit for bit the same for any order, partitioning and batch size of the same \
                  rows.",
    cost: "32 bytes, O(1) per row. Window frames of any kind are O(1) per row too.",
    example: "SELECT round(recall(label, predicted), 4) FROM (VALUES (true, true), (false, true), \
              (true, false), (false, false), (true, true)) AS t(label, predicted)",
    example_result: "0.6667",
    source: "van Rijsbergen 1979, Information Retrieval, chapter 7. Equal to scikit-learn's \
             recall_score.",
    related: &["precision", "f1_score"],
    since: "0.1.0",
};

/// The aggregate function.
pub(crate) fn udaf() -> Arc<AggregateUDF> {
    Metric::<Confusion>::udaf(&DOC, |state| state.recall())
}
