//! Eigenvalues and eigenvectors of a symmetric matrix by the cyclic Jacobi method (Golub, Van Loan
//! 2013, Matrix Computations, section 8.5): rotations, in a fixed order, each of which makes one
//! number beside the diagonal 0. Additions, multiplications and square roots alone, in an order
//! that is written down: equal bits on every processor.

use ndarray::Array2;

/// Sweeps over all pairs of columns. Convergence is quadratic: 512 columns take 12.
const MAX_SWEEPS: usize = 64;

/// Numbers of a vector that differ by less are equally large.
const ROUNDING: f64 = 1e-9;

/// What a symmetric matrix does to space.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Eigen {
    /// Descending; equal ones in the order of the columns that they came from.
    pub(super) values: Vec<f64>,
    /// A row for each value, of length 1, orthogonal to the others; the first of its largest
    /// numbers is positive. Any other directions in the plane of equal values would do as well.
    pub(super) vectors: Array2<f64>,
}

impl Eigen {
    /// Of a symmetric matrix of finite numbers. About 12 sweeps of 3 x columns^3 steps.
    pub(super) fn of(matrix: &Array2<f64>) -> Self {
        let size = matrix.nrows();
        let mut vectors: Vec<f64> = Array2::eye(size).into_iter().collect();
        let mut matrix: Vec<f64> = matrix.iter().copied().collect();
        let squares: f64 = matrix.iter().map(|number| number * number).sum();
        let negligible = f64::EPSILON * libm::sqrt(squares) / size as f64;
        for _ in 0..MAX_SWEEPS {
            let mut done = true;
            for p in 0..size {
                for q in p + 1..size {
                    if matrix[p * size + q].abs() > negligible {
                        rotate(&mut matrix, &mut vectors, size, [p, q]);
                        done = false;
                    }
                }
            }
            if done {
                break;
            }
        }
        let value = |at: usize| matrix[at * size + at];
        let mut order: Vec<usize> = (0..size).collect();
        order.sort_by(|a, b| value(*b).total_cmp(&value(*a)));
        let values = order.iter().map(|at| value(*at)).collect();
        let mut vectors = Array2::from_shape_fn((size, size), |(row, column)| {
            vectors[order[row] * size + column]
        });
        for mut vector in vectors.rows_mut() {
            let largest = vector.iter().fold(0.0_f64, |most, number| most.max(number.abs()));
            let first = vector.iter().find(|number| number.abs() >= largest * (1.0 - ROUNDING));
            let sign = if first.is_some_and(|number| *number < 0.0) { -1.0 } else { 1.0 };
            // Adding zero turns -0.0 into 0.0.
            vector.mapv_inplace(|number| number * sign + 0.0);
        }
        Self { values, vectors }
    }
}

/// Makes the number at (p, q) and (q, p) 0, for p < q. Matrices are row by row.
fn rotate(matrix: &mut [f64], vectors: &mut [f64], size: usize, [p, q]: [usize; 2]) {
    let (pp, pq, qq) = (matrix[p * size + p], matrix[p * size + q], matrix[q * size + q]);
    // Tangent, cosine and sine of the smaller of the two angles that do so.
    let theta = (qq - pp) / (2.0 * pq);
    let tangent = theta.signum() / (theta.abs() + libm::sqrt(theta * theta + 1.0));
    let cosine = 1.0 / libm::sqrt(tangent * tangent + 1.0);
    let sine = tangent * cosine;
    for rows in [&mut *matrix, vectors] {
        let (upper, lower) = rows.split_at_mut(q * size);
        for (p, q) in upper[p * size..].iter_mut().zip(lower).take(size) {
            (*p, *q) = (cosine * *p - sine * *q, sine * *p + cosine * *q);
        }
    }
    for k in 0..size {
        matrix[k * size + p] = matrix[p * size + k];
        matrix[k * size + q] = matrix[q * size + k];
    }
    matrix[p * size + p] = pp - tangent * pq;
    matrix[q * size + q] = qq + tangent * pq;
    matrix[p * size + q] = 0.0;
    matrix[q * size + p] = 0.0;
}

#[cfg(test)]
mod tests {
    use ndarray::array;
    use proptest::prelude::*;

    use super::*;

    fn assert_near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < 1e-13, "{found:?}, not {expected:?}");
        }
    }

    /// [[2, 1], [1, 2]] has 3 along (1, 1) and 1 along (1, -1).
    #[test]
    fn two_columns_by_hand() {
        let eigen = Eigen::of(&array![[2.0, 1.0], [1.0, 2.0]]);
        assert_near(&eigen.values, &[3.0, 1.0]);
        let root = std::f64::consts::FRAC_1_SQRT_2;
        assert_near(&eigen.vectors.into_raw_vec_and_offset().0, &[root, root, root, -root]);
    }

    /// numpy 2.4: `numpy.linalg.eigh`, with the signs of its vectors turned to the rule.
    #[test]
    fn four_columns_as_numpy_has_them() {
        let eigen = Eigen::of(&array![
            [1.0, 0.8, 0.1, 0.0],
            [0.8, 1.0, 0.3, -0.2],
            [0.1, 0.3, 1.0, 0.5],
            [0.0, -0.2, 0.5, 1.0]
        ]);
        let values =
            [1.891355804465505, 1.476140387171799, 0.5440152072816012, 0.08848860108109433];
        assert_near(&eigen.values, &values);
        #[rustfmt::skip]
        let vectors = [
            0.6525509465462443, 0.6873030381463716, 0.31812643396357454, 0.024235674737616918,
            -0.15550785049240232, -0.17179577016345232, 0.6339304798905511, 0.7378588404667351,
            -0.49196832579512545, 0.20373661636315038, 0.613407819711875, -0.5832575797051931,
            -0.5549430033896945, 0.675716018947019, -0.3473594181761582, 0.3388031276885415,
        ];
        assert_near(&eigen.vectors.into_raw_vec_and_offset().0, &vectors);
    }

    #[test]
    fn no_columns_a_diagonal_and_equal_values() {
        assert!(Eigen::of(&Array2::zeros((0, 0))).values.is_empty());
        assert_eq!(Eigen::of(&array![[0.0]]).vectors, array![[1.0]]);
        let eigen = Eigen::of(&array![[1.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 1.0]]);
        assert_eq!(eigen.values, [3.0, 1.0, 1.0]);
        assert_eq!(eigen.vectors, array![[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]);
    }

    fn symmetric() -> impl Strategy<Value = Array2<f64>> {
        (1..12_usize).prop_flat_map(|size| {
            let number = prop_oneof![Just(0.0), Just(1.0), -1.0..1.0];
            proptest::collection::vec(number, size * size).prop_map(move |numbers| {
                Array2::from_shape_fn((size, size), |(i, j)| numbers[i.max(j) * size + i.min(j)])
            })
        })
    }

    proptest! {
        #[test]
        fn values_and_vectors_give_the_matrix_back(matrix in symmetric()) {
            let Eigen { values, vectors } = Eigen::of(&matrix);
            prop_assert!(values.is_sorted_by(|a, b| a >= b));
            let size = matrix.nrows();
            for i in 0..size {
                for j in 0..size {
                    let product = vectors.row(i).dot(&vectors.row(j));
                    prop_assert!((product - f64::from(i == j)).abs() < 1e-13);
                    let sum: f64 =
                        (0..size).map(|k| values[k] * vectors[[k, i]] * vectors[[k, j]]).sum();
                    prop_assert!((sum - matrix[[i, j]]).abs() < 1e-13, "{sum} at {i}, {j}");
                }
            }
        }
    }
}
