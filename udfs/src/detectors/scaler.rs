//! Scaling that is learned in training and travels inside the model.

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use super::canonical;
use super::wire::{Reader, WireError, put_numbers};

/// The furthest that a scaled value may be from 0: beyond, it is cut, so that nothing overflows.
pub const MOST_SCALED: f64 = 1e6;

/// A center and a scale per column. A value becomes `(value - center) / scale`, cut at
/// [`MOST_SCALED`]; a missing one becomes 0: as usual as can be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaler {
    centers: Vec<f64>,
    scales: Vec<f64>,
}

impl Scaler {
    /// Mean and standard deviation (of the population) of the present values of each column. A
    /// column without a spread is only moved, one without values is left alone.
    pub fn standard(records: ArrayView2<'_, f64>) -> Self {
        Self::fit(records, |values| {
            // Scaled by the largest value, so that nothing overflows.
            let largest = values.iter().fold(0.0_f64, |most, value| most.max(value.abs()));
            let unit = if largest > 0.0 { largest } else { 1.0 };
            let rows = values.len() as f64;
            let mean = values.iter().map(|value| value / unit).sum::<f64>() / rows;
            let squares = values.iter().map(|value| (value / unit - mean) * (value / unit - mean));
            (mean * unit, libm::sqrt(squares.sum::<f64>() / rows) * unit)
        })
    }

    /// Median and 1.4826 times the median distance to it (MAD), which estimate mean and standard
    /// deviation of a normal distribution whatever few outliers there are. Where more than half
    /// of the values are equal, the mean distance times 1.2533 takes the place of the MAD
    /// (Iglewicz, Hoaglin 1993).
    pub fn robust(records: ArrayView2<'_, f64>) -> Self {
        Self::fit(records, |values| {
            let median = median(values.clone());
            let distances: Vec<f64> = values.iter().map(|value| (value - median).abs()).collect();
            let mad = self::median(distances.clone());
            let scale = match mad > 0.0 {
                true => 1.482_602_218_505_602 * mad,
                false => {
                    let rows = distances.len() as f64;
                    distances.iter().map(|distance| distance / rows).sum::<f64>()
                        * 1.253_314_137_315_5
                }
            };
            (median, scale)
        })
    }

    fn fit(
        records: ArrayView2<'_, f64>,
        center_and_scale: impl Fn(Vec<f64>) -> (f64, f64),
    ) -> Self {
        let of_column = |column: ndarray::ArrayView1<'_, f64>| {
            let values = column.iter().copied().filter(|value| !value.is_nan()).map(canonical);
            let values: Vec<f64> = values.collect();
            if values.is_empty() {
                return (0.0, 1.0);
            }
            let (center, scale) = center_and_scale(values);
            let usable = scale > 0.0 && scale.is_finite();
            (center.clamp(f64::MIN, f64::MAX), if usable { scale } else { 1.0 })
        };
        let (centers, scales) = records.columns().into_iter().map(of_column).unzip();
        Self { centers, scales }
    }

    /// Scaled rows. `records` has the columns that it was fitted on.
    pub fn transform(&self, records: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut scaled = records.mapv(canonical);
        for (mut column, (center, scale)) in
            scaled.columns_mut().into_iter().zip(self.centers.iter().zip(&self.scales))
        {
            column.mapv_inplace(|value| match value.is_nan() {
                true => 0.0,
                false => ((value - center) / scale).clamp(-MOST_SCALED, MOST_SCALED),
            });
        }
        scaled
    }

    /// Number of columns.
    pub fn columns(&self) -> usize {
        self.centers.len()
    }

    /// Appends the canonical encoding: centers, then scales.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        put_numbers(out, self.centers.iter().chain(&self.scales));
    }

    pub(super) fn decode(reader: &mut Reader<'_>, columns: usize) -> Result<Self, WireError> {
        let (centers, scales) = (reader.numbers(columns)?, reader.numbers(columns)?);
        match scales.iter().all(|scale| *scale > 0.0) {
            true => Ok(Self { centers, scales }),
            false => Err(WireError::Invalid("a scale is not positive")),
        }
    }
}

/// The median of a non-empty sample: the mean of the two middle values where there are two.
pub(super) fn median(values: Vec<f64>) -> f64 {
    super::calibration::quantile(values, 0.5)
}

#[cfg(test)]
mod tests {
    use ndarray::array;

    use super::*;

    /// numpy: mean 3, std sqrt(2); median 3, MAD 1 -> 1.4826.
    #[test]
    fn scales_are_those_of_numpy() {
        let rows = array![[1.0, 7.0], [2.0, 7.0], [3.0, 7.0], [4.0, f64::NAN], [5.0, 7.0]];
        let standard = Scaler::standard(rows.view()).transform(rows.view());
        assert!((standard[[0, 0]] + 2.0 / libm::sqrt(2.0)).abs() < 1e-15);
        assert_eq!(standard.column(1).to_vec(), [0.0; 5], "no spread, and a missing value");
        let robust = Scaler::robust(rows.view()).transform(rows.view());
        assert!((robust[[4, 0]] - 2.0 / 1.482_602_218_505_602).abs() < 1e-15);
    }

    #[test]
    fn extremes_are_cut_and_travel() {
        let rows = array![[f64::MAX], [f64::MIN], [0.0], [f64::NAN]];
        for scaler in [Scaler::standard(rows.view()), Scaler::robust(rows.view())] {
            let scaled = scaler.transform(array![[f64::INFINITY], [1e300], [f64::NAN]].view());
            assert!(scaled.iter().all(|value| value.abs() <= MOST_SCALED), "{scaled}");
            let mut bytes = vec![];
            scaler.encode(&mut bytes);
            assert_eq!(Scaler::decode(&mut Reader::new(&bytes), 1).unwrap(), scaler);
        }
    }
}
