//! An upload in parts that is either complete or gone: what is not completed is aborted, also where
//! its writer was dropped in the middle of a request.

use std::sync::Arc;

use async_trait::async_trait;
use datafusion::object_store::path::Path;
use datafusion::object_store::{
    Error, MultipartUpload, ObjectStore, PutMultipartOptions, PutPayload, PutResult, Result,
    UploadPart,
};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::client::{Client, generic};

/// More parts than an upload can have.
const PARTS: u32 = 1 << 16;

/// An upload that was begun.
#[derive(Debug)]
pub(super) struct Upload(Option<Open>);

struct Open {
    upload: Box<dyn MultipartUpload>,
    client: Arc<Client>,
    location: Path,
    /// Tag of what was there before.
    before: Option<String>,
    bytes: u64,
    /// Permits of the parts that are on their way.
    parts: Arc<Semaphore>,
    /// Given back when nothing is left to do.
    _open: OwnedSemaphorePermit,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Open").field("location", &self.location).finish_non_exhaustive()
    }
}

impl Upload {
    /// Begins an upload. Whoever stops waiting for it leaves nothing behind: the request is brought
    /// to its end, and the upload aborted.
    pub(super) async fn open(
        client: &Arc<Client>,
        uploads: &Arc<Semaphore>,
        location: &Path,
        options: PutMultipartOptions,
    ) -> Result<Self> {
        let (client, uploads) = (Arc::clone(client), Arc::clone(uploads));
        let location = location.clone();
        let opening = tokio::spawn(async move {
            let open = uploads.acquire_owned().await.map_err(generic)?;
            let before = client.existing(&location).await?.and_then(|meta| meta.e_tag);
            let upload = match client.s3.put_multipart_opts(&location, options).await {
                Ok(upload) => upload,
                Err(error) => {
                    let _ = client.abort_doubtful(&location).await;
                    return Err(error);
                }
            };
            let parts = Arc::new(Semaphore::new(PARTS as usize));
            let open = Open { upload, client, location, before, bytes: 0, parts, _open: open };
            Ok(Self(Some(open)))
        });
        opening.await.map_err(|source| Error::JoinError { source })?
    }
}

#[async_trait]
impl MultipartUpload for Upload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let Some(open) = &mut self.0 else { return Box::pin(async { Err(ended()) }) };
        open.bytes += data.content_length() as u64;
        let on_its_way = Arc::clone(&open.parts).try_acquire_owned();
        let part = open.upload.put_part(data);
        // Brought to its end, whoever waits for it: a server that has half of a part may keep it.
        let part = tokio::spawn(async move {
            let _on_its_way = on_its_way;
            part.await
        });
        Box::pin(async move { part.await.map_err(|source| Error::JoinError { source })? })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        // It stays where it is: whoever stops waiting drops it, and it is aborted.
        let open = self.0.as_mut().ok_or_else(ended)?;
        let done = match open.upload.complete().await {
            Ok(done) => done,
            // It may be done, and the answer lost: asked again, the server knows no upload.
            Err(error) => open.was_made().await.ok_or(error)?,
        };
        let (client, location) = (Arc::clone(&open.client), open.location.clone());
        self.0 = None;
        if let Err(error) = client.abort_doubtful(&location).await {
            tracing::warn!(%location, %error, "an unfinished upload may stay behind");
        }
        Ok(done)
    }

    async fn abort(&mut self) -> Result<()> {
        let open = self.0.take().ok_or_else(ended)?;
        tokio::spawn(open.abort()).await.map_err(|source| Error::JoinError { source })?
    }
}

fn ended() -> Error {
    generic("the upload has ended")
}

impl Open {
    /// What the upload made, where it did.
    fn was_made(&self) -> impl Future<Output = Option<PutResult>> + Send + use<> {
        let (client, location) = (Arc::clone(&self.client), self.location.clone());
        let (before, bytes) = (self.before.clone(), self.bytes);
        async move {
            let meta = client.existing(&location).await.ok()??;
            let new = meta.size == bytes && meta.e_tag.is_some() && meta.e_tag != before;
            new.then_some(PutResult { e_tag: meta.e_tag, version: meta.version })
        }
    }

    async fn abort(mut self) -> Result<()> {
        // A part that arrives after the end of its upload may stay.
        let _none_on_its_way = self.parts.acquire_many(PARTS).await;
        match self.upload.abort().await {
            Ok(()) | Err(Error::NotFound { .. }) => {}
            Err(error) => return Err(error),
        }
        self.client.abort_doubtful(&self.location).await
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let Some(open) = self.0.take() else { return };
        let Ok(runtime) = Handle::try_current() else { return };
        runtime.spawn(async move {
            let location = open.location.clone();
            if let Err(error) = open.abort().await {
                tracing::warn!(%location, %error, "an unfinished upload stays behind");
            }
        });
    }
}
