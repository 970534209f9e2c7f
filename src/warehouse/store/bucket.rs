//! A bucket as the engine uses it: S3 with what object_store leaves to its callers. Reads that
//! broke off are resumed for as long as they get on, and no upload stays behind unfinished.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::object_store::aws::AmazonS3;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions,
    PutPayload, PutResult, Result,
};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::Semaphore;

use super::upload::Upload;

/// One bucket.
#[derive(Clone)]
pub(super) struct Bucket {
    name: String,
    inner: Arc<AmazonS3>,
    /// A permit for each upload that is open.
    uploads: Arc<Semaphore>,
}

impl Bucket {
    pub(super) fn new(name: &str, inner: AmazonS3, uploads: Arc<Semaphore>) -> Self {
        Self { name: name.to_owned(), inner: Arc::new(inner), uploads }
    }
}

/// Nothing of the client, which knows the credentials.
impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Bucket").field(&self.name).finish()
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.name)
    }
}

#[async_trait]
impl ObjectStore for Bucket {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        options: PutOptions,
    ) -> Result<PutResult> {
        self.inner.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let opened = Upload::open(&self.inner, &self.uploads, location, options).await?;
        Ok(Box::new(opened))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let result = self.inner.get_opts(location, options.clone()).await?;
        let GetResult { payload, meta, range, attributes } = result;
        let payload = match (payload, &meta.e_tag) {
            (GetResultPayload::Stream(stream), Some(tag)) if !options.head => {
                let rest = GetOptions { if_match: Some(tag.clone()), ..options };
                let inner = Arc::clone(&self.inner);
                let reading = Reading { inner, location: location.clone(), rest, stream };
                GetResultPayload::Stream(reading.resumed(range.clone()))
            }
            (payload, _) => payload,
        };
        Ok(GetResult { payload, meta, range, attributes })
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

/// The content of an object on its way.
struct Reading {
    inner: Arc<AmazonS3>,
    location: Path,
    /// How the rest of it is asked for.
    rest: GetOptions,
    stream: BoxStream<'static, Result<bytes::Bytes>>,
}

impl Reading {
    /// The stream, asked for anew where it broke off after something had come: the deadline of
    /// object_store is that of a whole read, and a large object may take longer than any.
    fn resumed(self, range: Range<u64>) -> BoxStream<'static, Result<bytes::Bytes>> {
        let start = (self, range, false);
        let next = |(mut reading, mut range, mut came): (Self, Range<u64>, bool)| async move {
            loop {
                match reading.stream.next().await {
                    Some(Ok(bytes)) => {
                        range.start += bytes.len() as u64;
                        return Ok(Some((bytes, (reading, range, true))));
                    }
                    None => return Ok(None),
                    Some(Err(_)) if range.is_empty() => return Ok(None),
                    Some(Err(error)) if came => {
                        tracing::info!(location = %reading.location, %error, "reading on");
                        came = false;
                        let options = GetOptions {
                            range: Some(GetRange::Bounded(range.clone())),
                            ..reading.rest.clone()
                        };
                        let rest = reading.inner.get_opts(&reading.location, options).await?;
                        reading.stream = rest.into_stream();
                    }
                    Some(Err(error)) => return Err(error),
                }
            }
        };
        futures::stream::try_unfold(start, next).boxed()
    }
}

/// Size and tag of an object, where there is one.
pub(super) async fn existing(inner: &AmazonS3, location: &Path) -> Result<Option<ObjectMeta>> {
    match inner.head(location).await {
        Ok(meta) => Ok(Some(meta)),
        Err(Error::NotFound { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
