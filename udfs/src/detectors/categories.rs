//! Categories: texts that training counts, and scoring knows by their position.
//!
//! Counting is exact and a commutative monoid: any split of the rows, merged in any order, gives
//! the same categories. Detectors see numbers: the share of the training rows that have the
//! category ([`CategoryEncoding::Frequency`]), so that rare ones are small and unseen ones 0, or a
//! column of 0 and 1 for each ([`CategoryEncoding::OneHot`]), all 0 where it is unseen.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use ndarray::{Array2, ArrayView2, CowArray, Ix2};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use twox_hash::XxHash3_64;

use super::signature::{FeatureKind, Signature};
use super::wire::{Reader, WireError, put_block};

/// Why categories cannot be learned.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CategoryError {
    /// More than are kept.
    #[error(
        "feature `{feature}` has more than {limit} categories; hint: group rare ones with CASE, or \
         make a number of it, such as its length or its frequency"
    )]
    TooMany {
        /// The feature.
        feature: String,
        /// How many are kept.
        limit: usize,
    },
    /// Two texts that counting cannot tell apart: one pair in 2^53.
    #[error("feature `{feature}`: the categories `{a}` and `{b}` have one hash; hint: rename one")]
    Collision {
        /// The feature.
        feature: String,
        /// One.
        a: String,
        /// The other.
        b: String,
    },
    /// Not a state.
    #[error("the state of the categories is malformed: {0}")]
    Malformed(#[from] WireError),
}

/// How detectors see categories.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CategoryEncoding {
    /// One column: the share of the rows.
    #[default]
    Frequency,
    /// A column for each.
    OneHot,
}

impl CategoryEncoding {
    const ALL: [Self; 2] = [Self::Frequency, Self::OneHot];

    /// Its name: `frequency`, `one_hot`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Frequency => "frequency",
            Self::OneHot => "one_hot",
        }
    }

    /// Reads a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.as_str() == name)
    }

    /// Most categories of a feature.
    pub fn limit(self) -> usize {
        match self {
            Self::Frequency => 65_536,
            Self::OneHot => 256,
        }
    }
}

/// Counts the categories of one feature. Memory: each text once.
#[derive(Debug, Clone)]
pub struct CategoryCounts {
    feature: String,
    limit: usize,
    /// By the hash that stands for the text in the sample.
    counts: HashMap<u64, (Box<str>, u64)>,
}

impl CategoryCounts {
    /// No categories of a feature yet.
    pub fn new(feature: String, encoding: CategoryEncoding) -> Self {
        Self { feature, limit: encoding.limit(), counts: HashMap::new() }
    }

    /// The number that stands for a text until all are known: 53 bits, which an f64 holds.
    pub fn hash(text: &str) -> f64 {
        Self::bits(text) as f64
    }

    fn bits(text: &str) -> u64 {
        XxHash3_64::oneshot(text.as_bytes()) >> 11
    }

    /// Counts a text `times`.
    pub fn count(&mut self, text: &str, times: u64) -> Result<(), CategoryError> {
        let hash = Self::bits(text);
        let known = self.counts.len();
        match self.counts.entry(hash) {
            Entry::Occupied(mut entry) if *entry.get().0 == *text => {
                let count = &mut entry.get_mut().1;
                *count = count.saturating_add(times);
            }
            Entry::Occupied(entry) => {
                let mut pair = [entry.get().0.to_string(), text.to_owned()];
                pair.sort();
                let [a, b] = pair;
                return Err(CategoryError::Collision { feature: self.feature.clone(), a, b });
            }
            Entry::Vacant(_) if known == self.limit => {
                let feature = self.feature.clone();
                return Err(CategoryError::TooMany { feature, limit: self.limit });
            }
            Entry::Vacant(entry) => {
                entry.insert((text.into(), times));
            }
        }
        Ok(())
    }

    fn sorted(&self) -> Vec<(u64, &str, u64)> {
        let counts = self.counts.iter().map(|(hash, (text, count))| (*hash, &**text, *count));
        let mut sorted: Vec<_> = counts.collect();
        sorted.sort_unstable_by_key(|(_, text, _)| *text);
        sorted
    }

    /// Appends the state: equal counts have equal bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        self.categories().encode(out);
    }

    /// Adds an encoded state.
    pub(super) fn merge(&mut self, reader: &mut Reader<'_>) -> Result<(), CategoryError> {
        for (text, count) in Categories::decode(reader)?.0 {
            self.count(&text, count)?;
        }
        Ok(())
    }

    /// The categories, sorted.
    pub fn categories(&self) -> Categories {
        let sorted = self.sorted().into_iter();
        Categories(sorted.map(|(_, text, count)| (text.into(), count)).collect())
    }

    /// The position among the sorted categories, by the number that stood for each.
    pub fn positions(&self) -> HashMap<u64, f64> {
        let sorted = self.sorted().into_iter().enumerate();
        sorted.map(|(position, (hash, ..))| (hash, position as f64)).collect()
    }

    /// Bytes held in memory.
    pub fn size(&self) -> usize {
        let texts: usize = self.counts.values().map(|(text, _)| text.len()).sum();
        size_of_val(self) + texts + self.counts.capacity() * size_of::<(u64, (Box<str>, u64))>()
    }
}

