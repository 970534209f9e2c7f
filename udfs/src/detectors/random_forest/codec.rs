//! A forest as bytes, little endian:
//!
//! ```text
//! n_estimators u32 | max_samples u32 | max_depth u8 | max_features u32 (0: default)
//! | min_samples_leaf u32 | seed u64 | sample_rows u32 | trees
//! tree: nodes in preorder
//! leaf:  0 | rows u32 | anomalies u32
//! split: 1 (missing go right) or 2 (missing go left) | feature u16 | threshold f64
//! ```

use super::hyperparams::RandomForestValidParams;
use super::{Node, RandomForest, Tree};
use crate::detectors::wire::{Reader, WireError};

const LEAF: u8 = 0;
const MISSING_RIGHT: u8 = 1;
const MISSING_LEFT: u8 = 2;

impl RandomForestValidParams {
    /// Appends the canonical encoding. All values fit: they have been checked.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&(self.n_estimators() as u32).to_le_bytes());
        out.extend_from_slice(&(self.max_samples() as u32).to_le_bytes());
        out.push(self.max_depth() as u8);
        out.extend_from_slice(&(self.max_features().unwrap_or(0) as u32).to_le_bytes());
        out.extend_from_slice(&(self.min_samples_leaf() as u32).to_le_bytes());
        out.extend_from_slice(&self.seed().to_le_bytes());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        RandomForest::params()
            .n_estimators(reader.u32()?.into())
            .max_samples(reader.u32()?.into())
            .max_depth(reader.u8()?.into())
            .max_features(Some(reader.u32()?.into()).filter(|columns| *columns != 0))
            .min_samples_leaf(reader.u32()?.into())
            .seed(reader.u64()?)
            .check()
            .map_err(|_| WireError::Invalid("a hyperparameter is out of range"))
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
                    out.push(if missing_left { MISSING_LEFT } else { MISSING_RIGHT });
                    out.extend_from_slice(&feature.to_le_bytes());
                    out.extend_from_slice(&threshold.to_le_bytes());
                }
            }
        }
    }

    fn decode_tree(&self, reader: &mut Reader<'_>) -> Result<Tree, WireError> {
        let mut nodes = vec![];
        // Splits whose right child has not been read yet, with their depth.
        let mut open: Vec<(usize, u64)> = vec![];
        let mut depth = 0;
        let mut rows_left = self.sample_rows;
        loop {
            if let Some(split) = self.decode_split(reader)? {
                if depth == self.params.max_depth() {
                    return Err(WireError::Invalid("a tree is higher than its limit"));
                }
                open.push((nodes.len(), depth));
                nodes.push(split);
                depth += 1;
                continue;
            }
            let (rows, anomalies) = (reader.u32()?, reader.u32()?);
            // Every leaf takes rows, which also bounds the number of nodes.
            rows_left = rows_left
                .checked_sub(u64::from(rows))
                .filter(|_| rows > 0 && anomalies <= rows)
                .ok_or(WireError::Invalid("the leaves of a tree do not add up"))?;
            nodes.push(Node::Leaf { rows, anomalies });
            let Some((split, split_depth)) = open.pop() else {
                break;
            };
            let next = nodes.len() as u32;
            if let Node::Split { right, .. } = &mut nodes[split] {
                *right = next;
            }
            depth = split_depth + 1;
        }
        match rows_left {
            0 => Ok(Tree(nodes)),
            _ => Err(WireError::Invalid("the leaves of a tree do not add up")),
        }
    }

    /// A split whose right child is not known yet, or None before a leaf.
    fn decode_split(&self, reader: &mut Reader<'_>) -> Result<Option<Node>, WireError> {
        let missing_left = match reader.u8()? {
            LEAF => return Ok(None),
            MISSING_RIGHT => false,
            MISSING_LEFT => true,
            _ => return Err(WireError::Invalid("a tree has a node of unknown kind")),
        };
        let feature = reader.u16()?;
        if usize::from(feature) >= self.features {
            return Err(WireError::Invalid("a tree cuts a feature that the model does not have"));
        }
        let threshold = reader.f64()?;
        if !(threshold.is_finite() || (threshold == f64::INFINITY && !missing_left)) {
            return Err(WireError::Invalid("a tree has a threshold that is not a number"));
        }
        Ok(Some(Node::Split { feature, threshold, missing_left, right: 0 }))
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
    let mut forest = RandomForest { params, features, sample_rows, trees: vec![] };
    for _ in 0..forest.params.n_estimators() {
        let tree = forest.decode_tree(&mut reader)?;
        forest.trees.push(tree);
    }
    reader.finish()?;
    Ok(forest)
}
