//! All object stores of a process: the local file system, and each bucket from its first use on.
//! The engine finds them here too, for sources and external tables in any bucket.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey as Key};
use datafusion::object_store::local::LocalFileSystem;
use datafusion::object_store::{BackoffConfig, ObjectStore, RetryConfig};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use url::Url;

use super::bucket::Bucket;
use super::credentials::FileCredentials;
use super::http::Connector;
use crate::config::{Credentials, S3Settings};
use crate::error::{Error, Result};

/// Most uploads that can be open at once.
const UPLOADS: u32 = 1 << 12;

/// How long the end of a program waits for unfinished uploads to be aborted.
const SETTLE: Duration = Duration::from_secs(10);

/// The stores. Clones share them.
#[derive(Debug, Clone)]
pub struct Stores(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: Arc<S3Settings>,
    local: Arc<dyn ObjectStore>,
    buckets: Mutex<HashMap<String, Arc<dyn ObjectStore>>>,
    uploads: Arc<Semaphore>,
}

impl Stores {
    /// Stores that reach buckets as the settings say. Nothing is opened yet.
    pub fn new(settings: &S3Settings) -> Self {
        Self(Arc::new(Shared {
            settings: Arc::new(settings.clone()),
            local: Arc::new(LocalFileSystem::new()),
            buckets: Mutex::default(),
            uploads: Arc::new(Semaphore::new(UPLOADS as usize)),
        }))
    }

    /// The local file system.
    pub(super) fn local(&self) -> Arc<dyn ObjectStore> {
        Arc::clone(&self.0.local)
    }

    /// A bucket. That it exists and may be used is found out by its first request.
    pub(super) fn bucket(&self, name: &str) -> Result<Arc<dyn ObjectStore>> {
        let mut buckets = self.0.buckets.lock();
        if let Some(bucket) = buckets.get(name) {
            return Ok(Arc::clone(bucket));
        }
        let client = client(&self.0.settings, name)?;
        let bucket: Arc<dyn ObjectStore> =
            Arc::new(Bucket::new(name, client, Arc::clone(&self.0.uploads)));
        buckets.insert(name.to_owned(), Arc::clone(&bucket));
        Ok(bucket)
    }

    /// Waits until every upload is complete or aborted, ten seconds at most. To be called before
    /// the program ends: what a cancelled run leaves is cleaned up in the background.
    pub async fn settle(&self) {
        let all = self.0.uploads.acquire_many(UPLOADS);
        if tokio::time::timeout(SETTLE, all).await.is_err() {
            tracing::warn!("unfinished uploads may stay behind in the object store");
        }
    }
}

impl ObjectStoreRegistry for Stores {
    fn register_store(
        &self,
        url: &Url,
        store: Arc<dyn ObjectStore>,
    ) -> Option<Arc<dyn ObjectStore>> {
        self.0.buckets.lock().insert(url.host_str()?.to_owned(), store)
    }

    fn get_store(&self, url: &Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        match (url.scheme(), url.host_str()) {
            ("file", _) => Ok(self.local()),
            ("s3", Some(bucket)) => Ok(self.bucket(bucket)?),
            (scheme, _) => Err(DataFusionError::from(
                Error::configuration(format!(
                    "`{scheme}://` locations are not supported by this version"
                ))
                .with_hint("use a local path, a file:// URL or s3://bucket/prefix"),
            )),
        }
    }
}

/// The client of a bucket.
fn client(settings: &Arc<S3Settings>, bucket: &str) -> Result<AmazonS3> {
    let in_bucket = |error: Error| error.with_context("for", format!("s3://{bucket}"));
    let endpoint = settings.endpoint().map_err(in_bucket)?;
    // Only AWS has a name for each bucket, and its certificates none for those with a dot.
    let path_style = settings.path_style.unwrap_or(endpoint.is_some() || bucket.contains('.'));
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(bucket)
        .with_region(&settings.region)
        .with_virtual_hosted_style_request(!path_style)
        .with_http_connector(Connector::new(Arc::clone(settings)).map_err(in_bucket)?)
        .with_retry(RetryConfig {
            backoff: BackoffConfig {
                init_backoff: settings.backoff_initial,
                max_backoff: settings.backoff_max,
                base: 2.0,
            },
            max_retries: settings.max_retries,
            retry_timeout: settings.retry_deadline,
        });
    if let Some(url) = endpoint {
        builder = builder.with_endpoint(address(&url, bucket, path_style));
    }
    if let Some(url) = &settings.sts_endpoint {
        builder = builder.with_config(Key::StsEndpoint, url);
    }
    let builder = match &settings.credentials {
        Credentials::Keys { id, secret, token } => {
            let builder =
                builder.with_access_key_id(id.expose()).with_secret_access_key(secret.expose());
            match token {
                Some(token) => builder.with_token(token.expose()),
                None => builder,
            }
        }
        Credentials::File { path, profile } => {
            let file = FileCredentials::new(path.clone(), profile.clone());
            // What is wrong with it now is told now.
            file.current().map_err(in_bucket)?;
            builder.with_credentials(Arc::new(file))
        }
        Credentials::WebIdentity { token_file, role, session } => {
            let session = session.as_deref().unwrap_or("pipeline");
            builder
                .with_config(Key::WebIdentityTokenFile, token_file)
                .with_config(Key::RoleArn, role)
                .with_config(Key::RoleSessionName, session)
        }
        Credentials::Container(path) => {
            builder.with_config(Key::ContainerCredentialsRelativeUri, path)
        }
        Credentials::Pod { url, token_file } => builder
            .with_config(Key::ContainerCredentialsFullUri, url)
            .with_config(Key::ContainerAuthorizationTokenFile, token_file),
        Credentials::Machine(Some(url)) => builder.with_metadata_endpoint(url),
        Credentials::Machine(None) => builder,
        Credentials::Anonymous => builder.with_skip_signature(true),
        Credentials::Missing => {
            return Err(Error::configuration(format!("there are no credentials for s3://{bucket}"))
                .with_hint("set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a file with keys as `credentials_file` in [s3] or AWS_SHARED_CREDENTIALS_FILE, or run with a web identity; AWS_SKIP_SIGNATURE=true reads public buckets"));
        }
    };
    builder.build().map_err(|error| {
        Error::configuration(format!("s3://{bucket} cannot be opened")).with_source(error)
    })
}

/// The endpoint as object_store takes it: with the bucket in the host where it belongs there.
fn address(endpoint: &Url, bucket: &str, path_style: bool) -> String {
    let host = endpoint.host_str().unwrap_or_default();
    let port = endpoint.port().map(|port| format!(":{port}")).unwrap_or_default();
    match path_style {
        true => format!("{}://{host}{port}", endpoint.scheme()),
        false => format!("{}://{bucket}.{host}{port}", endpoint.scheme()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_is_in_the_path_or_in_the_host() {
        let endpoint = Url::parse("http://127.0.0.1:9000/").unwrap();
        assert_eq!(address(&endpoint, "data", true), "http://127.0.0.1:9000");
        let endpoint = Url::parse("https://s3.example").unwrap();
        assert_eq!(address(&endpoint, "data", false), "https://data.s3.example");
    }
}
