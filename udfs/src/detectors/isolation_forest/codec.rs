//! A forest as bytes, little endian:
//!
//! ```text
//! n_estimators u32 | max_samples u32 | max_depth u8 (0: default) | seed u64 | sample_rows u32 | trees
//! tree: nodes in preorder
//! leaf:  0 | rows u32
//! split: 1 (missing go right) or 2 (missing go left) | feature u16 | threshold f64
//! ```
//! Everything else follows from it, so that a forest has one encoding. Format version 1 had the
//! contamination (f64, 0: none) in front of the seed and the threshold (f64) in front of the trees.

use linfa::ParamGuard;

use super::hyperparams::IsolationForestValidParams;
use super::{IsolationForest, Node, Tree};
use crate::detectors::memo::Memo;
use crate::detectors::preorder::{Cut, LEAF, read_tree, some_rows};
use crate::detectors::wire::{Reader, WireError};

impl IsolationForestValidParams {
    /// Appends the canonical encoding. All values fit: they have been checked.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.n_estimators() as u32).to_le_bytes());
        out.extend_from_slice(&(self.max_samples() as u32).to_le_bytes());
        out.push(self.max_depth().unwrap_or(0) as u8);
        out.extend_from_slice(&self.seed().to_le_bytes());
    }

    /// Reads them, and what version 1 has before the seed.
    pub(in crate::detectors) fn decode<T>(
        reader: &mut Reader<'_>,
        before_seed: impl FnOnce(&mut Reader<'_>) -> Result<T, WireError>,
    ) -> Result<(Self, T), WireError> {
        let params = IsolationForest::params()
            .n_estimators(reader.u32()?.into())
            .max_samples(reader.u32()?.into())
            .max_depth(Some(reader.u8()?.into()).filter(|depth| *depth != 0));
        let found = before_seed(reader)?;
        let params = params.seed(reader.u64()?).check();
        params
            .map(|params| (params, found))
            .map_err(|_| WireError::Invalid("a hyperparameter is out of range"))
    }
}

impl IsolationForest {
    /// Appends the canonical encoding.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        self.params.encode(out);
        out.extend_from_slice(&(self.sample_rows as u32).to_le_bytes());
        for node in self.trees.iter().flat_map(|tree| &tree.0) {
            match *node {
                Node::Leaf { rows, .. } => {
                    out.push(LEAF);
                    out.extend_from_slice(&rows.to_le_bytes());
                }
                Node::Split { feature, threshold, missing_left, .. } => {
                    Cut { feature, threshold, missing_left }.encode(out);
                }
            }
        }
    }

    fn decode_trees(mut self, mut reader: Reader<'_>) -> Result<Self, WireError> {
        if self.sample_rows == 0 {
            return Err(WireError::Invalid("it was trained on no rows"));
        }
        for _ in 0..self.params.n_estimators() {
            let tree = self.decode_tree(&mut reader)?;
            self.trees.push(tree);
        }
        reader.finish()?;
        Ok(self)
    }

    fn decode_tree(&self, reader: &mut Reader<'_>) -> Result<Tree, WireError> {
        let subsample = self.subsample_rows();
        let leaf = |reader: &mut Reader<'_>, depth| {
            let rows = some_rows(reader)?;
            Ok((Node::leaf(rows, depth, subsample), rows))
        };
        let split = |reader: &mut Reader<'_>| {
            let cut = Cut::decode(reader, self.features)?;
            Ok(cut.map(|Cut { feature, threshold, missing_left }| Node::Split {
                feature,
                threshold,
                missing_left,
                right: 0,
            }))
        };
        let link = |node: &mut Node, next| {
            if let Node::Split { right, .. } = node {
                *right = next;
            }
        };
        read_tree(reader, self.max_depth(), subsample, split, leaf, link).map(Tree)
    }
}

/// Reads a forest over `features` features. Never allocates more than a small multiple of the bytes
/// given.
pub(in crate::detectors) fn decode(
    mut reader: Reader<'_>,
    features: usize,
) -> Result<IsolationForest, WireError> {
    let (params, ()) = IsolationForestValidParams::decode(&mut reader, |_| Ok(()))?;
    let sample_rows = u64::from(reader.u32()?);
    let changes = Memo::default();
    IsolationForest { params, features, sample_rows, trees: vec![], changes }.decode_trees(reader)
}

/// What the first format has of a forest: it, its sample's rows, contamination and threshold.
type First = (IsolationForest, u64, Option<f64>, f64);

/// Reads what format version 1 has behind the number of rows.
pub(in crate::detectors) fn decode_first(
    mut reader: Reader<'_>,
    features: usize,
) -> Result<First, WireError> {
    let share = |reader: &mut Reader<'_>| reader.finite();
    let (params, contamination) = IsolationForestValidParams::decode(&mut reader, share)?;
    if contamination != 0.0 && !(contamination > 0.0 && contamination <= 0.5) {
        return Err(WireError::Invalid("a hyperparameter is out of range"));
    }
    let sample_rows = u64::from(reader.u32()?);
    let threshold = reader.f64()?;
    if !(threshold > 0.0 && threshold <= 1.0) {
        return Err(WireError::Invalid("its threshold is not in (0, 1]"));
    }
    let changes = Memo::default();
    let forest = IsolationForest { params, features, sample_rows, trees: vec![], changes };
    let forest = forest.decode_trees(reader)?;
    Ok((forest, sample_rows, Some(contamination).filter(|share| *share != 0.0), threshold))
}
