//! The only room that prints. stdout is for results, stderr for progress and errors.
//!
//! Nobody may be reading any more (`| head`, a log collector that died). Then there is nobody to
//! tell, and the run goes on.

mod rows;
mod run;
mod store;

use std::fmt;
use std::io::Write;

pub(super) use rows::RowWriter;
pub(super) use run::{Narrator, closing};
pub(super) use store::{collected, exported, migrated, verified};

use super::args::LogFormat;
use crate::error::{Error, Result};

/// Prints an error as `error:`, where, why, `hint:`; in a JSON log, as one event.
pub fn error(error: &Error, log_format: LogFormat) {
    if log_format == LogFormat::Json && tracing::enabled!(tracing::Level::ERROR) {
        let exit_code = error.kind().exit_code();
        tracing::error!(exit_code, kind = ?error.kind(), report = error.report(), "{error}");
    } else {
        say(std::io::stderr(), format_args!("{}", error.report()));
    }
}

fn say(mut to: impl Write, line: fmt::Arguments<'_>) {
    let _ = writeln!(to, "{line}");
}

/// Writes to stdout; tells whether somebody is still reading.
fn print(text: &[u8]) -> Result<bool> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Error::io("cannot write the result").with_source(error)),
    }
}

/// Writes a file's content to stdout.
pub(super) fn bytes(content: &[u8]) -> Result<()> {
    print(content).map(|_| ())
}

/// `1 file`, `2 files`.
fn counted(number: u64, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{} {noun}{plural}", thousands(number))
}

/// `1234567` as `1,234,567`.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Bytes with a binary unit.
fn binary_size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_sizes_have_units() {
        assert_eq!([0, 999, 1000, 1_234_567].map(thousands), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(
            [0, 1023, 1024, 5 << 20].map(binary_size),
            ["0 B", "1023 B", "1.0 KiB", "5.0 MiB"]
        );
    }
}
