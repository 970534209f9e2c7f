//! Two samples of numbers, kept as they are.

/// Two samples: 8 bytes a value, nothing approximated.
///
/// A commutative monoid: whatever is computed is computed on sorted samples, so the order of rows
/// and of merges means nothing.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Samples {
    /// Adds a number, not NaN, to the first or the second sample.
    pub(super) fn push(&mut self, is_first: bool, value: f64) {
        let sample = if is_first { &mut self.first } else { &mut self.second };
        // -0 and 0 are equal numbers; adding 0 gives both the same bits.
        sample.push(value + 0.0);
    }

    /// Adds the samples of another state.
    pub fn merge(&mut self, first: &[f64], second: &[f64]) {
        self.first.extend_from_slice(first);
        self.second.extend_from_slice(second);
    }

    /// Gives up both samples, each ascending: a later sort of merged states finds these runs and
    /// only interleaves them.
    pub fn take_sorted(&mut self) -> [Vec<f64>; 2] {
        self.sorted();
        [std::mem::take(&mut self.first), std::mem::take(&mut self.second)]
    }

    /// Both samples, ascending. Sorts in place: the state stays usable.
    pub(super) fn sorted(&mut self) -> [&[f64]; 2] {
        self.first.sort_by(f64::total_cmp);
        self.second.sort_by(f64::total_cmp);
        [&self.first, &self.second]
    }

    /// Bytes held on the heap.
    pub fn heap_size(&self) -> usize {
        (self.first.capacity() + self.second.capacity()) * size_of::<f64>()
    }
}
