//! Area under the ROC curve as a SQL aggregate.

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

use super::metric::Metric;
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::metrics::Scores;

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "roc_auc",
    kind: Kind::Aggregate,
    summary: "Area under the ROC curve: the probability that an anomaly has a larger score than a \
              normal row, ties counting one half.",
    syntax: "roc_auc(label, score)",
    arguments: &[
        Argument {
            name: "label",
            types: "BOOLEAN or a number",
            description: "The truth: true or 1 for an anomaly, false or 0 otherwise.",
        },
        Argument {
            name: "score",
            types: "BOOLEAN or a number",
            description: "Larger means more anomalous; infinite values are allowed. A BOOLEAN counts as \
                          0 or 1.",
        },
    ],
    returns: "DOUBLE in [0, 1]: 1 where every anomaly is above every normal row, 0.5 for scores \
              that say nothing, 0 where the order is reversed.",
    nulls: "A row whose label or score is NULL changes nothing. A NaN score is an error.",
    empty: "NULL where there is no anomaly or no normal row, so also for no rows.",
    errors: "A label other than 0 and 1 or a NaN score fails the query. Wrong argument types, a \
             wrong number of arguments, DISTINCT and a window frame whose start moves are errors \
             before any row is read.",
    determinism: "Bit for bit the same for any order, partitioning and batch size of the same \
                  rows.",
    cost: "8 bytes a row: 20 million rows are 160 MB, and half as much again while sorting. O(n \
           log n) at the end, the sort of each partition in parallel.",
    example: "SELECT roc_auc(label, score) FROM (VALUES (true, 0.9), (false, 0.8), (true, 0.7), \
              (false, 0.1)) AS t(label, score)",
    example_result: "0.75",
    source: "Hanley, McNeil 1982, The meaning and use of the area under a ROC curve. Fawcett 2006, \
             An introduction to ROC analysis, section 7. Equal to scikit-learn's roc_auc_score.",
    related: &["average_precision", "f1_score"],
    since: "0.1.0",
};

/// The aggregate function.
pub(crate) fn udaf() -> Arc<AggregateUDF> {
    Metric::<Scores>::udaf(&DOC, |state| state.roc_auc())
}
