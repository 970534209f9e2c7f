//! One writer at a time: a lease with a fencing token, and the publish that it guards.
//!
//! A lease ends by itself, so that a dead process does not block the next run. A process that
//! slept through the end of its lease does no harm: its token is not the current one any more,
//! and [`AuditStore::publish`] compares tokens inside its transaction (Kleppmann, "Designing
//! Data-Intensive Applications", 2017, chapter 8, "Fencing tokens").

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

use super::backend::{Outcome, Write};
use super::log::{Draft, RowChange, event};
use super::relations::{CURRENT, LEASES, PUBLICATIONS, REMOVALS, RUNS};
use super::values::{FromRow, Row, unreadable, values};
use super::{AuditStore, Change, Lease, RunId, RunState, Value, VersionId};
use crate::error::{Error, ErrorKind, Result};

/// Takes the lease where it is free, at its end, or held by the same run (a retry), if nobody took
/// it since its token was read.
const ACQUIRE: &str = "
    UPDATE leases SET warehouse = ?1, run = ?2, token = ?3, acquired = ?4, expires = ?5
    WHERE token = ?3 - 1
        AND (warehouse IS NULL OR warehouse = ?1)
        AND (run IS NULL OR run = ?2 OR expires <= ?4)";

const RENEW: &str = "UPDATE leases SET expires = ?3 WHERE run = ?1 AND token = ?2";

const RELEASE: &str = "UPDATE leases SET run = NULL, expires = NULL WHERE run = ?1 AND token = ?2";

/// Changes nothing, but locks the row: nobody takes the lease before the transaction ends.
const HOLD: &str =
    "UPDATE leases SET expires = expires WHERE run = ?1 AND token = ?2 AND expires > ?3";

const SUCCEED: &str =
    "UPDATE runs SET state = ?3, finished = ?2 WHERE id = ?1 AND state = 'running'";

const MAKE_CURRENT: &str = "
    INSERT INTO current (relation, version, run, published) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (relation) DO UPDATE
    SET version = excluded.version, run = excluded.run, published = excluded.published";

const DROP: &str = "DELETE FROM current WHERE relation = ?1";

impl AuditStore {
    /// Takes the right to publish to `warehouse` for `ttl`, counted on the database's clock
    /// (PostgreSQL) or this machine's (SQLite). The first call binds the store to that warehouse:
    /// pass one spelling of its location, whatever way leads there.
    ///
    /// # Errors
    /// `Configuration` where the store belongs to another warehouse. `Conflict`, naming the holder,
    /// where another run holds a lease that has not expired.
    pub async fn acquire_lease(
        &self,
        warehouse: &str,
        run: &RunId,
        ttl: Duration,
    ) -> Result<Lease> {
        let now = self.now().await?;
        let expires = expiry(now, ttl)?;
        let Some(LeaseRow { token, .. }) = self.lease().await? else {
            return Err(self.in_context(unreadable()));
        };
        let token = token + 1;
        let row = values![warehouse, run, token, now, expires];
        let taken = RowChange::Put(&LEASES, row.clone());
        let draft = Draft::new(event::LEASE_ACQUIRED, Some(run));
        match self.record(draft, vec![Write::guard(ACQUIRE, row).that(taken)]).await? {
            Outcome::Refused(_) => Err(self.refusal(warehouse).await?),
            Outcome::Committed => Ok(Lease { run: run.clone(), token }),
        }
    }

    /// The warehouse that this store belongs to; none before its first lease.
    pub async fn warehouse(&self) -> Result<Option<String>> {
        Ok(self.lease().await?.and_then(|lease| lease.warehouse))
    }

    /// Moves the end of the lease to `ttl` from now, even past its end if nobody took it since.
    ///
    /// # Errors
    /// `Conflict` where another run took it over.
    pub async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<()> {
        let expires = expiry(self.now().await?, ttl)?;
        let params = values![&lease.run, lease.token, expires];
        match self.write(vec![Write::guard(RENEW, params)], None).await? {
            Outcome::Committed => Ok(()),
            Outcome::Refused(_) => Err(self.lost(&lease.run)),
        }
    }

    /// Gives the lease back. Does nothing where it is lost already.
    pub async fn release_lease(&self, lease: &Lease) -> Result<()> {
        let free = vec![("run", Value::Null), ("expires", Value::Null)];
        let release = Write::guard(RELEASE, values![&lease.run, lease.token]);
        let draft = Draft::new(event::LEASE_RELEASED, Some(&lease.run));
        self.record(draft, vec![release.that(RowChange::Set(&LEASES, free))]).await.map(|_| ())
    }

