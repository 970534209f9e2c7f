//! Anomaly detectors: pure algorithms over ndarray, in the manner of linfa.
