//! What follows `pipeline model`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::settings::SettingsArgs;
use crate::audit::RunId;
use crate::config::Overrides;
use crate::pipeline::export::Choice;

/// `pipeline model`.
#[derive(Debug, Args)]
pub struct ModelArgs {
    /// What to do with it.
    #[command(subcommand)]
    pub command: ModelCommand,
}

/// The subcommands of `pipeline model`.
#[derive(Debug, Subcommand)]
pub enum ModelCommand {
    /// Write a published model to a file, for other programs
    Export(ModelExportArgs),
}

/// `pipeline model export`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  pipeline model export models.isolation_forest --format onnx --output forest.onnx
  pipeline model export models.isolation_forest@20260131T235959123Z-1f2e3d --format onnx --output forest.onnx
  pipeline model export models.isolation_forest --format json --output -
  pipeline model export models.by_protocol --where \"protocol = 'tcp'\" --format binary --output tcp.model

An ONNX file has one input per feature, a column of DOUBLE or STRING, and the outputs `score` and
`is_anomaly`. A missing value is NaN, or the text \\N. It is written for isolation forests; any
runtime with TreeEnsemble of ai.onnx.ml 5 runs it, as onnxruntime does since 1.21.")]
pub struct ModelExportArgs {
    /// The table or view that holds the model, as published now or when RUN had ended
    #[arg(value_name = "RELATION[@RUN]", value_parser = relation)]
    relation: (String, Option<RunId>),

    /// Form of the file
    #[arg(long, value_name = "FORMAT")]
    pub format: ModelFormat,

    /// The file to write; `-` is stdout
    #[arg(long, short, value_name = "FILE")]
    pub output: PathBuf,

    /// Replace the file where there is one
    #[arg(long)]
    pub force: bool,

    /// Condition that only the row with the model meets, where there are several
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,

    /// Column that holds the model [default: the one of type BINARY]
    #[arg(long, value_name = "NAME")]
    column: Option<String>,

    #[command(flatten)]
    settings: SettingsArgs,
}

/// Form of an exported model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ModelFormat {
    /// A graph of ONNX that scores rows.
    Onnx,
    /// All that the model is as text: what `model_from_json` reads.
    Json,
    /// As in the table: what `anomaly_score` reads.
    Binary,
}

impl ModelExportArgs {
    /// Which model.
    pub fn choice(&self) -> Choice {
        let (relation, run) = self.relation.clone();
        Choice { relation, run, column: self.column.clone(), condition: self.condition.clone() }
    }

    /// What stands above the configuration file.
    pub fn overrides(&self) -> Overrides {
        self.settings.overrides()
    }
}

fn relation(text: &str) -> Result<(String, Option<RunId>), String> {
    let (relation, run) = match text.rsplit_once('@') {
        Some((relation, run)) => (relation, Some(run)),
        None => (text, None),
    };
    if relation.is_empty() || run == Some("") {
        return Err(format!("`{text}` is not RELATION or RELATION@RUN"));
    }
    Ok((relation.to_owned(), run.map(RunId::new)))
}
