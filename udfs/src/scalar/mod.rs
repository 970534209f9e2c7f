//! Scalar functions: adapters between Arrow and the pure rooms.

pub(crate) mod anomaly_score;
pub(crate) mod is_anomaly;
mod model_argument;
pub(crate) mod model_info;
mod scoring;
