//! `pipeline sql`.

use super::args::SqlArgs;
use super::output::RowWriter;
use crate::config::Settings;
use crate::error::Result;
use crate::pipeline::query::Workbench;

pub(super) async fn run(args: SqlArgs) -> Result<()> {
    let settings = Settings::load_without_scripts(&args.overrides())?;
    let mut rows = Workbench::open(&settings).await?.start(&args.query).await?;
    let mut writer = RowWriter::new(args.format, rows.schema());
    while let Some(batch) = rows.next().await? {
        if !writer.write(batch)? {
            return Ok(());
        }
    }
    writer.finish()
}
