//! What a statement reads: for its identity, and for its lineage.

use chrono::{DateTime, Utc};
use datafusion::catalog::SchemaProvider;
use datafusion::common::TableReference;
use datafusion::datasource::listing::ListingTable;
use datafusion::execution::SessionState;
use datafusion::object_store::ObjectMeta;
use futures::TryStreamExt;

use super::catalog::{Catalog, LANDING};
use super::relation::Relation;
use super::store::io_failure;
use crate::audit::{InputKind, LineageRecord};
use crate::config::SourceSettings;
use crate::error::{Error, Result};

/// One input of a statement, as its identity and its lineage see it.
#[derive(Debug, Clone)]
pub struct Input {
    /// `raw.events`, `landing.events`.
    pub relation: String,
    /// A text that changes when the content changes.
    pub digest: Result<String, Unknown>,
    /// Its records in the lineage.
    pub lineage: Vec<LineageRecord>,
}

/// Why the content of an input cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// Nobody keeps versions of it: the audit store, the information schema.
    NotVersioned,
    /// A dry run has not made it.
    NotMade,
}

/// A query inside the catalog whose inputs are inputs too: of a view, or of a source.
struct Nested(String);

impl Catalog {
    /// The inputs behind some references, through views and source queries, each once, by name.
    pub async fn inputs(&self, references: Vec<TableReference>) -> Result<Vec<Input>> {
        let state = self.session_state()?;
        let mut inputs: Vec<Input> = vec![];
        let mut waiting = references;
        while let Some(reference) = waiting.pop() {
            let relation = Relation::of(&reference);
            let name = relation.map_or_else(|| reference.to_string(), |r| r.to_string());
            let is_function = reference.schema().is_none()
                && state.table_functions().contains_key(reference.table());
            if is_function || inputs.iter().any(|input| input.relation == name) {
                continue;
            }
            let (input, nested) = self.input(name, &reference, &state).await?;
            inputs.push(input);
            if let Some(Nested(query)) = nested {
                waiting.extend(self::references(&query, &state)?);
            }
        }
        inputs.sort_by(|a, b| a.relation.cmp(&b.relation));
        Ok(inputs)
    }

    async fn input(
        &self,
        name: String,
        reference: &TableReference,
        state: &SessionState,
    ) -> Result<(Input, Option<Nested>)> {
        if let Some(relation) = Relation::of(reference) {
            let entry = self.entry(&relation);
            let nested = entry.as_ref().and_then(|e| e.definition()).map(|d| Nested(d.to_owned()));
            let version = entry.as_ref().and_then(|entry| entry.version());
            let input = Input {
                relation: name,
                digest: version.map(|version| version.fingerprint.clone()).ok_or(Unknown::NotMade),
                lineage: version.map(LineageRecord::version).into_iter().collect(),
            };
            return Ok((input, nested));
        }
        if reference.schema() == Some(LANDING) {
            let source = reference.table();
            if self.externals().table(source).await.map_err(unlistable(&name))?.is_some() {
                let objects =
                    self.external_objects(source, state).await.map_err(unlistable(&name))?;
                return Ok((objects_input(name, objects, ""), None));
            }
            match self.landing().get(source) {
                Some(SourceSettings::Query { query }) => {
                    let record = LineageRecord::query(&name, query);
                    let input =
                        Input { relation: name, digest: Ok(query.clone()), lineage: vec![record] };
                    return Ok((input, Some(Nested(query.clone()))));
                }
                Some(settings @ SourceSettings::Files { .. }) => {
                    let open = self.source(source).await?;
                    let objects: Vec<_> = open
                        .iter()
                        .flat_map(|open| open.objects())
                        .map(|(uri, meta)| (uri, meta.clone()))
                        .collect();
                    let reading = serde_json::json!(settings).to_string();
                    return Ok((objects_input(name, objects, &reading), None));
                }
                None => {}
            }
        }
        // The audit store, the information schema: their content is not versioned.
        Ok((Input { relation: name, digest: Err(Unknown::NotVersioned), lineage: vec![] }, None))
    }

    /// The objects behind `CREATE EXTERNAL TABLE`.
    async fn external_objects(
        &self,
        name: &str,
        state: &SessionState,
    ) -> datafusion::error::Result<Vec<(String, ObjectMeta)>> {
        let mut objects = vec![];
        let Some(table) = self.externals().table(name).await? else {
            return Ok(objects);
        };
        let table: &dyn std::any::Any = table.as_ref();
        let Some(listing) = table.downcast_ref::<ListingTable>() else {
            return Ok(objects);
        };
        for url in listing.table_paths() {
            let store = state.runtime_env().object_store(url)?;
            let extension = &listing.options().file_extension;
            let files: Vec<ObjectMeta> =
                url.list_all_files(state, store.as_ref(), extension).await?.try_collect().await?;
            let base = url.object_store();
            objects
                .extend(files.into_iter().map(|f| (format!("{}{}", base.as_str(), f.location), f)));
        }
        Ok(objects)
    }
}

/// What the query of a view or a source reads.
pub(super) fn references(query: &str, state: &SessionState) -> Result<Vec<TableReference>> {
    let dialect = state.config_options().sql_parser.dialect;
    state
        .sql_to_statement(query, &dialect)
        .and_then(|statement| state.resolve_table_references(&statement))
        .map_err(|error| {
            Error::sql("a stored query cannot be read")
                .with_context("query", query)
                .with_source(error)
        })
}

fn unlistable(name: &str) -> impl Fn(datafusion::error::DataFusionError) -> Error {
    let message = format!("cannot list the files of {name}");
    move |error| io_failure(error, message.clone())
}

fn objects_input(relation: String, objects: Vec<(String, ObjectMeta)>, reading: &str) -> Input {
    let lineage: Vec<_> = objects
        .into_iter()
        .map(|(uri, meta)| LineageRecord {
            relation: relation.clone(),
            kind: InputKind::Object,
            source: uri,
            fingerprint: None,
            size: Some(meta.size as i64),
            etag: meta.e_tag,
            modified: Some(microseconds(meta.last_modified)),
        })
        .collect();
    let mut digest = blake3::Hasher::new();
    digest.update(reading.as_bytes());
    for object in &lineage {
        digest.update(format!("{object:?}\n").as_bytes());
    }
    // A table without listed objects is none that can be compared.
    let digest = match lineage.is_empty() {
        true => Err(Unknown::NotVersioned),
        false => Ok(digest.finalize().to_hex().to_string()),
    };
    Input { relation, digest, lineage }
}

/// The audit store keeps microseconds.
fn microseconds(time: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.timestamp_micros()).unwrap_or(time)
}
