//! From a location to an object store. This folder alone names the builders of object stores.
//!
//! [`Store`] is the warehouse: objects by their path below it, whichever bucket they are in.
//! [`Stores`] are all stores of the process; [`bucket`], [`upload`] and [`http`] make of S3 what the
//! engine takes for granted of a disk.

mod bucket;
mod client;
mod credentials;
mod failure;
mod http;
mod stores;
mod upload;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use datafusion::datasource::object_store::ObjectStoreUrl;
use datafusion::object_store::path::Path as ObjectPath;
use datafusion::object_store::{self, ObjectMeta, ObjectStore, ObjectStoreExt, PutPayload};
use futures::stream::{BoxStream, StreamExt, TryStreamExt, iter};

pub use client::Unfinished;
pub(crate) use failure::{io_failure, store_failure};
pub use stores::Stores;

use client::Client;

use crate::config::{Location, Settings};
use crate::error::{Error, Result};

/// The root of a warehouse, and those of its layers that are elsewhere.
#[derive(Debug, Clone)]
pub struct Store {
    main: Root,
    /// By the name of the layer. The root stands for the layer's folder.
    layers: BTreeMap<String, Root>,
    stores: Stores,
}

#[derive(Debug, Clone)]
struct Root {
    location: String,
    url: ObjectStoreUrl,
    store: Arc<dyn ObjectStore>,
    bucket: Option<Arc<Client>>,
    prefix: ObjectPath,
}

impl Root {
    fn open(location: &Location, stores: &Stores) -> Result<Self> {
        let unusable = || Error::configuration(format!("`{location}` is not a usable location"));
        let (url, store, bucket, prefix): (_, Arc<dyn ObjectStore>, _, _) = match location {
            Location::Local(path) => {
                let prefix = ObjectPath::from_absolute_path(path);
                (ObjectStoreUrl::local_filesystem(), stores.local(), None, prefix)
            }
            Location::S3 { bucket, prefix } => {
                let url = ObjectStoreUrl::parse(format!("s3://{bucket}"))
                    .map_err(|error| unusable().with_source(error))?;
                let bucket = stores.bucket(bucket)?;
                let client = Arc::clone(&bucket.client);
                (url, Arc::new(bucket), Some(client), ObjectPath::parse(prefix))
            }
        };
        let prefix = prefix.map_err(|error| unusable().with_source(error))?;
        Ok(Self { location: location.to_string(), url, store, bucket, prefix })
    }

    fn path(&self, below: &str) -> ObjectPath {
        self.prefix.parts().chain(ObjectPath::from(below).parts()).collect()
    }
}

impl Store {
    /// The warehouse of the settings, which need not exist yet.
    pub fn open(settings: &Settings, stores: &Stores) -> Result<Self> {
        let layers = settings.layers.iter();
        let layers =
            layers.map(|(name, location)| Ok((name.clone(), Root::open(location, stores)?)));
        Ok(Self {
            main: Root::open(&settings.warehouse, stores)?,
            layers: layers.collect::<Result<_>>()?,
            stores: stores.clone(),
        })
    }

    /// Makes sure that every root can be written, by writing.
    pub async fn create(&self) -> Result<()> {
        const PROBE: &str = ".writable";
        let layers = self.layers.iter().map(|(layer, root)| (root, format!("{layer}/{PROBE}")));
        for (root, probe) in [(&self.main, PROBE.to_owned())].into_iter().chain(layers) {
            let written = root.store.put(&self.path(&probe), PutPayload::new()).await;
            written.map_err(|error| {
                let message = format!("the warehouse `{}` cannot be written", root.location);
                io_failure(error, message)
                    .with_hint("check its permissions, or name another one with --warehouse")
            })?;
            self.remove(&probe).await;
        }
        Ok(())
    }

    /// The root that a path below the warehouse is in, and the rest of the path.
    fn root<'a, 'b>(&'a self, below: &'b str) -> (&'a Root, &'b str) {
        let (first, rest) = below.split_once('/').unwrap_or((below, ""));
        match self.layers.get(first) {
            Some(root) => (root, rest),
            None => (&self.main, below),
        }
    }

    /// The stores of the process.
    pub fn stores(&self) -> &Stores {
        &self.stores
    }

    /// The store that a path below the warehouse is in.
    pub fn object_store(&self, below: &str) -> &Arc<dyn ObjectStore> {
        &self.root(below).0.store
    }

    /// The URL under which a session knows the store that a path below the warehouse is in.
    pub fn url(&self, below: &str) -> &ObjectStoreUrl {
        &self.root(below).0.url
    }

    /// The location of the warehouse, as messages show it.
    pub fn location(&self) -> &str {
        &self.main.location
    }

    /// The full path of a path below the warehouse, in its store.
    pub fn path(&self, below: &str) -> ObjectPath {
        let (root, rest) = self.root(below);
        root.path(rest)
    }

    /// Every object below a path below the warehouse, or in all of it where `below` is empty, with
    /// its path below the warehouse. In no order; one request for each thousand objects.
    pub fn list<'a>(&'a self, below: &'a str) -> BoxStream<'a, Result<(String, ObjectMeta)>> {
        let moved = self.layers.keys().filter(|_| below.is_empty()).map(String::as_str);
        iter([below].into_iter().chain(moved)).flat_map(move |start| self.list_root(start)).boxed()
    }

