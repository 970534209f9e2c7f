//! Keys from a shared credentials file, the `~/.aws/credentials` of every S3 tool:
//!
//! ```ini
//! [default]
//! aws_access_key_id = …
//! aws_secret_access_key = …
//! aws_session_token = …
//! ```
//!
//! The file is read again whenever it changes, so that keys may be rotated under a long run.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use datafusion::object_store::aws::AwsCredential;
use datafusion::object_store::{self, CredentialProvider};
use ini::{Ini, ParseOption};
use parking_lot::Mutex;

use crate::error::{Error, Result};

/// One profile of a file.
pub(super) struct FileCredentials {
    path: PathBuf,
    profile: String,
    known: Mutex<Option<(Stamp, Arc<AwsCredential>)>>,
}

/// What tells that a file is not the one before. A mounted secret changes by exchanging a link.
#[derive(Clone, Copy, PartialEq)]
struct Stamp {
    modified: Option<SystemTime>,
    size: u64,
    inode: u64,
}

impl FileCredentials {
    pub(super) fn new(path: PathBuf, profile: String) -> Self {
        Self { path, profile, known: Mutex::default() }
    }

    /// The keys that the file has now. One that cannot be read, while somebody replaces it perhaps,
    /// leaves the keys of before in use.
    pub(super) fn current(&self) -> Result<Arc<AwsCredential>> {
        let mut known = self.known.lock();
        let changed = match (self.stamp(), known.as_ref()) {
            (Ok(stamp), Some((before, keys))) if stamp == *before => return Ok(Arc::clone(keys)),
            (stamp, _) => stamp.and_then(|stamp| Ok((stamp, Arc::new(self.read()?)))),
        };
        match (changed, known.as_ref()) {
            (Ok((stamp, keys)), _) => {
                *known = Some((stamp, Arc::clone(&keys)));
                Ok(keys)
            }
            (Err(error), Some((_, keys))) => {
                tracing::warn!(%error, "the credentials of before stay in use");
                Ok(Arc::clone(keys))
            }
            (Err(error), None) => Err(error),
        }
    }

    fn stamp(&self) -> Result<Stamp> {
        let meta = std::fs::metadata(&self.path).map_err(|error| self.unreadable(error))?;
        Ok(Stamp { modified: meta.modified().ok(), size: meta.size(), inode: meta.ino() })
    }

    fn read(&self) -> Result<AwsCredential> {
        let text = std::fs::read_to_string(&self.path).map_err(|error| self.unreadable(error))?;
        // Keys may have any character in them.
        let plain =
            ParseOption { enabled_quote: false, enabled_escape: false, ..Default::default() };
        let file = Ini::load_from_str_opt(&text, plain)
            .map_err(|error| self.wrong(format!("line {} is not `key = value`", error.line)))?;
        let Some(section) = file.section(Some(self.profile.as_str())) else {
            return Err(self.wrong(format!("there is no profile [{}]", self.profile)));
        };
        let key = |name: &str| match section.get(name) {
            Some(value) if value.chars().any(|c| !c.is_ascii_graphic()) => {
                Err(self.wrong(format!("{name} has a character that no key has")))
            }
            Some(value) if !value.is_empty() => Ok(value.to_owned()),
            _ => Err(self.wrong(format!("profile [{}] has no {name}", self.profile))),
        };
        Ok(AwsCredential {
            key_id: key("aws_access_key_id")?,
            secret_key: key("aws_secret_access_key")?,
            token: section
                .get("aws_session_token")
                .map(|_| key("aws_session_token"))
                .transpose()?,
        })
    }

    fn unreadable(&self, error: std::io::Error) -> Error {
        self.wrong("it cannot be read".into()).with_source(error)
    }

    fn wrong(&self, what: String) -> Error {
        let path = self.path.display();
        Error::configuration(format!("the credentials file {path}: {what}")).with_hint(
            "it holds aws_access_key_id and aws_secret_access_key below [default], or below the \
             profile of AWS_PROFILE or `profile` in [s3]",
        )
    }
}

impl fmt::Debug for FileCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileCredentials").field("path", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl CredentialProvider for FileCredentials {
    type Credential = AwsCredential;

    async fn get_credential(&self) -> object_store::Result<Arc<AwsCredential>> {
        self.current()
            .map_err(|error| object_store::Error::Generic { store: "S3", source: Box::new(error) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_file_is_read_again_and_a_broken_one_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("credentials");
        let replace = |text: &str| {
            let new = dir.path().join("new");
            std::fs::write(&new, text).unwrap();
            std::fs::rename(new, &path).unwrap();
        };
        let file = FileCredentials::new(path.clone(), "lab".into());
        assert!(file.current().unwrap_err().report().contains("cannot be read"));
        replace("[default]\naws_access_key_id = no\n");
        assert!(file.current().unwrap_err().report().contains("no profile [lab]"));
        replace("[lab]\naws_access_key_id = a\n");
        assert!(file.current().unwrap_err().report().contains("no aws_secret_access_key"));
        replace("[lab]\naws_access_key_id = a\naws_secret_access_key = s/1+\\n#x\n");
        let keys = file.current().unwrap();
        assert_eq!((keys.key_id.as_str(), keys.secret_key.as_str()), ("a", "s/1+\\n#x"));
        replace("[lab\n");
        assert_eq!(file.current().unwrap().key_id, "a");
        replace("[lab]\naws_access_key_id=b\naws_secret_access_key=s\naws_session_token=t\n");
        let keys = file.current().unwrap();
        assert_eq!((keys.key_id.as_str(), keys.token.as_deref()), ("b", Some("t")));
        assert!(!format!("{file:?}").contains("\"b\""));
    }
}
