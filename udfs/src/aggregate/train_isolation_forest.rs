//! `train_isolation_forest(features, key[, options])`.

use std::sync::Arc;

use datafusion::common::{Result, plan_datafusion_err};
use linfa::ParamGuard;

use super::options::Options;
use super::train::{FEATURES, KEY, Trainer, common_options};
use crate::detectors::isolation_forest::{IsolationForest, IsolationForestParams};
use crate::detectors::training::Hyperparameters;
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "train_isolation_forest";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Aggregate,
    summary: "Trains an isolation forest, which scores rows by how few random cuts separate them \
              from the others.",
    syntax: "train_isolation_forest(features, key[, options])",
    arguments: &[
        FEATURES,
        KEY,
        Argument {
            name: "options",
            types: "STRUCT",
            description: concat!(
                "Literal, any subset of: `n_estimators` trees (1 to 10000, default 100); \
                 `max_samples` rows per tree (from 2, default 256; `n_estimators` x `max_samples` \
                 at most 16777216); `max_depth` height limit (1 to 64, default log2 of the rows \
                 per tree, rounded up); `seed` (integer from 0, default 42); ",
                common_options!(),
                ", default none: threshold 0.5. NULL is the default."
            ),
        },
    ],
    returns: "BINARY: a model for `anomaly_score` and its relatives. The metadata \
              `udfs.model.features` of its field lists `name:kind` of the features, comma \
              separated, a backslash before backslash, colon and comma in names.",
    nulls: "A NULL or NaN feature is missing: a fair coin in each node says where such rows go, \
            and rare gaps are cut off as anomalies are. A NULL struct is a row with all features \
            missing. Infinities count as the largest finite numbers. A NULL key is an error.",
    empty: "NULL for no rows. One row, or rows that are all equal, give a model that scores 0.5.",
    errors: "While planning: features that are not a struct of numbers, booleans, timestamps \
             and strings, a key of another type, an option that is unknown. While optimising: an option that is not \
             literal or out of range, DISTINCT. While running: a NULL key, too many categories.",
    determinism: "The same rows, options and seed give the same bytes, whatever the batches, \
                  partitions, files or order: training keeps the `n_estimators` x `max_samples` \
                  rows with the smallest seeded hash of the key.",
    cost: "One hash per row; at most twice the sample and each category once in memory; the fit does not depend on the \
           number of rows. As a window function it is fitted anew for each row, and frames that \
           drop rows are refused.",
    example: "SELECT model_info(train_isolation_forest({bytes: value * value}, value))\
              ['training_rows'] FROM generate_series(1, 1000)",
    example_result: "1000",
    source: "Liu, Ting, Zhou 2008, Isolation Forest, ICDM, algorithms 1 and 2; the coin for \
             missing values is ours.",
    related: &["anomaly_score", "is_anomaly", "model_info"],
    since: "0.1.0",
};

/// The algorithm, as SQL trains it.
#[derive(Debug)]
pub(crate) struct TrainIsolationForest;

impl Trainer for TrainIsolationForest {
    fn doc(&self) -> &'static FunctionDoc {
        &DOC
    }

    fn options(&self) -> &'static [&'static str] {
        &["max_depth", "max_samples", "n_estimators", "seed"]
    }

    fn parse(&self, options: &Options<'_>) -> Result<Arc<dyn Hyperparameters>> {
        let params = params(options)?.check();
        Ok(Arc::new(params.map_err(|error| plan_datafusion_err!("{NAME}: option {error}"))?))
    }
}

/// Reads the options of an isolation forest.
pub(super) fn params(options: &Options<'_>) -> Result<IsolationForestParams> {
    let mut params = IsolationForest::params().max_depth(options.integer("max_depth")?);
    if let Some(trees) = options.integer("n_estimators")? {
        params = params.n_estimators(trees);
    }
    if let Some(rows) = options.integer("max_samples")? {
        params = params.max_samples(rows);
    }
    if let Some(seed) = options.integer("seed")? {
        params = params.seed(seed);
    }
    Ok(params)
}
