//! A bottom-k sample: of all rows seen, the k with the smallest (hash of the key, key, values).
//!
//! The hash is keyed by a seed, so the kept rows are a uniform random sample of distinct keys.
//! Because the order is total, which rows are kept depends only on the multiset of rows: samples
//! over any split of the rows, merged in any order, are equal to the sample of one pass. Rows with
//! equal keys are rows like all others; they only share their hash, so they are kept or dropped
//! next to each other.
//!
//! Costs: one hash and one comparison per row, O(k) memory, O(k log n/k) rows stored over n rows.

use std::cmp::Ordering;

use ndarray::Array2;
use thiserror::Error;
use twox_hash::XxHash3_64;

use super::canonical;
use super::wire::{Reader, WireError, put_block};

const STATE_VERSION: u8 = 1;

/// Why a state cannot be merged.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StateError {
    /// Written by another version of this program.
    #[error("the state has version {0}, this program reads version {STATE_VERSION}")]
    Version(u8),
    /// Made with other parameters or features.
    #[error("the state was made with other parameters or features")]
    Different,
    /// Not a state.
    #[error("the state is malformed: {0}")]
    Malformed(#[from] WireError),
}

/// The sample. See the [module](self).
#[derive(Debug, Clone)]
pub struct BottomK {
    /// What must be equal for two samples to be merged: the parameters of the training.
    context: Vec<u8>,
    seed: u64,
    k: usize,
    rows_seen: u64,
    rows: Rows,
    /// Hash of the largest of k rows: rows beyond it cannot be kept.
    limit: u64,
}

impl BottomK {
    /// An empty sample of `k` rows (at least 1) of `width` values. Only samples with an equal
    /// `context` can be merged.
    pub fn new(k: usize, width: usize, seed: u64, context: Vec<u8>) -> Self {
        Self { context, seed, k: k.max(1), rows_seen: 0, rows: Rows::new(width), limit: u64::MAX }
    }

    /// Number of rows counted by [`Self::count`], here and in the samples merged.
    pub fn rows_seen(&self) -> u64 {
        self.rows_seen
    }

    /// Counts rows, whether they were kept or not.
    pub fn count(&mut self, rows: u64) {
        self.rows_seen = self.rows_seen.saturating_add(rows);
    }

    /// Hash of a key.
    pub fn hash(&self, key: &[u8]) -> u64 {
        XxHash3_64::oneshot_with_seed(self.seed, key)
    }

    /// Whether a row with this hash may be kept. If not, there is no need to read its values.
    pub fn admits(&self, hash: u64) -> bool {
        hash <= self.limit
    }

    /// Offers a row. `values` gives `width` values, NaN where missing.
    pub fn offer(&mut self, key: &[u8], values: impl IntoIterator<Item = f64>) {
        let hash = self.hash(key);
        if !self.admits(hash) {
            return;
        }
        self.rows.push(hash, key, values);
        // Twice the room makes the cost of cutting back constant per row.
        if self.rows.len() >= 2 * self.k {
            self.shrink();
        }
    }

    /// Keeps the k smallest rows, in no particular order.
    fn shrink(&mut self) {
        if self.rows.len() < self.k {
            return;
        }
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        let (_, last, _) = order.select_nth_unstable_by(self.k - 1, |a, b| self.rows.cmp(*a, *b));
        self.limit = self.rows.hashes[*last];
        order.truncate(self.k);
        self.rows = self.rows.take(&order);
    }

    /// Keeps the k smallest rows, in ascending order.
    fn sort(&mut self) {
        self.shrink();
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_unstable_by(|a, b| self.rows.cmp(*a, *b));
        self.rows = self.rows.take(&order);
    }

    /// The kept rows in ascending order of (hash, key, values): equal for equal multisets of rows.
    pub fn records(&mut self) -> Array2<f64> {
        self.sort();
        Array2::from_shape_fn((self.rows.len(), self.rows.width), |(row, column)| {
            self.rows.values[row * self.rows.width + column]
        })
    }

    /// The state as bytes: `version u8 | context | rows_seen u64 | rows (key, values f64)`, rows
    /// ascending, so that equal samples have equal bytes. Lengths are u32, all little endian.
    pub fn encode(&mut self) -> Vec<u8> {
        self.sort();
        let mut out = vec![STATE_VERSION];
        put_block(&mut out, &self.context);
        out.extend_from_slice(&self.rows_seen.to_le_bytes());
        for row in 0..self.rows.len() {
            put_block(&mut out, self.rows.key(row));
            for value in self.rows.row(row) {
                out.extend_from_slice(&value.to_le_bytes());
            }
        }
        out
    }

    /// Merges an encoded sample: offers its rows. After an error the sample is not usable.
    pub fn merge(&mut self, state: &[u8]) -> Result<(), StateError> {
        let mut reader = Reader::new(state);
        let version = reader.u8()?;
        if version != STATE_VERSION {
            return Err(StateError::Version(version));
        }
        if reader.block()? != self.context {
            return Err(StateError::Different);
        }
        self.count(reader.u64()?);
        let mut values = vec![0.0; self.rows.width];
        while !reader.is_empty() {
            let key = reader.block()?;
            for value in &mut values {
                *value = reader.f64()?;
            }
            self.offer(key, values.iter().copied());
        }
        Ok(())
    }

    /// Bytes held in memory.
    pub fn size(&self) -> usize {
        size_of_val(self) + self.context.capacity() + self.rows.size()
    }
}

