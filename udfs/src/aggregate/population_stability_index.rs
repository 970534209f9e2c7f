//! Population stability index as a SQL aggregate.

use std::sync::Arc;

use datafusion::logical_expr::AggregateUDF;

use super::metric::Metric;
use super::metric_parameter::BINS;
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::metrics::TwoSamples;

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: "population_stability_index",
    kind: Kind::Aggregate,
    summary: "Population stability index: how far the distributions of two samples over the \
              quantile bins of the reference are apart.",
    syntax: "population_stability_index(value, is_reference[, bins])",
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
        Argument {
            name: "bins",
            types: "integer",
            description: "Literal from 2 to 10000, default 10: how many quantiles of the \
                          reference make the bins.",
        },
    ],
    returns: "DOUBLE from 0, the sum over bins of (c - r) ln(c / r) of the shares c and r of \
              rows: 0 where both samples are distributed equally over the bins; by custom, below \
              0.1 is stable and above 0.25 has shifted. A share below 0.0001, so an empty bin \
              too, counts as 0.0001. The bins end at the quantiles i / `bins` of the reference, \
              each the smallest value with at least that share of rows up to it, and include \
              their upper edge; the first and the last are open. A value that is several \
              quantiles, because rows tie there, has a bin of its own; such a value at an \
              end of the reference leaves an open bin beyond it, so that there are at most \
              `bins` + 2.",
    nulls: "A row whose value or `is_reference` is NULL changes nothing, nor does a NaN value: a \
            missing value has no place in a distribution. Infinite values have their rank.",
    empty: "NULL where one of the samples has no row with a value.",
    errors: "An `is_reference` other than 0 and 1 fails the query. Wrong argument types, a wrong \
             number of arguments, `bins` that is not literal or out of range, DISTINCT and a \
             window frame whose start moves are errors before any row is read.",
    determinism: "Bit for bit the same for any order, partitioning and batch size of the same \
                  rows. Logarithms are computed in software, so the same on every machine.",
    cost: "8 bytes a row: 20 million rows are 160 MB, and half as much again while sorting. O(n \
           log n) at the end, the sort of each partition in parallel.",
    example: "SELECT round(population_stability_index(value, is_reference), 4) FROM (SELECT \
              value, true AS is_reference FROM generate_series(1, 100) UNION ALL SELECT value, \
              false FROM generate_series(51, 150))",
    example_result: "4.3463",
    source: "Jeffreys 1946, An invariant form for the prior probability. Siddiqi 2006, Credit \
             Risk Scorecards, chapter 8. Quantiles: Hyndman, Fan 1996, type 1.",
    related: &["jensen_shannon_distance", "ks_statistic", "wasserstein_distance"],
    since: "0.1.0",
};

/// The aggregate function.
pub(crate) fn udaf() -> Arc<AggregateUDF> {
    Metric::<TwoSamples>::with_parameter(&DOC, BINS, |state, bins| {
        state.population_stability_index(bins)
    })
}
