//! The only builder of DataFusion sessions: limits, spill folder, stores, catalog and functions.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{FairSpillPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::execution::session_state::SessionStateBuilder;
use datafusion::prelude::{SessionConfig, SessionContext};

use crate::config::Settings;
use crate::error::{Error, Result};
use crate::warehouse::Catalog;

/// How many of the largest consumers an error about the memory limit names.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::MIN.saturating_add(2);

/// A session over a catalog, with the limits of the settings and every function of `udfs`.
pub fn build(settings: &Settings, catalog: &Catalog) -> Result<SessionContext> {
    let stores = Arc::new(catalog.store().stores().clone());
    let mut runtime = RuntimeEnvBuilder::new().with_object_store_registry(stores);
    if let Some(limit) = settings.memory_limit {
        // Operators that can spill share what the others leave.
        let pool = TrackConsumersPool::new(FairSpillPool::new(limit), NAMED_CONSUMERS);
        runtime = runtime.with_memory_pool(Arc::new(pool));
    }
    if let Some(dir) = &settings.temp_dir {
        let mode = DiskManagerMode::Directories(vec![dir.clone()]);
        runtime = runtime.with_disk_manager_builder(DiskManagerBuilder::default().with_mode(mode));
    }
    let runtime = runtime.build_arc().map_err(|error| {
        let dir = settings.temp_dir.as_deref().unwrap_or(std::path::Path::new("the system's"));
        Error::io(format!("cannot use the folder for spill files ({})", dir.display()))
            .with_source(error)
            .with_hint("name a writable folder with --temp-dir")
    })?;

    let mut config = SessionConfig::new()
        .with_target_partitions(settings.partitions)
        .with_batch_size(settings.batch_size)
        .with_information_schema(true)
        .with_create_default_catalog_and_schema(false)
        .with_default_catalog_and_schema(crate::warehouse::CATALOG, "public");
    let options = config.options_mut();
    // Places in error messages come from these.
    options.sql_parser.collect_spans = true;
    // A source that is a folder is all files below it.
    options.execution.listing_table_ignore_subdirectory = false;

    let state = SessionStateBuilder::new_with_default_features()
        .with_config(config)
        .with_runtime_env(runtime)
        .build();
    let ctx = SessionContext::new_with_state(state);
    udfs::register_all(&ctx);
    catalog.register(&ctx);
    Ok(ctx)
}
