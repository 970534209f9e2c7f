//! The robust z-score (Iglewicz, Hoaglin 1993), the cheapest baseline: the score of a row is the sum
//! over its columns of the squared distance to the median, in robust standard deviations (see
//! [`Scaler::robust`]). A sum rather than the largest of them, so that it is what the squared
//! [Mahalanobis distance](super::mahalanobis) is without correlations, takes rows that are odd in
//! many columns for more anomalous than in one, and falls apart into its columns.
//!
//! Fitting takes three selections per column, scoring a multiplication per value. A model holds 16
//! bytes per column.
//!
//! # Missing values
//! A missing value counts as the median, and so adds nothing. Scaled values end 1e6 standard
//! deviations from the median, infinities too.

use std::error::Error;
use std::sync::Arc;

use linfa::ParamGuard;
use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use super::json::checked;
use super::sampling::{Sampling, SamplingError};
use super::scaler::Scaler;
use super::training::{Hyperparameters, Threshold};
use super::wire::{Reader, WireError};
use super::{Algorithm, Attribution, Detector};

/// Most rows kept for training.
pub const MAX_SAMPLE_ROWS: u64 = 1 << 20;

/// Share of the sample above the threshold, where contamination is not given.
const DEFAULT_SHARE: f64 = 0.01;

/// Hyperparameters not checked yet; see [`Self::check`](ParamGuard).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct RobustZScoreParams(RobustZScoreValidParams);

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobustZScoreValidParams {
    #[serde(flatten)]
    sampling: Sampling,
}

impl RobustZScoreParams {
    /// Rows that are kept: 2 to [`MAX_SAMPLE_ROWS`], default 65536.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.0.sampling = sampling;
        self
    }
}

impl ParamGuard for RobustZScoreParams {
    type Checked = RobustZScoreValidParams;
    type Error = SamplingError;

    fn check_ref(&self) -> Result<&Self::Checked, SamplingError> {
        self.0.sampling.check(MAX_SAMPLE_ROWS)?;
        Ok(&self.0)
    }

    fn check(self) -> Result<Self::Checked, SamplingError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

/// Medians and robust standard deviations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RobustZScore {
    #[serde(rename = "options", deserialize_with = "checked::<_, RobustZScoreParams>")]
    params: RobustZScoreValidParams,
    scaler: Scaler,
}

impl RobustZScore {
    /// Where rows are kept by default.
    pub const DEFAULT_SAMPLING: Sampling = Sampling::of(65_536);

    /// Hyperparameters to start from.
    pub fn params() -> RobustZScoreParams {
        RobustZScoreParams(RobustZScoreValidParams { sampling: Self::DEFAULT_SAMPLING })
    }
}

impl Hyperparameters for RobustZScoreValidParams {
    fn sample_rows(&self) -> u64 {
        self.sampling.max_samples
    }

    fn seed(&self) -> u64 {
        self.sampling.seed
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.sampling.encode(out);
    }

    fn threshold(&self) -> Threshold {
        Threshold::Share(DEFAULT_SHARE)
    }

    fn fit(
        &self,
        records: ArrayView2<'_, f64>,
        _: Option<&[bool]>,
    ) -> Result<Arc<dyn Detector>, Box<dyn Error + Send + Sync>> {
        Ok(Arc::new(RobustZScore { params: self.clone(), scaler: Scaler::robust(records) }))
    }
}

impl Detector for RobustZScore {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RobustZScore
    }

    fn options(&self) -> Vec<(&'static str, String)> {
        self.params.sampling.options().to_vec()
    }

    fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        self.attribute(records).contributions.rows().into_iter().map(|row| row.sum()).collect()
    }

    /// The terms of the sum, beside a base of 0.
    fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let contributions = self.scaler.transform(records).mapv_into(|z| z * z);
        Attribution { bases: vec![0.0; records.nrows()], contributions }
    }

    /// `max_samples u32 | seed u64 | medians and scales f64`.
    fn encode(&self, out: &mut Vec<u8>) {
        self.params.sampling.encode(out);
        self.scaler.encode(out);
    }
}

/// Reads one of `columns` columns.
pub(in crate::detectors) fn decode(
    mut reader: Reader<'_>,
    columns: usize,
) -> Result<RobustZScore, WireError> {
    let params = RobustZScore::params().sampling(Sampling::decode(&mut reader)?).check();
    let params = params.map_err(|_| WireError::Invalid("a hyperparameter is out of range"))?;
    let scaler = Scaler::decode(&mut reader, columns)?;
    reader.finish()?;
    Ok(RobustZScore { params, scaler })
}

#[cfg(test)]
mod tests {
    use ndarray::{Axis, array};

    use super::*;
    use crate::detectors::laws::{assert_close, assert_detector, golden_digest, table};

    #[test]
    fn ranges_are_checked() {
        let params = RobustZScore::params().sampling(Sampling { max_samples: 1, seed: 1 });
        assert!(params.check().unwrap_err().to_string().starts_with("`max_samples` must be"));
    }

    /// `scipy.stats.median_abs_deviation(scale='normal')`.
    #[test]
    fn scores_are_those_of_scipy() {
        let table = table(include_str!("../../../tests/fixtures/detectors/mahalanobis.csv"));
        let rows = table.view().split_at(Axis(1), 4).0;
        let fitted = RobustZScore::params().check().unwrap().fit(rows, None).unwrap();
        assert_close(&fitted.scores(rows), table.column(6).to_vec());
    }

    /// Median 3, median distance 1: 13 is 10 / 1.4826 away.
    #[test]
    fn a_score_computed_by_hand() {
        let rows = array![[1.0, 5.0], [2.0, 5.0], [3.0, 5.0], [4.0, 5.0], [5.0, 5.0]];
        let fitted = RobustZScore::params().check().unwrap().fit(rows.view(), None).unwrap();
        let z = 10.0 / 1.482_602_218_505_602;
        let new = array![[13.0, 5.0], [13.0, 7.0], [f64::NAN, f64::NAN]];
        assert_close(&fitted.scores(new.view()), [z * z, z * z + 4.0, 0.0]);
    }

    /// Changes only with the algorithm or the format.
    #[test]
    fn golden_model() {
        assert_eq!(
            golden_digest(&RobustZScore::params().check().unwrap()),
            "2154e7342148661ecf7cc42352e1e8bb"
        );
    }

    #[test]
    fn it_keeps_the_laws() {
        assert_detector(&RobustZScore::params().check().unwrap());
    }
}
