//! Runs every `tests/slt/**/*.slt` once per setting of batch size and partitions, each in a fresh
//! session with all functions: an answer that depends on how the rows are cut fails.
//!
//! `cargo test --test slt -- roc_auc` runs the files with that name.
//! `SLT_COMPLETE=1 cargo test --test slt` writes the answers into the files instead: read the
//! difference before you keep it.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use datafusion::arrow::array::{Array, AsArray, RecordBatch};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::error::{DataFusionError, Result};
use datafusion::prelude::{SessionConfig, SessionContext};
use libtest_mimic::{Arguments, Trial};
use sqllogictest::{
    AsyncDB, DBOutput, DefaultColumnType, Runner, default_normalizer, default_validator,
    strict_column_validator,
};

/// Batch sizes and partitions under which every file runs. The first one writes the answers.
const SETTINGS: [(usize, usize); 6] = [(8192, 1), (8192, 4), (3, 1), (3, 4), (1, 1), (1, 4)];

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let arguments = Arguments::from_args();
    #[allow(clippy::disallowed_methods, reason = "a switch of the test runner, not of the driver")]
    let complete = std::env::var("SLT_COMPLETE").is_ok();
    let settings = if complete { &SETTINGS[..1] } else { &SETTINGS[..] };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slt");
    let mut trials = vec![];
    for file in slt_files(&folder)? {
        for &(batch_size, partitions) in settings {
            let file = file.clone();
            let name = file.strip_prefix(&folder)?.display();
            let name = format!("{name} batch_size={batch_size} partitions={partitions}");
            trials.push(Trial::test(name, move || {
                run(&file, batch_size, partitions, complete)
                    .map_err(|error| error.to_string().into())
            }));
        }
    }
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

/// All slt files below `folder`, sorted.
fn slt_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = vec![];
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(slt_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "slt") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Runs or completes one file under one setting.
#[tokio::main]
async fn run(
    file: &Path,
    batch_size: usize,
    partitions: usize,
    complete: bool,
) -> Result<(), Box<dyn Error>> {
    let mut runner = Runner::new(|| async move { Ok(Session::new(batch_size, partitions)) });
    runner.with_column_validator(strict_column_validator);
    if complete {
        let (validator, normalizer) = (default_validator, default_normalizer);
        runner.update_test_file(file, " ", validator, normalizer, strict_column_validator).await?;
    } else {
        runner.run_file_async(file).await?;
    }
    Ok(())
}

/// A session with all functions.
struct Session(SessionContext);

impl Session {
    fn new(batch_size: usize, partitions: usize) -> Self {
        let config = SessionConfig::new()
            .with_batch_size(batch_size)
            .with_target_partitions(partitions)
            .with_information_schema(true);
        #[allow(clippy::disallowed_methods, reason = "the functions are tested without the driver")]
        let context = SessionContext::new_with_config(config);
        udfs::register_all(&context);
        Self(context)
    }
}

#[async_trait::async_trait]
impl AsyncDB for Session {
    type Error = DataFusionError;
    type ColumnType = DefaultColumnType;

    async fn run(&mut self, sql: &str) -> Result<DBOutput<DefaultColumnType>> {
        let frame = self.0.sql(sql).await?;
        let schema = frame.schema().inner().clone();
        let batches = frame.collect().await?;
        if schema.fields().is_empty() {
            return Ok(DBOutput::StatementComplete(0));
        }
        let types = schema.fields().iter().map(|field| column_type(field.data_type())).collect();
        let mut rows = vec![];
        for batch in &batches {
            for row in 0..batch.num_rows() {
                rows.push(cells(batch, row)?);
            }
        }
        Ok(DBOutput::Rows { types, rows })
    }

    async fn shutdown(&mut self) {}
}

fn column_type(data_type: &DataType) -> DefaultColumnType {
    match data_type {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => DefaultColumnType::Text,
        integer if integer.is_integer() => DefaultColumnType::Integer,
        number if number.is_numeric() => DefaultColumnType::FloatingPoint,
        _ => DefaultColumnType::Any,
    }
}

fn cells(batch: &RecordBatch, row: usize) -> Result<Vec<String>> {
    batch.columns().iter().map(|column| cell(column, row)).collect()
}

/// One value as text: floats rounded to 12 places, so that a test never hangs on the last bit.
fn cell(column: &dyn Array, row: usize) -> Result<String> {
    if column.is_null(row) {
        return Ok("NULL".to_string());
    }
    if column.data_type().is_floating() {
        let value = cast(&column.slice(row, 1), &DataType::Float64)?;
        return Ok(float(value.as_primitive::<Float64Type>().value(0)));
    }
    let text = array_value_to_string(column, row)?;
    Ok(if text.is_empty() { "(empty)".to_string() } else { text })
}

fn float(value: f64) -> String {
    if !value.is_finite() {
        return value.to_string();
    }
    let text = format!("{value:.12}");
    match text.trim_end_matches('0').trim_end_matches('.') {
        "-0" => "0".to_string(),
        text => text.to_string(),
    }
}
