//! Correlations of standardised columns, by plain sums: equal bits on every processor.

use ndarray::{Array2, ArrayView2};

/// The correlation matrix of standardised rows, with 0, on the diagonal too, for a column without a
/// spread.
pub(super) fn correlations(scaled: ArrayView2<'_, f64>) -> Array2<f64> {
    let (rows, columns) = scaled.dim();
    let mut sums = Array2::<f64>::zeros((columns, columns));
    for row in scaled.rows() {
        for (at, value) in row.iter().enumerate() {
            for (other, target) in row.iter().take(at + 1).zip(sums.row_mut(at)) {
                *target += value * other;
            }
        }
    }
    let deviations: Vec<f64> = sums.diag().iter().map(|square| libm::sqrt(*square)).collect();
    let usable = rows as f64 * 1e-12;
    Array2::from_shape_fn((columns, columns), |(i, j)| {
        let (i, j) = (i.max(j), i.min(j));
        match sums[[i, i]] > usable && sums[[j, j]] > usable {
            true if i == j => 1.0,
            true => sums[[i, j]] / (deviations[i] * deviations[j]),
            false => 0.0,
        }
    })
}
