//! Empirical tails: how far out on its column each value of a row lies, by the share of the
//! training rows that lie at least as far. ECOD (Li et al. 2022) and COPOD (Li et al. 2020) take
//! them together in two ways.
//!
//! For a value x of a column, the left tail is -ln of the share of training values <= x, the right
//! one -ln of the share >= x. The skewed tail is the right one of a column with a tail to the
//! right, the left one of a column with a tail to the left, and the sum of both of a column with
//! neither. ECOD adds up max(left, right, skewed) over the columns; COPOD max(skewed, (left +
//! right) / 2). Both as PyOD has them, which differs from the papers in the sum and in the choice
//! of the largest tail per column.
//!
//! Training rows have the scores that PyOD gives them. New rows are compared with the training rows
//! alone, where PyOD puts them among these; a value beyond all of the n training values has the
//! tail ln(n + 1).
//!
//! Fitting sorts each column; scoring costs two binary searches per value. A model holds 12 bytes
//! for each distinct value of each column.
//!
//! # Missing values
//! NaN adds nothing to a score, and is not counted in its column. Infinities count as the largest
//! finite numbers.

mod codec;

#[cfg(test)]
mod tests;

use std::error::Error;
use std::sync::Arc;

use linfa::ParamGuard;
use ndarray::{Array2, ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};

use super::json::checked;
use super::sampling::{Sampling, SamplingError};
use super::training::{Hyperparameters, Threshold};
use super::{Algorithm, Attribution, Detector, canonical};

pub(super) use codec::decode;

/// Most rows kept for training, which bounds the model.
pub const MAX_SAMPLE_ROWS: u64 = 65_536;

/// Share of the sample above the threshold, where contamination is not given.
const DEFAULT_SHARE: f64 = 0.01;

/// Skewness within rounding of 0, far below its sampling error.
const SYMMETRIC: f64 = 1e-9;

/// How the tails of a value are taken together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Rule {
    /// The largest of the left, the right and the skewed tail.
    #[default]
    Ecod,
    /// The larger of the skewed tail and the mean of the left and the right one.
    Copod,
}

/// Hyperparameters not checked yet; see [`Self::check`](ParamGuard).
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct TailsParams(TailsValidParams);

/// Hyperparameters within their ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TailsValidParams {
    /// Known from the algorithm.
    #[serde(skip)]
    rule: Rule,
    #[serde(flatten)]
    sampling: Sampling,
}

impl TailsParams {
    /// Rows that are kept: 2 to [`MAX_SAMPLE_ROWS`], default 8192.
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.0.sampling = sampling;
        self
    }
}

impl ParamGuard for TailsParams {
    type Checked = TailsValidParams;
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

/// The tails of each column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tails {
    #[serde(rename = "options", deserialize_with = "checked::<_, TailsParams>")]
    params: TailsValidParams,
    columns: Vec<Column>,
}

/// The values of a column that were there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Column {
    /// Distinct, ascending.
    values: Vec<f64>,
    /// Rows with at most each value.
    at_most: Vec<u32>,
    skew: Skew,
}

/// Where a column has its long tail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
#[serde(rename_all = "snake_case")]
enum Skew {
    Neither = 0,
    Left = 1,
    Right = 2,
}

impl Tails {
    /// Where rows are kept by default.
    pub const DEFAULT_SAMPLING: Sampling = Sampling::of(8192);

    /// Hyperparameters to start from.
    pub fn params(rule: Rule) -> TailsParams {
        TailsParams(TailsValidParams { rule, sampling: Self::DEFAULT_SAMPLING })
    }

    /// The same tails, taken together by another rule.
    pub(super) fn with_rule(mut self, rule: Rule) -> Self {
        self.params.rule = rule;
        self
    }
}

impl Column {
    fn fit(column: ArrayView1<'_, f64>) -> Self {
        let present = column.iter().copied().filter(|value| !value.is_nan()).map(canonical);
        let mut sorted: Vec<f64> = present.collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let (mut values, mut at_most) = (vec![], vec![]);
        for (row, value) in sorted.iter().enumerate() {
            if values.last() != Some(value) {
                values.push(*value);
                at_most.push(0);
            }
            if let Some(last) = at_most.last_mut() {
                *last = row as u32 + 1;
            }
        }
        Self { values, at_most, skew: Skew::of(&sorted) }
    }

    /// Rows among the first `values` distinct values.
    fn rows(&self, values: usize) -> u32 {
        values.checked_sub(1).map_or(0, |last| self.at_most[last])
    }

    fn score(&self, rule: Rule, value: f64) -> f64 {
        let all = self.rows(self.values.len());
        if value.is_nan() || all == 0 {
            return 0.0;
        }
        let tail = |rows: u32| match rows {
            0 => libm::log(f64::from(all) + 1.0),
            rows => libm::log(f64::from(all) / f64::from(rows)),
        };
        let left = tail(self.rows(self.values.partition_point(|known| *known <= value)));
        let right = tail(all - self.rows(self.values.partition_point(|known| *known < value)));
        let skewed = match self.skew {
            Skew::Neither => left + right,
            Skew::Left => left,
            Skew::Right => right,
        };
        match rule {
            Rule::Ecod => left.max(right).max(skewed),
            Rule::Copod => skewed.max((left + right) / 2.0),
        }
    }
}

impl Skew {
    /// By the third moment; neither where all values are equal up to rounding, as in scipy.
    fn of(values: &[f64]) -> Self {
        let largest = values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
        let (_, exponent) = libm::frexp(largest);
        // Scaled exactly, so that nothing overflows.
        let scaled: Vec<f64> = values.iter().map(|value| libm::scalbn(*value, -exponent)).collect();
        let rows = scaled.len() as f64;
        let mean = scaled.iter().sum::<f64>() / rows;
        let moment = |power| {
            let powers = scaled.iter().map(|value| (0..power).fold(1.0, |p, _| p * (value - mean)));
            powers.sum::<f64>() / rows
        };
        let (second, third) = (moment(2), moment(3));
        let rounding = f64::EPSILON * mean;
        if second.is_nan() || second <= rounding * rounding {
            return Self::Neither;
        }
        match third / (second * libm::sqrt(second)) {
            skewness if skewness > SYMMETRIC => Self::Right,
            skewness if skewness < -SYMMETRIC => Self::Left,
            _ => Self::Neither,
        }
    }
}

impl Hyperparameters for TailsValidParams {
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
        let columns = records.columns().into_iter().map(Column::fit).collect();
        Ok(Arc::new(Tails { params: self.clone(), columns }))
    }
}

impl Detector for Tails {
    fn algorithm(&self) -> Algorithm {
        match self.params.rule {
            Rule::Ecod => Algorithm::Ecod,
            Rule::Copod => Algorithm::Copod,
        }
    }

    fn options(&self) -> Vec<(&'static str, String)> {
        self.params.sampling.options().to_vec()
    }

    fn scores(&self, records: ArrayView2<'_, f64>) -> Vec<f64> {
        self.attribute(records).contributions.rows().into_iter().map(|row| row.sum()).collect()
    }

    /// The terms of the sum, beside a base of 0.
    fn attribute(&self, records: ArrayView2<'_, f64>) -> Attribution {
        let rule = self.params.rule;
        let mut contributions = Array2::zeros(records.dim());
        let targets = contributions.columns_mut().into_iter();
        for ((mut target, values), column) in targets.zip(records.columns()).zip(&self.columns) {
            target.zip_mut_with(&values, |target, value| {
                *target = column.score(rule, canonical(*value));
            });
        }
        Attribution { bases: vec![0.0; records.nrows()], contributions }
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}
