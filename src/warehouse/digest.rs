//! Hashes a file's bytes on their way to the store.

use bytes::Bytes;
use datafusion::parquet::arrow::async_writer::AsyncFileWriter;
use datafusion::parquet::errors::Result;
use futures::future::BoxFuture;

/// A writer that knows the BLAKE3 of all that went through it.
pub(super) struct Digesting<W> {
    inner: W,
    hasher: blake3::Hasher,
}

impl<W> Digesting<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, hasher: blake3::Hasher::new() }
    }

    /// The hash so far, in hex.
    pub(super) fn digest(&self) -> String {
        self.hasher.finalize().to_hex().to_string()
    }

    pub(super) fn into_inner(self) -> W {
        self.inner
    }
}

impl<W: AsyncFileWriter> AsyncFileWriter for Digesting<W> {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, Result<()>> {
        self.hasher.update(&bytes);
        self.inner.write(bytes)
    }

    fn complete(&mut self) -> BoxFuture<'_, Result<()>> {
        self.inner.complete()
    }
}
