//! `train_pca(features, key[, options])`.

use std::sync::Arc;

use datafusion::common::{Result, plan_datafusion_err, plan_err};
use linfa::ParamGuard;

use super::options::Options;
use super::train::{FEATURES, KEY, Trainer, common_options};
use crate::detectors::pca::{Components, Pca};
use crate::detectors::training::Hyperparameters;
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "train_pca";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Aggregate,
    summary: "Trains principal component analysis, which scores rows by how far they leave the few \
              directions in which rows spread: by breaking with how features go together.",
    syntax: "train_pca(features, key[, options])",
    arguments: &[
        FEATURES,
        KEY,
        Argument {
            name: "options",
            types: "STRUCT",
            description: concat!(
                "Literal, any subset of: `n_components` directions kept (0 to 511, fewer than \
                 features, in which categories that are `one_hot` are several); or instead \
                 `variance` the share of the variance that they hold (in (0, 1), default 0.9), and \
                 as many as that takes are kept, at least one and all but one at most; \
                 `max_samples` rows kept (2 to 1048576, default 65536); `seed` of their choice \
                 (integer from 0, default 42); ",
                common_options!(),
                ", default none: 0.01. NULL is the default."
            ),
        },
    ],
    returns: "BINARY: a model for `anomaly_score` and its relatives. A score is the squared \
              reconstruction error: of the standardised features, the squared length of what is \
              left without the directions kept; from 0, on average at most the number of features, \
              without an upper limit. `explain_anomaly` says the square of what is left of each \
              feature.",
    nulls: "A NULL or NaN feature counts as the mean of the training rows. A NULL struct is a row \
            with all features missing, which scores 0. Scaled values end 1e6 standard deviations \
            from the mean, infinities too. A NULL key is an error.",
    empty: "NULL for no rows. A direction in which the rows do not spread is never kept: one row, \
            or rows that are all equal, score 0, and other values count the square of their \
            difference. Of one feature no direction is kept, and the score is the squared z-score.",
    errors: "While planning: features that are not a struct of numbers, booleans, timestamps and \
             strings, a key of another type, an option that is unknown. While optimising: an \
             option that is not literal or out of range, `variance` beside `n_components`, \
             DISTINCT. While running: a NULL key, too many categories, more than 512 columns, as \
             many components as columns or more.",
    determinism: "The same rows, options and seed give the same bytes, whatever the batches, \
                  partitions, files, processor or order: training keeps the `max_samples` rows \
                  with the smallest seeded hash of the key. With all rows kept, the seed changes \
                  nothing but its own record. Which of several directions of equal variance are \
                  kept depends on the order of the features.",
    cost: "One hash per row; at most twice the sample and each category once in memory; with p \
           columns the fit takes p^2 steps for each row kept and about 36 p^3 once, scoring 2 p \
           per row and direction. A model has 8 bytes x p for each direction and two more; at most \
           512 columns.",
    example: "SELECT round(anomaly_score(model, {x: 50, y: 50}), 3), round(anomaly_score(model, {x: \
              50, y: -50}), 3) FROM (SELECT train_pca({x: value, y: value + value % 2}, value) AS \
              model FROM generate_series(1, 100))",
    example_result: "0.0 6.063",
    source: "Pearson 1901, On lines and planes of closest fit to systems of points in space; \
             Jackson, Mudholkar 1979, Control procedures for residuals associated with principal \
             component analysis. Scores are those of PyOD's linear `KPCA` on standardised features. \
             Directions are computed by Jacobi rotations (Golub, Van Loan 2013, Matrix \
             Computations, section 8.5): the `Pca` of linfa-reduction 0.8.1 searches from a \
             random start (LOBPCG) and gives what it has where it does not converge, wrong for as \
             few as five features, in other bits on other processors.",
    related: &["anomaly_score", "explain_anomaly", "train_mahalanobis", "train_robust_z_score"],
    since: "0.1.0",
};

/// The algorithm, as SQL trains it.
#[derive(Debug)]
pub(crate) struct TrainPca;

impl Trainer for TrainPca {
    fn doc(&self) -> &'static FunctionDoc {
        &DOC
    }

    fn options(&self) -> &'static [&'static str] {
        &["max_samples", "n_components", "seed", "variance"]
    }

    fn parse(&self, options: &Options<'_>) -> Result<Arc<dyn Hyperparameters>> {
        let mut params = Pca::params().sampling(options.sampling(Pca::DEFAULT_SAMPLING)?);
        match (options.integer("n_components")?, options.number("variance")?) {
            (Some(_), Some(_)) => {
                return plan_err!("{NAME}: option `variance` goes without `n_components`");
            }
            (Some(number), None) => params = params.components(Components::Number(number)),
            (None, Some(share)) => params = params.components(Components::Variance(share)),
            (None, None) => {}
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
        let params = Pca::params().sampling(sampling).check().unwrap();
        assert_training(&TrainPca, Arc::new(params));
    }
}
