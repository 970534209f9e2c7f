//! What was done to the audit store and the warehouse, and what was taken out of it.

use std::path::Path;

use comfy_table::{CellAlignment, Table, presets};

use super::{binary_size, counted, say, thousands};
use crate::config::AuditLocation;
use crate::pipeline::gc::Collected;
use crate::pipeline::verify::Verified;

/// Prints which migrations the audit store has taken.
pub(in crate::cli) fn migrated(applied: &[&str], audit: &AuditLocation) {
    let done = match applied {
        [] => "is up to date".to_owned(),
        names => format!("took {}", names.join(", ")),
    };
    say(std::io::stdout(), format_args!("{audit} {done}"));
}

/// Prints what `gc` has removed or would remove.
pub(in crate::cli) fn collected(collected: &Collected) {
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

/// Prints where a model was written.
pub(in crate::cli) fn exported(path: &Path, bytes: usize) {
    let size = binary_size(bytes as u64);
    say(std::io::stdout(), format_args!("wrote {} ({size})", path.display()));
}

/// Prints what a verification has found to fit.
pub(in crate::cli) fn verified(verified: &Verified) {
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
