//! Precision at k as a SQL aggregate.

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

use super::metric::Metric;
use super::metric_parameter::Parameter;
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::metrics::Scores;

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "precision_at_k",
    kind: Kind::Aggregate,
    summary: "Share of anomalies among the k largest scores: what an analyst finds who looks at \
              k alerts.",
    syntax: "precision_at_k(label, score, k)",
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
            name: "k",
            types: "integer",
            description: "Literal from 1: how many of the largest scores are looked at. All rows \
                          where there are fewer.",
        },
    ],
    returns: "DOUBLE in [0, 1]. Where scores tie at the k-th place, the expected share when the \
              tied rows are put in random order: with a rows above the tie, p of them anomalies, \
              and q anomalies among the t tied rows, (p + (k - a) q / t) / k.",
    nulls: "A row whose label or score is NULL changes nothing. A NaN score is an error.",
    empty: "NULL for no rows; 0 where there is no anomaly, 1 where all rows are.",
    errors: "A label other than 0 and 1 or a NaN score fails the query. Wrong argument types, a \
             wrong number of arguments, a `k` that is not literal or below 1, DISTINCT and a \
             window frame whose start moves are errors before any row is read.",
    determinism: "Bit for bit the same for any order, partitioning and batch size of the same \
                  rows.",
    cost: "8 bytes a row: 20 million rows are 160 MB, and half as much again while sorting. O(n \
           log n) at the end, the sort of each partition in parallel.",
    example: "SELECT precision_at_k(label, score, 1), precision_at_k(label, score, 2) FROM \
              (VALUES (true, 0.9), (false, 0.8), (true, 0.8), (false, 0.1)) AS t(label, score)",
    example_result: "1.0 0.75",
    source: "McSherry, Najork 2008, Computing information retrieval performance measures \
             efficiently in the presence of tied scores, section 2.",
    related: &["recall_at_fpr", "average_precision", "precision"],
    since: "0.1.0",
};

/// The aggregate function.
pub(crate) fn udaf() -> Arc<AggregateUDF> {
    Metric::<Scores>::with_parameter(
        &DOC,
        Parameter { range: 1..=u64::MAX, default: None },
        |state, k| state.precision_at_k(k),
    )
}
