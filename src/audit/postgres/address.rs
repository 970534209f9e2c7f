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
    format!("postgresql://{}/{}", hosts.join(","), config.get_dbname().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_where_to_look_and_nothing_else() {
        for (url, expected) in [
            ("postgresql://me:secret@db:6432/audit?options=-cx%3Dy", "postgresql://db:6432/audit"),
            ("postgres://me:secret@a,b:6432/audit", "postgresql://a:5432,b:6432/audit"),
            ("postgresql://me:a%40b@db/audit", "postgresql://db:5432/audit"),
            ("postgresql://%2Frun%2Fpostgresql/audit", "postgresql:///run/postgresql:5432/audit"),
            ("host=db password=secret dbname=audit", "postgresql://db/audit"),
        ] {
            assert_eq!(parse(url).unwrap().1, expected);
        }
    }

    #[test]
    fn patience_is_limited_unless_the_url_says_otherwise() {
        let (config, _) = parse("postgresql://db/audit").unwrap();
        assert_eq!(config.get_connect_timeout(), Some(&TIMEOUT));
        assert_eq!(config.get_keepalives_idle(), KEEPALIVE);
        let (config, _) = parse("postgresql://db/a?connect_timeout=3&keepalives_idle=5").unwrap();
        assert_eq!(config.get_connect_timeout(), Some(&Duration::from_secs(3)));
        assert_eq!(config.get_keepalives_idle(), Duration::from_secs(5));
    }
}
