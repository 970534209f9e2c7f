//! From the URL of a store to how its connections are made, without ever showing the password.

use std::fmt::Write as _;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::Host;

use super::parameters::{self, Parameters, invalid};
use super::tls::Connector;
use crate::error::{Error, Result};

/// How long to wait for a connection, and for the server to confirm what was sent, where the URL
/// does not say.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for an answer before asking whether the server is still there, where the URL
/// leaves it at the library's two hours.
const KEEPALIVE: Duration = Duration::from_secs(30);
const LIBRARY_KEEPALIVE: Duration = Duration::from_secs(2 * 60 * 60);

/// How long one statement may take, and how long to try to get over an outage, where the URL does
/// not say.
const STATEMENT_TIMEOUT: Duration = Duration::from_secs(60);
const RECONNECT_DEADLINE: Duration = Duration::from_secs(30);

/// A statement that waits for a lock fails before its connection does. A client whose machine died
/// must not keep its locks, which the server cannot see for hours: it loses them before others
/// that wait for them give up.
const LOCK_TIMEOUT: Duration = Duration::from_secs(30);
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);

/// Where a store is, and how to talk to it.
pub(super) struct Address {
    /// For the library. It may hold a password.
    pub(super) config: Config,
    /// Hosts and database, without user, password and options.
    pub(super) location: String,
    /// How connections are encrypted.
    pub(super) tls: Connector,
    /// The schema of the tables; the first of the `search_path` where None.
    pub(super) schema: Option<String>,
    /// How long one statement may take; for ever where it is zero.
    pub(super) statement_timeout: Duration,
    /// How long to try to get over an outage.
    pub(super) reconnect_deadline: Duration,
    /// Puts a transaction under these settings. None of them outlives it: a pooler gives the next
    /// transaction another connection.
    pub(super) settings: String,
}

impl Address {
    /// Reads a URL and the files of certificates that it names.
    ///
    /// # Errors
    /// `Configuration` where something in it is malformed, unknown or not there.
    pub(super) fn parse(url: &str) -> Result<Self> {
        let (rest, ours) = parameters::split(url)?.ok_or_else(malformed)?;
        // The parser's own message may quote a badly escaped password, so it is left out.
        let mut config: Config = rest.parse().map_err(|_| malformed())?;
        let location = location(&config);
        // A reserved character in the password ends it early; its rest is taken for the host then.
        if location.contains('@') {
            return Err(malformed());
        }
        complete(&mut config);
        let tls = Connector::new(&mut config, &ours)
            .map_err(|error| error.with_context("audit store", &location))?;
        let schema = schema(&ours)?;
        let statement_timeout = ours.duration("statement_timeout", STATEMENT_TIMEOUT)?;
        Ok(Self {
            settings: settings(schema.as_deref(), statement_timeout),
            reconnect_deadline: ours.duration("reconnect_deadline", RECONNECT_DEADLINE)?,
            config,
            location,
            tls,
            schema,
            statement_timeout,
        })
    }

    /// How long one try to connect may take in all: the library limits only that of each host to
    /// be found.
    pub(super) fn connect_limit(&self) -> Duration {
        let hosts = self.config.get_hosts().len().max(self.config.get_hostaddrs().len());
        let each = self.config.get_connect_timeout().copied().unwrap_or(TIMEOUT);
        each * u32::try_from(hosts).unwrap_or(u32::MAX).saturating_add(1)
    }
}

/// Fills in what the URL leaves open.
fn complete(config: &mut Config) {
    if config.get_hosts().is_empty() {
        // The name that a certificate is for.
        for address in config.get_hostaddrs().to_vec() {
            config.host(address.to_string());
        }
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(TIMEOUT);
    }
    if config.get_tcp_user_timeout().is_none() {
        config.tcp_user_timeout(TIMEOUT);
    }
    if config.get_keepalives_idle() == LIBRARY_KEEPALIVE {
        config.keepalives_idle(KEEPALIVE);
    }
    if config.get_application_name().is_none() {
        config.application_name("pipeline");
    }
}

