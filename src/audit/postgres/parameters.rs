//! The parameters of a URL that are ours: taken out before the library reads the rest.
//!
//! Both forms of libpq are understood, `postgresql://…?name=value&…` and `name=value …`. No error
//! repeats what is not known to be one of the names below: it may be a piece of a password.

use std::time::Duration;

use url::form_urlencoded;

use crate::error::{Error, Result};

/// What the library does not know, or knows in part.
const OURS: &[&str] = &[
    "reconnect_deadline",
    "schema",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement_timeout",
];

/// What the library reads.
const THEIRS: &[&str] = &[
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_retries",
    "load_balance_hosts",
    "options",
    "password",
    "port",
    "sslnegotiation",
    "target_session_attrs",
    "tcp_user_timeout",
    "user",
];

/// Our parameters of one URL.
#[derive(Default)]
pub(super) struct Parameters(Vec<(&'static str, String)>);

impl Parameters {
    /// The last value given for a name.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().rev();
        values.find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }

    /// A duration, as `30s` or in milliseconds as PostgreSQL counts.
    pub(super) fn duration(&self, name: &str, default: Duration) -> Result<Duration> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let milliseconds = text.parse().ok().map(Duration::from_millis);
        let duration = milliseconds.or_else(|| humantime::parse_duration(text).ok());
        let allowed = duration.filter(|duration| {
            // PostgreSQL keeps 31 bits, and takes less than one millisecond for none at all.
            duration.is_zero() || (1..=i32::MAX as u128).contains(&duration.as_millis())
        });
        allowed.ok_or_else(|| {
            invalid(name, text).with_hint(
                "write a time such as `30s`, `5min` or `30000` (milliseconds); 0 is none",
            )
        })
    }
}

/// The error of a value that a parameter of ours does not take.
pub(super) fn invalid(name: &str, value: &str) -> Error {
    Error::configuration(format!("{name} of the audit store cannot be `{value}`"))
}

/// The URL without our parameters, and these. None where it is malformed.
///
/// # Errors
/// `Configuration` where a parameter is unknown.
pub(super) fn split(url: &str) -> Result<Option<(String, Parameters)>> {
    let mut ours = Parameters::default();
    if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
        let Some(pairs) = conninfo(url) else { return Ok(None) };
        let mut rest = vec![];
        for Pair { raw, name, value } in pairs {
            match known(name)? {
                Some(name) => ours.0.push((name, value)),
                None => rest.push(raw),
            }
        }
        return Ok(Some((rest.join(" "), ours)));
    }
    // As the library does: the credentials end at the first `@`, whatever they hold.
    let credentials = url.find('@').map_or(0, |at| at + 1);
    let Some(mark) = url[credentials..].find('?').map(|mark| credentials + mark) else {
        return Ok(Some((url.to_owned(), ours)));
    };
    let mut rest = vec![];
    for raw in url[mark + 1..].split('&').filter(|raw| !raw.is_empty()) {
        // A plus sign stands for itself here, unlike in a form.
        let form = raw.replace('+', "%2B");
        let Some((name, value)) = form_urlencoded::parse(form.as_bytes()).next() else { continue };
        match known(&name)? {
            Some(name) => ours.0.push((name, value.into_owned())),
            None => rest.push(raw),
        }
    }
    let query = if rest.is_empty() { "" } else { "?" };
    Ok(Some((format!("{}{query}{}", &url[..mark], rest.join("&")), ours)))
}

/// The name where it is ours, None where it is the library's.
fn known(name: &str) -> Result<Option<&'static str>> {
    if let Some(ours) = OURS.iter().find(|ours| **ours == name) {
        return Ok(Some(ours));
    }
    if THEIRS.contains(&name) {
        return Ok(None);
    }
    let names = || OURS.iter().chain(THEIRS);
    let near = names().filter(|known| strsim::damerau_levenshtein(known, name) <= 2).min();
    let hint = match near {
        Some(near) => format!("do you mean `{near}`?"),
        None => {
            let mut names: Vec<_> = names().copied().collect();
            names.sort_unstable();
            format!("known are {}", names.join(", "))
        }
    };
    Err(Error::configuration("the URL of the audit store has an unknown parameter").with_hint(hint))
}

