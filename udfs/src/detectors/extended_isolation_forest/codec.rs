//! A forest as bytes, little endian:
//!
//! ```text
//! the hyperparameters of an isolation forest | extension level u32 (0: default, else level + 1)
//! | sample_rows u32 | scaler | trees
//! tree: nodes in preorder
//! leaf:  0 | rows u32
//! split: 1 | columns u16 x (column u16, normal f32, point f32), ascending
//! ```

use serde::{Deserialize, Serialize};

use super::hyperparams::ExtendedIsolationForestValidParams;
use super::{ExtendedIsolationForest, Node, Term, Tree};
use crate::detectors::isolation_forest::IsolationForestValidParams;
use crate::detectors::memo::Memo;
use crate::detectors::preorder::{LEAF, read_tree};
use crate::detectors::scaler::Scaler;
use crate::detectors::wire::{Reader, WireError};

const SPLIT: u8 = 1;

/// A node as JSON has it, with its terms.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum PlainNode {
    Leaf { rows: u32 },
    Split { terms: Vec<Term> },
}

impl From<Vec<PlainNode>> for Tree {
    fn from(plain: Vec<PlainNode>) -> Self {
        let mut tree = Self::default();
        for node in plain {
            tree.nodes.push(match node {
                PlainNode::Leaf { rows } => Node::Leaf { rows, path_length: 0.0 },
                PlainNode::Split { terms } => {
                    let first = tree.terms.len() as u32;
                    tree.terms.extend(terms);
                    Node::Split { first, end: tree.terms.len() as u32, right: 0 }
                }
            });
        }
        tree
    }
}

impl From<Tree> for Vec<PlainNode> {
    fn from(tree: Tree) -> Self {
        let plain = |node: &Node| match *node {
            Node::Leaf { rows, .. } => PlainNode::Leaf { rows },
            Node::Split { first, end, .. } => {
                PlainNode::Split { terms: tree.terms[first as usize..end as usize].to_vec() }
            }
        };
        tree.nodes.iter().map(plain).collect()
    }
}

impl ExtendedIsolationForestValidParams {
    /// Appends the canonical encoding.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        self.forest().encode(out);
        let level = self.extension_level().map_or(0, |level| level as u32 + 1);
        out.extend_from_slice(&level.to_le_bytes());
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, WireError> {
        let (forest, ()) = IsolationForestValidParams::decode(reader, |_| Ok(()))?;
        let level = reader.u32()?.checked_sub(1).map(u64::from);
        Self::new(forest, level).map_err(|_| WireError::Invalid("a hyperparameter is out of range"))
    }
}

impl ExtendedIsolationForest {
    /// Appends the canonical encoding.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        self.params.encode(out);
        out.extend_from_slice(&(self.sample_rows as u32).to_le_bytes());
        self.scaler.encode(out);
        for tree in &self.trees {
            for node in &tree.nodes {
                match *node {
                    Node::Leaf { rows, .. } => {
                        out.push(LEAF);
                        out.extend_from_slice(&rows.to_le_bytes());
                    }
                    Node::Split { first, end, .. } => {
                        out.push(SPLIT);
                        out.extend_from_slice(&((end - first) as u16).to_le_bytes());
                        for term in &tree.terms[first as usize..end as usize] {
                            out.extend_from_slice(&term.column.to_le_bytes());
                            out.extend_from_slice(&term.normal.to_le_bytes());
                            out.extend_from_slice(&term.point.to_le_bytes());
                        }
                    }
                }
            }
        }
    }

    fn decode_tree(&self, reader: &mut Reader<'_>) -> Result<Tree, WireError> {
        let mut terms = vec![];
        let subsample = self.subsample_rows();
        let leaf = |reader: &mut Reader<'_>, depth| {
            let rows = reader.u32()?;
            Ok((Node::leaf(rows, depth, subsample), rows))
        };
        let split = |reader: &mut Reader<'_>| self.decode_split(reader, &mut terms);
        let link = |node: &mut Node, next| {
            if let Node::Split { right, .. } = node {
                *right = next;
            }
        };
        let nodes = read_tree(reader, self.max_depth(), subsample, split, leaf, link)?;
        let tree = Tree { nodes, terms };
        for (node, rows) in tree.nodes.iter().zip(tree.rows()) {
            if matches!(node, Node::Split { .. }) && rows == 0.0 {
                return Err(WireError::Invalid("a tree cuts no rows"));
            }
        }
        Ok(tree)
    }

    /// A split whose right child is not known yet, or None before a leaf.
    fn decode_split(
        &self,
        reader: &mut Reader<'_>,
        terms: &mut Vec<Term>,
    ) -> Result<Option<Node>, WireError> {
        match reader.u8()? {
            LEAF => return Ok(None),
            SPLIT => {}
            _ => return Err(WireError::Invalid("a tree has a node of unknown kind")),
        }
        let count = reader.u16()?;
        if count == 0 || u64::from(count) > self.extension_level() + 1 {
            return Err(WireError::Invalid("a cut has more columns than its level, or none"));
        }
        let first = terms.len();
        for _ in 0..count {
            let column = reader.u16()?;
            let ascends = terms[first..].last().is_none_or(|last| last.column < column);
            if !ascends || usize::from(column) >= self.scaler.columns() {
                return Err(WireError::Invalid(
                    "a tree cuts a column that the model does not have",
                ));
            }
            let [normal, point] = [reader.f32()?, reader.f32()?];
            if !(normal.is_finite() && point.is_finite()) {
                return Err(WireError::Invalid("a cut is not made of numbers"));
            }
            terms.push(Term { column, normal, point });
        }
        Ok(Some(Node::Split { first: first as u32, end: terms.len() as u32, right: 0 }))
    }
}

/// Reads a forest over `columns` columns. Never allocates more than a small multiple of the bytes
/// given.
pub(in crate::detectors) fn decode(
    mut reader: Reader<'_>,
    columns: usize,
) -> Result<ExtendedIsolationForest, WireError> {
    let params = ExtendedIsolationForestValidParams::decode(&mut reader)?;
    let sample_rows = u64::from(reader.u32()?);
    if sample_rows == 0 {
        return Err(WireError::Invalid("it was trained on no rows"));
    }
    if params.level(columns) >= columns as u64 {
        return Err(WireError::Invalid("a cut has more columns than there are"));
    }
    let scaler = Scaler::decode(&mut reader, columns)?;
    let changes = Memo::default();
    let mut forest =
        ExtendedIsolationForest { params, sample_rows, scaler, trees: vec![], changes };
    for _ in 0..forest.params.forest().n_estimators() {
        let tree = forest.decode_tree(&mut reader)?;
        forest.trees.push(tree);
    }
    reader.finish()?;
    Ok(forest)
}
