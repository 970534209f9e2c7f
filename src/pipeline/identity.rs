//! A step's identity: the hash of everything its result depends on. A version with the same
//! identity stands in for running the step again.

use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::error::Result as DataFusionResult;
use datafusion::logical_expr::{Expr, LogicalPlan, Volatility};

use super::params::Bound;
use super::script::Statement;
use crate::audit::{LineageRecord, VersionRecord};
use crate::warehouse::{Input, Manifest, StepManifest, Unknown};

/// What a step's result depends on.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    /// The identity, or why it has none.
    pub(super) hash: Result<String, String>,
    /// What it is made of, as the manifest keeps it.
    pub(super) step: StepManifest,
}

impl Identity {
    /// `base` is the version that an `INSERT` continues; `settings` are the `SET`s before.
    pub(super) fn new(
        statement: &Statement,
        bound: &Bound,
        plan: Option<&LogicalPlan>,
        inputs: &[Input],
        base: Option<&VersionRecord>,
        settings: &[String],
    ) -> DataFusionResult<Self> {
        let step = StepManifest {
            at: format!("{}:{}", statement.file, statement.line),
            sql: statement.sql.clone(),
            sql_hash: sql_hash(statement),
            parameters: bound.used.clone(),
            engine: engine().into_iter().chain(settings.iter().cloned()).collect(),
        };
        let unstable = plan.map(unstable_function).transpose()?.flatten();
        let unknown = inputs.iter().find_map(|input| Some((input, input.digest.as_ref().err()?)));
        let hash = match (unstable, unknown) {
            (Some(function), _) => Err(format!("{function}() gives another result each time")),
            (None, Some((input, Unknown::NotVersioned))) => {
                Err(format!("the content of {} is not versioned", input.relation))
            }
            (None, Some((input, Unknown::NotMade))) => {
                Err(format!("input {} would change", input.relation))
            }
            (None, None) => {
                let mut hasher = blake3::Hasher::new();
                // Every part ends with a line break that its hash or JSON cannot contain.
                let mut add = |part: String| {
                    hasher.update(part.as_bytes());
                    hasher.update(b"\n");
                };
                add("pipeline step 1".into());
                add(step.sql_hash.clone());
                add(serde_json::json!(step.parameters).to_string());
                add(serde_json::json!(step.engine).to_string());
                add(base.map_or_else(String::new, |base| base.fingerprint.clone()));
                for input in inputs {
                    add(serde_json::json!([input.relation, input.digest.as_ref().ok()]).to_string());
                }
                Ok(hasher.finalize().to_hex().to_string())
            }
        };
        Ok(Self { hash, step })
    }

    /// Why a step runs although `previous` made its relation before.
    pub(super) fn difference(&self, inputs: &[Input], previous: &Manifest) -> String {
        let before = &previous.step;
        if before.sql_hash != self.step.sql_hash {
            return "SQL changed".into();
        }
        for (name, value) in &self.step.parameters {
            if let Some(old) = before.parameters.get(name).filter(|old| *old != value) {
                return format!("parameter {name} changed from {old} to {value}");
            }
        }
        if before.engine != self.step.engine {
            return "engine or settings changed".into();
        }
        let changed = inputs.iter().find(|input| {
            let of_input = |record: &&LineageRecord| record.relation == input.relation;
            let old: Vec<_> = previous.inputs.iter().filter(of_input).map(content).collect();
            let new: Vec<_> = input.lineage.iter().map(content).collect();
            old != new
        });
        match changed {
            Some(input) => format!("input {} changed", input.relation),
            None => "its earlier result is gone".into(),
        }
    }
}

/// What of an input's record tells its content: a version's fingerprint, an object's tag.
fn content(record: &LineageRecord) -> impl PartialEq + use<> {
    match &record.fingerprint {
        Some(fingerprint) => (fingerprint.clone(), None, None),
        None => (record.source.clone(), record.etag.clone(), record.size),
    }
}

/// Hash of a statement's canonical text: blanks and comments do not matter, parameters are names.
pub(super) fn sql_hash(statement: &Statement) -> String {
    blake3::hash(statement.ast.to_string().as_bytes()).to_hex().to_string()
}

/// Versions of everything that computes.
fn engine() -> [String; 2] {
    [
        format!("pipeline {}", env!("CARGO_PKG_VERSION")),
        format!("datafusion {}", datafusion::DATAFUSION_VERSION),
    ]
}

/// The first function whose result depends on more than its arguments.
fn unstable_function(plan: &LogicalPlan) -> DataFusionResult<Option<String>> {
    let mut found = None;
    plan.apply_with_subqueries(|node| {
        node.apply_expressions(|expr| {
            expr.apply(|expr| {
                if let Expr::ScalarFunction(call) = expr
                    && call.func.signature().volatility != Volatility::Immutable
                {
                    found = Some(call.func.name().to_owned());
                    return Ok(TreeNodeRecursion::Stop);
                }
                Ok(TreeNodeRecursion::Continue)
            })
        })
    })?;
    Ok(found)
}
