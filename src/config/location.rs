//! Where the warehouse, the audit store and the sources are.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use serde::{Serialize, Serializer};
use url::Url;

use super::secret::Secret;
use crate::error::{Error, Result};

/// A place for objects: an absolute local path, or a prefix in an S3 bucket. Glob characters are
/// kept, and so are all others: keys are written as they are, without percent-encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// An absolute path on this machine, normalized.
    Local(String),
    /// `s3://bucket/prefix`; the prefix has no slash at its ends and may be empty.
    S3 {
        /// The bucket.
        bucket: String,
        /// What the keys begin with.
        prefix: String,
    },
}

impl Location {
    /// Reads a URL, or a path relative to `base`.
    pub fn parse(text: &str, base: &Path) -> Result<Self> {
        if text.trim().is_empty() {
            return Err(Error::configuration("a location is empty")
                .with_hint("name a folder, or a URL such as s3://bucket/prefix"));
        }
        let Some((scheme, rest)) = text.split_once("://") else {
            return Self::of_path(&base.join(text));
        };
        match scheme.to_ascii_lowercase().as_str() {
            "s3" => Self::of_s3(rest),
            "file" => {
                let url = Url::parse(text).map_err(|error| {
                    Error::configuration(format!("`{text}` is not a URL")).with_source(error)
                })?;
                let path = url.to_file_path().map_err(|()| {
                    Error::configuration(format!("`{text}` names no local path"))
                        .with_hint("a file URL has three slashes: file:///data/flows")
                })?;
                Self::of_path(&path)
            }
            scheme => Err(Error::configuration(format!(
                "`{scheme}://` locations are not supported by this version"
            ))
            .with_hint("use a local path, a file:// URL or s3://bucket/prefix")),
        }
    }

    fn of_path(path: &Path) -> Result<Self> {
        let path = normalized(path);
        match path.to_str() {
            Some(path) => Ok(Self::Local(path.to_owned())),
            None => Err(Error::configuration(format!("`{}` is not UTF-8", path.display()))),
        }
    }

    fn of_s3(rest: &str) -> Result<Self> {
        const HINT: &str = "write s3://bucket/prefix; the server is named by `endpoint` in [s3] or AWS_ENDPOINT_URL, credentials by AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY or a file";
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.contains(['@', ':']) {
            // What stands there may be a secret: it is not repeated.
            return Err(Error::configuration(
                "an s3:// location holds neither credentials nor a server",
            )
            .with_hint(HINT));
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-_".contains(c);
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(allowed) {
            return Err(Error::configuration(format!("`{bucket}` is not a name of a bucket"))
                .with_context("allowed", "3 to 63 lower-case letters, digits, `-`, `.` and `_`")
                .with_hint(HINT));
        }
        let segments: Vec<_> = key.split('/').filter(|segment| !segment.is_empty()).collect();
        let refused = |s: &&str| [".", ".."].contains(s) || s.contains(char::is_control);
        if segments.iter().any(refused) {
            return Err(Error::configuration(format!(
                "`s3://{}` has a `.`, a `..` or a control character as part of its key",
                rest.escape_debug()
            ))
            .with_hint(HINT));
        }
        Ok(Self::S3 { bucket: bucket.to_owned(), prefix: segments.join("/") })
    }

    /// The absolute local path, glob characters included; `None` in an object store.
    pub fn path(&self) -> Option<&Path> {
        match self {
            Self::Local(path) => Some(Path::new(path)),
            Self::S3 { .. } => None,
        }
    }

    /// Whether something in the one could be in the other.
    pub fn overlaps(&self, other: &Self) -> bool {
        let inside = |a: &str, b: &str| {
            let rest = a.strip_prefix(b.trim_end_matches('/'));
            b.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        match (self, other) {
            (Self::Local(a), Self::Local(b)) => inside(a, b) || inside(b, a),
            (Self::S3 { bucket, prefix: a }, Self::S3 { bucket: other, prefix: b }) => {
                bucket == other && (inside(a, b) || inside(b, a))
            }
            _ => false,
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => f.write_str(path),
            Self::S3 { bucket, prefix } if prefix.is_empty() => write!(f, "s3://{bucket}"),
            Self::S3 { bucket, prefix } => write!(f, "s3://{bucket}/{prefix}"),
        }
    }
}

impl Serialize for Location {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
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

    /// The default store: `audit.db` in a local warehouse. One in an object store has none.
    pub fn inside(warehouse: &Location) -> Result<Self> {
        match warehouse.path() {
            Some(path) => Ok(Self::Sqlite(path.join("audit.db"))),
            None => Err(Error::configuration(format!(
                "the warehouse {warehouse} needs an audit store outside of it"
            ))
            .with_hint(
                "name one with --audit, PIPELINE_AUDIT or `audit` in the configuration: \
                 postgres://user@host/database, or a SQLite file on a disk that is kept",
            )),
        }
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
        assert_eq!(location.path(), Some(Path::new("/data/flows")));
        let location = Location::parse("file:///my%20data/", Path::new("/")).unwrap();
        assert_eq!(location.path(), Some(Path::new("/my data")));
    }

    #[test]
    fn s3_locations_have_one_form_and_keep_every_character() {
        for (text, shown) in [
            ("s3://data", "s3://data"),
            ("S3://data/", "s3://data"),
            ("s3://data/wh//x/", "s3://data/wh/x"),
            ("s3://data/a b#?[x]*%20.csv", "s3://data/a b#?[x]*%20.csv"),
        ] {
            assert_eq!(Location::parse(text, Path::new("/")).unwrap().to_string(), shown);
        }
    }

    #[test]
    fn wrong_s3_locations_are_refused_without_repeating_secrets() {
        for text in ["s3://", "s3:///x", "s3://Data/x", "s3://ab", "s3://data/../x", "s3://d a/x"] {
            Location::parse(text, Path::new("/")).expect_err(text);
        }
        let error = Location::parse("s3://KEY:hunter2@data/x", Path::new("/")).unwrap_err();
        assert!(!error.report().contains("hunter2"), "{}", error.report());
    }

    #[test]
    fn locations_overlap_where_one_is_inside_the_other() {
        let overlap = |a: &str, b: &str| {
            let parse = |text| Location::parse(text, Path::new("/")).unwrap();
            parse(a).overlaps(&parse(b)) && parse(b).overlaps(&parse(a))
        };
        assert!(overlap("s3://data", "s3://data/raw"));
        assert!(overlap("s3://data/raw", "s3://data/raw"));
        assert!(overlap("/data", "/data/raw"));
        assert!(overlap("/", "/data"));
        assert!(!overlap("s3://data/raw", "s3://data/raw2"));
        assert!(!overlap("s3://data", "s3://data2"));
        assert!(!overlap("/data", "s3://data"));
    }

    #[test]
    fn a_warehouse_in_an_object_store_has_no_audit_store_in_it() {
        let warehouse = Location::parse("s3://data/wh", Path::new("/")).unwrap();
        let error = AuditLocation::inside(&warehouse).unwrap_err();
        assert!(error.report().contains("--audit"), "{}", error.report());
    }

    #[test]
    fn passwords_are_never_shown() {
        let text = "postgres://ann:hunter2@db.example/audit?password=hunter2";
        let audit = AuditLocation::parse(text, Path::new("/")).unwrap();
        assert_eq!(audit.to_string(), "postgresql://db.example:5432/audit");
        assert!(!format!("{audit:?}").contains("hunter2"));
    }
}
