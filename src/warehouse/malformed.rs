//! Finds the row that a parallel read tripped over. A reader of a byte range does not know its
//! line number, so after a failure the text files of a source are read once more from the start.

use std::sync::Arc;

use datafusion::arrow::csv::ReaderBuilder as CsvReaderBuilder;
use datafusion::arrow::csv::reader::Format as CsvFormatOptions;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::arrow::error::ArrowError;
use datafusion::arrow::json::ReaderBuilder as JsonReaderBuilder;
use datafusion::datasource::file_format::csv::CsvFormat;
use datafusion::datasource::file_format::file_compression_type::FileCompressionType;
use datafusion::datasource::file_format::json::JsonFormat;
use datafusion::error::{DataFusionError, Result as DataFusionResult};
use datafusion::object_store::{ObjectMeta, ObjectStore, ObjectStoreExt};
use futures::{StreamExt, TryStreamExt};

use super::landing::{OpenSource, Part};
use super::listing::shown;
use crate::error::{Error, ErrorKind};

const BATCH: usize = 1024;

/// The first malformed row of a source, as an error that names file and line. `None` where all
/// files read well, or where they cannot be read at all.
pub(super) async fn find(source: &OpenSource, store: &Arc<dyn ObjectStore>) -> Option<Error> {
    for part in &source.parts {
        for file in &part.files {
            if let Ok(Some(message)) = first_error(part, file, &source.schema, store).await {
                return Some(
                    Error::new(
                        ErrorKind::Data,
                        format!(
                            "source `{}`: malformed row in {}",
                            source.name,
                            shown(&source.url, file)
                        ),
                    )
                    .with_context("row", message)
                    .with_hint(format!("correct the file; or, where the type is guessed from the first rows, give the column one with `types = {{ column = \"VARCHAR\" }}` in [sources.{}]", source.name)),
                );
            }
        }
    }
    None
}

async fn first_error(
    part: &Part,
    file: &ObjectMeta,
    schema: &SchemaRef,
    store: &Arc<dyn ObjectStore>,
) -> DataFusionResult<Option<String>> {
    let bytes = store.get(&file.location).await?.into_stream().map_err(DataFusionError::from);
    let compression = part.format.compression_type().unwrap_or(FileCompressionType::UNCOMPRESSED);
    let chunks = compression.convert_stream(bytes.boxed())?;
    let format: &dyn std::any::Any = part.format.as_ref();
    let outcome = if let Some(csv) = format.downcast_ref::<CsvFormat>() {
        read_csv(csv, schema, chunks).await
    } else if format.is::<JsonFormat>() {
        read_json_lines(schema, chunks).await
    } else {
        Ok(())
    };
    Ok(outcome.err().map(|error| lines_from_one(&error.to_string())))
}

/// Arrow counts the lines of wrong values from 0, those of wrong widths from 1.
fn lines_from_one(message: &str) -> String {
    const BEFORE: &str = " at line ";
    let is_value = message.starts_with("Parser error");
    let Some((head, tail)) = message.split_once(BEFORE).filter(|_| is_value) else {
        return message.to_owned();
    };
    let digits = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
    match tail[..digits].parse::<usize>() {
        Ok(line) => format!("{head}{BEFORE}{}{}", line + 1, &tail[digits..]),
        Err(_) => message.to_owned(),
    }
}

type Chunks = futures::stream::BoxStream<'static, DataFusionResult<bytes::Bytes>>;

async fn read_csv(
    format: &CsvFormat,
    schema: &SchemaRef,
    mut chunks: Chunks,
) -> Result<(), ArrowError> {
    let options = format.options();
    let mut reading = CsvFormatOptions::default()
        .with_header(options.has_header.unwrap_or(true))
        .with_delimiter(options.delimiter)
        .with_quote(options.quote);
    if let Some(escape) = options.escape {
        reading = reading.with_escape(escape);
    }
    if let Some(comment) = options.comment {
        reading = reading.with_comment(comment);
    }
    let mut decoder = CsvReaderBuilder::new(schema.clone())
        .with_format(reading)
        .with_batch_size(BATCH)
        .build_decoder();
    while let Some(Ok(chunk)) = chunks.next().await {
        let mut rest = chunk.as_ref();
        while !rest.is_empty() {
            let used = decoder.decode(rest)?;
            rest = &rest[used..];
            if used == 0 || decoder.capacity() == 0 {
                decoder.flush()?;
            }
        }
    }
    decoder.decode(&[])?;
    decoder.flush().map(|_| ())
}

async fn read_json_lines(schema: &SchemaRef, mut chunks: Chunks) -> Result<(), ArrowError> {
    let mut line_number = 0;
    let mut line = vec![];
    loop {
        let chunk = match chunks.next().await {
            Some(Ok(chunk)) => chunk,
            _ => break,
        };
        for byte in chunk {
            line.push(byte);
            if byte == b'\n' {
                line_number += 1;
                json_line(schema, &line, line_number)?;
                line.clear();
            }
        }
    }
    json_line(schema, &line, line_number + 1)
}

fn json_line(schema: &SchemaRef, line: &[u8], number: usize) -> Result<(), ArrowError> {
    let mut decoder = JsonReaderBuilder::new(schema.clone()).build_decoder()?;
    let read = decoder.decode(line).and_then(|_| decoder.flush());
    read.map(|_| ()).map_err(|error| ArrowError::JsonError(format!("{error} at line {number}")))
}
