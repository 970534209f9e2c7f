//! `pipeline model`: published models for other programs.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::args::{ModelArgs, ModelCommand, ModelExportArgs, ModelFormat};
use super::output;
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::pipeline::export;

pub(super) async fn run(args: ModelArgs) -> Result<()> {
    match args.command {
        ModelCommand::Export(args) => run_export(&args).await,
    }
}

async fn run_export(args: &ModelExportArgs) -> Result<()> {
    let target = match args.output.to_str() {
        Some("-") => None,
        _ => Some(target(&args.output, args.force)?),
    };
    let settings = Settings::load_without_scripts(&args.overrides())?;
    let model = export::find(&settings, &args.choice()).await?;
    let bytes = match args.format {
        ModelFormat::Onnx => export::to_onnx(&model)?,
        ModelFormat::Json => export::to_json(&model)?,
        ModelFormat::Binary => model,
    };
    match target {
        None => output::bytes(&bytes),
        Some(target) => {
            write(&target, &bytes).map_err(|error| unwritable(&args.output, error))?;
            output::exported(&args.output, bytes.len());
            Ok(())
        }
    }
}

/// The file to write: a new one, or with `force` the regular file that is there.
fn target(path: &Path, force: bool) -> Result<PathBuf> {
    let shown = path.display();
    match fs::metadata(path) {
        // A link to nothing is in the way too.
        Err(_) if path.is_symlink() && !force => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(path.to_owned()),
        Err(error) => return Err(unwritable(path, error)),
        Ok(found) if !found.is_file() => {
            return Err(Error::configuration(format!("{shown} is not a file"))
                .with_hint("name a file, or `-` for stdout"));
        }
        Ok(_) if force => return fs::canonicalize(path).map_err(|error| unwritable(path, error)),
        Ok(_) => {}
    }
    Err(Error::configuration(format!("{shown} exists already"))
        .with_hint("name another file, or replace this one with --force"))
}

/// Writes a file that is whole wherever it is seen.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let part = path.with_file_name(format!(".{name}.{}.part", std::process::id()));
    let file = OpenOptions::new().write(true).create_new(true).open(&part)?;
    let fill = |mut file: File| file.write_all(bytes).and_then(|()| file.sync_all());
    fill(file).and_then(|()| fs::rename(&part, path)).inspect_err(|_| {
        // The first failure is told; a second one would hide it.
        let _ = fs::remove_file(&part);
    })
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    let message = format!("cannot write {}", path.display());
    let failed = match error.kind() {
        io::ErrorKind::NotFound => Error::configuration(message).with_hint("its folder must exist"),
        io::ErrorKind::PermissionDenied | io::ErrorKind::NotADirectory => {
            Error::configuration(message)
        }
        _ => Error::io(message),
    };
    failed.with_source(error)
}
