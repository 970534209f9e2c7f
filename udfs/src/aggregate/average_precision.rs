//! Average precision as a SQL aggregate.

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

use super::metric::Metric;
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::metrics::Scores;

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "average_precision",
    kind: Kind::Aggregate,
    summary: "Average precision: precision at each threshold, weighted by the recall gained there; \
              the area under the precision-recall curve without interpolation.",
    syntax: "average_precision(label, score)",
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
    returns: "DOUBLE in (0, 1]: 1 where every anomaly is above every normal row; the share of \
              anomalies for scores that say nothing.",
    nulls: "A row whose label or score is NULL changes nothing. A NaN score is an error.",
    empty: "NULL where there is no anomaly, so also for no rows (scikit-learn warns and returns \
            0); 1 where all rows are anomalies.",
    errors: "A label other than 0 and 1 or a NaN score fails the query. Wrong argument types, a \
             wrong number of arguments, DISTINCT and a window frame whose start moves are errors \
             before any row is read.",
    determinism: "Bit for bit the same for any order, partitioning and batch size of the same \
                  rows.",
    cost: "8 bytes a row: 20 million rows are 160 MB, and half as much again while sorting. O(n \
           log n) at the end, the sort of each partition in parallel.",
    example: "SELECT round(average_precision(label, score), 4) FROM (VALUES (true, 0.9), (false, \
              0.8), (true, 0.7), (false, 0.1)) AS t(label, score)",
    example_result: "0.8333",
    source: "Zhu 2004, Recall, precision and average precision. Equal to scikit-learn's \
             average_precision_score.",
    related: &["roc_auc", "precision", "recall"],
    since: "0.1.0",
};

/// The aggregate function.
pub(crate) fn udaf() -> Arc<AggregateUDF> {
    Metric::<Scores>::udaf(&DOC, |state| state.average_precision())
}
