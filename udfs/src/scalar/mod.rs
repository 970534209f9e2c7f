//! Scalar functions: adapters between Arrow and the pure rooms.

pub(crate) mod alert_threshold;
pub(crate) mod anomaly_percentile;
pub(crate) mod anomaly_score;
pub(crate) mod explain_anomaly;
pub(crate) mod is_anomaly;
mod model_argument;
pub(crate) mod model_features;
pub(crate) mod model_info;
mod scoring;
