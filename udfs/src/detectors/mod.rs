//! Anomaly detectors: pure algorithms over ndarray, in the manner of linfa.
//!
//! * [`isolation_forest`]: the algorithm: hyperparameters, fit, score, encoding.
//! * [`model`]: what every trained model is, whatever its algorithm: features, digest, bytes.
//! * [`sample`]: the mergeable sample of rows that a detector is fitted on.
//!
//! A value of a feature is an `f64`; NaN means missing. Nothing here does I/O, draws entropy or
//! calls the platform's mathematics library, so equal input gives equal bits on every machine.

pub mod isolation_forest;
pub mod model;
pub mod sample;
mod wire;

/// The one representation of a feature value: one NaN for every missing value, one zero, and
/// infinities clamped to the largest finite numbers, which keep their place in the order.
fn canonical(value: f64) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else {
        // Adding zero turns -0.0 into 0.0.
        value.clamp(f64::MIN, f64::MAX) + 0.0
    }
}
