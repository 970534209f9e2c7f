//! The only place that prints. stdout is for results, stderr for progress and errors.
//!
//! Nobody may be reading any more (`| head`, a log collector that died). Then there is nobody to
//! tell, and the run goes on.

use std::fmt;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv::WriterBuilder;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::json::WriterBuilder as JsonWriterBuilder;
use datafusion::arrow::json::writer::LineDelimited;
use datafusion::arrow::util::pretty::pretty_format_batches;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use parking_lot::Mutex;

use super::args::{LogFormat, OutputFormat};
use crate::audit::{RunId, StepState};
use crate::config::{AuditLocation, Settings};
use crate::error::{Error, Result};
use crate::pipeline::gc::Collected;
use crate::pipeline::runner::RunSummary;
use crate::pipeline::verify::Verified;
use crate::pipeline::{Observer, StepOutlook, StepSummary};
use crate::warehouse::Progress;

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

/// Tells a run's progress: one changing line on a terminal, one line per step elsewhere, nothing
/// where the log says it all in JSON.
pub(super) struct Narrator {
    style: Style,
    dry_run: bool,
    bar: Mutex<Option<ProgressBar>>,
    steps: Mutex<Vec<StepSummary>>,
}

#[derive(PartialEq)]
enum Style {
    Terminal,
    Lines,
    Silent,
}

impl Narrator {
    pub(super) fn new(log_format: LogFormat, dry_run: bool) -> Self {
        let style = match (log_format, std::io::stderr().is_terminal()) {
            (LogFormat::Json, _) => Style::Silent,
            (LogFormat::Text, true) => Style::Terminal,
            (LogFormat::Text, false) => Style::Lines,
        };
        Self { style, dry_run, bar: Mutex::new(None), steps: Mutex::default() }
    }

    /// Clears what is still changing.
    fn finish(&self) {
        if let Some(bar) = self.bar.lock().take() {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Narrator {
    fn waiting(&self, refused: &Error, at_most: Duration) {
        if self.style != Style::Silent {
            let at_most = humantime::format_duration(at_most);
            say(std::io::stderr(), format_args!("waiting up to {at_most}: {refused}"));
        }
    }

    fn run_started(&self, run: &RunId) {
        if self.style != Style::Silent {
            say(std::io::stderr(), format_args!("run {run}"));
        }
    }

    fn step_started(&self, step: &StepOutlook, progress: Arc<Progress>) {
        if self.style != Style::Terminal || self.dry_run {
            return;
        }
        let bar = ProgressBar::new_spinner();
        let rows = move |state: &ProgressState, out: &mut dyn fmt::Write| {
            let rows = progress.rows();
            let rate = rows as f64 / state.elapsed().as_secs_f64().max(1e-3);
            // Writing to a line in memory cannot fail.
            let _ = write!(out, "{} rows  {} rows/s", thousands(rows), thousands(rate as u64));
        };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix}  {rows}  {elapsed}") {
            bar.set_style(style.with_key("rows", rows));
        }
        bar.set_prefix(format!("{}/{} {}", step.ordinal, step.total, step.subject));
        // A thread of its own draws: the workers are busy with the step.
        bar.enable_steady_tick(Duration::from_millis(100));
        *self.bar.lock() = Some(bar);
    }

    fn rows(&self, batches: &[RecordBatch], total: usize) {
        self.finish();
        if let Ok(table) = pretty_format_batches(batches) {
            say(std::io::stdout(), format_args!("{table}"));
        }
        let shown: usize = batches.iter().map(RecordBatch::num_rows).sum();
        if shown < total {
            let total = thousands(total as u64);
            say(std::io::stdout(), format_args!("({shown} of {total} rows)"));
        }
    }

    fn step_finished(&self, step: &StepSummary) {
        self.finish();
        tracing::info!(
            step = step.outlook.ordinal,
            at = step.outlook.at,
            subject = step.outlook.subject,
            state = step.state.as_str(),
            reason = step.reason,
            rows = step.rows,
            bytes = step.bytes,
            seconds = step.elapsed.as_secs_f64(),
            "step"
        );
        self.steps.lock().push(step.clone());
        if self.style == Style::Lines && !self.dry_run {
            let StepOutlook { ordinal, total, subject, .. } = &step.outlook;
            let reason = in_parentheses(&step.reason);
            say(
                std::io::stderr(),
                format_args!("{ordinal}/{total} {subject}: {}{reason}", step.state),
            );
        }
    }
}

fn in_parentheses(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(" ({reason})") }
}

/// Prints which migrations the audit store has taken.
pub(super) fn migrated(applied: &[&str], audit: &AuditLocation) {
    let done = match applied {
        [] => "is up to date".to_owned(),
        names => format!("took {}", names.join(", ")),
    };
    say(std::io::stdout(), format_args!("{audit} {done}"));
}

