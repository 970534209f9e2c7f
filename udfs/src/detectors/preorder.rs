//! Trees as bytes: their nodes in preorder, so that the left child of a split follows it.

use super::wire::{Reader, WireError};

/// In front of a leaf.
pub(super) const LEAF: u8 = 0;
const MISSING_RIGHT: u8 = 1;
const MISSING_LEFT: u8 = 2;

const UNEVEN: WireError = WireError::Invalid("the leaves of a tree do not add up");

/// A cut of one feature: rows below the threshold go left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cut {
    pub(super) feature: u16,
    /// Infinity separates the present values (left) from the missing ones (right).
    pub(super) threshold: f64,
    pub(super) missing_left: bool,
}

impl Cut {
    /// Appends `1 (missing go right) or 2 (missing go left) | feature u16 | threshold f64`.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        out.push(if self.missing_left { MISSING_LEFT } else { MISSING_RIGHT });
        out.extend_from_slice(&self.feature.to_le_bytes());
        out.extend_from_slice(&self.threshold.to_le_bytes());
    }

    /// Reads a cut of one of `features`, or none before a leaf.
    pub(super) fn decode(
        reader: &mut Reader<'_>,
        features: usize,
    ) -> Result<Option<Self>, WireError> {
        let missing_left = match reader.u8()? {
            LEAF => return Ok(None),
            MISSING_RIGHT => false,
            MISSING_LEFT => true,
            _ => return Err(WireError::Invalid("a tree has a node of unknown kind")),
        };
        let feature = reader.u16()?;
        if usize::from(feature) >= features {
            return Err(WireError::Invalid("a tree cuts a feature that the model does not have"));
        }
        let threshold = reader.f64()?;
        if !(threshold.is_finite() || (threshold == f64::INFINITY && !missing_left)) {
            return Err(WireError::Invalid("a tree has a threshold that is not a number"));
        }
        Ok(Some(Self { feature, threshold, missing_left }))
    }
}

/// Reads the nodes of a tree whose ways have at most `max_depth` splits and whose leaves share out
/// `rows`. `split` reads a split, or none before a leaf; `leaf` reads a leaf at a depth and gives
/// its rows; `link` tells a split where its right child is.
pub(super) fn read_tree<N>(
    reader: &mut Reader<'_>,
    max_depth: u64,
    rows: u64,
    mut split: impl FnMut(&mut Reader<'_>) -> Result<Option<N>, WireError>,
    mut leaf: impl FnMut(&mut Reader<'_>, u64) -> Result<(N, u32), WireError>,
    link: impl Fn(&mut N, u32),
) -> Result<Vec<N>, WireError> {
    let mut nodes = vec![];
    // Splits whose right child has not been read yet, with their depth.
    let mut open: Vec<(usize, u64)> = vec![];
    let mut depth = 0;
    let mut rows_left = rows;
    loop {
        if let Some(node) = split(reader)? {
            if depth == max_depth {
                return Err(WireError::Invalid("a tree is higher than its limit"));
            }
            open.push((nodes.len(), depth));
            nodes.push(node);
            depth += 1;
            continue;
        }
        let (node, rows) = leaf(reader, depth)?;
        rows_left = rows_left.checked_sub(u64::from(rows)).ok_or(UNEVEN)?;
        nodes.push(node);
        let Some((split, split_depth)) = open.pop() else {
            break;
        };
        let next = nodes.len() as u32;
        link(&mut nodes[split], next);
        depth = split_depth + 1;
    }
    match rows_left {
        0 => Ok(nodes),
        _ => Err(UNEVEN),
    }
}

/// The rows of a leaf, of which there must be some: that also bounds the number of nodes.
pub(super) fn some_rows(reader: &mut Reader<'_>) -> Result<u32, WireError> {
    match reader.u32()? {
        0 => Err(UNEVEN),
        rows => Ok(rows),
    }
}
