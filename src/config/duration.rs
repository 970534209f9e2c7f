//! Durations with a unit.

use std::time::Duration;

/// The shortest lease: it is renewed at a third of it, and a renewal takes a moment.
const SHORTEST_LEASE: Duration = Duration::from_secs(1);

/// Reads `90s`, `10m`, `1h 30m` or `0`. The error says what is allowed.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    humantime::parse_duration(text).map_err(|_| {
        format!("`{text}` is not a duration; allowed is a number with a unit, for example `30s`, `10m` or `1h`")
    })
}

/// Reads the duration of a lease: a second or more.
pub fn parse_lease(text: &str) -> Result<Duration, String> {
    match parse_duration(text)? {
        lease if lease < SHORTEST_LEASE => {
            Err(format!("`{text}` is too short for a lease; allowed is 1s or more"))
        }
        lease => Ok(lease),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(parse_duration("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(parse_duration(" 1h 30m "), Ok(Duration::from_secs(5400)));
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("0"), Ok(Duration::ZERO));
    }

    #[test]
    fn anything_else_is_an_error_that_says_what_is_allowed() {
        for text in ["", "10", "-1s", "soon", "5 apples"] {
            let message = parse_duration(text).expect_err(text);
            assert!(message.contains("`30s`"), "{message}");
        }
    }

    #[test]
    fn a_lease_lasts_a_second_at_least() {
        assert_eq!(parse_lease("1s"), Ok(Duration::from_secs(1)));
        assert!(parse_lease("999ms").expect_err("short").contains("1s or more"));
        assert!(parse_lease("0").expect_err("none").contains("1s or more"));
    }
}
