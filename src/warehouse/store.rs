//! From a location to an object store. The only file that names object store builders.

use std::sync::Arc;

use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::object_store::local::LocalFileSystem;
use datafusion::object_store::path::Path as ObjectPath;
use datafusion::object_store::{ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};

use crate::config::Location;
use crate::error::{Error, Result};

/// The root of a warehouse in an object store.
#[derive(Debug, Clone)]
pub struct Store {
    location: String,
    url: ObjectStoreUrl,
    store: Arc<dyn ObjectStore>,
    prefix: ObjectPath,
}

impl Store {
    /// The store of a location, which need not exist yet.
    pub fn open(location: &Location) -> Result<Self> {
        let prefix = ObjectPath::from_absolute_path(location.path()).map_err(|error| {
            Error::configuration(format!("`{location}` is not a usable path")).with_source(error)
        })?;
        Ok(Self {
            location: location.to_string(),
            url: ObjectStoreUrl::local_filesystem(),
            store: Arc::new(LocalFileSystem::new()),
            prefix,
        })
    }

    /// Makes sure that the warehouse can be written, by writing.
    pub async fn create(&self) -> Result<()> {
        const PROBE: &str = ".writable";
        let written = self.store.put(&self.path(PROBE), PutPayload::new()).await;
        written.map_err(|error| {
            Error::io(format!("the warehouse `{}` cannot be written", self.location))
                .with_source(error)
                .with_hint("check its permissions, or name another one with --warehouse")
        })?;
        self.remove(PROBE).await;
        Ok(())
    }

    /// The store itself.
    pub fn object_store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// The URL under which a session knows the store.
    pub fn url(&self) -> &ObjectStoreUrl {
        &self.url
    }

    /// The location, as messages show it.
    pub fn location(&self) -> &str {
        &self.location
    }

    /// The full path in the store of a path below the warehouse.
    pub fn path(&self, below: &str) -> ObjectPath {
        self.prefix.parts().chain(ObjectPath::from(below).parts()).collect()
    }

    /// Size, time and tag of an object below the warehouse.
    pub async fn head(&self, below: &str) -> Result<ObjectMeta> {
        self.store
            .head(&self.path(below))
            .await
            .map_err(|error| self.error("cannot find", below, error))
    }

    /// Reads a small object below the warehouse.
    pub async fn read(&self, below: &str) -> Result<Vec<u8>> {
        let read = async { self.store.get(&self.path(below)).await?.bytes().await };
        Ok(read.await.map_err(|error| self.error("cannot read", below, error))?.to_vec())
    }

    /// Writes a small object below the warehouse.
    pub async fn write(&self, below: &str, content: Vec<u8>) -> Result<()> {
        let payload = PutPayload::from(content);
        match self.store.put(&self.path(below), payload).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.error("cannot write", below, error)),
        }
    }

    /// Removes an object that nothing refers to; what cannot be removed is left for `gc`.
    pub async fn remove(&self, below: &str) {
        if let Err(error) = self.store.delete(&self.path(below)).await {
            tracing::debug!(path = below, %error, "left behind");
        }
    }

    fn error(&self, what: &str, below: &str, error: datafusion::object_store::Error) -> Error {
        Error::io(format!("{what} `{below}` in the warehouse"))
            .with_context("warehouse", &self.location)
            .with_source(error)
    }
}