    /// The objects below a path that are in the root of that path.
    fn list_root<'a>(&'a self, below: &'a str) -> BoxStream<'a, Result<(String, ObjectMeta)>> {
        let (root, _) = self.root(below);
        let listed = root
            .store
            .list(Some(&self.path(below)))
            .map_err(move |error| io_failure(error, format!("cannot list `{}`", root.location)));
        let named = listed.try_filter_map(move |meta| async move {
            Ok(self.below(root, &meta.location).map(|path| (path, meta)))
        });
        named.boxed()
    }

    /// The path below the warehouse of a path in the store of one of its roots; none where it is not
    /// of this warehouse.
    fn below(&self, root: &Root, location: &ObjectPath) -> Option<String> {
        let rest: ObjectPath = location.prefix_match(&root.prefix)?.collect();
        let path = match self.layers.iter().find(|(_, layer)| std::ptr::eq(*layer, root)) {
            Some((layer, _)) => format!("{layer}/{rest}"),
            None => rest.to_string(),
        };
        // What lies where a moved layer was is not of this warehouse any more.
        std::ptr::eq(self.root(&path).0, root).then_some(path)
    }

    /// Uploads of files of this warehouse that were begun and neither completed nor aborted, by
    /// runs whose process was killed, with their paths below the warehouse: [`Store::abort`] frees
    /// what they hold. None on a local disk.
    pub async fn unfinished(&self) -> Result<Vec<(String, Unfinished)>> {
        let mut found = vec![];
        for root in std::iter::once(&self.main).chain(self.layers.values()) {
            let Some(bucket) = &root.bucket else { continue };
            let message = || format!("cannot list the uploads in `{}`", root.location);
            let all = bucket.unfinished("").await.map_err(|error| io_failure(error, message()))?;
            found.extend(all.into_iter().filter_map(|upload| {
                let key = ObjectPath::parse(&upload.key).ok()?;
                Some((self.below(root, &key)?, upload))
            }));
        }
        Ok(found)
    }

    /// Aborts an unfinished upload. One that ended meanwhile is no error.
    pub async fn abort(&self, upload: &Unfinished) -> Result<()> {
        let roots = std::iter::once(&self.main).chain(self.layers.values());
        let buckets = roots.filter_map(|root| root.bucket.as_ref());
        let Some(bucket) = buckets.into_iter().find(|bucket| bucket.is(&upload.bucket)) else {
            return Err(Error::internal(format!("no bucket {} in this warehouse", upload.bucket)));
        };
        let message = format!("cannot abort the upload of `s3://{}/{}`", upload.bucket, upload.key);
        bucket.abort(upload).await.map_err(|error| io_failure(error, message))
    }

    /// Size, time and tag of an object below the warehouse.
    pub async fn head(&self, below: &str) -> Result<ObjectMeta> {
        let head = self.object_store(below).head(&self.path(below)).await;
        head.map_err(|error| self.error("cannot find", below, error))
    }

    /// Like [`Store::head`]; `None` where the object is not there.
    pub async fn find(&self, below: &str) -> Result<Option<ObjectMeta>> {
        match self.object_store(below).head(&self.path(below)).await {
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            found => found.map(Some).map_err(|error| self.error("cannot find", below, error)),
        }
    }

    /// Like [`Store::read`]; `None` where the object is not there.
    pub async fn try_read(&self, below: &str) -> Result<Option<Vec<u8>>> {
        let store = self.object_store(below);
        let read = async { store.get(&self.path(below)).await?.bytes().await };
        match read.await {
            Ok(bytes) => Ok(Some(bytes.to_vec())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(self.error("cannot read", below, error)),
        }
    }

    /// Reads a small object below the warehouse.
    pub async fn read(&self, below: &str) -> Result<Vec<u8>> {
        let store = self.object_store(below);
        let read = async { store.get(&self.path(below)).await?.bytes().await };
        Ok(read.await.map_err(|error| self.error("cannot read", below, error))?.to_vec())
    }

    /// Writes a small object below the warehouse.
    pub async fn write(&self, below: &str, content: Vec<u8>) -> Result<()> {
        let payload = PutPayload::from(content);
        match self.object_store(below).put(&self.path(below), payload).await {
            Ok(_) => Ok(()),
            Err(error) => Err(self.error("cannot write", below, error)),
        }
    }

    /// Removes an object that nothing refers to; what cannot be removed is left for `gc`.
    pub async fn remove(&self, below: &str) {
        if let Err(error) = self.object_store(below).delete(&self.path(below)).await {
            tracing::debug!(path = below, %error, "left behind");
        }
    }

    /// Removes an object; one that is gone already is no error.
    pub async fn delete(&self, below: &str) -> Result<()> {
        match self.object_store(below).delete(&self.path(below)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(self.error("cannot remove", below, error)),
        }
    }

    /// The file or folder of a path below the warehouse, where it is on a local disk.
    pub fn local(&self, below: &str) -> Option<PathBuf> {
        let (root, rest) = self.root(below);
        root.bucket.is_none().then(|| PathBuf::from(&root.location).join(rest))
    }

    pub(super) fn error(&self, what: &str, below: &str, error: object_store::Error) -> Error {
        io_failure(error, format!("{what} `{below}` in the warehouse"))
            .with_context("warehouse", &self.root(below).0.location)
    }
}