    /// Makes the versions of a run current and ends the run as succeeded, all or nothing. A
    /// relation may occur in `changes` once.
    ///
    /// # Errors
    /// `Conflict` where the lease has expired or was taken over, or the run has ended: nothing is
    /// changed then.
    pub async fn publish(&self, lease: &Lease, changes: &[Change]) -> Result<()> {
        let run = &lease.run;
        let now = self.now().await?;
        let succeeded = RunState::Succeeded.as_str();
        let succeed = RowChange::Set(
            &RUNS,
            vec![("id", run.into()), ("state", succeeded.into()), ("finished", now.into())],
        );
        let mut batch = vec![
            Write::guard(HOLD, values![run, lease.token, now]),
            Write::guard(SUCCEED, values![run, now, succeeded]).that(succeed),
        ];
        for Change { relation, version } in changes {
            let row = values![run, relation, version.as_ref(), now];
            batch.push(Write::insert(&PUBLICATIONS, row));
            batch.push(match version {
                Some(id) => {
                    let row = values![relation, id, run, now];
                    Write::new(MAKE_CURRENT, row.clone()).that(RowChange::Put(&CURRENT, row))
                }
                None => Write::guard(DROP, values![relation])
                    .that(RowChange::Delete(&CURRENT, vec![("relation", relation.into())])),
            });
        }
        let written = match self.record(Draft::new(event::PUBLISHED, Some(run)), batch).await {
            // An answer that was lost on its way does not undo what it tells.
            Err(error) if error.kind() == ErrorKind::Io => {
                return match self.has_succeeded(run).await {
                    Ok(true) => Ok(()),
                    _ => Err(error),
                };
            }
            written => written?,
        };
        match written {
            Outcome::Committed => Ok(()),
            Outcome::Refused(0) => Err(self.lost(run)),
            Outcome::Refused(1) => {
                Err(self.conflict(format!("run {run} has ended already: it cannot publish")))
            }
            Outcome::Refused(_) => {
                let message = format!("run {run} drops a relation that is not current any more");
                Err(self.conflict(message))
            }
        }
    }

    /// Records, for a run that holds the lease, that versions which nobody ever saw will not be
    /// used again: from now on their files may be removed. `files` and `bytes` are what will be, for
    /// the log.
    ///
    /// # Errors
    /// `Conflict` where the lease has expired or was taken over: nothing is changed then.
    pub async fn remove_versions(
        &self,
        lease: &Lease,
        versions: &[VersionId],
        (files, bytes): (u64, u64),
    ) -> Result<()> {
        let now = self.now().await?;
        let mut batch = vec![Write::guard(HOLD, values![&lease.run, lease.token, now])];
        let row = |id| Write::insert(&REMOVALS, values![id, &lease.run, now]);
        batch.extend(versions.iter().map(row));
        let draft = Draft::new(event::VERSIONS_REMOVED, Some(&lease.run))
            .note("files", files.to_string())
            .note("bytes", bytes.to_string());
        match self.record(draft, batch).await? {
            Outcome::Committed => Ok(()),
            Outcome::Refused(_) => Err(self.lost(&lease.run)),
        }
    }

    pub(super) async fn now(&self) -> Result<DateTime<Utc>> {
        self.backend.now().await.map_err(|e| self.in_context(e))
    }

    /// Whether a run is on record as succeeded.
    pub async fn has_succeeded(&self, run: &RunId) -> Result<bool> {
        let clause = "WHERE id = ?1 AND state = 'succeeded'";
        Ok(!self.rows(&RUNS, clause, values![run]).await?.is_empty())
    }

    async fn lease(&self) -> Result<Option<LeaseRow>> {
        self.select_first(&LEASES, "", values![]).await
    }

    /// Why `warehouse` was refused: the store belongs to another, or a run holds the lease. The
    /// holder may have gone since.
    async fn refusal(&self, warehouse: &str) -> Result<Error> {
        let lease = self.lease().await?;
        if let Some(LeaseRow { warehouse: Some(owner), .. }) = &lease
            && owner != warehouse
        {
            let message =
                format!("this audit store belongs to the warehouse {owner}, not {warehouse}");
            let hint = format!("use another store or schema (--audit), or --warehouse {owner}");
            return Ok(self.in_context(Error::configuration(message).with_hint(hint)));
        }
        let Some(LeaseRow { run: Some(run), expires: Some(expires), .. }) = lease else {
            let message = format!("another run held {warehouse} a moment ago");
            return Ok(self.conflict(message).with_hint("try again"));
        };
        let host = self.select_first::<Host>(&RUNS, "WHERE id = ?1", values![&run]).await?;
        let host = host.map(|Host(host)| format!(" on {host}")).unwrap_or_default();
        let expires = expires.to_rfc3339_opts(SecondsFormat::Secs, true);
        let message = format!("run {run}{host} holds {warehouse}, its lease ends at {expires}");
        let hint =
            "--wait 10m waits for it to end; the lease of a process that died ends by itself";
        Ok(self.conflict(message).with_hint(hint))
    }

    fn lost(&self, run: &RunId) -> Error {
        self.conflict(format!("run {run} has lost its lease: it cannot publish"))
            .with_hint("another run may have taken over; run again to continue from its results")
    }
}

fn expiry(now: DateTime<Utc>, ttl: Duration) -> Result<DateTime<Utc>> {
    let expires = TimeDelta::from_std(ttl).ok().and_then(|ttl| now.checked_add_signed(ttl));
    expires.ok_or_else(|| Error::configuration(format!("a lease of {ttl:?} is too long")))
}

struct LeaseRow {
    warehouse: Option<String>,
    run: Option<RunId>,
    token: i64,
    expires: Option<DateTime<Utc>>,
}

impl FromRow for LeaseRow {
    fn from_row(row: &Row) -> Result<Self> {
        Ok(Self {
            warehouse: row.get("warehouse")?,
            run: row.get("run")?,
            token: row.get("token")?,
            expires: row.get("expires")?,
        })
    }
}

struct Host(String);

impl FromRow for Host {
    fn from_row(row: &Row) -> Result<Self> {
        row.get("host").map(Self)
    }
}
