//! The numbered, append-only changes that lead from an empty store to the schema of this binary.
//!
//! To change the schema, add a file and one line to [`MIGRATIONS`]. A shipped migration never
//! changes: its checksum is kept in every store and compared whenever one is opened.

use crate::error::{Error, Result};

/// One step from an older schema to a newer one.
#[derive(Debug)]
pub(super) struct Migration {
    /// Position in the history, from 1, without gaps.
    pub(super) number: i64,
    /// Name of its file, without `.sql`.
    pub(super) name: &'static str,
    sql: &'static str,
}

/// A migration that a store has gone through.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) number: i64,
    pub(super) checksum: String,
}

macro_rules! migrations {
    ($($number:literal $name:literal,)+) => {
        &[$(Migration {
            number: $number,
            name: $name,
            sql: include_str!(concat!("migrations/", $name, ".sql")),
        },)+]
    };
}

const MIGRATIONS: &[Migration] = migrations! {
    1 "0001_tables",
    2 "0002_views",
    3 "0003_log",
};

/// The table in which a store keeps its own history.
pub(super) const CREATE_HISTORY: &str = "CREATE TABLE IF NOT EXISTS migrations (
    number BIGINT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    checksum TEXT NOT NULL,
    applied TIMESTAMPTZ NOT NULL
)";

/// Reads the fields of [`Applied`], oldest first.
pub(super) const READ_HISTORY: &str = "SELECT number, checksum FROM migrations ORDER BY number";

/// Adds number, name, checksum and time to the history.
pub(super) const APPEND_HISTORY: &str =
    "INSERT INTO migrations (number, name, checksum, applied) VALUES (?1, ?2, ?3, ?4)";

impl Migration {
    /// BLAKE3 of its text, in hex.
    pub(super) fn checksum(&self) -> String {
        blake3::hash(self.sql.as_bytes()).to_hex().to_string()
    }

    /// Its text for PostgreSQL, in which all of them are written.
    pub(super) fn postgres(&self) -> &'static str {
        self.sql
    }

    /// Its text for SQLite: two spellings differ. `string_agg` exists there too, but only since
    /// 3.44, and an analyst's shell may be older.
    pub(super) fn sqlite(&self) -> String {
        self.sql.replace("STRING_AGG(", "GROUP_CONCAT(").replace("COLLATE \"C\"", "COLLATE BINARY")
    }
}

/// The migrations that a store with this history still needs.
///
/// # Errors
/// [`Configuration`](crate::error::ErrorKind::Configuration) where the history is not a beginning
/// of ours: the store was written by a newer binary, or somebody changed it by hand.
pub(super) fn pending(applied: &[Applied]) -> Result<&'static [Migration]> {
    if let (Some(newest), Some(known)) = (applied.last(), MIGRATIONS.last())
        && newest.number > known.number
    {
        return Err(Error::configuration(format!(
            "this store was written by a newer pipeline: it has migration {}, this binary knows \
             them up to {}",
            newest.number, known.number
        ))
        .with_hint("use the newer pipeline, or another audit store"));
    }
    for (known, row) in MIGRATIONS.iter().zip(applied) {
        if row.number != known.number {
            return Err(Error::configuration(format!(
                "the history of this store misses migration {}",
                known.name
            ))
            .with_hint("restore the store from a backup, or use another one"));
        }
        if row.checksum != known.checksum() {
            return Err(Error::configuration(format!(
                "migration {} of this store is not the one in this binary",
                known.name
            ))
            .with_hint("use the pipeline that wrote the store, or another audit store"));
        }
    }
    Ok(MIGRATIONS.get(applied.len()..).unwrap_or_default())
}

/// Whether these migrations bring the log: what the store holds by then becomes its first entries.
pub(super) fn begin_log(pending: &[Migration]) -> bool {
    pending.iter().any(|migration| migration.name == "0003_log")
}

/// Whether a reader finds the schema of this binary: false where nothing has been applied yet.
///
/// # Errors
/// As [`pending`], and where the store was written by an older binary: a reader cannot change it.
pub(super) fn readable(applied: &[Applied]) -> Result<bool> {
    match pending(applied)?.first() {
        None => Ok(true),
        Some(_) if applied.is_empty() => Ok(false),
        Some(missing) => Err(Error::configuration(format!(
            "this store was written by an older pipeline: it lacks migration {}",
            missing.name
        ))
        .with_hint("run `pipeline exec` once, or `pipeline audit migrate`, as its owner")),
    }
}

/// The error of a migration that finds tables which no migration has made.
pub(super) fn foreign_tables(migration: &Migration) -> Error {
    Error::configuration(format!(
        "migration {} cannot be applied: the database holds tables of another program",
        migration.name
    ))
    .with_hint("give the store a file, or a schema (?schema=NAME), of its own")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history() -> Vec<Applied> {
        let applied = |m: &Migration| Applied { number: m.number, checksum: m.checksum() };
        MIGRATIONS.iter().map(applied).collect()
    }

    #[test]
    fn numbers_have_no_gaps_and_names_carry_them() {
        for (migration, number) in MIGRATIONS.iter().zip(1..) {
            assert_eq!(migration.number, number);
            assert!(migration.name.starts_with(&format!("{number:04}_")));
        }
    }

    #[test]
    fn an_empty_store_needs_all_and_a_complete_one_none() {
        assert_eq!(pending(&[]).unwrap().len(), MIGRATIONS.len());
        assert!(pending(&history()).unwrap().is_empty());
        assert_eq!(pending(&history()[..1]).unwrap().len(), MIGRATIONS.len() - 1);
    }

    #[test]
    fn a_reader_needs_all_or_finds_an_empty_store() {
        assert!(readable(&history()).unwrap());
        assert!(!readable(&[]).unwrap());
        let older = readable(&history()[..1]).unwrap_err();
        assert!(older.message().contains("older pipeline: it lacks migration 0002_views"));
    }

    #[test]
    fn a_foreign_history_is_refused() {
        let mut newer = history();
        newer.push(Applied { number: 1_000, checksum: String::new() });
        assert!(pending(&newer).unwrap_err().message().contains("newer pipeline"));

        let mut changed = history();
        changed[0].checksum.replace_range(..1, "x");
        assert!(pending(&changed).unwrap_err().message().contains("0001_tables"));

        let gap = &history()[1..];
        assert!(pending(gap).unwrap_err().message().contains("misses migration 0001_tables"));
    }
}
