//! The rows of one feature, counted in cells: whatever their number, a few integers.

use crate::detectors::canonical;

/// Parts of the width of a cell in which distances within it are counted.
const PARTS: f64 = 1024.0;

/// The rows of one feature.
#[derive(Debug, Clone)]
pub(super) struct Cells {
    /// Rows in each cell. The cells of texts are their positions, the last one for unseen texts.
    pub(super) counts: Vec<u64>,
    /// Rows without a value.
    pub(super) missing: u64,
    /// Where the cells of numbers lie; none of texts, and of numbers that training has not seen.
    pub(super) scale: Option<Scale>,
}

/// Cells of numbers: up to and including each edge, and beyond the last one. The edges are the
/// percentiles of the training sample. The least of them, and a value that is several percentiles,
/// because rows tie there, have a cell of their own.
#[derive(Debug, Clone)]
pub(super) struct Scale {
    /// Ascending, at least two: the first is just below the least percentile.
    edges: Vec<f64>,
    /// Half of the width by which distances beyond the edges are counted.
    outside: f64,
    /// Of each cell the sum of the distances of its rows from its [anchor](Self::ruler).
    distances: Vec<u64>,
}

impl Cells {
    pub(super) fn of_numbers(percentiles: &[f64]) -> Self {
        let scale = Scale::new(percentiles);
        let cells = scale.as_ref().map_or(1, |scale| scale.distances.len());
        Self { counts: vec![0; cells], missing: 0, scale }
    }

    pub(super) fn of_texts(categories: usize) -> Self {
        Self { counts: vec![0; categories + 1], missing: 0, scale: None }
    }

    pub(super) fn add(&mut self, value: f64) {
        if value.is_nan() {
            self.missing += 1;
            return;
        }
        let cell = match &mut self.scale {
            Some(scale) => scale.add(canonical(value)),
            None => (value as usize).min(self.counts.len() - 1),
        };
        self.counts[cell] += 1;
    }

    /// Rows with a value.
    pub(super) fn present(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All that changes with rows.
    pub(super) fn integers(&self) -> impl Iterator<Item = u64> {
        let distances = self.scale.iter().flat_map(|scale| &scale.distances);
        self.counts.iter().chain([&self.missing]).chain(distances).copied()
    }

    /// The same, to be added to.
    pub(super) fn integers_mut(&mut self) -> impl Iterator<Item = &mut u64> {
        let distances = self.scale.iter_mut().flat_map(|scale| &mut scale.distances);
        self.counts.iter_mut().chain([&mut self.missing]).chain(distances)
    }

    /// Bytes held on the heap.
    pub(super) fn heap_size(&self) -> usize {
        let of_scale = |scale: &Scale| scale.edges.capacity() + scale.distances.capacity();
        let numbers = self.counts.capacity() + self.scale.as_ref().map_or(0, of_scale);
        numbers * size_of::<u64>()
    }
}

impl Scale {
    /// None for no percentiles.
    fn new(percentiles: &[f64]) -> Option<Self> {
        let (least, largest) = (*percentiles.first()?, *percentiles.last()?);
        let mut edges = vec![least.next_down(), least];
        let mut rest = percentiles.iter().copied().skip_while(|value| *value == least).peekable();
        while let Some(value) = rest.next() {
            if rest.next_if_eq(&value).is_some() {
                edges.push(value.next_down());
            }
            while rest.next_if_eq(&value).is_some() {}
            edges.push(value);
        }
        edges.dedup();
        let range = half_width(least, largest);
        let outside = [range, 0.5 * least.abs()].into_iter().find(|half| *half > 0.0);
        let distances = vec![0; edges.len() + 1];
        Some(Self { edges, outside: outside.unwrap_or(0.5), distances })
    }

    fn cell(&self, value: f64) -> usize {
        self.edges.partition_point(|edge| *edge < value)
    }

    /// Where the distances of the rows of a cell start, its end that is nearest to the training
    /// rows; and half of the width by which they are counted.
    fn ruler(&self, cell: usize) -> (f64, f64) {
        match cell {
            0 => (self.edges[1], self.outside),
            _ if cell == self.edges.len() => (self.edges[cell - 1], self.outside),
            _ => (self.edges[cell], half_width(self.edges[cell - 1], self.edges[cell])),
        }
    }

    /// Counts the distance of a value, and says which cell it is in.
    fn add(&mut self, value: f64) -> usize {
        let cell = self.cell(value);
        let (anchor, half) = self.ruler(cell);
        let distance = half_width(anchor, value).abs() / half;
        // Ends at the largest integer.
        let parts = (distance * PARTS + 0.5) as u64;
        self.distances[cell] = self.distances[cell].saturating_add(parts);
        cell
    }

