//! `train_random_forest(features, label, key[, options])`.

use std::sync::Arc;

use datafusion::common::{Result, plan_datafusion_err};
use linfa::ParamGuard;

use super::options::Options;
use super::train::{FEATURES, KEY, LABEL, Trainer, common_options};
use crate::detectors::random_forest::RandomForest;
use crate::detectors::training::Hyperparameters;
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "train_random_forest";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Aggregate,
    summary: "Trains a random forest on labelled rows; its score is the mean share of anomalies in \
              the leaves that a row falls into.",
    syntax: "train_random_forest(features, label, key[, options])",
    arguments: &[
        FEATURES,
        LABEL,
        KEY,
        Argument {
            name: "options",
            types: "STRUCT",
            description: concat!(
                "Literal, any subset of: `n_estimators` trees (1 to 10000, default 100); \
                 `max_depth` height limit (1 to 64, default 64); `min_samples_leaf` fewest rows of \
                 a leaf (from 1, default 1); `max_features` columns tried per node (from 1, \
                 default the square root of their number, rounded down); `max_samples` labelled \
                 rows kept for training (2 to 1048576, default 16384; `n_estimators` x \
                 `max_samples` at most 16777216); `seed` (integer from 0, default 42); ",
                common_options!(),
                ", default none: threshold 0.5. NULL is the default."
            ),
        },
    ],
    returns: "BINARY: a model for `anomaly_score` and its relatives, at most 20 bytes x \
              `n_estimators` x rows of the sample, and far smaller where labels are easy to tell \
              apart or `min_samples_leaf` is larger. Scores are between 0 and 1.",
    nulls: "A NULL or NaN feature is missing: every cut learns on which side such rows belong. \
            Infinities count as the largest finite numbers. A NULL struct is a row with all \
            features missing. A row with a NULL label is left out. A NULL key is an error.",
    empty: "NULL for no labelled rows. Rows of one class alone are an error.",
    errors: "As `train_isolation_forest`; also a label that is neither 0 nor 1, and a sample of one \
             class.",
    determinism: "The same rows, options and seed give the same bytes, whatever the batches, \
                  partitions, files or order: training keeps the `max_samples` rows with the \
                  smallest seeded hash of the key.",
    cost: "One hash per row; at most twice the sample and each category once in memory; the fit \
           costs O(`n_estimators` x `max_features` x sample x log sample x height). The sample \
           keeps a rare class as rare as it is: of one anomaly in 1000 rows, about sixteen are \
           kept by default. Raise `max_samples`, or select fewer usual rows and choose the \
           threshold anew.",
    example: "SELECT anomaly_score(model, {x: 900}) FROM (SELECT train_random_forest({x: value}, \
              value > 500, value) AS model FROM generate_series(1, 1000))",
    example_result: "1.0",
    source: "Breiman 2001, Random Forests, Machine Learning 45; explanations: Saabas 2014, \
             Interpreting random forests. Written here: linfa's trees give no shares, have no \
             missing values, and hang on the order of a hash map.",
    related: &["anomaly_score", "explain_anomaly", "train_isolation_forest"],
    since: "0.1.0",
};

/// The algorithm, as SQL trains it.
#[derive(Debug)]
pub(crate) struct TrainRandomForest;

impl Trainer for TrainRandomForest {
    fn doc(&self) -> &'static FunctionDoc {
        &DOC
    }

    fn is_supervised(&self) -> bool {
        true
    }

    fn options(&self) -> &'static [&'static str] {
        &["max_depth", "max_features", "max_samples", "min_samples_leaf", "n_estimators", "seed"]
    }

    fn parse(&self, options: &Options<'_>) -> Result<Arc<dyn Hyperparameters>> {
        let sampling = options.sampling(RandomForest::DEFAULT_SAMPLING)?;
        let mut params = RandomForest::params()
            .sampling(sampling)
            .max_features(options.integer("max_features")?);
        if let Some(trees) = options.integer("n_estimators")? {
            params = params.n_estimators(trees);
        }
        if let Some(depth) = options.integer("max_depth")? {
            params = params.max_depth(depth);
        }
        if let Some(rows) = options.integer("min_samples_leaf")? {
            params = params.min_samples_leaf(rows);
        }
        let params = params.check();
        Ok(Arc::new(params.map_err(|error| plan_datafusion_err!("{NAME}: option {error}"))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::train::laws::assert_layout_invariant;

    #[test]
    fn the_layout_of_rows_does_not_change_the_model() {
        assert_layout_invariant(&TrainRandomForest, vec![("n_estimators", 3_i64.into())]);
    }
}
