//! The head of the audit log in the warehouse: who cuts or rewrites the log in the audit store has
//! to change this too.

use super::store::Store;
use crate::audit::Head;
use crate::error::{Error, Result};

/// Where it is.
pub const HEAD: &str = "_audit/head.json";

/// Reads the head. None where there is none, an error of text where it is not one.
///
/// # Errors
/// `Io` where the warehouse cannot be read.
pub async fn read_head(store: &Store) -> Result<Option<Result<Head, String>>> {
    let text = store.try_read(HEAD).await?;
    Ok(text.map(|text| serde_json::from_slice(&text).map_err(|error| error.to_string())))
}

/// Puts a head in the place of the one before, whole or not at all.
pub async fn write_head(store: &Store, head: &Head) -> Result<()> {
    let text = serde_json::to_vec(head)
        .map_err(|error| Error::internal("the log's head cannot be written").with_source(error))?;
    store.write(HEAD, text).await
}