/// Rows stored column by column of their parts: no allocation per row.
#[derive(Debug, Clone)]
struct Rows {
    width: usize,
    hashes: Vec<u64>,
    /// Where the key of each row ends in `keys`.
    key_ends: Vec<usize>,
    keys: Vec<u8>,
    values: Vec<f64>,
}

impl Rows {
    fn new(width: usize) -> Self {
        Self { width, hashes: vec![], key_ends: vec![], keys: vec![], values: vec![] }
    }

    fn len(&self) -> usize {
        self.hashes.len()
    }

    fn key(&self, row: usize) -> &[u8] {
        let start = if row == 0 { 0 } else { self.key_ends[row - 1] };
        &self.keys[start..self.key_ends[row]]
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.width..(row + 1) * self.width]
    }

    fn push(&mut self, hash: u64, key: &[u8], values: impl IntoIterator<Item = f64>) {
        self.hashes.push(hash);
        self.keys.extend_from_slice(key);
        self.key_ends.push(self.keys.len());
        self.values.extend(values.into_iter().take(self.width).map(canonical));
        // Too few values would shift all rows that follow.
        self.values.resize(self.len() * self.width, f64::NAN);
    }

    /// Order of two rows. Equal means equal in every bit.
    fn cmp(&self, a: usize, b: usize) -> Ordering {
        self.hashes[a].cmp(&self.hashes[b]).then_with(|| self.key(a).cmp(self.key(b))).then_with(
            || {
                let bits = |row: usize| self.row(row).iter().map(|value| value.to_bits());
                bits(a).cmp(bits(b))
            },
        )
    }

    fn take(&self, order: &[usize]) -> Self {
        let mut taken = Self::new(self.width);
        for &row in order {
            taken.push(self.hashes[row], self.key(row), self.row(row).iter().copied());
        }
        taken
    }

    fn size(&self) -> usize {
        self.hashes.capacity() * size_of::<u64>()
            + self.key_ends.capacity() * size_of::<usize>()
            + self.keys.capacity()
            + self.values.capacity() * size_of::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn sample(rows: &[(u8, f64)]) -> BottomK {
        let mut sample = BottomK::new(5, 1, 7, b"context".to_vec());
        for (key, value) in rows {
            sample.count(1);
            sample.offer(&[*key], [*value]);
        }
        sample
    }

    fn merged(states: &[Vec<u8>]) -> Vec<u8> {
        let mut all = sample(&[]);
        for state in states {
            all.merge(state).unwrap();
        }
        all.encode()
    }

    fn rows() -> impl Strategy<Value = Vec<(u8, f64)>> {
        // Few keys, so that ties are common.
        let value = prop_oneof![Just(f64::NAN), Just(0.0), Just(-0.0), any::<f64>()];
        vec((0..30_u8, value), 0..60)
    }

    proptest! {
        #[test]
        fn merge_commutes_and_associates_with_empty_as_identity(a in rows(), b in rows(), c in rows()) {
            let [a, b, c] = [a, b, c].map(|rows| sample(&rows).encode());
            let ab = merged(&[a.clone(), b.clone()]);
            prop_assert_eq!(&ab, &merged(&[b.clone(), a.clone()]));
            let bc = merged(&[b.clone(), c.clone()]);
            prop_assert_eq!(merged(&[ab, c]), merged(&[a.clone(), bc]));
            prop_assert_eq!(merged(&[sample(&[]).encode(), a.clone()]), a);
        }

        #[test]
        fn any_split_and_order_equals_one_pass(
            (rows, shuffled) in rows().prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
            part in 1..20_usize,
        ) {
            let parts: Vec<_> = shuffled.chunks(part).map(|rows| sample(rows).encode()).collect();
            prop_assert_eq!(sample(&rows).encode(), merged(&parts));
        }

        #[test]
        fn keeps_the_smallest(rows in rows()) {
            let mut kept = sample(&rows);
            let mut all = BottomK::new(1000, 1, 7, vec![]);
            for (key, value) in &rows {
                all.offer(&[*key], [*value]);
            }
            let bits = |records: Array2<f64>| records.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            let all = bits(all.records());
            prop_assert_eq!(bits(kept.records()), &all[..all.len().min(5)]);
            prop_assert_eq!(kept.rows_seen(), rows.len() as u64);
        }

        #[test]
        fn bad_bytes_are_errors(mut state in vec(any::<u8>(), 0..200), rows in rows(), cut in 0..400_usize) {
            let _ = sample(&[]).merge(&state);
            state = sample(&rows).encode();
            state.truncate(cut);
            let _ = sample(&[]).merge(&state);
        }
    }

    #[test]
    fn other_contexts_and_versions_are_refused() {
        let mut other = BottomK::new(5, 1, 7, b"other".to_vec());
        assert_eq!(other.merge(&sample(&[]).encode()), Err(StateError::Different));
        assert_eq!(other.merge(&[9]), Err(StateError::Version(9)));
        assert_eq!(other.merge(&[]), Err(WireError::Truncated.into()));
    }

    #[test]
    fn size_is_bounded_by_k() {
        let mut sample = sample(&[]);
        for key in 0..100_000_u32 {
            sample.offer(&key.to_le_bytes(), [1.0]);
        }
        assert!(sample.size() < 2_000, "{}", sample.size());
    }
}
