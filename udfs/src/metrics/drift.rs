//! How far two samples of one quantity are apart.

use super::sum::CompensatedSum;
use super::{
    Bins, MetricError, Samples, binary, jensen_shannon_distance, population_stability_index,
};

/// A sample in ascending order, each value with its weight: all the rows of a table, or the few
/// values that stand for them in a sketch (quantiles that stand for equally many rows are a
/// sample without weights).
#[derive(Debug, Clone, Copy)]
pub struct Sample<'a> {
    values: &'a [f64],
    /// Absent where each value stands for one row.
    weights: Option<&'a [u64]>,
}

impl<'a> Sample<'a> {
    /// A sample of rows. The values are ascending and free of NaN.
    pub fn new(values: &'a [f64]) -> Self {
        Self { values, weights: None }
    }

    /// A sample of values that stand for several rows each. The values are ascending and free of
    /// NaN; values may repeat. A value without a weight stands for no row.
    pub fn weighted(values: &'a [f64], weights: &'a [u64]) -> Self {
        Self { values, weights: Some(weights) }
    }

    /// The number of rows.
    pub fn rows(&self) -> u64 {
        match self.weights {
            Some(weights) => self.values.iter().zip(weights).map(|(_, weight)| weight).sum(),
            None => self.values.len() as u64,
        }
    }

    /// Each value with the number of rows that it stands for, at least 1.
    pub(super) fn iter(self) -> impl Iterator<Item = (f64, u64)> + 'a {
        self.values
            .iter()
            .enumerate()
            .map(move |(at, value)| {
                let weight =
                    self.weights.map_or(1, |weights| weights.get(at).copied().unwrap_or(0));
                (*value, weight)
            })
            .filter(|(_, weight)| *weight > 0)
    }
}

/// Where the distributions of both samples stand after a value.
struct Step {
    value: f64,
    /// Rows of the reference up to and including the value.
    reference: u64,
    /// Rows of the current sample up to and including the value.
    current: u64,
}

/// One step for each distinct value of either sample, ascending.
fn steps<'a>(reference: Sample<'a>, current: Sample<'a>) -> impl Iterator<Item = Step> + 'a {
    let mut sides = [reference, current].map(|sample| (sample.iter().peekable(), 0_u64));
    std::iter::from_fn(move || {
        let next =
            sides.iter_mut().filter_map(|(values, _)| values.peek().map(|(value, _)| *value));
        let value = next.min_by(f64::total_cmp)?;
        for (values, rows) in &mut sides {
            while let Some((_, weight)) = values.next_if(|(other, _)| *other == value) {
                *rows += weight;
            }
        }
        Some(Step { value, reference: sides[0].1, current: sides[1].1 })
    })
}

impl Step {
    /// The difference of the two distribution functions here, from the numbers of rows.
    fn difference(&self, rows: [u64; 2]) -> f64 {
        let [reference, current] = rows.map(u128::from);
        let apart =
            (u128::from(self.reference) * current).abs_diff(u128::from(self.current) * reference);
        apart as f64 / (reference * current) as f64
    }
}

/// The numbers of rows; None where one of the samples is empty.
fn rows(reference: Sample, current: Sample) -> Option<[u64; 2]> {
    let rows = [reference.rows(), current.rows()];
    rows.iter().all(|rows| *rows > 0).then_some(rows)
}

/// The largest difference between the distribution functions of two samples, in [0, 1]: the
/// two-sample Kolmogorov-Smirnov statistic (Smirnov 1948). 0 where the samples are distributed
/// equally, 1 where they do not overlap. None where one of them is empty.
///
/// Counted in integers, so exact up to the rounding of the result. O(n).
pub fn ks_statistic(reference: Sample, current: Sample) -> Option<f64> {
    let rows = rows(reference, current)?;
    steps(reference, current).map(|step| step.difference(rows)).max_by(f64::total_cmp)
}

/// The area between the distribution functions of two samples, from 0, in the unit of the values:
/// how far, on average, a row must move to make one sample of the other (the first Wasserstein or
/// earth mover's distance; Vallender 1974). None where one of the samples is empty.
///
/// Infinite where a different share of rows is infinite, or the distance is beyond the range of
/// f64. O(n).
pub fn wasserstein_distance(reference: Sample, current: Sample) -> Option<f64> {
    let rows = rows(reference, current)?;
    let mut area = CompensatedSum::default();
    let mut last: Option<Step> = None;
    for step in steps(reference, current) {
        if let Some(last) = last {
            let height = last.difference(rows);
            let part = height * (step.value - last.value);
            // Equal shares of rows at infinity need not move.
            if height > 0.0 {
                if part == f64::INFINITY {
                    return Some(part);
                }
                area.add(part);
            }
        }
        last = Some(step);
    }
    Some(if area.total().is_finite() { area.total() } else { f64::INFINITY })
}

/// The values of the reference (the first sample) and of the current sample.
#[derive(Debug, Clone, Default)]
pub struct TwoSamples(Samples);

impl TwoSamples {
    /// Adds a value to the reference, where `is_reference` is 1, or to the current sample, where
    /// it is 0. NaN is a missing value and changes nothing.
    pub fn push(&mut self, value: f64, is_reference: f64) -> Result<(), MetricError> {
        let is_reference = binary("is_reference", is_reference)?;
        if !value.is_nan() {
            self.0.push(is_reference, value);
        }
        Ok(())
    }

    /// The values, to merge and to send.
    pub fn samples(&mut self) -> &mut Samples {
        &mut self.0
    }

    /// Bytes held on the heap.
    pub fn heap_size(&self) -> usize {
        self.0.heap_size()
    }

    /// See [`ks_statistic()`].
    pub fn ks_statistic(&mut self) -> Option<f64> {
        let [reference, current] = self.0.sorted().map(Sample::new);
        ks_statistic(reference, current)
    }

    /// See [`wasserstein_distance()`].
    pub fn wasserstein_distance(&mut self) -> Option<f64> {
        let [reference, current] = self.0.sorted().map(Sample::new);
        wasserstein_distance(reference, current)
    }

    /// Population stability index over [`Bins`]; see [`population_stability_index()`].
    pub fn population_stability_index(&mut self, bins: u64) -> Option<f64> {
        let [reference, current] = self.counts(bins);
        population_stability_index(&reference, &current)
    }

    /// Jensen-Shannon distance over [`Bins`]; see [`jensen_shannon_distance()`].
    pub fn jensen_shannon_distance(&mut self, bins: u64) -> Option<f64> {
        let [reference, current] = self.counts(bins);
        jensen_shannon_distance(&reference, &current)
    }

    /// The rows of both samples in bins of the reference.
    fn counts(&mut self, bins: u64) -> [Vec<u64>; 2] {
        let samples = self.0.sorted().map(Sample::new);
        let bins = Bins::new(samples[0], bins);
        samples.map(|sample| bins.count(sample))
    }
}
