//! `train_ecod(features, key[, options])` and `train_copod(features, key[, options])`.

use std::sync::Arc;

use datafusion::common::{Result, plan_datafusion_err};
use linfa::ParamGuard;

use super::options::Options;
use super::train::{FEATURES, KEY, Trainer, common_options};
use crate::detectors::tails::{Rule, Tails};
use crate::detectors::training::Hyperparameters;
use crate::doc::{Argument, FunctionDoc, Kind};

const ECOD: FunctionDoc = FunctionDoc {
    name: "train_ecod",
    kind: Kind::Aggregate,
    summary: "Trains ECOD, which scores rows by how few others have values as far out, feature by \
              feature.",
    syntax: "train_ecod(features, key[, options])",
    arguments: &[
        FEATURES,
        KEY,
        Argument {
            name: "options",
            types: "STRUCT",
            description: concat!(
                "Literal, any subset of: `max_samples` rows kept (2 to 65536, default 8192); \
                 `seed` of their choice (integer from 0, default 42); ",
                common_options!(),
                ", default none: 0.01. NULL is the default."
            ),
        },
    ],
    returns: "BINARY: a model for `anomaly_score` and its relatives. A score is the sum over the \
              features of max(left, right, skewed) tail: left is -ln of the share of the rows kept \
              with a value at most as high, right of those at least as high; skewed is the one of \
              the longer side, or the sum of both without skew. From 0; a value beyond all n rows \
              counts ln(n + 1).",
    nulls: "A NULL or NaN feature is missing: it adds nothing to a score and is not counted in its \
            feature. A NULL struct is a row with all features missing, which scores 0. Infinities \
            count as the largest finite numbers. A NULL key is an error.",
    empty: "NULL for no rows. One row, or rows that are all equal, score 0.",
    errors: "While planning: features that are not a struct of numbers, booleans, timestamps and \
             strings, a key of another type, an option that is unknown. While optimising: an \
             option that is not literal or out of range, DISTINCT. While running: a NULL key, too \
             many categories.",
    determinism: "The same rows, options and seed give the same bytes, whatever the batches, \
                  partitions, files or order: training keeps the `max_samples` rows with the \
                  smallest seeded hash of the key. With all rows kept, the seed changes nothing \
                  but its own record.",
    cost: "One hash per row; at most twice the sample and each category once in memory; the fit \
           sorts each feature of the sample. Scoring takes two binary searches per value. A model \
           has 12 bytes per distinct value of each feature.",
    example: "SELECT round(anomaly_score(train_ecod({x: value * value}, value), {x: 10000}), 3) \
              FROM generate_series(1, 100)",
    example_result: "4.605",
    source: "Li, Zhao, Hu, Botta, Ionescu, Chen 2022, ECOD: unsupervised outlier detection using \
             empirical cumulative distribution functions, TKDE; the rule is that of PyOD, whose \
             scores of the training rows are the same.",
    related: &["anomaly_score", "explain_anomaly", "train_copod", "train_isolation_forest"],
    since: "0.1.0",
};

/// All else is as for ECOD.
const COPOD: FunctionDoc = FunctionDoc {
    name: "train_copod",
    summary: "Trains COPOD, which scores rows by the tails of an empirical copula: how few others \
              have values as far out, feature by feature.",
    syntax: "train_copod(features, key[, options])",
    returns: "BINARY: a model for `anomaly_score` and its relatives. A score is the sum over the \
              features of max(skewed, (left + right) / 2): left is -ln of the share of the rows kept \
              with a value at most as high, right of those at least as high; skewed is the one of \
              the longer side, or the sum of both without skew. From 0; a value beyond all n rows \
              has the tail ln(n + 1).",
    example: "SELECT round(anomaly_score(train_copod({x: value * value}, value), {x: 10000}), 3) \
              FROM generate_series(1, 100)",
    source: "Li, Zhao, Botta, Ionescu, Hu 2020, COPOD: copula-based outlier detection, ICDM; the \
             rule is that of PyOD, whose scores of the training rows are the same.",
    related: &["anomaly_score", "explain_anomaly", "train_ecod", "train_isolation_forest"],
    ..ECOD
};

/// The algorithms of empirical tails, as SQL trains them.
#[derive(Debug)]
pub(crate) struct TrainTails(pub(crate) Rule);

impl Trainer for TrainTails {
    fn doc(&self) -> &'static FunctionDoc {
        match self.0 {
            Rule::Ecod => &ECOD,
            Rule::Copod => &COPOD,
        }
    }

    fn options(&self) -> &'static [&'static str] {
        &["max_samples", "seed"]
    }

    fn parse(&self, options: &Options<'_>) -> Result<Arc<dyn Hyperparameters>> {
        let sampling = options.sampling(Tails::DEFAULT_SAMPLING)?;
        let params = Tails::params(self.0).sampling(sampling).check();
        let name = self.doc().name;
        Ok(Arc::new(params.map_err(|error| plan_datafusion_err!("{name}: option {error}"))?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aggregate::train::laws::assert_training;
    use crate::detectors::sampling::Sampling;

    #[test]
    fn the_state_is_a_commutative_monoid() {
        const TRAINERS: [&TrainTails; 2] = [&TrainTails(Rule::Ecod), &TrainTails(Rule::Copod)];
        for trainer in TRAINERS {
            let sampling = Sampling { max_samples: 12, seed: 1 };
            let params = Tails::params(trainer.0).sampling(sampling).check().unwrap();
            assert_training(trainer, Arc::new(params));
        }
    }
}
