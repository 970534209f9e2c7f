//! `train_robust_z_score(features, key[, options])`.

use std::sync::Arc;

use datafusion::common::{Result, plan_datafusion_err};
use linfa::ParamGuard;

use super::options::Options;
use super::train::{FEATURES, KEY, Trainer, common_options};
use crate::detectors::robust_z_score::RobustZScore;
use crate::detectors::training::Hyperparameters;
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "train_robust_z_score";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Aggregate,
    summary: "Trains robust z-scores, which score rows by their distance to the median of each \
              feature: the cheapest baseline.",
    syntax: "train_robust_z_score(features, key[, options])",
    arguments: &[
        FEATURES,
        KEY,
        Argument {
            name: "options",
            types: "STRUCT",
            description: concat!(
                "Literal, any subset of: `max_samples` rows kept (2 to 1048576, default 65536); \
                 `seed` of their choice (integer from 0, default 42); ",
                common_options!(),
                ", default none: 0.01. NULL is the default."
            ),
        },
    ],
    returns: "BINARY: a model for `anomaly_score` and its relatives. A score is the sum over the \
              features of the squared distance to the median, in units of 1.4826 times the median \
              distance (MAD), or of 1.2533 times the mean distance where that is 0: from 0, \
              without an upper limit.",
    nulls: "A NULL or NaN feature counts as the median and adds nothing. A NULL struct is a row with \
            all features missing, which scores 0. Scaled values end 1e6 standard deviations from \
            the median, infinities too. A NULL key is an error.",
    empty: "NULL for no rows. One row, or rows that are all equal, score 0; other values of a feature \
            without a spread count the square of their difference.",
    errors: "While planning: features that are not a struct of numbers, booleans, timestamps and \
             strings, a key of another type, an option that is unknown. While optimising: an \
             option that is not literal or out of range, DISTINCT. While running: a NULL key, too \
             many categories.",
    determinism: "The same rows, options and seed give the same bytes, whatever the batches, \
                  partitions, files or order: training keeps the `max_samples` rows with the \
                  smallest seeded hash of the key. With all rows kept, the seed changes nothing \
                  but its own record.",
    cost: "One hash per row; at most twice the sample and each category once in memory; the fit \
           sorts each feature of the sample. Scoring takes a division per value. A model has 16 \
           bytes per feature.",
    example: "SELECT round(anomaly_score(train_robust_z_score({x: value}, value), {x: 13}), 3) FROM \
              generate_series(1, 5)",
    example_result: "45.494",
    source: "Iglewicz, Hoaglin 1993, How to detect and handle outliers; the sum of squares in place \
             of the largest is ours, so that features add up.",
    related: &["anomaly_score", "explain_anomaly", "train_mahalanobis"],
    since: "0.1.0",
};

/// The algorithm, as SQL trains it.
#[derive(Debug)]
pub(crate) struct TrainRobustZScore;

impl Trainer for TrainRobustZScore {
    fn doc(&self) -> &'static FunctionDoc {
        &DOC
    }

    fn options(&self) -> &'static [&'static str] {
        &["max_samples", "seed"]
    }

    fn parse(&self, options: &Options<'_>) -> Result<Arc<dyn Hyperparameters>> {
        let sampling = options.sampling(RobustZScore::DEFAULT_SAMPLING)?;
        let params = RobustZScore::params().sampling(sampling).check();
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
        let params = RobustZScore::params().sampling(sampling).check().unwrap();
        assert_training(&TrainRobustZScore, Arc::new(params));
    }
}
