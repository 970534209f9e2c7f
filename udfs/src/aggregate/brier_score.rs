//! Brier score as a SQL aggregate.

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

use super::metric::Metric;
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::metrics::{BrierScore, MeanLoss};

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "brier_score",
    kind: Kind::Aggregate,
    summary: "Mean squared difference between the probability of an anomaly and the label.",
    syntax: "brier_score(label, probability)",
    arguments: &[
        Argument {
            name: "label",
            types: "BOOLEAN or a number",
            description: "The truth: true or 1 for an anomaly, false or 0 otherwise.",
        },
        Argument {
            name: "probability",
            types: "BOOLEAN or a number",
            description: "The probability of an anomaly, in [0, 1]. A BOOLEAN counts as 0 or 1.",
        },
    ],
    returns: "DOUBLE in [0, 1]: 0 where every probability is the label, 1 where each is its \
              opposite; 0.25 for always 0.5.",
    nulls: "A row whose label or probability is NULL changes nothing. NaN is an error.",
    empty: "NULL for no rows. One class changes nothing in the definition.",
    errors: "A label other than 0 and 1, or a probability outside [0, 1], fails the query. Wrong \
             argument types, a wrong number of arguments and DISTINCT are errors before any row \
             is read.",
    determinism: "Bit for bit the same for any order, partitioning and batch size of the same \
                  rows. The squares are summed exactly, as multiples of 2^-80.",
    cost: "32 bytes, O(1) per row. Window frames of any kind are O(1) per row too. The mean is \
           exact to 4e-25 beside the rounding of each square; room for 4 x 10^12 rows.",
    example: "SELECT round(brier_score(label, probability), 4) FROM (VALUES (true, 0.9), (false, \
              0.8), (true, 0.7), (false, 0.1)) AS t(label, probability)",
    example_result: "0.1875",
    source: "Brier 1950, Verification of forecasts expressed in terms of probability. Equal to \
             scikit-learn's brier_score_loss.",
    related: &["log_loss", "roc_auc"],
    since: "0.1.0",
};

/// The aggregate function.
pub(crate) fn udaf() -> Arc<AggregateUDF> {
    Metric::<MeanLoss<BrierScore>>::udaf(&DOC, |state| state.mean())
}
