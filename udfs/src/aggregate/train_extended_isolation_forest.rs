//! `train_extended_isolation_forest(features, key[, options])`.

use std::sync::Arc;

use datafusion::common::{Result, plan_datafusion_err};

use super::options::Options;
use super::train::{FEATURES, KEY, Trainer, common_options};
use super::train_isolation_forest;
use crate::detectors::extended_isolation_forest::ExtendedIsolationForest;
use crate::detectors::training::Hyperparameters;
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "train_extended_isolation_forest";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Aggregate,
    summary: "Trains an extended isolation forest, whose cuts have random slopes: it also finds \
              rows whose values are usual one by one, but not together.",
    syntax: "train_extended_isolation_forest(features, key[, options])",
    arguments: &[
        FEATURES,
        KEY,
        Argument {
            name: "options",
            types: "STRUCT",
            description: concat!(
                "Literal, any subset of: `extension_level` columns of a cut but one (0, cuts along \
                 the axes, to the number of columns less 1, which is the default; a string may be \
                 several columns); `n_estimators` trees (1 to 10000, default 100); `max_samples` \
                 rows per tree (from 2, default 256; `n_estimators` x `max_samples` at most \
                 16777216, and times `extension_level` + 1 at most 4194304); `max_depth` height \
                 limit (1 to 64, default log2 of the rows per tree, rounded up); `seed` (integer \
                 from 0, default 42); ",
                common_options!(),
                ", default none: threshold 0.5. NULL is the default."
            ),
        },
    ],
    returns: "BINARY: a model for `anomaly_score` and its relatives, about 10 bytes x \
              `n_estimators` x `max_samples` x (`extension_level` + 1), with the scale of every \
              column in it. Scores are in (0, 1], as those of an isolation forest.",
    nulls: "A NULL or NaN feature is missing and becomes the mean of training. Infinities count as \
            the largest finite numbers; values are cut at a million standard deviations. A NULL \
            struct is a row with all features missing. A NULL key is an error.",
    empty: "NULL for no rows. One row, or rows that are all equal, give a model that scores 0.5.",
    errors: "As `train_isolation_forest`; also an `extension_level` that is not below the number \
             of columns, found while running.",
    determinism: "The same rows, options and seed give the same bytes, whatever the batches, \
                  partitions, files or order: training keeps the `n_estimators` x `max_samples` \
                  rows with the smallest seeded hash of the key.",
    cost: "State as `train_isolation_forest`; fit and scores cost `extension_level` + 1 times as \
           much.",
    example: "SELECT model_info(train_extended_isolation_forest({x: value, y: value * value}, \
              value))['algorithm'] FROM generate_series(1, 1000)",
    example_result: "extended_isolation_forest",
    source: "Hariri, Carrasco Kind, Brunner 2019, Extended Isolation Forest, IEEE TKDE 33(4), \
             algorithms 2 and 3. Ours: columns are standardised first, because a slope compares \
             units; columns of a cut are drawn among those that differ in the node.",
    related: &["anomaly_score", "explain_anomaly", "train_isolation_forest"],
    since: "0.1.0",
};

/// The algorithm, as SQL trains it.
#[derive(Debug)]
pub(crate) struct TrainExtendedIsolationForest;

impl Trainer for TrainExtendedIsolationForest {
    fn doc(&self) -> &'static FunctionDoc {
        &DOC
    }

    fn options(&self) -> &'static [&'static str] {
        &["extension_level", "max_depth", "max_samples", "n_estimators", "seed"]
    }

    fn parse(&self, options: &Options<'_>) -> Result<Arc<dyn Hyperparameters>> {
        let params = ExtendedIsolationForest::params()
            .forest(train_isolation_forest::params(options)?)
            .extension_level(options.integer("extension_level")?)
            .check();
        Ok(Arc::new(params.map_err(|error| plan_datafusion_err!("{NAME}: option {error}"))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::train::laws::assert_layout_invariant;

    #[test]
    fn the_layout_of_rows_does_not_change_the_model() {
        let options = vec![("n_estimators", 3_i64.into()), ("max_samples", 4_i64.into())];
        assert_layout_invariant(&TrainExtendedIsolationForest, options);
    }
}
