//! Precision-recall curve as a SQL aggregate.

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

use super::metric::Metric;
use super::metric_parameter::POINTS;
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::metrics::Scores;

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "pr_curve",
    kind: Kind::Aggregate,
    summary: "Precision and recall at each threshold, as a list of points.",
    syntax: "pr_curve(label, score[, points])",
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
            name: "points",
            types: "integer",
            description: "Literal from 4 to 1000000, default 1000: the most points to keep.",
        },
    ],
    returns: "LIST of STRUCT of DOUBLE (threshold, precision, recall), thresholds falling: a row \
              is called an anomaly where its score is at least the threshold. The first point \
              has an infinite threshold, recall 0 and, by convention, precision 1. Points \
              between two of the same recall are dropped, as `drop_intermediate` of \
              scikit-learn, whose list runs the other way. Where more than `points` remain, each \
              of floor(`points` / 4) cells of recall keeps its first and last point and those of \
              the smallest and the largest precision: a dropped point is within 1 / \
              floor(`points` / 4) in recall (0.004 by default) of kept ones, and its precision \
              within theirs.",
    nulls: "A row whose label or score is NULL changes nothing. A NaN score is an error.",
    empty: "NULL where there is no anomaly, so also for no rows. Where all rows are anomalies \
            precision is 1.",
    errors: "A label other than 0 and 1 or a NaN score fails the query. Wrong argument types, a \
             wrong number of arguments, `points` that is not literal or out of range, DISTINCT \
             and a window frame whose start moves are errors before any row is read.",
    determinism: "Bit for bit the same for any order, partitioning and batch size of the same \
                  rows.",
    cost: "8 bytes a row: 20 million rows are 160 MB, and half as much again while sorting. O(n \
           log n) at the end, the sort of each partition in parallel. Then up to 72 bytes for \
           each distinct score, until the list is thinned.",
    example: "SELECT round(point['threshold'], 1), round(point['precision'], 4), \
              round(point['recall'], 4) FROM (SELECT unnest(pr_curve(label, score)) AS point \
              FROM (VALUES (true, 0.9), (false, 0.8), (true, 0.7), (false, 0.1)) AS t(label, \
              score))",
    example_result: "inf 1.0 0.0\n0.9 1.0 0.5\n0.8 0.5 0.5\n0.7 0.6667 1.0\n0.1 0.5 1.0",
    source: "Davis, Goadrich 2006, The relationship between precision-recall and ROC curves. \
             Jugel and others 2014, M4, for thinning. Equal to scikit-learn's \
             precision_recall_curve.",
    related: &["roc_curve", "average_precision", "precision_at_k"],
    since: "0.1.0",
};

/// The aggregate function.
pub(crate) fn udaf() -> Arc<AggregateUDF> {
    Metric::<Scores>::with_parameter(&DOC, POINTS, |state, points| state.pr_curve(points))
}
