//! One connection, opened again where it was lost.
//!
//! It holds no state: every transaction brings its own settings, statements have no names, and no
//! lock outlives its transaction. So a transaction-mode pooler may give each another server.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_postgres::Client;
use tokio_postgres::config::{Host, SslMode};

use super::address::Address;
use super::failure::{Failure, in_doubt, is_busy, unreachable};
use crate::error::{Error, ErrorKind, Result};

/// How long to wait before the second try, doubled with each. The first comes at once: a
/// connection alone may have been cut.
const FIRST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How much longer than a statement may take to wait for its answer: the server ends it in time,
/// or is not there any more.
const GRACE: Duration = Duration::from_secs(10);

pub(super) struct Link {
    pub(super) address: Address,
    /// The connection of the moment; None where the last outage outlasted all tries.
    line: Mutex<Option<Client>>,
}

impl Link {
    /// Connects. Waits only for a server that has answered that it is busy: a wrong address should
    /// be told at once.
    pub(super) async fn open(address: Address) -> Result<Self> {
        let mut outage = Outage::new(address.reconnect_deadline);
        let client = loop {
            match connect(&address).await {
                Err(Refusal { error, busy: true }) if outage.pause().await => {
                    tracing::warn!(store = address.location, %error, "waiting for the audit store");
                }
                done => break done.map_err(|refusal| refusal.error)?,
            }
        };
        Ok(Self { address, line: Mutex::new(Some(client)) })
    }

    /// Does `work` over the connection; after an outage, again over a new one.
    ///
    /// # Errors
    /// That of the work where another connection would not help, else that of the last try. It says
    /// so where a commit may have been made.
    pub(super) async fn run<W: Work>(&self, work: &W) -> Result<W::Done> {
        let mut line = self.line.lock().await;
        // An outage that all have waited for before is worth one try, not another wait.
        let patience = line.as_ref().map_or(Duration::ZERO, |_| self.address.reconnect_deadline);
        let mut outage = None;
        let mut session = Session { address: &self.address, in_doubt: false };
        loop {
            let mut error = match &mut *line {
                None => Error::io("there is no connection to PostgreSQL"),
                Some(client) => match work.attempt(client, session).await {
                    Ok(done) => return Ok(done),
                    Err(failure) => {
                        session.in_doubt |= matches!(failure, Failure::AtCommit(_));
                        if failure.is_outage() {
                            *line = None;
                        }
                        failure.certain().into()
                    }
                },
            };
            if line.is_none() {
                tracing::warn!(store = self.address.location, %error, "the audit store is away");
                let outage = outage.get_or_insert_with(|| Outage::new(patience));
                match self.restore(outage, error).await {
                    Ok(client) => {
                        *line = Some(client);
                        continue;
                    }
                    Err(last) => error = last,
                }
            }
            return Err(if session.in_doubt { in_doubt(error) } else { error });
        }
    }

    /// Another connection; where there is none, why.
    async fn restore(&self, outage: &mut Outage, mut error: Error) -> Result<Client> {
        while outage.pause().await {
            match connect(&self.address).await {
                Ok(client) => return Ok(client),
                Err(refusal) => error = refusal.error,
            }
            // A password that was changed, say, does not change back.
            if error.kind() != ErrorKind::Io {
                return Err(error);
            }
        }
        let waited = humantime::format_duration(self.address.reconnect_deadline);
        Err(error.with_hint(format!("it was away for longer than reconnect_deadline={waited}")))
    }
}

/// One transaction. It may be tried again after its commit went unanswered: it must know from what
/// it finds whether it has been made.
#[async_trait]
pub(super) trait Work: Sync {
    /// What it gives.
    type Done: Send;

    async fn attempt(
        &self,
        client: &mut Client,
        session: Session<'_>,
    ) -> Result<Self::Done, Failure>;
}

/// How to work over a connection.
#[derive(Clone, Copy)]
pub(super) struct Session<'a> {
    pub(super) address: &'a Address,
    /// A commit of the same work was sent before and never answered.
    pub(super) in_doubt: bool,
}

impl Session<'_> {
    /// Waits for an answer, but not for ever, unless the URL says so.
    pub(super) async fn answered<T>(
        &self,
        answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Failure> {
        if self.address.statement_timeout.is_zero() {
            return Ok(answer.await?);
        }
        let timeout = self.address.statement_timeout;
        let limit = timeout + timeout.min(GRACE);
        match tokio::time::timeout(limit, answer).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Failure::Silence(limit)),
        }
    }
}

/// The tries to get over one outage.
struct Outage {
    deadline: Instant,
    wait: Option<Duration>,
}

impl Outage {
    fn new(patience: Duration) -> Self {
        Self { deadline: Instant::now() + patience, wait: None }
    }

    /// Waits until the next try is due; false where there is none left. There is always a first.
    async fn pause(&mut self) -> bool {
        let Some(wait) = self.wait else {
            self.wait = Some(FIRST_WAIT);
            return true;
        };
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return false;
        }
        // Those who lost the server together should not come back together.
        let wait = wait.mul_f64(0.5 + 0.5 * chance());
        tokio::time::sleep(wait.min(left)).await;
        self.wait = Some((wait * 2).min(LONGEST_WAIT));
        true
    }
}

/// A number from 0 to 1, another each time.
fn chance() -> f64 {
    let random = RandomState::new().hash_one(());
    f64::from((random >> 32) as u32) / f64::from(u32::MAX)
}

/// Why there is no connection, and whether the server was there to say so.
struct Refusal {
    error: Error,
    busy: bool,
}

async fn connect(address: &Address) -> Result<Client, Refusal> {
    let limit = address.connect_limit();
    let connecting = address.config.connect(address.tls.clone());
    let (client, connection) = match tokio::time::timeout(limit, connecting).await {
        Ok(connected) => connected
            .map_err(|error| Refusal { busy: is_busy(&error), error: unreachable(error) })?,
        Err(_) => {
            let limit = humantime::format_duration(limit);
            let error = Error::io(format!("PostgreSQL took no connection within {limit}"));
            return Err(Refusal { error, busy: false });
        }
    };
    // Ends with the client. Its error reaches whoever waits for an answer.
    tokio::spawn(connection);
    if address.config.get_ssl_mode() == SslMode::Prefer
        && !address.tls.was_encrypted()
        && !address.config.get_hosts().iter().all(is_local)
    {
        tracing::warn!(
            store = address.location,
            "the connection to the audit store is not encrypted: the server offers no TLS; use \
             sslmode=verify-full, or sslmode=disable inside a trusted network"
        );
    }
    Ok(client)
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Unix(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
        }
    }
}