fn schema(ours: &Parameters) -> Result<Option<String>> {
    match ours.get("schema") {
        // PostgreSQL would cut a longer name without a word.
        Some(name) if name.is_empty() || name.len() > 63 || name.contains('\0') => {
            Err(invalid("schema", name).with_hint("a schema has a name of 1 to 63 bytes"))
        }
        name => Ok(name.map(str::to_owned)),
    }
}

fn settings(schema: Option<&str>, statement_timeout: Duration) -> String {
    let mut settings = String::new();
    for (name, limit) in [
        ("statement_timeout", statement_timeout),
        ("lock_timeout", LOCK_TIMEOUT),
        ("idle_in_transaction_session_timeout", IDLE_TIMEOUT),
    ] {
        let _ = write!(settings, "SET LOCAL {name} = {}; ", limit.as_millis());
    }
    if let Some(schema) = schema {
        let _ = write!(settings, "SET LOCAL search_path = {}", quoted(schema));
    }
    settings
}

/// A name as an identifier of SQL.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn malformed() -> Error {
    Error::configuration("the URL of the audit store is malformed").with_hint(
        "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full, with reserved \
         characters of the password percent-encoded",
    )
}

fn location(config: &Config) -> String {
    let names = config.get_hosts().iter().map(|host| match host {
        Host::Tcp(name) => name.clone(),
        Host::Unix(folder) => folder.display().to_string(),
    });
    let mut names: Vec<_> = names.collect();
    if names.is_empty() {
        names.extend(config.get_hostaddrs().iter().map(ToString::to_string));
    }
    let hosts = names.into_iter().enumerate().map(|(index, name)| {
        let port = config.get_ports().get(index).or(config.get_ports().first());
        format!("{name}{}", port.map(|port| format!(":{port}")).unwrap_or_default())
    });
    let hosts: Vec<_> = hosts.collect();
    format!("postgresql://{}/{}", hosts.join(","), config.get_dbname().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Address {
        Address::parse(url).unwrap()
    }

    #[test]
    fn a_location_is_where_to_look_and_nothing_else() {
        for (url, expected) in [
            ("postgresql://me:secret@db:6432/audit?options=-cx%3Dy", "postgresql://db:6432/audit"),
            ("postgres://me:secret@a,b:6432/audit", "postgresql://a:5432,b:6432/audit"),
            ("postgresql://me:a%40b@db/audit?schema=x", "postgresql://db:5432/audit"),
            ("postgresql://%2Frun%2Fpostgresql/audit", "postgresql:///run/postgresql:5432/audit"),
            ("host=db password=secret dbname=audit", "postgresql://db/audit"),
            ("hostaddr=10.0.0.1 port=6432 dbname=audit", "postgresql://10.0.0.1:6432/audit"),
        ] {
            assert_eq!(parse(url).location, expected);
        }
    }

    #[test]
    fn patience_is_limited_unless_the_url_says_otherwise() {
        let address = parse("postgresql://db/audit");
        assert_eq!(address.config.get_connect_timeout(), Some(&TIMEOUT));
        assert_eq!(address.config.get_keepalives_idle(), KEEPALIVE);
        assert_eq!(address.statement_timeout, STATEMENT_TIMEOUT);
        assert_eq!(address.connect_limit(), 2 * TIMEOUT);
        let address = parse(
            "postgresql://a,b/x?connect_timeout=3&keepalives_idle=5&statement_timeout=1min\
             &reconnect_deadline=2s",
        );
        assert_eq!(address.config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert_eq!(address.config.get_keepalives_idle(), Duration::from_secs(5));
        assert_eq!(address.statement_timeout, Duration::from_secs(60));
        assert_eq!(address.reconnect_deadline, Duration::from_secs(2));
        assert_eq!(address.connect_limit(), Duration::from_secs(9));
    }

    #[test]
    fn a_schema_is_an_identifier_whatever_it_holds() {
        let address = parse("postgresql://db/audit?schema=My%20%22store%22;%20DROP");
        assert!(address.settings.ends_with(r#"SET LOCAL search_path = "My ""store""; DROP""#));
        assert!(!parse("postgresql://db/audit").settings.contains("search_path"));
        for empty_or_long in [String::new(), "x".repeat(64)] {
            let url = format!("postgresql://db/audit?schema={empty_or_long}");
            assert!(Address::parse(&url).err().unwrap().message().starts_with("schema of"));
        }
    }
}