    /// The mean of the rows of a cell.
    fn mean(&self, cell: usize, rows: u64) -> f64 {
        let (anchor, half) = self.ruler(cell);
        let parts = self.distances[cell] as f64 / rows as f64;
        // The cell below the least number is infinitely wide, and empty.
        let distance = if parts > 0.0 { parts * (half / (PARTS / 2.0)) } else { 0.0 };
        match cell == self.edges.len() {
            true => (anchor + distance).min(f64::MAX),
            // Not below the cell by rounding.
            false if cell > 0 => (anchor - distance).max(self.edges[cell - 1]),
            false => (anchor - distance).max(f64::MIN),
        }
    }

    /// A value that stands for each cell, ascending, as far as order is all that counts.
    pub(super) fn ends(&self) -> Vec<f64> {
        self.edges.iter().copied().chain([f64::INFINITY]).collect()
    }

    /// A value that stands for each cell, ascending, where distances count: the mean of its rows.
    /// And how many hundredths of the training rows are in it, which stand at the same value: a
    /// training row is known to lie between two percentiles, and is taken to lie there as the rows
    /// do now, or in the middle where there are none now.
    pub(super) fn positions(&self, counts: &[u64], percentiles: &[f64]) -> (Vec<f64>, Vec<u64>) {
        let mut positions = self.ends();
        let mut reference = vec![0; positions.len()];
        for pair in percentiles.windows(2) {
            let middle = f64::midpoint(pair[0], pair[1]);
            let cell = self.cell(middle);
            positions[cell] = middle;
            reference[cell] += 1;
        }
        for (cell, rows) in counts.iter().enumerate().filter(|(_, rows)| **rows > 0) {
            positions[cell] = self.mean(cell, *rows);
        }
        (positions, reference)
    }
}

/// Half of the way from one number to another, which is no larger than the largest number.
fn half_width(from: f64, to: f64) -> f64 {
    0.5 * to - 0.5 * from
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cells(percentiles: &[f64], values: &[f64]) -> Cells {
        let mut cells = Cells::of_numbers(percentiles);
        values.iter().for_each(|value| cells.add(*value));
        cells
    }

    #[test]
    fn a_value_falls_into_the_cell_that_it_ends() {
        let values = [0.5, 1.0, 1.5, 2.0, 2.1, 5.0, 9.0, f64::INFINITY, f64::NAN];
        let cells = cells(&[1.0, 2.0, 2.0, 5.0], &values);
        let edges = [1.0_f64.next_down(), 1.0, 2.0_f64.next_down(), 2.0, 5.0];
        assert_eq!(cells.scale.as_ref().unwrap().edges, edges);
        assert_eq!((cells.counts, cells.missing), (vec![1, 1, 1, 1, 2, 2], 1));
    }

    /// The sums by hand: within (1, 2) parts of 1/1024 below 2, beyond 1 and 5 parts of 4/1024.
    #[test]
    fn a_cell_stands_at_the_mean_of_its_rows() {
        let percentiles = [1.0, 2.0, 2.0, 5.0];
        let cells = cells(&percentiles, &[-1.0, -3.0, 1.25, 1.75, 2.0, 2.0, 9.0, 17.0]);
        let scale = cells.scale.as_ref().unwrap();
        assert_eq!(scale.distances, [512 + 1024, 0, 768 + 256, 0, 0, 1024 + 3072]);
        let (positions, reference) = scale.positions(&cells.counts, &percentiles);
        let expected = [-2.0, 1.0, 1.5, 2.0, 3.5, 13.0];
        for (found, expected) in positions.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-12, "{positions:?}");
        }
        assert_eq!(reference, [0, 0, 1, 1, 1, 0]);
    }

    /// Distances are counted in 1/1024 of the constant itself, or of 1.
    #[test]
    fn a_feature_without_a_spread_has_a_unit() {
        for (constant, moved) in [(7.0, 21.0), (-7.0, -21.0), (0.0, 3.0)] {
            let percentiles = [constant; 3];
            let cells = cells(&percentiles, &[moved, constant]);
            let scale = cells.scale.as_ref().unwrap();
            let (mut positions, reference) = scale.positions(&cells.counts, &percentiles);
            positions.retain(|position| position.is_finite());
            assert!(positions.contains(&moved) && positions.contains(&constant), "{positions:?}");
            assert_eq!(reference, [0, 2, 0]);
        }
    }

    #[test]
    fn extreme_values_have_ascending_positions() {
        let extremes = [f64::MIN, -1.0, -5e-324, 0.0, 5e-324, 1.0, f64::MAX];
        for percentiles in [&extremes[..], &[f64::MIN; 3], &[f64::MAX; 3], &[0.0, 5e-324], &[0.0]] {
            let values = [&extremes[..], &[f64::INFINITY, f64::NEG_INFINITY]].concat();
            let cells = cells(percentiles, &values);
            assert_eq!(cells.present(), 9);
            let scale = cells.scale.as_ref().unwrap();
            let (positions, _) = scale.positions(&cells.counts, percentiles);
            assert!(positions.is_sorted(), "{positions:?}");
        }
    }
}
