//! `train_mahalanobis(features, key[, options])`.

use std::sync::Arc;

use datafusion::common::{Result, plan_datafusion_err};
use linfa::ParamGuard;

use super::options::Options;
use super::train::{FEATURES, KEY, Trainer, common_options};
use crate::detectors::mahalanobis::Mahalanobis;
use crate::detectors::training::Hyperparameters;
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "train_mahalanobis";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Aggregate,
    summary: "Trains the squared Mahalanobis distance, which scores rows by their distance to the \
              mean along the directions in which rows spread.",
    syntax: "train_mahalanobis(features, key[, options])",
    arguments: &[
        FEATURES,
        KEY,
        Argument {
            name: "options",
            types: "STRUCT",
            description: concat!(
                "Literal, any subset of: `shrinkage` weight of the identity in the correlation \
                 matrix (1e-6 to 1, default 0.001); `max_samples` rows kept (2 to 1048576, \
                 default 65536); `seed` of their choice (integer from 0, default 42); ",
                common_options!(),
                ", default none: 0.01. NULL is the default."
            ),
        },
    ],
    returns: "BINARY: a model for `anomaly_score` and its relatives. A score is z'Pz of the \
              standardised features z, with P the inverse of their shrunk correlations: from 0, \
              on average about the number of features, without an upper limit.",
    nulls: "A NULL or NaN feature counts as the mean of the training rows. A NULL struct is a row \
            with all features missing, which scores 0. Scaled values end 1e6 standard deviations \
            from the mean, infinities too. A NULL key is an error.",
    empty: "NULL for no rows. One row, or rows that are all equal, score 0; other values of a feature \
            without a spread count the square of their difference.",
    errors: "While planning: features that are not a struct of numbers, booleans, timestamps and \
             strings, a key of another type, an option that is unknown. While optimising: an \
             option that is not literal or out of range, DISTINCT. While running: a NULL key, too \
             many categories, more than 512 columns.",
    determinism: "The same rows, options and seed give the same bytes, whatever the batches, \
                  partitions, files or order: training keeps the `max_samples` rows with the \
                  smallest seeded hash of the key. With all rows kept, the seed changes nothing \
                  but its own record.",
    cost: "One hash per row; at most twice the sample and each category once in memory; with p \
           columns the fit takes p^2 steps for each row kept and p^3 once, scoring p^2 per row. A \
           model has 4 bytes x p^2; at most 512 columns.",
    example: "SELECT round(anomaly_score(model, {x: 50, y: 50}), 3), anomaly_score(model, {x: 50, y: \
              -50}) > 1000 FROM (SELECT train_mahalanobis({x: value, y: value + value % 2}, value) \
              AS model FROM generate_series(1, 100))",
    example_result: "0.131 true",
    source: "Mahalanobis 1936, On the generalised distance in statistics; Ledoit, Wolf 2004, A \
             well-conditioned estimator for large-dimensional covariance matrices, with a fixed \
             weight. linfa has no such distance; scores are those of scikit-learn's \
             `ShrunkCovariance` on standardised features.",
    related: &["anomaly_score", "explain_anomaly", "train_robust_z_score"],
    since: "0.1.0",
};

/// The algorithm, as SQL trains it.
#[derive(Debug)]
pub(crate) struct TrainMahalanobis;

impl Trainer for TrainMahalanobis {
    fn doc(&self) -> &'static FunctionDoc {
        &DOC
    }

    fn options(&self) -> &'static [&'static str] {
        &["max_samples", "seed", "shrinkage"]
    }

    fn parse(&self, options: &Options<'_>) -> Result<Arc<dyn Hyperparameters>> {
        let sampling = options.sampling(Mahalanobis::DEFAULT_SAMPLING)?;
        let mut params = Mahalanobis::params().sampling(sampling);
        if let Some(weight) = options.number("shrinkage")? {
            params = params.shrinkage(weight);
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
        let params = Mahalanobis::params().sampling(sampling).check().unwrap();
        assert_training(&TrainMahalanobis, Arc::new(params));
    }
}
