//! `train_nearest_neighbors(features, key[, options])`.

use std::sync::Arc;

use datafusion::common::{Result, plan_datafusion_err};
use linfa::ParamGuard;

use super::options::Options;
use super::train::{FEATURES, KEY, Trainer, common_options};
use crate::detectors::nearest_neighbors::{Method, NearestNeighbors};
use crate::detectors::training::Hyperparameters;
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "train_nearest_neighbors";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Aggregate,
    summary: "Keeps rows, so that others are scored by their distance to the nearest of them.",
    syntax: "train_nearest_neighbors(features, key[, options])",
    arguments: &[
        FEATURES,
        KEY,
        Argument {
            name: "options",
            types: "STRUCT",
            description: concat!(
                "Literal, any subset of: `n_neighbors` (1 to 1024, default 5); `method` the score \
                 of a row (`'largest'`: the distance to the last of these neighbours; `'mean'`: \
                 the mean distance; default largest); `max_samples` rows kept (2 to 65536, default \
                 4096); `seed` of the sample (integer from 0, default 42); ",
                common_options!(),
                ", default none: 0.01. NULL is the default."
            ),
        },
    ],
    returns: "BINARY: a model for `anomaly_score` and its relatives, whose scores are distances \
              from 0 in standard deviations, without an upper limit.",
    nulls: "A NULL or NaN feature counts as the mean of the training rows. A NULL struct is a row \
            with all features missing. Scaled values end 1e6 standard deviations from the mean, \
            infinities too. A NULL key is an error.",
    empty: "NULL for no rows. Fewer rows than neighbours are all neighbours; equal rows are as \
            many neighbours, and a training row is one of its own. One row scores 0.",
    errors: "While planning: features that are not a struct of numbers, booleans, timestamps and \
             strings, a key of another type, an option that is unknown. While optimising: an \
             option that is not literal or out of range, DISTINCT. While running: a NULL key, too \
             many categories.",
    determinism: "The same rows, options and seed give the same bytes, whatever the batches, \
                  partitions, files or order: training keeps the `max_samples` rows with the \
                  smallest seeded hash of the key.",
    cost: "One hash per row; at most twice the sample and each category once in memory. A model \
           holds the rows kept, 8 bytes for each value: 320 kB for 4096 rows of 10 columns. \
           Scoring grows a k-d tree for each batch and searches it for each row, which with many \
           columns looks at every row kept.",
    example: "SELECT anomaly_score(train_nearest_neighbors({x: value % 2}, value), {x: 3}) \
              FROM generate_series(1, 100)",
    example_result: "4.0",
    source: "Ramaswamy, Rastogi, Shim 2000, Efficient algorithms for mining outliers from large \
             data sets; Angiulli, Pizzuti 2002 for the mean. As PyOD's KNN on standardised \
             columns. The k-d tree is linfa's.",
    related: &["anomaly_score", "explain_anomaly", "is_anomaly", "model_info"],
    since: "0.1.0",
};

/// The algorithm, as SQL trains it.
#[derive(Debug)]
pub(crate) struct TrainNearestNeighbors;

impl Trainer for TrainNearestNeighbors {
    fn doc(&self) -> &'static FunctionDoc {
        &DOC
    }

    fn options(&self) -> &'static [&'static str] {
        &["max_samples", "method", "n_neighbors", "seed"]
    }

    fn parse(&self, options: &Options<'_>) -> Result<Arc<dyn Hyperparameters>> {
        let sampling = options.sampling(NearestNeighbors::DEFAULT_SAMPLING)?;
        let mut params = NearestNeighbors::params().sampling(sampling);
        if let Some(neighbors) = options.integer("n_neighbors")? {
            params = params.n_neighbors(neighbors);
        }
        if let Some(given) = options.text("method")? {
            params = params.method(Method::parse(&given).ok_or_else(|| {
                plan_datafusion_err!(
                    "{NAME}: option `method` must be 'largest' or 'mean', got '{given}'"
                )
            })?);
        }
        let params = params.check();
        Ok(Arc::new(params.map_err(|error| plan_datafusion_err!("{NAME}: option {error}"))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::train::laws::assert_training;
    use crate::detectors::sampling::Sampling;

    #[test]
    fn the_state_is_a_commutative_monoid() {
        let sampling = Sampling { max_samples: 12, seed: 1 };
        let params = NearestNeighbors::params().sampling(sampling).check().unwrap();
        assert_training(&TrainNearestNeighbors, Arc::new(params));
    }
}
