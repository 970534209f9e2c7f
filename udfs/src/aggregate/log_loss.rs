//! Log loss as a SQL aggregate.

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

use super::metric::Metric;
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::metrics::{LogLoss, MeanLoss};

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "log_loss",
    kind: Kind::Aggregate,
    summary: "Mean of minus the natural logarithm of the probability that was given to the \
              label: the cross-entropy.",
    syntax: "log_loss(label, probability)",
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
    returns: "DOUBLE from 0: near 0 where the label always got a probability near 1; 0.693 (ln \
              2) for always 0.5. The probability of the label is clipped to [e, 1 - e] with e = \
              2^-52, as scikit-learn does for DOUBLE, so that a certain error costs 36.04 and \
              not infinity.",
    nulls: "A row whose label or probability is NULL changes nothing. NaN is an error.",
    empty: "NULL for no rows. One class changes nothing in the definition (scikit-learn needs \
            `labels=[0, 1]` there).",
    errors: "A label other than 0 and 1, or a probability outside [0, 1], fails the query. Wrong \
             argument types, a wrong number of arguments and DISTINCT are errors before any row \
             is read.",
    determinism: "Bit for bit the same for any order, partitioning and batch size of the same \
                  rows. Losses are summed exactly, as multiples of 2^-80; the logarithm is \
                  computed in software, so the same on every machine.",
    cost: "32 bytes, O(1) per row. Window frames of any kind are O(1) per row too. The mean is \
           exact to 4e-25 beside the rounding of each loss; room for 4 x 10^12 rows.",
    example: "SELECT round(log_loss(label, probability), 4) FROM (VALUES (true, 0.9), (false, \
              0.8), (true, 0.7), (false, 0.1)) AS t(label, probability)",
    example_result: "0.5442",
    source: "Good 1952, Rational decisions. Equal to scikit-learn's log_loss.",
    related: &["brier_score", "roc_auc"],
    since: "0.1.0",
};

/// The aggregate function.
pub(crate) fn udaf() -> Arc<AggregateUDF> {
    Metric::<MeanLoss<LogLoss>>::udaf(&DOC, |state| state.mean())
}
