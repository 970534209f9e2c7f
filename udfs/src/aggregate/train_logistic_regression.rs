//! `train_logistic_regression(features, label, key[, options])`.

use std::sync::Arc;

use datafusion::common::{Result, plan_datafusion_err};
use linfa::ParamGuard;

use super::options::Options;
use super::train::{FEATURES, KEY, LABEL, Trainer, common_options};
use crate::detectors::logistic_regression::LogisticRegression;
use crate::detectors::training::Hyperparameters;
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "train_logistic_regression";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Aggregate,
    summary: "Trains a logistic regression on labelled rows; its score is the probability of an \
              anomaly.",
    syntax: "train_logistic_regression(features, label, key[, options])",
    arguments: &[
        FEATURES,
        LABEL,
        KEY,
        Argument {
            name: "options",
            types: "STRUCT",
            description: concat!(
                "Literal, any subset of: `l2` strength of the regularisation (0.000001 to 1000000, \
                 default 1; 1 / C of scikit-learn); `max_iterations` of the solver (1 to 100000, \
                 default 1000); `max_samples` labelled rows kept for training (2 to 1048576, \
                 default 65536); `seed` of the sample (integer from 0, default 42); ",
                common_options!(),
                ", default none: threshold 0.5. NULL is the default."
            ),
        },
    ],
    returns: "BINARY: a model for `anomaly_score` and its relatives, three numbers per column. \
              Scores are probabilities between 0 and 1.",
    nulls: "A NULL or NaN feature is missing and becomes the mean of training. Infinities count as \
            the largest finite numbers; values are cut at a million standard deviations. A NULL \
            struct is a row with all features missing. A row with a NULL label is left out. A NULL \
            key is an error.",
    empty: "NULL for no labelled rows. Rows of one class alone are an error.",
    errors: "As `train_isolation_forest`; also a label that is neither 0 nor 1, a sample of one \
             class, and weights not found within `max_iterations`.",
    determinism: "The same rows, options and seed give the same bytes on one kind of machine, \
                  whatever the batches, partitions, files or order: training keeps the \
                  `max_samples` rows with the smallest seeded hash of the key. linfa computes with \
                  the instructions of the processor, so other kinds may differ in the last bits.",
    cost: "One hash per row; at most twice the sample and each category once in memory; the fit \
           costs O(sample x columns) per iteration. The sample keeps a rare class as rare as it \
           is: of one anomaly in 10000 rows, about seven are kept by default. Raise `max_samples`, \
           or select fewer usual rows and choose the threshold anew.",
    example: "SELECT round(anomaly_score(model, {x: 900}), 2) FROM (SELECT \
              train_logistic_regression({x: value}, value > 500, value) AS model FROM \
              generate_series(1, 1000))",
    example_result: "1.0",
    source: "linfa-logistic 0.8 (L-BFGS); compared with scikit-learn 1.9, \
             `LogisticRegression(C=1/l2)` on `StandardScaler`.",
    related: &["anomaly_score", "explain_anomaly", "train_isolation_forest"],
    since: "0.1.0",
};

/// The algorithm, as SQL trains it.
#[derive(Debug)]
pub(crate) struct TrainLogisticRegression;

impl Trainer for TrainLogisticRegression {
    fn doc(&self) -> &'static FunctionDoc {
        &DOC
    }

    fn is_supervised(&self) -> bool {
        true
    }

    fn options(&self) -> &'static [&'static str] {
        &["l2", "max_iterations", "max_samples", "seed"]
    }

    fn parse(&self, options: &Options<'_>) -> Result<Arc<dyn Hyperparameters>> {
        let sampling = options.sampling(LogisticRegression::DEFAULT_SAMPLING)?;
        let mut params = LogisticRegression::params().sampling(sampling);
        if let Some(l2) = options.number("l2")? {
            params = params.l2(l2);
        }
        if let Some(iterations) = options.integer("max_iterations")? {
            params = params.max_iterations(iterations);
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
        assert_layout_invariant(&TrainLogisticRegression, vec![("l2", 1_i64.into())]);
    }
}
