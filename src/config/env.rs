//! Every environment variable the program reads. Flags stand above them.

/// Configuration file.
pub const CONFIG: &str = "PIPELINE_CONFIG";
/// Root of all layers.
pub const WAREHOUSE: &str = "PIPELINE_WAREHOUSE";
/// Audit store; may hold a password.
pub const AUDIT: &str = "PIPELINE_AUDIT";
/// Memory limit, for example `2GiB` or `60%`.
pub const MEMORY_LIMIT: &str = "PIPELINE_MEMORY_LIMIT";
/// Folder for spill files.
pub const TEMP_DIR: &str = "PIPELINE_TEMP_DIR";
/// Number of partitions.
pub const PARTITIONS: &str = "PIPELINE_PARTITIONS";
/// Rows per batch.
pub const BATCH_SIZE: &str = "PIPELINE_BATCH_SIZE";
/// How long the warehouse stays reserved for a run that does not renew it, for example `30s`.
pub const LEASE: &str = "PIPELINE_LEASE";
/// How long to wait for another run to end, for example `10m`.
pub const WAIT: &str = "PIPELINE_WAIT";
/// Log filter, for example `info` or `pipeline=debug`.
pub const LOG: &str = "PIPELINE_LOG";
/// Log format, `text` or `json`.
pub const LOG_FORMAT: &str = "PIPELINE_LOG_FORMAT";
