//! `train_k_means(features, key[, options])`.

use std::sync::Arc;

use datafusion::common::{Result, plan_datafusion_err, plan_err};
use linfa::ParamGuard;

use super::options::Options;
use super::train::{FEATURES, KEY, Trainer, common_options};
use crate::detectors::k_means::{Cblof, KMeans};
use crate::detectors::training::Hyperparameters;
use crate::doc::{Argument, FunctionDoc, Kind};

const NAME: &str = "train_k_means";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Aggregate,
    summary: "Trains k-means, which scores rows by their distance to the nearest centroid of the \
              clusters that rows gather in; with `cblof`, of the large clusters alone.",
    syntax: "train_k_means(features, key[, options])",
    arguments: &[
        FEATURES,
        KEY,
        Argument {
            name: "options",
            types: "STRUCT",
            description: concat!(
                "Literal, any subset of: `n_clusters` (1 to 1024, default 8); `cblof` whether rows \
                 of small clusters are measured from the nearest large one (default false); with \
                 it `alpha` the share of the rows in large clusters (0.5 to 1, default 0.9) and \
                 `beta` how many times smaller the next cluster is (from 1, default 5); \
                 `max_samples` rows kept (2 to 1048576, default 65536); `seed` (integer from 0, \
                 default 42); ",
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
    empty: "NULL for no rows. Fewer distinct rows than clusters are clusters of their own: one \
            row, or rows that are all equal, score 0.",
    errors: "While planning: features that are not a struct of numbers, booleans, timestamps and \
             strings, a key of another type, an option that is unknown. While optimising: an \
             option that is not literal or out of range, `alpha` or `beta` without `cblof`, \
             DISTINCT. While running: a NULL key, too many categories.",
    determinism: "The same rows, options and seed give the same bytes, whatever the batches, \
                  partitions, files, threads or order: training keeps the `max_samples` rows with \
                  the smallest seeded hash of the key.",
    cost: "One hash per row; at most twice the sample and each category once in memory. A fit \
           takes at most 4 x 300 passes of `n_clusters` distances for each row kept; scoring takes \
           `n_clusters` distances per row. A model holds `n_clusters` rows.",
    example: "SELECT anomaly_score(train_k_means({x: value % 2}, value, {n_clusters: 2}), \
              {x: 2}) FROM generate_series(1, 100)",
    example_result: "2.0",
    source: "Lloyd 1982, Least squares quantization in PCM; Arthur, Vassilvitskii 2007, \
             k-means++, greedy as in scikit-learn; He, Xu, Deng 2003, Discovering cluster-based \
             local outliers, without weights as in PyOD. Centroids are moved by linfa.",
    related: &["anomaly_score", "explain_anomaly", "is_anomaly", "model_info"],
    since: "0.1.0",
};

/// The algorithm, as SQL trains it.
#[derive(Debug)]
pub(crate) struct TrainKMeans;

impl Trainer for TrainKMeans {
    fn doc(&self) -> &'static FunctionDoc {
        &DOC
    }

    fn options(&self) -> &'static [&'static str] {
        &["alpha", "beta", "cblof", "max_samples", "n_clusters", "seed"]
    }

    fn parse(&self, options: &Options<'_>) -> Result<Arc<dyn Hyperparameters>> {
        let sampling = options.sampling(KMeans::DEFAULT_SAMPLING)?;
        let mut params = KMeans::params().sampling(sampling).cblof(cblof(options)?);
        if let Some(clusters) = options.integer("n_clusters")? {
            params = params.n_clusters(clusters);
        }
        let params = params.check();
        Ok(Arc::new(params.map_err(|error| plan_datafusion_err!("{NAME}: option {error}"))?))
    }
}

fn cblof(options: &Options<'_>) -> Result<Option<Cblof>> {
    let (alpha, beta) = (options.number("alpha")?, options.number("beta")?);
    if options.boolean("cblof")?.unwrap_or(false) {
        let default = Cblof::default();
        let (alpha, beta) = (alpha.unwrap_or(default.alpha), beta.unwrap_or(default.beta));
        return Ok(Some(Cblof { alpha, beta }));
    }
    match (alpha, beta) {
        (None, None) => Ok(None),
        (Some(_), _) => plan_err!("{NAME}: option `alpha` needs `cblof: true`"),
        (None, Some(_)) => plan_err!("{NAME}: option `beta` needs `cblof: true`"),
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
        let params = KMeans::params().n_clusters(3).sampling(sampling).check().unwrap();
        assert_training(&TrainKMeans, Arc::new(params));
    }
}
