//! `pipeline audit`: looks after the audit store itself.

use super::args::{AuditArgs, AuditCommand, MigrateArgs, VerifyArgs};
use super::exec::cancelled;
use super::output;
use crate::audit::AuditStore;
use crate::config::{AuditLocation, Settings};
use crate::error::Result;
use crate::pipeline::verify::{Scope, verify};

pub(super) async fn run(args: AuditArgs) -> Result<()> {
    match args.command {
        AuditCommand::Migrate(args) => migrate(&args).await,
        AuditCommand::Verify(args) => run_verify(&args).await,
    }
}

async fn migrate(args: &MigrateArgs) -> Result<()> {
    let settings = Settings::load_without_scripts(&args.overrides())?;
    let migrated = match &settings.audit {
        AuditLocation::Sqlite(path) => AuditStore::migrate_sqlite(path).await,
        AuditLocation::Postgres(url) => AuditStore::migrate_postgres(url.expose()).await,
    };
    let applied = migrated.map_err(|error| {
        error.with_hint(
            "check --audit or PIPELINE_AUDIT, and that the store can be reached and written",
        )
    })?;
    output::migrated(&applied, &settings.audit);
    Ok(())
}

async fn run_verify(args: &VerifyArgs) -> Result<()> {
    let settings = Settings::load_without_scripts(&args.overrides())?;
    let scope = match (args.no_data, args.current) {
        (true, _) => Scope::NoData,
        (false, true) => Scope::Current,
        (false, false) => Scope::All,
    };
    let verified = verify(&settings, scope, cancelled()?).await?;
    output::verified(&verified);
    Ok(())
}