/// Merges the states of several features, one behind the other.
pub fn merge_counts(counts: &mut [CategoryCounts], state: &[u8]) -> Result<(), CategoryError> {
    let mut reader = Reader::new(state);
    for counts in counts {
        counts.merge(&mut reader)?;
    }
    Ok(reader.finish()?)
}

/// The categories of one feature and the training rows of each, sorted by text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Categories(Vec<(Box<str>, u64)>);

impl Categories {
    /// Each with its number of training rows.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, u64)> {
        self.0.iter().map(|(text, count)| (&**text, *count))
    }

    /// Position of a text; the number of categories where training has not seen it.
    pub fn position(&self, text: &str) -> f64 {
        let found = self.0.binary_search_by(|(known, _)| (**known).cmp(text));
        found.unwrap_or(self.0.len()) as f64
    }

    /// The text at a position; none where that is not one.
    pub fn text(&self, position: f64) -> Option<&str> {
        let known = (position >= 0.0).then(|| self.0.get(position as usize)).flatten();
        known.map(|(text, _)| &**text)
    }

    /// Training rows of all of them.
    pub(super) fn total(&self) -> f64 {
        self.0.iter().map(|(_, count)| *count as f64).sum()
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.0.len() as u32).to_le_bytes());
        for (text, count) in &self.0 {
            put_block(out, text.as_bytes());
            out.extend_from_slice(&count.to_le_bytes());
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let mut categories: Vec<(Box<str>, u64)> = vec![];
        for _ in 0..reader.u32()? {
            let text: Box<str> = reader.text()?.into();
            if categories.last().is_some_and(|(last, _)| *last >= text) {
                return Err(WireError::Invalid("its categories are not sorted"));
            }
            categories.push((text, reader.u64()?));
        }
        Ok(Self(categories))
    }
}

/// How the features of a row become the columns that a detector sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoder {
    encoding: CategoryEncoding,
    /// Of each feature; none where it is a number.
    categories: Vec<Option<Categories>>,
}

impl Encoder {
    /// The encoder of these features, with the categories of those that are texts, in order.
    pub fn new(
        signature: &Signature,
        encoding: CategoryEncoding,
        categories: impl IntoIterator<Item = Categories>,
    ) -> Self {
        let mut categories = categories.into_iter();
        let of = |kind| (kind == FeatureKind::Text).then(|| categories.next().unwrap_or_default());
        let features = signature.features().iter();
        Self { encoding, categories: features.map(|feature| feature.kind).map(of).collect() }
    }

    /// How it sees categories.
    pub fn encoding(&self) -> CategoryEncoding {
        self.encoding
    }

    /// The categories of a feature; none where it is a number.
    pub fn categories(&self, feature: usize) -> Option<&Categories> {
        self.categories.get(feature)?.as_ref()
    }

    /// The feature of each column.
    pub fn columns(&self) -> Vec<usize> {
        let width = |categories: &Option<Categories>| match (categories, self.encoding) {
            (Some(categories), CategoryEncoding::OneHot) => categories.0.len(),
            _ => 1,
        };
        let features = self.categories.iter().enumerate();
        features.flat_map(|(at, feature)| std::iter::repeat_n(at, width(feature))).collect()
    }

    /// The columns of rows, which have one value per feature: a number, or the position of a
    /// category; NaN where missing.
    pub fn encode_rows<'a>(&self, rows: ArrayView2<'a, f64>) -> CowArray<'a, f64, Ix2> {
        if self.categories.iter().all(Option::is_none) {
            return rows.into();
        }
        let columns = self.columns();
        let mut encoded = Array2::from_elem((rows.nrows(), columns.len()), f64::NAN);
        let mut first = 0;
        for (feature, categories) in self.categories.iter().enumerate() {
            let values = rows.column(feature);
            let Some(categories) = categories else {
                encoded.column_mut(first).assign(&values);
                first += 1;
                continue;
            };
            match self.encoding {
                CategoryEncoding::Frequency => {
                    let total = categories.total();
                    for (cell, position) in encoded.column_mut(first).iter_mut().zip(values) {
                        if !position.is_nan() {
                            let known = categories.0.get(*position as usize);
                            *cell = known.map_or(0.0, |(_, count)| *count as f64 / total);
                        }
                    }
                    first += 1;
                }
                CategoryEncoding::OneHot => {
                    for at in 0..categories.0.len() {
                        for (cell, position) in
                            encoded.column_mut(first + at).iter_mut().zip(values)
                        {
                            if !position.is_nan() {
                                *cell = f64::from(*position == at as f64);
                            }
                        }
                    }
                    first += categories.0.len();
                }
            }
        }
        encoded.into()
    }

    /// Appends the canonical encoding.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.encoding as u8);
        self.categories.iter().flatten().for_each(|categories| categories.encode(out));
    }

    pub(super) fn decode(
        reader: &mut Reader<'_>,
        signature: &Signature,
    ) -> Result<Self, WireError> {
        let encoding = CategoryEncoding::ALL.get(usize::from(reader.u8()?)).copied();
        let encoding = encoding.ok_or(WireError::Invalid("its categories are encoded unknown"))?;
        let mut categories = vec![];
        for feature in signature.features() {
            if feature.kind == FeatureKind::Text {
                let decoded = Categories::decode(reader)?;
                if decoded.0.len() > encoding.limit() {
                    return Err(WireError::Invalid("a feature has too many categories"));
                }
                categories.push(decoded);
            }
        }
        Ok(Self::new(signature, encoding, categories))
    }
}
