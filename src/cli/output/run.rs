//! A run as it goes, and what it has done.

use std::fmt;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::util::pretty::pretty_format_batches;
use indicatif::{ProgressBar, ProgressState, ProgressStyle};
use parking_lot::Mutex;

use super::{binary_size, counted, say, thousands};
use crate::audit::{RunId, StepState};
use crate::cli::args::LogFormat;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::pipeline::runner::RunSummary;
use crate::pipeline::{Observer, StepOutlook, StepSummary};
use crate::warehouse::Progress;

/// Tells a run's progress: one changing line on a terminal, one line per step elsewhere, nothing
/// where the log says it all in JSON.
pub(in crate::cli) struct Narrator {
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
    pub(in crate::cli) fn new(log_format: LogFormat, dry_run: bool) -> Self {
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

/// Prints the closing table of a run, also of one that failed, and what it has published.
pub(in crate::cli) fn closing(
    narrator: &Narrator,
    outcome: &Result<RunSummary>,
    settings: &Settings,
) {
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