/// Prints the closing table of a run, also of one that failed, and what it has published.
pub(super) fn closing(narrator: &Narrator, outcome: &Result<RunSummary>, settings: &Settings) {
    narrator.finish();
    let steps = narrator.steps.lock();
    if !steps.is_empty() {
        say(std::io::stdout(), format_args!("{}", table(&steps, narrator.dry_run)));
    }
    let count = |state| steps.iter().filter(|step| step.state == state).count();
    let (ran, reused) = (counted(count(StepState::Ran) as u64, "step"), count(StepState::Reused));
    let closing = match outcome {
        Err(_) => return,
        Ok(RunSummary { run: None, .. }) => {
            format!("dry run: {ran} would run, {reused} would be reused")
        }
        Ok(RunSummary { run: Some(run), published }) => format!(
            "run {run}: {ran} ran, {reused} reused, {} published to {}",
            counted(*published as u64, "relation"),
            settings.warehouse
        ),
    };
    say(std::io::stdout(), format_args!("\n{closing}"));
}

fn table(steps: &[StepSummary], dry_run: bool) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING);
    table.set_header(["step", "script", "relation", "state", "rows", "bytes", "time", "why"]);
    for step in steps {
        let state = match (dry_run, step.state) {
            (true, StepState::Ran) => "would run".to_owned(),
            (true, StepState::Reused) => "would be reused".to_owned(),
            (_, state) => state.to_string(),
        };
        table.add_row([
            step.outlook.ordinal.to_string(),
            step.outlook.at.clone(),
            step.outlook.subject.clone(),
            state,
            step.rows.map(|rows| thousands(rows.unsigned_abs())).unwrap_or_default(),
            step.bytes.map(|bytes| binary_size(bytes.unsigned_abs())).unwrap_or_default(),
            format!("{:.2} s", step.elapsed.as_secs_f64()),
            step.reason.clone(),
        ]);
    }
    for column in [0, 4, 5, 6] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// Prints what `gc` has removed or would remove.
pub(super) fn collected(collected: &Collected) {
    let Collected { run, garbage } = collected;
    if garbage.files() > 0 {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_header(["path", "size", "why"]);
        for object in &garbage.objects {
            table.add_row([&object.path, &binary_size(object.size), object.reason]);
        }
        for (_, upload) in &garbage.uploads {
            let path = format!("s3://{}/{}", upload.bucket, upload.key);
            table.add_row([&path, "", "unfinished upload"]);
        }
        if let Some(sizes) = table.column_mut(1) {
            sizes.set_cell_alignment(CellAlignment::Right);
        }
        say(std::io::stdout(), format_args!("{}\n", table.trim_fmt()));
    }
    let files = counted(garbage.files(), "file");
    let versions = counted(garbage.versions.len() as u64, "version");
    let what = format!("{files} of {}, {versions}", binary_size(garbage.bytes()));
    match run {
        Some(run) => say(std::io::stdout(), format_args!("run {run}: removed {what}")),
        None => say(std::io::stdout(), format_args!("dry run: would remove {what}")),
    }
}

/// Prints what a verification has found to fit.
pub(super) fn verified(verified: &Verified) {
    let Verified { entries, rows, versions, files, bytes, head } = verified;
    let entries = thousands(*entries);
    let [rows, versions, files] = [(rows, "row"), (versions, "version"), (files, "file")]
        .map(|(number, noun)| counted(*number, noun));
    let head = match head {
        Some(head) => format!("the head in the warehouse is entry {}", head.sequence),
        None => "no head in the warehouse yet".into(),
    };
    let bytes = binary_size(*bytes);
    say(
        std::io::stdout(),
        format_args!("all fits: {entries} entries, {rows}, {versions}, {files} of {bytes}; {head}"),
    );
}

/// Writes the rows of a query to stdout. Tables need all rows to align them; the other forms
/// stream.
pub(super) struct RowWriter {
    format: OutputFormat,
    schema: SchemaRef,
    waiting: Vec<RecordBatch>,
    header: bool,
}

impl RowWriter {
    pub(super) fn new(format: OutputFormat, schema: SchemaRef) -> Self {
        Self { format, schema, waiting: vec![], header: true }
    }

    /// Writes some rows; tells whether somebody is still reading.
    pub(super) fn write(&mut self, batch: RecordBatch) -> Result<bool> {
        let mut text = vec![];
        let formatted = match self.format {
            OutputFormat::Table => {
                self.waiting.push(batch);
                return Ok(true);
            }
            OutputFormat::Csv => {
                let header = std::mem::replace(&mut self.header, false);
                WriterBuilder::new().with_header(header).build(&mut text).write(&batch)
            }
            OutputFormat::Json => {
                let options = JsonWriterBuilder::new().with_explicit_nulls(true);
                let mut writer = options.build::<_, LineDelimited>(&mut text);
                writer.write(&batch).and_then(|()| writer.finish())
            }
        };
        formatted.map_err(|error| {
            Error::sql("the result cannot be written in this format")
                .with_source(error)
                .with_hint("try --format json or --format table")
        })?;
        print(&text)
    }

    /// Writes what is left.
    pub(super) fn finish(mut self) -> Result<()> {
        let empty = RecordBatch::new_empty(Arc::clone(&self.schema));
        match self.format {
            OutputFormat::Csv if self.header => {
                self.write(empty)?;
            }
            OutputFormat::Csv | OutputFormat::Json => {}
            OutputFormat::Table => {
                self.waiting.push(empty);
                let table = pretty_format_batches(&self.waiting).map_err(|error| {
                    Error::internal("a result cannot be shown as a table").with_source(error)
                })?;
                print(format!("{table}\n").as_bytes())?;
            }
        }
        Ok(())
    }
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
