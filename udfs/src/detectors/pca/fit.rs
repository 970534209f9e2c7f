//! The directions of most variance, and how many of them are kept.

use std::error::Error;
use std::sync::Arc;

use ndarray::ArrayView2;

use super::eigen::Eigen;
use super::{Components, FitError, MAX_COLUMNS, Pca, PcaValidParams};
use crate::detectors::Detector;
use crate::detectors::correlation::correlations;
use crate::detectors::rows::Rows;
use crate::detectors::scaler::Scaler;
use crate::detectors::training::{Hyperparameters, Threshold};

/// Share of the sample above the threshold, where contamination is not given.
const DEFAULT_SHARE: f64 = 0.01;

/// Variances, of which a column has 1, and shares of them that are within rounding of each other.
const ROUNDING: f64 = 1e-9;

impl Hyperparameters for PcaValidParams {
    fn sample_rows(&self) -> u64 {
        self.sampling.max_samples
    }

    fn seed(&self) -> u64 {
        self.sampling.seed
    }

    fn encode(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }

    fn threshold(&self) -> Threshold {
        Threshold::Share(DEFAULT_SHARE)
    }

    fn fit(
        &self,
        records: ArrayView2<'_, f64>,
        _: Option<&[bool]>,
    ) -> Result<Arc<dyn Detector>, Box<dyn Error + Send + Sync>> {
        let columns = records.ncols();
        if columns > MAX_COLUMNS {
            return Err(FitError::Columns(columns).into());
        }
        let scaler = Scaler::standard(records);
        let eigen = Eigen::of(&correlations(scaler.transform(records).view()));
        let kept = self.components.kept(&eigen.values)?;
        let vectors = eigen.vectors.rows().into_iter().take(kept);
        let components = Rows::new(vectors.flatten().copied().collect(), columns);
        Ok(Arc::new(Pca { params: self.clone(), scaler, components }))
    }
}

impl Components {
    /// How many components of these variances, which descend, are kept.
    fn kept(self, variances: &[f64]) -> Result<usize, FitError> {
        let columns = variances.len();
        let most = columns.saturating_sub(1);
        let wanted = match self {
            Self::Number(number) => match usize::try_from(number) {
                Ok(number) if number <= most => number,
                _ => return Err(FitError::Components { number, columns }),
            },
            Self::Variance(share) => {
                let goal = (share - ROUNDING) * variances.iter().sum::<f64>();
                let mut held = 0.0;
                let reached = variances.iter().position(|variance| {
                    held += variance;
                    held >= goal
                });
                reached.map_or(most, |last| (last + 1).min(most))
            }
        };
        // Leaving a direction in which nothing spreads is what is sought.
        Ok(wanted.min(variances.partition_point(|variance| *variance > ROUNDING)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_components_kept_by_hand() {
        let kept = |components: Components, variances: &[f64]| components.kept(variances).unwrap();
        let four = [2.0, 1.0, 0.6, 0.4];
        // Shares 0.5, 0.75, 0.9, 1.
        for (share, number) in [(0.4, 1), (0.5, 1), (0.51, 2), (0.9, 3), (0.91, 3), (0.99, 3)] {
            assert_eq!(kept(Components::Variance(share), &four), number, "{share}");
        }
        assert_eq!(kept(Components::Number(2), &four), 2);
        assert_eq!(kept(Components::Number(0), &four), 0);
        // Directions without a spread are not kept, nor is the last one.
        assert_eq!(kept(Components::Number(2), &[3.0, 1e-16, -1e-16]), 1);
        assert_eq!(kept(Components::Variance(0.9), &[0.0, 0.0]), 0);
        assert_eq!(kept(Components::Variance(0.9), &[1.0]), 0);
        assert_eq!(kept(Components::Variance(0.9), &[]), 0);
        let error = Components::Number(4).kept(&four).unwrap_err().to_string();
        assert!(
            error.starts_with("`n_components` must be less than the number of columns, 4, got 4")
        );
    }
}
