//! Recall at a false positive rate as a SQL aggregate.

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

use super::metric::Metric;
use super::metric_parameter::Parameter;
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::metrics::Scores;

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "recall_at_fpr",
    kind: Kind::Aggregate,
    summary: "The largest recall among thresholds whose false positive rate is at most the one \
              given: what is found within a budget of false alarms.",
    syntax: "recall_at_fpr(label, score, fpr)",
    arguments: &[
        Argument {
            name: "label",
            types: "BOOLEAN or a number",
            description: "The truth: true or 1 for an anomaly, false or 0 otherwise.",
        },
        Argument {
            name: "score",
            types: "BOOLEAN or a number",
            description: "Larger means more anomalous; infinite values are allowed. A BOOLEAN \
                          counts as 0 or 1.",
        },
        Argument {
            name: "fpr",
            types: "number",
            description: "Literal in [0, 1]: the largest false positive rate, the share of \
                          normal rows that are called anomalies.",
        },
    ],
    returns: "DOUBLE in [0, 1]: a recall that a threshold reaches, a point of scikit-learn's \
              roc_curve; nothing is interpolated. 0 where even the largest score has too many \
              false positives.",
    nulls: "A row whose label or score is NULL changes nothing. A NaN score is an error.",
    empty: "NULL where there is no anomaly or no normal row, so also for no rows.",
    errors: "A label other than 0 and 1 or a NaN score fails the query. Wrong argument types, a \
             wrong number of arguments, an `fpr` that is not literal or out of range, DISTINCT \
             and a window frame whose start moves are errors before any row is read.",
    determinism: "Bit for bit the same for any order, partitioning and batch size of the same \
                  rows.",
    cost: "8 bytes a row: 20 million rows are 160 MB, and half as much again while sorting. O(n \
           log n) at the end, the sort of each partition in parallel.",
    example: "SELECT recall_at_fpr(label, score, 0), recall_at_fpr(label, score, 0.5) FROM \
              (VALUES (true, 0.9), (false, 0.8), (true, 0.7), (false, 0.1)) AS t(label, score)",
    example_result: "0.5 1.0",
    source: "Fawcett 2006, An introduction to ROC analysis, section 4 (the points). Equal to the \
             largest tpr where fpr is at most the one given of scikit-learn's roc_curve.",
    related: &["roc_curve", "precision_at_k", "recall"],
    since: "0.1.0",
};

/// The aggregate function.
pub(crate) fn udaf() -> Arc<AggregateUDF> {
    Metric::<Scores>::with_parameter(
        &DOC,
        Parameter { range: 0.0..=1.0, default: None },
        |state, fpr| state.recall_at_fpr(fpr),
    )
}
