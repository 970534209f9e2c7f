//! Every environment variable the program reads. Flags stand above them.

/// Configuration file.
pub const CONFIG: &str = "PIPELINE_CONFIG";
/// Root of all layers.
pub const WAREHOUSE: &str = "PIPELINE_WAREHOUSE";
/// Audit store; may hold a password.
pub const AUDIT: &str = "PIPELINE_AUDIT";
/// Memory limit, for example `2GiB`.
pub const MEMORY_LIMIT: &str = "PIPELINE_MEMORY_LIMIT";
/// Folder for spill files.
pub const TEMP_DIR: &str = "PIPELINE_TEMP_DIR";
/// Number of partitions.
pub const PARTITIONS: &str = "PIPELINE_PARTITIONS";
/// Rows per batch.
pub const BATCH_SIZE: &str = "PIPELINE_BATCH_SIZE";
/// Log filter, for example `info` or `pipeline=debug`.
pub const LOG: &str = "PIPELINE_LOG";
/// Log format, `text` or `json`.
pub const LOG_FORMAT: &str = "PIPELINE_LOG_FORMAT";
