//! The rows of a query.

use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::csv::WriterBuilder;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::json::WriterBuilder as JsonWriterBuilder;
use datafusion::arrow::json::writer::LineDelimited;
use datafusion::arrow::util::pretty::pretty_format_batches;

use super::print;
use crate::cli::args::OutputFormat;
use crate::error::{Error, Result};

/// Writes the rows of a query to stdout. Tables need all rows to align them; the other forms
/// stream.
pub(in crate::cli) struct RowWriter {
    format: OutputFormat,
    schema: SchemaRef,
    waiting: Vec<RecordBatch>,
    header: bool,
}

impl RowWriter {
    pub(in crate::cli) fn new(format: OutputFormat, schema: SchemaRef) -> Self {
        Self { format, schema, waiting: vec![], header: true }
    }

    /// Writes some rows; tells whether somebody is still reading.
    pub(in crate::cli) fn write(&mut self, batch: RecordBatch) -> Result<bool> {
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
    pub(in crate::cli) fn finish(mut self) -> Result<()> {
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
