//! Confusion counts as a SQL aggregate.

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

use super::metric::Metric;
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::metrics::Confusion;

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "confusion_matrix",
    kind: Kind::Aggregate,
    summary: "How often predictions of an anomaly were right and wrong, as four counts.",
    syntax: "confusion_matrix(label, predicted)",
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
    returns: "STRUCT of BIGINT: true_positives, false_positives, false_negatives, true_negatives.",
    nulls: "A row whose label or prediction is NULL changes nothing. NaN is an error.",
    empty: "Zeros for no rows.",
    errors: "A label or prediction other than 0 and 1 fails the query. Wrong argument types, a \
             wrong number of arguments and DISTINCT are errors before any row is read.",
    determinism: "Bit for bit the same for any order, partitioning and batch size of the same \
                  rows.",
    cost: "32 bytes, O(1) per row. Window frames of any kind are O(1) per row too.",
    example: "SELECT counts['true_positives'], counts['false_positives'], \
              counts['false_negatives'], counts['true_negatives'] FROM (SELECT \
              confusion_matrix(label, predicted) AS counts FROM (VALUES (true, true), (false, \
              true), (true, false), (false, false), (true, true)) AS t(label, predicted))",
    example_result: "2 1 1 1",
    source: "Fawcett 2006, An introduction to ROC analysis, section 2. Equal to scikit-learn's \
             confusion_matrix.",
    related: &["precision", "recall", "f1_score", "matthews_corrcoef"],
    since: "0.1.0",
};

/// The aggregate function.
pub(crate) fn udaf() -> Arc<AggregateUDF> {
    Metric::<Confusion>::udaf(&DOC, |state| *state)
}
