//! Layers and the relations in them.

use std::fmt;

use datafusion::common::TableReference;

use crate::error::{Error, Result};

/// A layer: a schema that the pipeline writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Layer {
    /// Events as they came, typed once.
    Raw,
    /// Cleaned events and features.
    Silver,
    /// Trained models.
    Models,
    /// Scores and metrics.
    Eval,
}

impl Layer {
    /// All layers in the order of the pipeline.
    pub const ALL: [Self; 4] = [Self::Raw, Self::Silver, Self::Models, Self::Eval];

    /// Its schema name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Silver => "silver",
            Self::Models => "models",
            Self::Eval => "eval",
        }
    }

    /// The layer of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|layer| layer.name() == name)
    }
}

/// A table or view in a layer, `silver.flows`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Relation {
    /// Its layer.
    pub layer: Layer,
    /// Its name.
    pub name: String,
}

impl Relation {
    /// The relation that `reference` names, where its schema is a layer.
    pub fn of(reference: &TableReference) -> Option<Self> {
        let layer = Layer::parse(reference.schema()?)?;
        Some(Self { layer, name: reference.table().to_owned() })
    }

    /// Like [`Relation::of`], for a statement that writes it. The name becomes a folder, so it is
    /// limited to what every store and file system keeps apart.
    pub fn written(reference: &TableReference) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        let relation = Self::of(reference).ok_or_else(|| {
            Error::sql(format!("`{reference}` is not in a layer that the pipeline writes"))
                .with_hint(format!(
                    "name one of raw, silver, models, eval: `silver.{}`",
                    reference.table()
                ))
        })?;
        if relation.name.is_empty()
            || relation.name.len() > 128
            || !relation.name.chars().all(allowed)
        {
            return Err(Error::sql(format!("`{reference}` is not a name for a relation"))
                .with_hint("use lower-case letters, digits and `_`, at most 128"));
        }
        Ok(relation)
    }

    /// Reads `layer.name`, as the audit store keeps it.
    pub fn parse(text: &str) -> Option<Self> {
        let (layer, name) = text.split_once('.')?;
        Some(Self { layer: Layer::parse(layer)?, name: name.to_owned() })
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.layer.name(), self.name)
    }
}
