//! Where the warehouse, the audit store and the sources are.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::{Serialize, Serializer};
use url::Url;

use super::secret::Secret;
use crate::error::{Error, Result};

/// An absolute URL: `file:///…` or `scheme://host/…`. Glob characters are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location(String);

impl Location {
    /// Reads a URL, or a path relative to `base`.
    pub fn parse(text: &str, base: &Path) -> Result<Self> {
        if text.trim().is_empty() {
            return Err(Error::configuration("a location is empty")
                .with_hint("name a folder, or a URL such as file:///data"));
        }
        if text.contains("://") {
            let url = Url::parse(text).map_err(|error| {
                Error::configuration(format!("`{text}` is not a URL")).with_source(error)
            })?;
            if url.scheme() != "file" {
                return Err(Error::configuration(format!(
                    "`{}://` locations are not supported by this version",
                    url.scheme()
                ))
                .with_hint("use a local path or a file:// URL"));
            }
            let path = url.to_file_path().map_err(|()| {
                Error::configuration(format!("`{text}` names no local path"))
                    .with_hint("a file URL has three slashes: file:///data/flows")
            })?;
            return Self::of_path(&path);
        }
        Self::of_path(&base.join(text))
    }

    fn of_path(path: &Path) -> Result<Self> {
        let path = normalized(path);
        match path.to_str() {
            Some(path) => Ok(Self(path.to_owned())),
            None => Err(Error::configuration(format!("`{}` is not UTF-8", path.display()))),
        }
    }

    /// The absolute local path, glob characters included.
    pub fn path(&self) -> &Path {
        Path::new(&self.0)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Location {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// `a/./b/../c` is `a/c`, without asking the file system: the path may not exist yet.
fn normalized(path: &Path) -> PathBuf {
    let mut result = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                result.pop();
            }
            other => result.push(other),
        }
    }
    result
}

/// The audit store: a SQLite file or a PostgreSQL server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditLocation {
    /// A SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL URL, which may hold a password.
    Postgres(Secret),
}

impl AuditLocation {
    /// Reads `postgres://…`, `sqlite://PATH` or a path relative to `base`.
    pub fn parse(text: &str, base: &Path) -> Result<Self> {
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(Secret::new(text)));
        }
        let path = text.strip_prefix("sqlite://").unwrap_or(text);
        if path.is_empty() || path.contains("://") {
            return Err(Error::configuration("the audit store's location is not understood")
                .with_hint("use postgres://user@host/database, or the path of a SQLite file"));
        }
        Ok(Self::Sqlite(normalized(&base.join(path))))
    }

    /// The default store: `audit.db` in a local warehouse.
    pub fn inside(warehouse: &Location) -> Result<Self> {
        Ok(Self::Sqlite(warehouse.path().join("audit.db")))
    }
}

impl fmt::Display for AuditLocation {
    /// Never shows a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(secret) => match Url::parse(secret.expose()) {
                Ok(url) => {
                    let host = url.host_str().unwrap_or("localhost");
                    write!(f, "postgresql://{host}:{}{}", url.port().unwrap_or(5432), url.path())
                }
                Err(_) => f.write_str("postgresql://***"),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_their_base() {
        let location = Location::parse("../warehouse", Path::new("/srv/sql")).unwrap();
        assert_eq!(location.to_string(), "/srv/warehouse");
        let location = Location::parse("file:///data/flows", Path::new("/")).unwrap();
        assert_eq!(location.path(), Path::new("/data/flows"));
        let location = Location::parse("file:///my%20data/", Path::new("/")).unwrap();
        assert_eq!(location.path(), Path::new("/my data"));
    }

    #[test]
    fn passwords_are_never_shown() {
        let text = "postgres://ann:hunter2@db.example/audit?password=hunter2";
        let audit = AuditLocation::parse(text, Path::new("/")).unwrap();
        assert_eq!(audit.to_string(), "postgresql://db.example:5432/audit");
        assert!(!format!("{audit:?}").contains("hunter2"));
    }
}
