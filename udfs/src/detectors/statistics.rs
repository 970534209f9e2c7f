//! What training saw of each feature: the reference that later rows are compared with.

use ndarray::{ArrayView1, ArrayView2};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::calibration::quantile_of_sorted;
use super::canonical;
use super::wire::{Reader, WireError, put_numbers};

/// Quantiles kept of a feature: 0, 1, … 100 percent.
pub const QUANTILES: usize = 101;

/// One feature in the training sample. A text is its position among the categories.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FeatureStatistics {
    /// Rows of the sample without a value.
    pub missing: u64,
    /// Of the rows with a value; none where there are none.
    #[serde(deserialize_with = "Option::deserialize")]
    pub present: Option<Present>,
}

/// The values of a feature that are there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Present {
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation of the population.
    pub stddev: f64,
    /// The percentiles from 0 to 100, by linear interpolation.
    #[serde(deserialize_with = "percentiles")]
    pub quantiles: Vec<f64>,
}

fn percentiles<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let quantiles = Vec::deserialize(deserializer)?;
    match quantiles.len() {
        QUANTILES => Ok(quantiles),
        other => Err(D::Error::invalid_length(other, &"101 percentiles")),
    }
}

impl FeatureStatistics {
    /// Of the columns of the sample. Infinities count as the largest finite numbers.
    pub fn of(sample: ArrayView2<'_, f64>) -> Vec<Self> {
        sample.columns().into_iter().map(Self::of_column).collect()
    }

    fn of_column(column: ArrayView1<'_, f64>) -> Self {
        let present = column.iter().copied().filter(|value| !value.is_nan());
        let values: Vec<f64> = present.map(canonical).collect();
        let missing = (column.len() - values.len()) as u64;
        if values.is_empty() {
            return Self { missing, present: None };
        }
        let rows = values.len() as f64;
        // Scaled by the largest value, so that nothing overflows.
        let scale = values.iter().fold(0.0_f64, |scale, value| scale.max(value.abs()));
        let scale = if scale > 0.0 { scale } else { 1.0 };
        let scaled = || values.iter().map(|value| value / scale);
        let mean = scaled().sum::<f64>() / rows;
        let variance = scaled().map(|value| (value - mean) * (value - mean)).sum::<f64>() / rows;
        let stddev = (libm::sqrt(variance) * scale).min(f64::MAX);
        let mut sorted = values;
        sorted.sort_unstable_by(f64::total_cmp);
        let percentile = |percent: usize| quantile_of_sorted(&sorted, percent as f64 / 100.0);
        let quantiles = (0..QUANTILES).map(percentile).collect();
        Self { missing, present: Some(Present { mean: mean * scale, stddev, quantiles }) }
    }

    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.missing.to_le_bytes());
        out.push(u8::from(self.present.is_some()));
        if let Some(Present { mean, stddev, quantiles }) = &self.present {
            put_numbers(out, [mean, stddev].into_iter().chain(quantiles));
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let missing = reader.u64()?;
        let present = match reader.u8()? {
            0 => None,
            1 => {
                let (mean, stddev) = (reader.finite()?, reader.finite()?);
                let quantiles = reader.numbers(QUANTILES)?;
                if stddev < 0.0 || !quantiles.is_sorted() {
                    return Err(WireError::Invalid("its statistics are none"));
                }
                Some(Present { mean, stddev, quantiles })
            }
            _ => return Err(WireError::Invalid("its statistics are of unknown kind")),
        };
        Ok(Self { missing, present })
    }
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    /// numpy: mean and std of [1, 2, 3, 4] are 2.5 and 1.118033988749895, percentile 10 is 1.3.
    #[test]
    fn values_are_those_of_numpy() {
        let sample = array![[1.0, f64::NAN], [4.0, f64::NAN], [3.0, f64::NAN], [2.0, f64::NAN]];
        let [some, none] = &FeatureStatistics::of(sample.view())[..] else { panic!() };
        assert_eq!(none, &FeatureStatistics { missing: 4, present: None });
        let present = some.present.as_ref().unwrap();
        assert_eq!((some.missing, present.mean), (0, 2.5));
        assert!((present.stddev - 1.118_033_988_749_895).abs() < 1e-15);
        assert!((present.quantiles[10] - 1.3).abs() < 1e-15);
        assert_eq!([present.quantiles[0], present.quantiles[100]], [1.0, 4.0]);
    }

    #[test]
    fn extreme_values_stay_finite_and_travel() {
        for sample in [
            array![[f64::MAX], [f64::MIN], [0.0], [-0.0]],
            array![[f64::MAX], [f64::MIN]],
            array![[f64::INFINITY], [f64::NEG_INFINITY], [f64::NAN]],
            array![[f64::INFINITY], [1.0]],
        ] {
            let statistics = FeatureStatistics::of(sample.view());
            let mut bytes = vec![];
            statistics[0].encode(&mut bytes);
            assert_eq!(FeatureStatistics::decode(&mut Reader::new(&bytes)).unwrap(), statistics[0]);
        }
    }

    #[test]
    fn values_have_one_representation() {
        let of = |value| FeatureStatistics::of(array![[value], [1.0]].view());
        assert_eq!(of(f64::INFINITY), of(f64::MAX));
        let least = |value| of(value)[0].present.as_ref().unwrap().quantiles[0];
        assert_eq!(least(-0.0).to_bits(), least(0.0).to_bits());
    }
}
