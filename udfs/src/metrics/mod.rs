//! Metrics of a detector against labels: pure functions over slices.
