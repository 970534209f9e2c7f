//! Scalar functions: adapters between Arrow and the pure rooms.

pub(crate) mod alert_threshold;
pub(crate) mod anomaly_percentile;
pub(crate) mod anomaly_score;
pub(crate) mod community_id;
pub(crate) mod conn_state;
pub(crate) mod explain_anomaly;
pub(crate) mod ip_in_cidr;
pub(crate) mod ip_is_private;
pub(crate) mod ip_prefix;
pub(crate) mod ip_version;
pub(crate) mod is_anomaly;
pub(crate) mod model_argument;
pub(crate) mod model_features;
pub(crate) mod model_from_json;
pub(crate) mod model_info;
pub(crate) mod model_to_json;
pub(crate) mod port_class;
mod row_function;
mod scoring;
pub(crate) mod shannon_entropy;
pub(crate) mod tcp_flags;
