//! Distributions as counts in bins, and how far two of them are apart.

use super::Sample;
use super::sum::CompensatedSum;

/// A share of rows below this one counts as this one in the population stability index, whose
/// logarithms have no value for an empty bin.
pub const SMALLEST_SHARE: f64 = 1e-4;

/// Bins over the quantiles of a reference sample, so that each holds about the same share of it.
///
/// A quantile i / n is the smallest value with at least that share of rows up to it (type 1 of
/// Hyndman, Fan 1996; `inverted_cdf` of NumPy), from 0 / n, the smallest value, to n / n, the
/// largest. Each but these two is the upper edge of a bin, which includes it. A value that is
/// several quantiles, because rows tie there, has a bin of its own. Below the first and above the
/// last edge the bins are open. So there are n bins for a continuous sample, fewer for ties, and
/// at most n + 2: a reference of one value has the bins below, at and above it.
#[derive(Debug, Clone, PartialEq)]
pub struct Bins {
    edges: Vec<f64>,
}

impl Bins {
    /// Bins over the `number` (from 1) quantiles of a sample. O(n).
    pub fn new(reference: Sample, number: u64) -> Self {
        let (number, all) = (u128::from(number), u128::from(reference.rows()));
        let mut edges = vec![];
        // Rows up to the value, and the first quantile that is not below it.
        let (mut up_to, mut first) = (0, 0);
        let mut values = reference.iter().peekable();
        while let Some((value, mut rows)) = values.next() {
            while let Some((_, more)) = values.next_if(|(other, _)| *other == value) {
                rows += more;
            }
            up_to += u128::from(rows);
            let next = up_to * number / all + 1;
            if next - first > 1 && rows > 1 {
                edges.extend([value.next_down(), value]);
            } else if first.max(1) < next.min(number) {
                edges.push(value);
            }
            first = next;
        }
        edges.dedup();
        Self { edges }
    }

    /// The upper edges, ascending, of all bins but the last, which is open.
    pub fn edges(&self) -> &[f64] {
        &self.edges
    }

    /// The number of rows in each bin. O(n).
    pub fn count(&self, sample: Sample) -> Vec<u64> {
        let mut counts = vec![0; self.edges.len() + 1];
        let mut bin = 0;
        for (value, weight) in sample.iter() {
            while self.edges.get(bin).is_some_and(|edge| value > *edge) {
                bin += 1;
            }
            counts[bin] += weight;
        }
        counts
    }
}

/// The sum over bins of (current - reference) x ln(current / reference), shares of rows: from 0
/// where both are distributed equally over the bins (Jeffreys 1946; Siddiqi 2006, as population
/// stability index). A share below [`SMALLEST_SHARE`] counts as that one. None where one of the
/// samples is empty.
pub fn population_stability_index(reference: &[u64], current: &[u64]) -> Option<f64> {
    let mut index = CompensatedSum::default();
    for (reference, current) in shares(reference, current)? {
        let (reference, current) = (reference.max(SMALLEST_SHARE), current.max(SMALLEST_SHARE));
        index.add((current - reference) * libm::log(current / reference));
    }
    Some(index.total())
}

/// The square root of the Jensen-Shannon divergence with base 2, in [0, 1]: 0 where both samples
/// are distributed equally over the bins, 1 where they share none (Lin 1991; Endres, Schindelin
/// 2003, as a metric). Empty bins need no smoothing. None where one of the samples is empty.
pub fn jensen_shannon_distance(reference: &[u64], current: &[u64]) -> Option<f64> {
    let mut divergence = CompensatedSum::default();
    for (reference, current) in shares(reference, current)? {
        // p ln(p / m), where m is the mean of both shares, is p ln(1 + d). The two terms of a bin
        // nearly cancel where the shares are near, so that they are added first.
        let d = (reference - current) / (reference + current);
        let of = |share: f64, d: f64| if share > 0.0 { share * libm::log1p(d) } else { 0.0 };
        divergence.add(of(reference, d) + of(current, -d));
    }
    let bits = divergence.total() / (2.0 * std::f64::consts::LN_2);
    Some(bits.clamp(0.0, 1.0).sqrt())
}

/// The shares of rows in each bin that is not empty on both sides; None where one sample is.
fn shares<'a>(
    reference: &'a [u64],
    current: &'a [u64],
) -> Option<impl Iterator<Item = (f64, f64)> + 'a> {
    let rows = [reference, current].map(|counts| counts.iter().sum::<u64>());
    let bins = reference.iter().zip(current).filter(|(a, b)| **a > 0 || **b > 0);
    let share = |count: &u64, rows: u64| *count as f64 / rows as f64;
    rows.iter()
        .all(|rows| *rows > 0)
        .then(|| bins.map(move |(a, b)| (share(a, rows[0]), share(b, rows[1]))))
}
