//! All object stores of a process: the local file system, and each bucket from its first use on.
//! The engine finds them here too, for sources and external tables in any bucket.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::execution::object_store::ObjectStoreRegistry;
use datafusion::object_store::ObjectStore;
use datafusion::object_store::local::LocalFileSystem;
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use url::Url;

use super::bucket::Bucket;
use super::client::Client;
use crate::config::S3Settings;
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
    buckets: Mutex<HashMap<String, Bucket>>,
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
    pub(super) fn bucket(&self, name: &str) -> Result<Bucket> {
        let mut buckets = self.0.buckets.lock();
        if let Some(bucket) = buckets.get(name) {
            return Ok(bucket.clone());
        }
        let client = Client::new(&self.0.settings, name)?;
        let bucket = Bucket::new(client, Arc::clone(&self.0.uploads));
        buckets.insert(name.to_owned(), bucket.clone());
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
    /// Stores are opened here and nowhere else: another one is ignored.
    fn register_store(&self, _: &Url, _: Arc<dyn ObjectStore>) -> Option<Arc<dyn ObjectStore>> {
        None
    }

    fn get_store(&self, url: &Url) -> DataFusionResult<Arc<dyn ObjectStore>> {
        match (url.scheme(), url.host_str()) {
            ("file", _) => Ok(self.local()),
            ("s3", Some(bucket)) => Ok(Arc::new(self.bucket(bucket)?)),
            (scheme, _) => Err(DataFusionError::from(
                Error::configuration(format!(
                    "`{scheme}://` locations are not supported by this version"
                ))
                .with_hint("use a local path, a file:// URL or s3://bucket/prefix"),
            )),
        }
    }
}
