//! From the URL of a store to a connection's configuration, without ever showing the password.

use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::error::{Error, Result};

/// How long to wait for a connection, and for the server to confirm what was sent, where the URL
/// does not say.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait for an answer before asking whether the server is still there, where the URL
/// leaves it at the library's two hours.
const KEEPALIVE: Duration = Duration::from_secs(30);
const LIBRARY_KEEPALIVE: Duration = Duration::from_secs(2 * 60 * 60);

/// Reads a URL. The second part is where it leads: hosts and database, without user, password and
/// options.
pub(super) fn parse(url: &str) -> Result<(Config, String)> {
    // The parser's own message may quote a badly escaped password, so it is left out.
    let mut config: Config = url.parse().map_err(|_| malformed())?;
    let location = location(&config);
    // A reserved character in the password ends it early; its rest is taken for the host then.
    if location.contains('@') {
        return Err(malformed());
    }
    if config.get_ssl_mode() == SslMode::Require {
        return Err(Error::configuration(
            "sslmode=require: this pipeline cannot encrypt connections to PostgreSQL",
        )
        .with_hint("use sslmode=prefer or sslmode=disable inside a trusted network"));
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
    Ok((config, location))
}

fn malformed() -> Error {
    Error::configuration("the URL of the audit store is malformed").with_hint(
        "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=prefer, with reserved \
         characters of the password percent-encoded",
    )
}

fn location(config: &Config) -> String {
    let hosts = config.get_hosts().iter().enumerate().map(|(index, host)| {
        let port = config.get_ports().get(index).or(config.get_ports().first());
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        match host {
            Host::Tcp(name) => format!("{name}{port}"),
            Host::Unix(folder) => format!("{}{port}", folder.display()),
        }
    });
    let hosts: Vec<_> = hosts.collect();
    format!(
        "postgresql://{}/{}",
        hosts.join(","),
        config.get_dbname().unwrap_or_default()
    )
}
