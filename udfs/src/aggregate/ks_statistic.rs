//! Kolmogorov-Smirnov statistic as a SQL aggregate.

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

use super::metric::Metric;
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::metrics::TwoSamples;

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "ks_statistic",
    kind: Kind::Aggregate,
    summary: "Kolmogorov-Smirnov statistic: the largest difference between the distribution \
              functions of two samples.",
    syntax: "ks_statistic(value, is_reference)",
    arguments: &[
        Argument {
            name: "value",
            types: "BOOLEAN or a number",
            description: "The values of both samples, compared as DOUBLE. A BOOLEAN counts as 0 \
                          or 1.",
        },
        Argument {
            name: "is_reference",
            types: "BOOLEAN or a number",
            description: "The sample of a row: true or 1 for the reference, false or 0 for the \
                          current sample. Two tables are compared through UNION ALL, two parts \
                          of one table through a condition on its columns.",
        },
    ],
    returns: "DOUBLE in [0, 1]: 0 where both samples are distributed equally, 1 where every \
              value of one is below every value of the other.",
    nulls: "A row whose value or `is_reference` is NULL changes nothing, nor does a NaN value: a \
            missing value has no place in a distribution. Infinite values have their rank.",
    empty: "NULL where one of the samples has no row with a value.",
    errors: "An `is_reference` other than 0 and 1 fails the query. Wrong argument types, a wrong \
             number of arguments, DISTINCT and a window frame whose start moves are errors \
             before any row is read.",
    determinism: "Bit for bit the same for any order, partitioning and batch size of the same \
                  rows.",
    cost: "8 bytes a row: 20 million rows are 160 MB, and half as much again while sorting. O(n \
           log n) at the end, the sort of each partition in parallel.",
    example: "SELECT ks_statistic(value, is_reference) FROM (SELECT value, true AS is_reference \
              FROM generate_series(1, 100) UNION ALL SELECT value, false FROM \
              generate_series(51, 150))",
    example_result: "0.5",
    source: "Smirnov 1948, Table for estimating the goodness of fit of empirical distributions. \
             Equal to the statistic of SciPy's ks_2samp.",
    related: &["wasserstein_distance", "population_stability_index", "jensen_shannon_distance"],
    since: "0.1.0",
};

/// The aggregate function.
pub(crate) fn udaf() -> Arc<AggregateUDF> {
    Metric::<TwoSamples>::udaf(&DOC, |state| state.ks_statistic())
}
