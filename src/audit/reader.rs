//! A store opened to read: it refuses to write, and reads as empty before its first run.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::Value;
use super::backend::{Backend, Outcome, Write};
use super::log::Draft;
use super::relations::Column;
use crate::error::{Error, Result};

/// A backend that only answers; None where nobody has written the store yet.
pub(super) struct Reader<B> {
    pub(super) location: String,
    pub(super) backend: Option<B>,
}

#[async_trait]
impl<B: Backend> Backend for Reader<B> {
    fn location(&self) -> &str {
        &self.location
    }

    async fn now(&self) -> Result<DateTime<Utc>> {
        match &self.backend {
            Some(backend) => backend.now().await,
            None => Ok(Utc::now()),
        }
    }

    async fn write(&self, _: Vec<Write>, _: Option<Draft>) -> Result<Outcome> {
        Err(Error::internal("the audit store was opened to read: nothing can be recorded in it"))
    }

    async fn read(
        &self,
        sql: String,
        params: Vec<Value>,
        columns: &'static [Column],
    ) -> Result<Vec<Vec<Value>>> {
        match &self.backend {
            Some(backend) => backend.read(sql, params, columns).await,
            None => Ok(vec![]),
        }
    }
}
