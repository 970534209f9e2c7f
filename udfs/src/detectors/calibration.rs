//! The scores of the training sample, by which a score says how unusual it is.

use serde::{Deserialize, Serialize};

use super::wire::{Reader, WireError};

/// Scores kept at equal distances, and as many again from the top, where alerts are.
const KEPT: usize = 512;

/// The quantile of a non-empty sample by linear interpolation, as numpy's `percentile`.
pub fn quantile(mut values: Vec<f64>, q: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    quantile_of_sorted(&values, q)
}

/// The same of a sample that is sorted.
pub(super) fn quantile_of_sorted(values: &[f64], q: f64) -> f64 {
    let position = q * (values.len() - 1) as f64;
    let below = position as usize;
    let above = (below + 1).min(values.len() - 1);
    let share = position - below as f64;
    let (below, above) = (values[below], values[above]);
    match above - below {
        // Farther apart than the largest number.
        f64::INFINITY => below * (1.0 - share) + above * share,
        // Rounding must not put one quantile above the next.
        step => (below + step * share).min(above),
    }
}

/// Some order statistics of a sample of scores. All of them up to 1024 scores; beyond, 512 at equal
/// distances and the 512 largest, with linear interpolation between them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Calibration {
    /// Rank from 0 and score, ascending.
    points: Vec<(u32, f64)>,
}

impl Calibration {
    /// Of the scores of the training sample, which must not be NaN; none for no scores.
    pub fn of(mut scores: Vec<f64>) -> Option<Self> {
        scores.sort_unstable_by(f64::total_cmp);
        let last = scores.len().checked_sub(1)?;
        let mut ranks: Vec<usize> = match scores.len() <= 2 * KEPT {
            true => (0..=last).collect(),
            false => {
                let spread = (0..KEPT).map(|at| at * last / (KEPT - 1));
                spread.chain(last + 1 - KEPT..=last).collect()
            }
        };
        ranks.sort_unstable();
        ranks.dedup();
        Some(Self { points: ranks.into_iter().map(|rank| (rank as u32, scores[rank])).collect() })
    }

    fn last(&self) -> (u32, f64) {
        self.points.last().copied().unwrap_or_default()
    }

    /// The share of the sample that scores at most as high, in percent: 0 below all, 100 from the
    /// highest on.
    pub fn percentile(&self, score: f64) -> f64 {
        let rows = f64::from(self.last().0) + 1.0;
        let above = self.points.partition_point(|(_, known)| *known <= score);
        let (Some(below), above) = (above.checked_sub(1), self.points.get(above)) else {
            return 0.0;
        };
        let (rank, low) = self.points[below];
        let between = match above {
            Some((next, high)) => f64::from(next - rank - 1) * (score - low) / (high - low),
            None => 0.0,
        };
        100.0 * (f64::from(rank) + 1.0 + between) / rows
    }

    /// The score that the share `rate` of the sample lies above, by linear interpolation.
    pub fn threshold(&self, rate: f64) -> f64 {
        let position = (1.0 - rate).clamp(0.0, 1.0) * f64::from(self.last().0);
        let above = self.points.partition_point(|(rank, _)| f64::from(*rank) <= position);
        let (rank, low) = self.points[above.saturating_sub(1)];
        match self.points.get(above) {
            Some((next, high)) => {
                low + (high - low) * (position - f64::from(rank)) / f64::from(next - rank)
            }
            None => low,
        }
    }

    /// Appends the canonical encoding; nothing is a calibration of no points.
    pub(super) fn encode(calibration: Option<&Self>, out: &mut Vec<u8>) {
        let points = calibration.map_or(&[][..], |calibration| &calibration.points);
        out.extend_from_slice(&(points.len() as u32).to_le_bytes());
        for (rank, score) in points {
            out.extend_from_slice(&rank.to_le_bytes());
            out.extend_from_slice(&score.to_le_bytes());
        }
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Option<Self>, WireError> {
        let mut points: Vec<(u32, f64)> = vec![];
        for _ in 0..reader.u32()? {
            let (rank, score) = (reader.u32()?, reader.finite()?);
            let ascends = match points.last() {
                None => rank == 0,
                Some((last_rank, last)) => rank > *last_rank && score >= *last,
            };
            if !ascends || rank == u32::MAX {
                return Err(WireError::Invalid("its calibration does not ascend"));
            }
            points.push((rank, score));
        }
        Ok((!points.is_empty()).then_some(Self { points }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `numpy.percentile([4, 1, 3, 2], [0, 50, 90, 100])` is 1, 2.5, 3.7, 4.
    #[test]
    fn quantiles_are_those_of_numpy() {
        let quantiles = [0.0, 0.5, 0.9, 1.0].map(|q| quantile(vec![4.0, 1.0, 3.0, 2.0], q));
        assert_eq!(quantiles, [1.0, 2.5, 3.7, 4.0]);
        assert_eq!(quantile(vec![7.0], 0.9), 7.0);
    }

    /// `scipy.stats.percentileofscore(scores, x, kind='weak')`.
    #[test]
    fn a_percentile_is_the_share_of_rows_at_most_as_high() {
        let small = Calibration::of(vec![3.0, 1.0, 2.0, 2.0]).unwrap();
        let percentiles = [0.9, 1.0, 1.9, 2.0, 2.5, 3.0, 9.0].map(|x| small.percentile(x));
        assert_eq!(percentiles, [0.0, 25.0, 25.0, 75.0, 75.0, 100.0, 100.0]);
        assert_eq!([0.0, 0.5, 1.0].map(|rate| small.threshold(rate)), [3.0, 2.0, 1.0]);
        assert!(Calibration::of(vec![]).is_none());
        let one = Calibration::of(vec![7.0]).unwrap();
        assert_eq!(
            (one.percentile(6.0), one.percentile(7.0), one.threshold(0.1)),
            (0.0, 100.0, 7.0)
        );
    }

    #[test]
    fn a_large_sample_is_exact_at_its_top_and_close_below() {
        let scores: Vec<f64> = (0..100_000).map(|n| f64::from(n) / 1e5).collect();
        let calibration = Calibration::of(scores).unwrap();
        assert!(calibration.points.len() <= 2 * KEPT);
        for n in [0, 1, 137, 50_000, 99_499, 99_500, 99_999] {
            let score = f64::from(n) / 1e5;
            let exact = 100.0 * (f64::from(n) + 1.0) / 1e5;
            let tolerance = if n >= 99_500 { 1e-12 } else { 0.002 };
            assert!((calibration.percentile(score) - exact).abs() <= tolerance, "{n}");
        }
        assert!((calibration.threshold(0.001) - 0.999).abs() < 1e-5);
        let mut bytes = vec![];
        Calibration::encode(Some(&calibration), &mut bytes);
        assert_eq!(Calibration::decode(&mut Reader::new(&bytes)).unwrap(), Some(calibration));
    }
}
