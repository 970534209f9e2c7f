//! How far rows have moved away from what training saw of each feature.
//!
//! Rows are counted in cells between the percentiles of the training sample, texts by category:
//! counts are a commutative monoid, and their memory does not depend on the number of rows.

use ndarray::ArrayView2;

use super::categories::Categories;
use super::model::Model;
use super::signature::FeatureKind;
use crate::metrics::{
    Bins, Sample, jensen_shannon_distance, ks_statistic, population_stability_index,
};

/// Bins of the population stability index and the Jensen-Shannon distance of numbers: deciles.
pub const BINS: u64 = 10;

/// One feature: how its rows differ from those of training.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureDrift {
    /// Rows counted.
    pub rows: u64,
    /// Of these, the share without a value; none for no rows.
    pub missing: Option<f64>,
    /// The same in training.
    pub reference_missing: f64,
    /// Of the rows with a text, the share whose category training has not seen; none of numbers.
    pub unseen: Option<f64>,
    /// Population stability index over deciles or categories.
    pub population_stability_index: Option<f64>,
    /// Jensen-Shannon distance over deciles or categories.
    pub jensen_shannon_distance: Option<f64>,
    /// Kolmogorov-Smirnov statistic over percentiles, exact to 0.02; none of texts.
    pub ks_statistic: Option<f64>,
}

/// Where the rows of one feature fall.
#[derive(Debug, Clone)]
struct Cells {
    /// A value that stands for each cell, ascending: below the least percentile, up to each
    /// percentile, above the largest. None of texts, whose cells are their positions.
    values: Option<Vec<f64>>,
    counts: Vec<u64>,
    missing: u64,
}

impl Cells {
    fn of_numbers(percentiles: &[f64]) -> Self {
        let mut values = vec![f64::NEG_INFINITY];
        values.extend(percentiles);
        values.dedup();
        values.push(f64::INFINITY);
        Self { counts: vec![0; values.len()], values: Some(values), missing: 0 }
    }

    fn of_texts(categories: usize) -> Self {
        Self { values: None, counts: vec![0; categories + 1], missing: 0 }
    }

    fn add(&mut self, value: f64) {
        let cell = match &self.values {
            _ if value.is_nan() => {
                self.missing += 1;
                return;
            }
            None => (value as usize).min(self.counts.len() - 1),
            Some(values) => {
                // The least percentile is the end of its own cell, not of the one below it.
                let least = values.get(1).copied().unwrap_or(f64::INFINITY);
                match value < least {
                    true => 0,
                    false => values.partition_point(|edge| *edge < value).min(values.len() - 1),
                }
            }
        };
        self.counts[cell] += 1;
    }

    fn present(&self) -> u64 {
        self.counts.iter().sum()
    }
}

/// Counts rows for the features of one model.
#[derive(Debug, Clone)]
pub struct DriftCounts {
    cells: Vec<Cells>,
}

impl DriftCounts {
    /// No rows yet; none for a model without statistics (format version 1).
    pub fn new(model: &Model) -> Option<Self> {
        let features = model.signature.features().iter().zip(&model.statistics).enumerate();
        let cells = features.map(|(at, (feature, statistics))| match feature.kind {
            FeatureKind::Text => {
                let categories = model.encoder.categories(at);
                Cells::of_texts(categories.map_or(0, |categories| categories.iter().len()))
            }
            _ => Cells::of_numbers(statistics.present.as_ref().map_or(&[], |p| &p.quantiles)),
        });
        let cells: Vec<_> = cells.collect();
        (!cells.is_empty()).then_some(Self { cells })
    }

    /// Counts rows, which have a value per feature as [`Model::scores`] wants it.
    pub fn add(&mut self, rows: ArrayView2<'_, f64>) {
        for (cells, column) in self.cells.iter_mut().zip(rows.columns()) {
            column.iter().for_each(|value| cells.add(*value));
        }
    }

    /// All counts in one list, the same for equal rows.
    pub fn counts(&self) -> Vec<u64> {
        let each = |cells: &Cells| {
            let missing = cells.missing;
            cells.counts.iter().copied().chain([missing]).collect::<Vec<_>>()
        };
        self.cells.iter().flat_map(each).collect()
    }

    /// Adds such a list; false where it is not of this model.
    pub fn merge(&mut self, counts: &[u64]) -> bool {
        let wanted: usize = self.cells.iter().map(|cells| cells.counts.len() + 1).sum();
        if wanted != counts.len() {
            return false;
        }
        let mut counts = counts.iter();
        for cells in &mut self.cells {
            let places = cells.counts.iter_mut().chain([&mut cells.missing]);
            for (place, count) in places.zip(counts.by_ref()) {
                *place = place.saturating_add(*count);
            }
        }
        true
    }

    /// Bytes held in memory.
    pub fn size(&self) -> usize {
        let heap = |cells: &Cells| {
            let values = cells.values.as_ref().map_or(0, Vec::capacity);
            (cells.counts.capacity() + values) * size_of::<u64>()
        };
        self.cells.iter().map(|cells| size_of::<Cells>() + heap(cells)).sum()
    }

    /// How far each feature has moved, in the order of the model.
    pub fn finish(&self, model: &Model) -> Vec<FeatureDrift> {
        let each = |(at, cells): (usize, &Cells)| {
            let statistics = &model.statistics[at];
            let present = cells.present();
            let rows = present + cells.missing;
            let share = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
            let drift = FeatureDrift {
                rows,
                missing: share(cells.missing, rows),
                reference_missing: statistics.missing as f64 / model.sample_rows as f64,
                unseen: None,
                population_stability_index: None,
                jensen_shannon_distance: None,
                ks_statistic: None,
            };
            match (&cells.values, &statistics.present) {
                (None, _) => Self::of_texts(drift, cells, model.encoder.categories(at)),
                (Some(values), Some(reference)) => {
                    let reference = Sample::new(&reference.quantiles);
                    let current = Sample::weighted(values, &cells.counts);
                    let bins = Bins::new(reference, BINS);
                    let [before, now] = [reference, current].map(|sample| bins.count(sample));
                    FeatureDrift {
                        population_stability_index: population_stability_index(&before, &now),
                        jensen_shannon_distance: jensen_shannon_distance(&before, &now),
                        ks_statistic: ks_statistic(reference, current),
                        ..drift
                    }
                }
                (Some(_), None) => drift,
            }
        };
        self.cells.iter().enumerate().map(each).collect()
    }

    fn of_texts(
        drift: FeatureDrift,
        cells: &Cells,
        categories: Option<&Categories>,
    ) -> FeatureDrift {
        let known = categories.into_iter().flat_map(|categories| categories.iter());
        let before: Vec<u64> = known.map(|(_, rows)| rows).chain([0]).collect();
        let present = cells.present();
        let unseen = cells.counts.last().copied().unwrap_or(0);
        FeatureDrift {
            unseen: (present > 0).then(|| unseen as f64 / present as f64),
            population_stability_index: population_stability_index(&before, &cells.counts),
            jensen_shannon_distance: jensen_shannon_distance(&before, &cells.counts),
            ..drift
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_falls_into_the_cell_that_it_ends() {
        let mut cells = Cells::of_numbers(&[1.0, 2.0, 2.0, 5.0]);
        for value in [0.5, 1.0, 1.5, 2.0, 2.1, 5.0, 9.0, f64::INFINITY, f64::NAN] {
            cells.add(value);
        }
        assert_eq!(cells.values.as_deref().unwrap()[1..4], [1.0, 2.0, 5.0]);
        assert_eq!((cells.counts, cells.missing), (vec![1, 1, 2, 2, 2], 1));
    }
}
