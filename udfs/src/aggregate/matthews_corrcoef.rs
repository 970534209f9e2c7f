//! Matthews correlation coefficient as a SQL aggregate.

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

use super::metric::Metric;
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::metrics::Confusion;

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "matthews_corrcoef",
    kind: Kind::Aggregate,
    summary: "Matthews correlation coefficient: the correlation between labels and predictions, \
              fair also where anomalies are rare.",
    syntax: "matthews_corrcoef(label, predicted)",
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
    returns: "DOUBLE in [-1, 1]: 1 where every prediction is right, -1 where every one is wrong, \
              0 for predictions that say nothing.",
    nulls: "A row whose label or prediction is NULL changes nothing. NaN is an error.",
    empty: "NULL for no rows; 0 where the labels or the predictions are all the same, as \
            scikit-learn.",
    errors: "A label or prediction other than 0 and 1 fails the query. Wrong argument types, a \
             wrong number of arguments and DISTINCT are errors before any row is read.",
    determinism: "Bit for bit the same for any order, partitioning and batch size of the same \
                  rows.",
    cost: "32 bytes, O(1) per row. Window frames of any kind are O(1) per row too.",
    example: "SELECT round(matthews_corrcoef(label, predicted), 4) FROM (VALUES (true, true), \
              (false, true), (true, false), (false, false), (true, true)) AS t(label, predicted)",
    example_result: "0.1667",
    source: "Matthews 1975, Comparison of the predicted and observed secondary structure of T4 \
             phage lysozyme. Chicco, Jurman 2020, for one class. Equal to scikit-learn's \
             matthews_corrcoef.",
    related: &["confusion_matrix", "f1_score"],
    since: "0.1.0",
};

/// The aggregate function.
pub(crate) fn udaf() -> Arc<AggregateUDF> {
    Metric::<Confusion>::udaf(&DOC, |state| state.matthews_corrcoef())
}
