//! `train_gaussian_mixture(features, key[, options])`.

use std::sync::Arc;

use datafusion::common::{Result, plan_datafusion_err};
use linfa::ParamGuard;

use super::options::Options;
use super::train::{FEATURES, KEY, Trainer, common_options};
use crate::detectors::gaussian_mixture::GaussianMixture;
use crate::detectors::training::Hyperparameters;
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "train_gaussian_mixture";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Aggregate,
    summary: "Trains a mixture of normal distributions, which scores rows by how improbable they \
              are.",
    syntax: "train_gaussian_mixture(features, key[, options])",
    arguments: &[
        FEATURES,
        KEY,
        Argument {
            name: "options",
            types: "STRUCT",
            description: concat!(
                "Literal, any subset of: `n_components` distributions (1 to 64, default 4); \
                 `reg_covar` added to the variance of each standardised column (1e-9 to 1, default \
                 1e-6); `max_samples` rows kept (2 to 131072, default 16384); `seed` (integer \
                 from 0, default 42); ",
                common_options!(),
                ", default none: 0.01. NULL is the default."
            ),
        },
    ],
    returns: "BINARY: a model for `anomaly_score` and its relatives, whose scores are negative log \
              densities of the standardised columns, in nats: any number, below 0 where rows are \
              dense.",
    nulls: "A NULL or NaN feature counts as the mean of the training rows. A NULL struct is a row \
            with all features missing. Scaled values end 1e6 standard deviations from the mean, \
            infinities too. A NULL key is an error.",
    empty: "NULL for no rows. Fewer distinct rows than components are components of their own; \
            one row, and columns without a spread, have the variance `reg_covar`.",
    errors: "While planning: features that are not a struct of numbers, booleans, timestamps and \
             strings, a key of another type, an option that is unknown. While optimising: an \
             option that is not literal or out of range, DISTINCT. While running: a NULL key, too \
             many categories, columns x columns x `n_components` above 1048576.",
    determinism: "The same rows, options and seed give the same bytes, whatever the batches, \
                  partitions, files, threads or order: training keeps the `max_samples` rows with \
                  the smallest seeded hash of the key, and components are sorted by weight.",
    cost: "One hash per row; at most twice the sample and each category once in memory. A fit \
           takes k-means and at most 200 passes, each `n_components` x columns x columns for each \
           row kept; scoring takes one such step per row. A model holds `n_components` x columns \
           x columns / 2 numbers of 8 bytes.",
    example: "SELECT round(anomaly_score(train_gaussian_mixture({x: value}, value, \
              {n_components: 1}), {x: 50.5}), 3) FROM generate_series(1, 100)",
    example_result: "0.919",
    source: "Dempster, Laird, Rubin 1977, Maximum likelihood from incomplete data via the EM \
             algorithm; as scikit-learn's GaussianMixture with full covariances on standardised \
             columns. linfa's adds up densities instead of their logarithms and fails on far rows, \
             so that the algorithm is written here.",
    related: &["anomaly_score", "explain_anomaly", "is_anomaly", "model_info"],
    since: "0.1.0",
};

/// The algorithm, as SQL trains it.
#[derive(Debug)]
pub(crate) struct TrainGaussianMixture;

impl Trainer for TrainGaussianMixture {
    fn doc(&self) -> &'static FunctionDoc {
        &DOC
    }

    fn options(&self) -> &'static [&'static str] {
        &["max_samples", "n_components", "reg_covar", "seed"]
    }

    fn parse(&self, options: &Options<'_>) -> Result<Arc<dyn Hyperparameters>> {
        let sampling = options.sampling(GaussianMixture::DEFAULT_SAMPLING)?;
        let mut params = GaussianMixture::params().sampling(sampling);
        if let Some(components) = options.integer("n_components")? {
            params = params.n_components(components);
        }
        if let Some(variance) = options.number("reg_covar")? {
            params = params.reg_covar(variance);
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
        let params = GaussianMixture::params().n_components(2).sampling(sampling).check().unwrap();
        assert_training(&TrainGaussianMixture, Arc::new(params));
    }
}
