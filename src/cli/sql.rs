//! `pipeline sql`.

use super::args::SqlArgs;
use super::output::RowWriter;
use crate::config::Settings;
use crate::error::Result;
use crate::pipeline::query;
use futures::StreamExt;

pub(super) async fn run(args: SqlArgs) -> Result<()> {
    let settings = Settings::load_without_scripts(&args.overrides())?;
    let mut stream = query::start(&settings, &args.query).await?;
    let mut writer = RowWriter::new(args.format, stream.schema());
    while let Some(batch) = stream.next().await {
        writer.write(batch.map_err(query::read_error)?)?;
    }
    writer.finish()
}
