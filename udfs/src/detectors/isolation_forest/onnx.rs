//! The trees as the attributes of ONNX's operator `TreeEnsemble`:
//! <https://onnx.ai/onnx/operators/onnx_aionnxml_TreeEnsemble.html>.

use super::{IsolationForest, Node, Tree};
use crate::detectors::onnx::proto::{AttributeProto, TensorProto};

/// Rows with a value of at most the threshold go the true way.
const BRANCH_LEQ: u8 = 0;
/// Rows with a value below the threshold go the true way.
const BRANCH_LT: u8 = 1;

/// Splits and leaves of all trees, each in lists of their own. The true way is the left one.
#[derive(Default)]
struct Ensemble {
    tree_roots: Vec<i64>,
    features: Vec<i64>,
    modes: Vec<u8>,
    splits: Vec<f64>,
    missing_left: Vec<i64>,
    left: Children,
    right: Children,
    leaves: Vec<f64>,
}

/// Of each split.
#[derive(Default)]
struct Children {
    ids: Vec<i64>,
    leaf: Vec<i64>,
}

/// Where a node is in its list.
#[derive(Clone, Copy)]
enum Place {
    Split(i64),
    Leaf(i64),
}

impl Children {
    fn push(&mut self, child: Place) {
        let (id, leaf) = match child {
            Place::Split(id) => (id, 0),
            Place::Leaf(id) => (id, 1),
        };
        self.ids.push(id);
        self.leaf.push(leaf);
    }
}

impl Ensemble {
    fn add(&mut self, Tree(nodes): &Tree) {
        self.tree_roots.push(self.splits.len() as i64);
        let (mut split, mut leaf) = (self.splits.len() as i64, self.leaves.len() as i64);
        let mut next = |node: &Node| {
            let (list, place): (&mut i64, fn(i64) -> Place) = match node {
                Node::Leaf { .. } => (&mut leaf, Place::Leaf),
                Node::Split { .. } => (&mut split, Place::Split),
            };
            *list += 1;
            place(*list - 1)
        };
        let places: Vec<Place> = nodes.iter().map(&mut next).collect();
        if let [only @ Place::Leaf(_)] = places[..] {
            // A tree begins with a split: both of its ways lead to the leaf.
            self.push(0, 0.0, false, only, only);
        }
        for (at, node) in nodes.iter().enumerate() {
            match *node {
                Node::Leaf { path_length, .. } => self.leaves.push(path_length),
                Node::Split { feature, threshold, missing_left, right } => {
                    let (left, right) = (places[at + 1], places[right as usize]);
                    self.push(feature, threshold, missing_left, left, right);
                }
            }
        }
    }

    fn push(
        &mut self,
        feature: u16,
        threshold: f64,
        missing_left: bool,
        left: Place,
        right: Place,
    ) {
        // ONNX compares infinities as they are; a forest takes them for the largest numbers.
        let (mode, split) = match threshold {
            // Every number is present.
            f64::INFINITY => (BRANCH_LEQ, f64::INFINITY),
            // No number is below the smallest.
            f64::MIN => (BRANCH_LT, f64::NEG_INFINITY),
            _ => (BRANCH_LT, threshold),
        };
        self.features.push(feature.into());
        self.modes.push(mode);
        self.splits.push(split);
        self.missing_left.push(missing_left.into());
        self.left.push(left);
        self.right.push(right);
    }
}

impl IsolationForest {
    /// Number of trees.
    pub(in crate::detectors) fn trees(&self) -> usize {
        self.trees.len()
    }

    /// The attributes of the operator that adds up h(x) / c(n) over all trees, one after the other.
    pub(in crate::detectors) fn tree_ensemble(&self) -> Vec<AttributeProto> {
        const SUM: i64 = 1;
        const NO_TRANSFORM: i64 = 0;
        let mut all = Ensemble::default();
        self.trees.iter().for_each(|tree| all.add(tree));
        let targets = vec![0; all.leaves.len()];
        vec![
            AttributeProto::int("aggregate_function", SUM),
            AttributeProto::ints("leaf_targetids", targets),
            AttributeProto::tensor("leaf_weights", TensorProto::doubles(&all.leaves)),
            AttributeProto::int("n_targets", 1),
            AttributeProto::ints("nodes_falseleafs", all.right.leaf),
            AttributeProto::ints("nodes_falsenodeids", all.right.ids),
            AttributeProto::ints("nodes_featureids", all.features),
            AttributeProto::ints("nodes_missing_value_tracks_true", all.missing_left),
            AttributeProto::tensor("nodes_modes", TensorProto::bytes(all.modes)),
            AttributeProto::tensor("nodes_splits", TensorProto::doubles(&all.splits)),
            AttributeProto::ints("nodes_trueleafs", all.left.leaf),
            AttributeProto::ints("nodes_truenodeids", all.left.ids),
            AttributeProto::int("post_transform", NO_TRANSFORM),
            AttributeProto::ints("tree_roots", all.tree_roots),
        ]
    }
}

