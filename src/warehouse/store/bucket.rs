//! A bucket as the engine uses it: S3 with what object_store leaves to its callers. Reads that
//! broke off are resumed for as long as they get on, and no upload stays behind unfinished.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult,
    MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::sync::Semaphore;

use super::client::{Client, generic};
use super::failure::{Failure, Reason};
use super::upload::Upload;
use crate::error::chain;

/// One bucket.
#[derive(Debug, Clone)]
pub(super) struct Bucket {
    pub(super) client: Arc<Client>,
    /// A permit for each upload that is open.
    uploads: Arc<Semaphore>,
}

impl Bucket {
    pub(super) fn new(client: Client, uploads: Arc<Semaphore>) -> Self {
        Self { client: Arc::new(client), uploads }
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.client.fmt(f)
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
        self.client.s3.put_opts(location, payload, options).await
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        let opened = Upload::open(&self.client, &self.uploads, location, options).await?;
        Ok(Box::new(opened))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let result = self.client.s3.get_opts(location, options.clone()).await?;
        let GetResult { payload, meta, range, attributes } = result;
        let payload = match (payload, &meta.e_tag) {
            (GetResultPayload::Stream(stream), Some(tag)) if !options.head => {
                let rest = GetOptions { if_match: Some(tag.clone()), ..options };
                let client = Arc::clone(&self.client);
                let reading = Reading { client, location: location.clone(), rest, stream };
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
        self.client.s3.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.client.s3.list(prefix)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        self.client.s3.list_with_offset(prefix, offset)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.client.s3.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.client.s3.copy_opts(from, to, options).await
    }
}

/// The content of an object on its way.
struct Reading {
    client: Arc<Client>,
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
                        let rest = reading.client.s3.get_opts(&reading.location, options).await?;
                        reading.stream = rest.into_stream();
                    }
                    Some(Err(error)) => return Err(reading.broken(error)),
                }
            }
        };
        futures::stream::try_unfold(start, next).boxed()
    }

    /// The error that ends the reading, with the object that it is about.
    fn broken(&self, error: Error) -> Error {
        match chain(&error).into_iter().any(|cause| cause.is::<Failure>()) {
            true => error,
            false => generic(Failure {
                request: format!("reading {}/{}", self.client, self.location),
                reason: Reason::of_broken(&error),
            }),
        }
    }
}
