//! `train_one_class_svm(features, key[, options])`.

use std::sync::Arc;

use datafusion::common::{Result, plan_datafusion_err};
use linfa::ParamGuard;

use super::options::Options;
use super::train::{FEATURES, KEY, Trainer, common_options};
use crate::detectors::one_class_svm::OneClassSvm;
use crate::detectors::training::Hyperparameters;
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "train_one_class_svm";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Aggregate,
    summary: "Trains a one-class support vector machine with a Gaussian kernel, which scores rows \
              by how far they are outside a smooth region that holds most rows.",
    syntax: "train_one_class_svm(features, key[, options])",
    arguments: &[
        FEATURES,
        KEY,
        Argument {
            name: "options",
            types: "STRUCT",
            description: concat!(
                "Literal, any subset of: `nu` the share of the rows that may be outside (greater \
                 than 0, less than 1, default 0.1); `gamma` how fast the kernel falls with the \
                 squared distance (1e-9 to 1e9, default 1 / (columns x variance) of the \
                 standardised rows); `max_samples` rows kept (2 to 4096, default 2048); `seed` of \
                 the sample (integer from 0, default 42); ",
                common_options!(),
                ", default none: threshold 0, the edge of the region. NULL is the default."
            ),
        },
    ],
    returns: "BINARY: a model for `anomaly_score` and its relatives, whose scores are above 0 \
              outside the region and at most `rho`, far away; scikit-learn's `decision_function` \
              is their negative.",
    nulls: "A NULL or NaN feature counts as the mean of the training rows. A NULL struct is a row \
            with all features missing. Scaled values end 1e6 standard deviations from the mean, \
            infinities too. A NULL key is an error.",
    empty: "NULL for no rows. One row, or rows that are all equal, are the edge of the region: \
            they score 0.",
    errors: "While planning: features that are not a struct of numbers, booleans, timestamps and \
             strings, a key of another type, an option that is unknown. While optimising: an \
             option that is not literal or out of range, DISTINCT. While running: a NULL key, too \
             many categories.",
    determinism: "The same rows, options and seed give the same bytes on one kind of machine, \
                  whatever the batches, partitions, files or order: training keeps the \
                  `max_samples` rows with the smallest seeded hash of the key. The fit uses the \
                  exponential function of the platform.",
    cost: "One hash per row; at most twice the sample and each category once in memory. A fit \
           holds a number of 8 bytes for each pair of rows kept, 34 MB for 2048, and takes some \
           passes over them; scoring takes a distance for each support vector and row. A model \
           holds the support vectors, at least `nu` of the rows kept.",
    example: "SELECT anomaly_score(model, {x: 50}) < 0, anomaly_score(model, {x: 500}) > 0 FROM \
              (SELECT train_one_class_svm({x: value}, value) AS model \
              FROM generate_series(1, 100))",
    example_result: "true true",
    source: "Schoelkopf, Platt, Shawe-Taylor, Smola, Williamson 2001, Estimating the support of a \
             high-dimensional distribution. Fitted by linfa, checked against scikit-learn's \
             OneClassSVM on standardised columns.",
    related: &["anomaly_score", "explain_anomaly", "is_anomaly", "model_info"],
    since: "0.1.0",
};

/// The algorithm, as SQL trains it.
#[derive(Debug)]
pub(crate) struct TrainOneClassSvm;

impl Trainer for TrainOneClassSvm {
    fn doc(&self) -> &'static FunctionDoc {
        &DOC
    }

    fn options(&self) -> &'static [&'static str] {
        &["gamma", "max_samples", "nu", "seed"]
    }

    fn parse(&self, options: &Options<'_>) -> Result<Arc<dyn Hyperparameters>> {
        let sampling = options.sampling(OneClassSvm::DEFAULT_SAMPLING)?;
        let mut params = OneClassSvm::params().sampling(sampling).gamma(options.number("gamma")?);
        if let Some(nu) = options.number("nu")? {
            params = params.nu(nu);
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
        let params = OneClassSvm::params().sampling(sampling).check().unwrap();
        assert_training(&TrainOneClassSvm, Arc::new(params));
    }
}
