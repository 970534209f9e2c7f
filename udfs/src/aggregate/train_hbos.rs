//! `train_hbos(features, key[, options])`.

use std::sync::Arc;

use datafusion::common::{Result, plan_datafusion_err};
use linfa::ParamGuard;

use super::options::Options;
use super::train::{FEATURES, KEY, Trainer, common_options};
use crate::detectors::hbos::Hbos;
use crate::detectors::training::Hyperparameters;
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "train_hbos";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Aggregate,
    summary: "Trains HBOS, which scores rows by how sparse the histogram of each feature is at their \
              values.",
    syntax: "train_hbos(features, key[, options])",
    arguments: &[
        FEATURES,
        KEY,
        Argument {
            name: "options",
            types: "STRUCT",
            description: concat!(
                "Literal, any subset of: `n_bins` bins of equal width per feature (2 to 1024, \
                 default 10); `alpha` what is added to densities (greater than 0, at most 1, \
                 default 0.1); `tol` how many bin widths beyond the bins count as the outermost \
                 ones (0 to 1, default 0.5); `max_samples` rows kept (2 to 1048576, default \
                 65536); `seed` of their choice (integer from 0, default 42); ",
                common_options!(),
                ", default none: 0.01. NULL is the default."
            ),
        },
    ],
    returns: "BINARY: a model for `anomaly_score` and its relatives. A score is the sum over the \
              features of -log2(density + `alpha`), with the density of a bin its share of the \
              rows over its width; beyond the bins that of the sparsest one. It depends on the \
              units of the features and may be negative.",
    nulls: "A NULL or NaN feature is missing: it is not counted, and has the mean score of its \
            feature, so that it adds nothing to that of a usual row. A NULL struct is a row with \
            all features missing. Infinities count as the largest finite numbers. A NULL key is \
            an error.",
    empty: "NULL for no rows. One row, or rows that are all equal, have one bin with rows, 0.1 wide; a \
            feature without values scores 0.",
    errors: "While planning: features that are not a struct of numbers, booleans, timestamps and \
             strings, a key of another type, an option that is unknown. While optimising: an \
             option that is not literal or out of range, DISTINCT. While running: a NULL key, too \
             many categories.",
    determinism: "The same rows, options and seed give the same bytes, whatever the batches, \
                  partitions, files or order: training keeps the `max_samples` rows with the \
                  smallest seeded hash of the key. With all rows kept, the seed changes nothing \
                  but its own record.",
    cost: "One hash per row; at most twice the sample and each category once in memory; the fit \
           takes a binary search per value of the sample, and so does scoring. A model has 17 \
           bytes and 4 per bin for each feature.",
    example: "SELECT round(anomaly_score(model, {x: 50}), 3), round(anomaly_score(model, {x: 500}), \
              3) FROM (SELECT train_hbos({x: CASE WHEN value = 1 THEN 200 ELSE value END}, value) \
              AS model FROM generate_series(1, 101))",
    example_result: "3.184 3.322",
    source: "Goldstein, Dengel 2012, Histogram-based outlier score (HBOS): a fast unsupervised \
             anomaly detection algorithm, KI; the rule, `alpha` and `tol` are those of PyOD, \
             whose scores are the same.",
    related: &["anomaly_score", "explain_anomaly", "train_copod", "train_robust_z_score"],
    since: "0.1.0",
};

/// The algorithm, as SQL trains it.
#[derive(Debug)]
pub(crate) struct TrainHbos;

impl Trainer for TrainHbos {
    fn doc(&self) -> &'static FunctionDoc {
        &DOC
    }

    fn options(&self) -> &'static [&'static str] {
        &["alpha", "max_samples", "n_bins", "seed", "tol"]
    }

    fn parse(&self, options: &Options<'_>) -> Result<Arc<dyn Hyperparameters>> {
        let mut params = Hbos::params().sampling(options.sampling(Hbos::DEFAULT_SAMPLING)?);
        if let Some(bins) = options.integer("n_bins")? {
            params = params.n_bins(bins);
        }
        if let Some(alpha) = options.number("alpha")? {
            params = params.alpha(alpha);
        }
        if let Some(tol) = options.number("tol")? {
            params = params.tol(tol);
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
        let params = Hbos::params().sampling(sampling).check().unwrap();
        assert_training(&TrainHbos, Arc::new(params));
    }
}
