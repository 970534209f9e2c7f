//! A forest as bytes, little endian:
//!
//! ```text
//! n_estimators u32 | max_samples u32 | max_depth u8 | max_features u32 (0: default)
//! | min_samples_leaf u32 | seed u64 | sample_rows u32 | trees
//! tree: nodes in preorder
//! leaf:  0 | rows u32 | anomalies u32
//! split: 1 (missing go right) or 2 (missing go left) | feature u16 | threshold f64
//! ```

use linfa::ParamGuard;

use super::hyperparams::RandomForestValidParams;
use super::{Node, RandomForest, Tree};
use crate::detectors::memo::Memo;
use crate::detectors::preorder::{Cut, LEAF, read_tree, some_rows};
use crate::detectors::sampling::Sampling;
use crate::detectors::wire::{Reader, WireError};

impl RandomForestValidParams {
    /// Appends the canonical encoding. All values fit: they have been checked.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.n_estimators() as u32).to_le_bytes());
        out.extend_from_slice(&(self.sampling().max_samples as u32).to_le_bytes());
        out.push(self.max_depth() as u8);
        out.extend_from_slice(&(self.max_features().unwrap_or(0) as u32).to_le_bytes());
        out.extend_from_slice(&(self.min_samples_leaf() as u32).to_le_bytes());
        out.extend_from_slice(&self.sampling().seed.to_le_bytes());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let params = RandomForest::params().n_estimators(reader.u32()?.into());
        let max_samples = reader.u32()?.into();
        let params = params
            .max_depth(reader.u8()?.into())
            .max_features(Some(reader.u32()?.into()).filter(|columns| *columns != 0))
            .min_samples_leaf(reader.u32()?.into())
            .sampling(Sampling { max_samples, seed: reader.u64()? })
            .check();
        params.map_err(|_| WireError::Invalid("a hyperparameter is out of range"))
    }
}

impl RandomForest {
    /// Appends the canonical encoding.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        self.params.encode(out);
        out.extend_from_slice(&(self.sample_rows as u32).to_le_bytes());
        for node in self.trees.iter().flat_map(|tree| &tree.0) {
            match *node {
                Node::Leaf { rows, anomalies } => {
                    out.push(LEAF);
                    out.extend_from_slice(&rows.to_le_bytes());
                    out.extend_from_slice(&anomalies.to_le_bytes());
                }
                Node::Split { feature, threshold, missing_left, .. } => {
                    Cut { feature, threshold, missing_left }.encode(out);
                }
            }
        }
    }

    fn decode_tree(&self, reader: &mut Reader<'_>) -> Result<Tree, WireError> {
        let leaf = |reader: &mut Reader<'_>, _| {
            let (rows, anomalies) = (some_rows(reader)?, reader.u32()?);
            match anomalies <= rows {
                true => Ok((Node::Leaf { rows, anomalies }, rows)),
                false => Err(WireError::Invalid("the leaves of a tree do not add up")),
            }
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
        let (limit, rows) = (self.params.max_depth(), self.sample_rows);
        read_tree(reader, limit, rows, split, leaf, link).map(Tree)
    }
}

/// Reads a forest over `features` features. Never allocates more than a small multiple of the bytes
/// given.
pub(in crate::detectors) fn decode(
    mut reader: Reader<'_>,
    features: usize,
) -> Result<RandomForest, WireError> {
    let params = RandomForestValidParams::decode(&mut reader)?;
    let sample_rows = u64::from(reader.u32()?);
    if sample_rows == 0 {
        return Err(WireError::Invalid("it was trained on no rows"));
    }
    let changes = Memo::default();
    let mut forest = RandomForest { params, features, sample_rows, trees: vec![], changes };
    for _ in 0..forest.params.n_estimators() {
        let tree = forest.decode_tree(&mut reader)?;
        forest.trees.push(tree);
    }
    reader.finish()?;
    Ok(forest)
}