#[cfg(test)]
mod tests {
    use linfa::DatasetBase;
    use linfa::traits::Fit;
    use ndarray::Array2;
    use proptest::prelude::*;

    use super::*;

    /// What the specification says that the operator gives for a row.
    fn evaluate(attributes: &[AttributeProto], row: &[f64]) -> f64 {
        let find = |name| attributes.iter().find(|attribute| attribute.name == name).unwrap();
        let ints = |name| find(name).ints.as_slice();
        let raw = |name| find(name).t.as_ref().unwrap().raw_data.as_slice();
        let number =
            |name, at: usize| f64::from_le_bytes(*raw(name)[8 * at..].first_chunk().unwrap());
        let mut sum = 0.0;
        for root in ints("tree_roots") {
            let (mut at, mut is_leaf) = (*root as usize, false);
            while !is_leaf {
                let value = row[ints("nodes_featureids")[at] as usize];
                let split = number("nodes_splits", at);
                let goes = match raw("nodes_modes")[at] {
                    0 => value <= split,
                    1 => value < split,
                    mode => panic!("mode {mode}"),
                };
                let tracks = ints("nodes_missing_value_tracks_true")[at] == 1;
                let (ids, leafs) = match goes || (value.is_nan() && tracks) {
                    true => ("nodes_truenodeids", "nodes_trueleafs"),
                    false => ("nodes_falsenodeids", "nodes_falseleafs"),
                };
                is_leaf = ints(leafs)[at] == 1;
                at = ints(ids)[at] as usize;
            }
            sum += number("leaf_weights", at);
        }
        sum
    }

    fn assert_exported(forest: &IsolationForest, rows: &Array2<f64>) {
        let attributes = forest.tree_ensemble();
        for (row, score) in rows.rows().into_iter().zip(forest.scores(rows.view())) {
            let sum = evaluate(&attributes, &row.to_vec());
            let exported = libm::exp2(-sum / forest.trees() as f64);
            assert_eq!(exported.to_bits(), score.to_bits(), "{row}");
        }
    }

    /// Few values, so that they meet thresholds, and everything that is no usual number.
    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (0..5_i8).prop_map(f64::from),
            2 => Just(f64::NAN),
            1 => prop::sample::select(vec![
                f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN, -0.0, 1e-300
            ]),
        ]
    }

    proptest! {
        /// On any rows, those of training and others, bit for bit.
        #[test]
        fn the_operator_takes_every_way_that_the_forest_takes(
            cells in prop::collection::vec(value(), 3 * 40),
            others in prop::collection::vec(value(), 3 * 40),
            seed in any::<u64>(),
        ) {
            let [rows, others] = [cells, others].map(|cells| {
                Array2::from_shape_vec((40, 3), cells).unwrap()
            });
            let params = IsolationForest::params().n_estimators(7).max_samples(16).seed(seed);
            let forest = params.fit(&DatasetBase::from(rows.clone())).unwrap();
            assert_exported(&forest, &rows);
            assert_exported(&forest, &others);
        }
    }

    #[test]
    fn a_forest_of_single_leaves_has_ways_to_them() {
        let rows = Array2::from_elem((4, 1), 7.0);
        let forest = IsolationForest::params().n_estimators(3);
        let forest = forest.fit(&DatasetBase::from(rows.clone())).unwrap();
        assert_eq!(forest.scores(rows.view()), [0.5; 4]);
        assert_exported(&forest, &rows);
    }

    /// No training draws it, but a model may have it.
    #[test]
    fn nothing_is_below_the_smallest_number() {
        let leaf = |path_length| Node::Leaf { rows: 1, path_length };
        let split = Node::Split { feature: 0, threshold: f64::MIN, missing_left: true, right: 2 };
        let rows = Array2::from_elem((2, 1), 7.0);
        let forest = IsolationForest::params().n_estimators(1);
        let mut forest = forest.fit(&DatasetBase::from(rows)).unwrap();
        forest.trees = vec![Tree(vec![split, leaf(0.25), leaf(2.0)])];
        let rows = [f64::NEG_INFINITY, f64::MIN, 0.0, f64::NAN];
        assert_exported(&forest, &Array2::from_shape_vec((4, 1), rows.to_vec()).unwrap());
    }
}
