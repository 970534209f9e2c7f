//! Every environment variable the program reads. Flags stand above them.
//!
//! Libraries read some more: `HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`, and `SSL_CERT_FILE` and
//! `SSL_CERT_DIR` for the certificates of the system.

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

/// Server of the buckets.
pub const AWS_ENDPOINT_URL: &str = "AWS_ENDPOINT_URL";
/// Server of the buckets, where it is not that of the other services; stands above.
pub const AWS_ENDPOINT_URL_S3: &str = "AWS_ENDPOINT_URL_S3";
/// Server that gives credentials for a web identity.
pub const AWS_ENDPOINT_URL_STS: &str = "AWS_ENDPOINT_URL_STS";
/// Region of the buckets.
pub const AWS_REGION: &str = "AWS_REGION";
/// Region of the buckets where `AWS_REGION` is not set.
pub const AWS_DEFAULT_REGION: &str = "AWS_DEFAULT_REGION";
/// Whether unencrypted connections are allowed.
pub const AWS_ALLOW_HTTP: &str = "AWS_ALLOW_HTTP";
/// Whether the bucket is in the host of a URL instead of its path.
pub const AWS_VIRTUAL_HOSTED_STYLE_REQUEST: &str = "AWS_VIRTUAL_HOSTED_STYLE_REQUEST";
/// Whether requests are not signed.
pub const AWS_SKIP_SIGNATURE: &str = "AWS_SKIP_SIGNATURE";
/// Access key.
pub const AWS_ACCESS_KEY_ID: &str = "AWS_ACCESS_KEY_ID";
/// Secret key.
pub const AWS_SECRET_ACCESS_KEY: &str = "AWS_SECRET_ACCESS_KEY";
/// Token of a session, beside the keys.
pub const AWS_SESSION_TOKEN: &str = "AWS_SESSION_TOKEN";
/// File with keys by profile.
pub const AWS_SHARED_CREDENTIALS_FILE: &str = "AWS_SHARED_CREDENTIALS_FILE";
/// Profile in that file.
pub const AWS_PROFILE: &str = "AWS_PROFILE";
/// Home folder: `.aws/credentials` in it is the usual file with keys.
pub const HOME: &str = "HOME";
/// File with the token of a web identity.
pub const AWS_WEB_IDENTITY_TOKEN_FILE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
/// Role that a web identity takes.
pub const AWS_ROLE_ARN: &str = "AWS_ROLE_ARN";
/// Name of its session.
pub const AWS_ROLE_SESSION_NAME: &str = "AWS_ROLE_SESSION_NAME";
/// Path of the credentials of a container.
pub const AWS_CONTAINER_CREDENTIALS_RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
/// URL of the credentials of a pod.
pub const AWS_CONTAINER_CREDENTIALS_FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
/// File with the token for that URL.
pub const AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
/// Address of the metadata service of a machine.
pub const AWS_EC2_METADATA_SERVICE_ENDPOINT: &str = "AWS_EC2_METADATA_SERVICE_ENDPOINT";

/// The value of a variable; one that is empty is not set.
#[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub(super) fn read(name: &'static str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
