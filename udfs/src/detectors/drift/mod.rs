//! How far rows have moved away from what training saw of each feature.
//!
//! Rows are counted in cells between the percentiles of the training sample, texts by category, and
//! the distances of numbers within their cells are added up in integers: a commutative monoid,
//! whose memory does not depend on the number of rows.

mod cells;

#[cfg(test)]
mod tests;

use ndarray::ArrayView2;

use self::cells::{Cells, Scale};
use super::categories::Categories;
use super::model::Model;
use super::signature::FeatureKind;
use crate::metrics::{
    Bins, Sample, jensen_shannon_distance, ks_statistic, population_stability_index,
    wasserstein_distance,
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
    /// Wasserstein distance in the unit of the feature: how far a value has moved on average; none
    /// of texts.
    ///
    /// A row stands at the mean of all rows of its cell between two percentiles, or beyond the
    /// training range on its side; means are exact to 1/2048 of the cell, or of the range. (Of a
    /// constant, of the constant itself; of 0, of 1.) A training row stands where the rows of its
    /// cell do now. So a shift of all rows one way is exact to 1/100 + 1/n of the training range,
    /// with n rows in the training sample; where rows move both ways within one cell, also to how
    /// far, on average, they lie from its mean. The sum of the distances in a cell ends at 2^64:
    /// then the distance is larger than this one.
    pub wasserstein_distance: Option<f64>,
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
        self.cells.iter().flat_map(Cells::integers).collect()
    }

    /// Adds such a list; false where it is not of this model.
    pub fn merge(&mut self, counts: &[u64]) -> bool {
        let wanted: usize = self.cells.iter().map(|cells| cells.integers().count()).sum();
        if wanted != counts.len() {
            return false;
        }
        for (place, count) in self.cells.iter_mut().flat_map(Cells::integers_mut).zip(counts) {
            *place = place.saturating_add(*count);
        }
        true
    }

    /// Bytes held in memory.
    pub fn size(&self) -> usize {
        self.cells.iter().map(|cells| size_of::<Cells>() + cells.heap_size()).sum()
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
                wasserstein_distance: None,
            };
            match (model.encoder.categories(at), &cells.scale, &statistics.present) {
                (Some(categories), ..) => Self::of_texts(drift, cells, categories),
                (None, Some(scale), Some(reference)) => {
                    Self::of_numbers(drift, &cells.counts, scale, &reference.quantiles)
                }
                _ => drift,
            }
        };
        self.cells.iter().enumerate().map(each).collect()
    }

    fn of_numbers(
        drift: FeatureDrift,
        counts: &[u64],
        scale: &Scale,
        percentiles: &[f64],
    ) -> FeatureDrift {
        let ends = scale.ends();
        let (reference, current) = (Sample::new(percentiles), Sample::weighted(&ends, counts));
        let bins = Bins::new(reference, BINS);
        let [before, now] = [reference, current].map(|sample| bins.count(sample));
        let (positions, hundredths) = scale.positions(counts, percentiles);
        FeatureDrift {
            population_stability_index: population_stability_index(&before, &now),
            jensen_shannon_distance: jensen_shannon_distance(&before, &now),
            ks_statistic: ks_statistic(reference, current),
            wasserstein_distance: wasserstein_distance(
                Sample::weighted(&positions, &hundredths),
                Sample::weighted(&positions, counts),
            ),
            ..drift
        }
    }

    fn of_texts(drift: FeatureDrift, cells: &Cells, categories: &Categories) -> FeatureDrift {
        let before: Vec<u64> = categories.iter().map(|(_, rows)| rows).chain([0]).collect();
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