/// One `name=value`, as written and as meant.
struct Pair<'a> {
    raw: &'a str,
    name: &'a str,
    value: String,
}

/// Reads `name=value …`: values may be quoted, and a backslash takes the next character as it is.
fn conninfo(text: &str) -> Option<Vec<Pair<'_>>> {
    let mut pairs = vec![];
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (name, after) = rest.split_once('=')?;
        let after = after.trim_start();
        let quoted = after.starts_with('\'');
        let mut value = String::new();
        let mut characters = after.char_indices().skip(usize::from(quoted));
        let end = loop {
            match characters.next() {
                Some((index, '\'')) if quoted => break index + 1,
                Some((index, c)) if !quoted && c.is_whitespace() => break index,
                Some((_, '\\')) => value.push(characters.next()?.1),
                Some((_, c)) => value.push(c),
                None if quoted => return None,
                None => break after.len(),
            }
        };
        let (raw, next) = rest.split_at(rest.len() - after.len() + end);
        pairs.push(Pair { raw, name: name.trim(), value });
        rest = next.trim_start();
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_are_taken_and_the_rest_is_left_as_written() {
        for (url, rest, schema) in [
            ("postgres://me:a%40b@db/audit", "postgres://me:a%40b@db/audit", None),
            ("postgres://db/a?schema=x", "postgres://db/a", Some("x")),
            (
                "postgres://db/a?options=-cx%3Dy&schema=a%20b",
                "postgres://db/a?options=-cx%3Dy",
                Some("a b"),
            ),
            ("postgres://me:wh?y=@db/a?schema=a+b&", "postgres://me:wh?y=@db/a", Some("a+b")),
            ("postgres://db/a?schema=x&schema=y&user=me", "postgres://db/a?user=me", Some("y")),
            ("host=db schema = 'a \\'b' dbname=a", "host=db dbname=a", Some("a 'b")),
            ("host=db password='x schema=y'", "host=db password='x schema=y'", None),
        ] {
            let (left, ours) = split(url).unwrap().unwrap();
            assert_eq!((left.as_str(), ours.get("schema")), (rest, schema), "{url}");
        }
        for malformed in ["host=db password", "host='db", "host=db password=x\\"] {
            assert!(split(malformed).unwrap().is_none(), "{malformed}");
        }
    }

    #[test]
    fn unknown_names_are_refused_and_never_repeated() {
        for url in ["postgres://db/a?hunter2=1", "host=db password=very hunter2=1"] {
            let error = split(url).err().unwrap();
            assert!(!error.report().contains("hunter2"), "{}", error.report());
            assert!(error.hint().unwrap().contains("sslrootcert"), "{}", error.report());
        }
        let error = split("postgres://db/a?sslmod=require").err().unwrap();
        assert_eq!(error.hint(), Some("do you mean `sslmode`?"));
    }

    #[test]
    fn times_are_counted_as_postgres_does() {
        let read = |text: &str| {
            let url = format!("postgres://db/a?statement_timeout={text}");
            let (_, ours) = split(&url).unwrap().unwrap();
            ours.duration("statement_timeout", Duration::ZERO).map(|time| time.as_millis())
        };
        for (text, milliseconds) in
            [("30s", 30_000), ("1500", 1_500), ("5min", 300_000), ("0", 0), ("1h 5ms", 3_600_005)]
        {
            assert_eq!(read(&text.replace(' ', "%20")).unwrap(), milliseconds, "{text}");
        }
        for text in ["", "soon", "-1", "30d", "5us"] {
            assert!(read(text).unwrap_err().message().contains("statement_timeout"), "{text}");
        }
    }
}
