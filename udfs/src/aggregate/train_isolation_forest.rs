//! `train_isolation_forest(features, key[, options])`.

mod accumulator;

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, ScalarValue, not_impl_err, plan_datafusion_err, plan_err};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, TypeSignature, Volatility,
};
use linfa::ParamGuard;

use self::accumulator::IsolationForestAccumulator;
use super::keys::Keys;
use super::options::{self, Options};
use crate::detectors::isolation_forest::{IsolationForest, IsolationForestValidParams};
use crate::detectors::model::Signature as ModelSignature;
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::features;

const NAME: &str = "train_isolation_forest";
/// A view: where the planner turns a model that a query uses twice into a column, every row
/// refers to one copy.
const MODEL_TYPE: DataType = DataType::BinaryView;
const OPTIONS: [&str; 5] = ["n_estimators", "max_samples", "max_depth", "contamination", "seed"];

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Aggregate,
    summary: "Trains an isolation forest, which scores rows by how few random cuts separate them \
              from the others.",
    syntax: "train_isolation_forest(features, key[, options])",
    arguments: &[
        Argument {
            name: "features",
            types: "STRUCT of numbers (integer, float, decimal) and booleans",
            description: "The named features of a row, usually a struct literal. Numbers are \
                          compared as DOUBLE, so integers beyond 2^53 are rounded.",
        },
        Argument {
            name: "key",
            types: "integer, string or binary",
            description: "Identity of the row, which decides whether the row is in the sample. \
                          Equal keys are allowed; each row counts.",
        },
        Argument {
            name: "options",
            types: "STRUCT",
            description: "Literal, any subset of: `n_estimators` trees (1 to 10000, default 100); \
                          `max_samples` rows per tree (from 2, default 256; `n_estimators` x \
                          `max_samples` at most 16777216); `max_depth` height limit (1 to 64, \
                          default log2 of the rows per tree, rounded up); `contamination` share \
                          of anomalies, which sets the threshold (in (0, 0.5], default none: \
                          threshold 0.5); `seed` (integer from 0, default 42). NULL is the default.",
        },
    ],
    returns: "BINARY: a model for `anomaly_score`, `is_anomaly` and `model_info`. The metadata \
              `udfs.model.features` of its field lists `name:kind` of the features, comma \
              separated, a backslash before backslash, colon and comma in names.",
    nulls: "A NULL or NaN feature is missing: a fair coin in each node says where such rows go, \
            and rare gaps are cut off as anomalies are. A NULL struct is a row with all features \
            missing. Infinities count as the largest finite numbers. A NULL key is an error.",
    empty: "NULL for no rows. One row, or rows that are all equal, give a model that scores 0.5.",
    errors: "While planning: features that are not a struct of numbers and booleans, a key of \
             another type, an option that is unknown. While optimising: an option that is not \
             literal or out of range, DISTINCT. While running: a NULL key.",
    determinism: "The same rows, options and seed give the same bytes, whatever the batches, \
                  partitions, files or order: training keeps the `n_estimators` x `max_samples` \
                  rows with the smallest seeded hash of the key.",
    cost: "One hash per row; at most twice the sample in memory; the fit does not depend on the \
           number of rows. As a window function it is fitted anew for each row, and frames that \
           drop rows are refused.",
    example: "SELECT model_info(train_isolation_forest({bytes: value * value}, value))\
              ['training_rows'] FROM generate_series(1, 1000)",
    example_result: "1000",
    source: "Liu, Ting, Zhou 2008, Isolation Forest, ICDM, algorithms 1 and 2; the coin for \
             missing values is ours.",
    related: &["anomaly_score", "is_anomaly", "model_info"],
    since: "0.1.0",
};

/// The SQL function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct TrainIsolationForest {
    signature: Signature,
}

/// The aggregate function.
pub(crate) fn udaf() -> Arc<AggregateUDF> {
    Arc::new(AggregateUDF::from(TrainIsolationForest::new()))
}

impl TrainIsolationForest {
    fn new() -> Self {
        let arities = vec![TypeSignature::Any(2), TypeSignature::Any(3)];
        Self { signature: Signature::one_of(arities, Volatility::Immutable) }
    }
}

impl AggregateUDFImpl for TrainIsolationForest {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(MODEL_TYPE)
    }

    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        let signature = check_types(arguments)?;
        let metadata = [(features::METADATA_KEY.to_owned(), signature.to_string())];
        Ok(Arc::new(Field::new(NAME, MODEL_TYPE, true).with_metadata(metadata.into())))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let name = format_state_name(args.name, "sample");
        Ok(vec![Arc::new(Field::new(name, DataType::Binary, true))])
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    /// Changes nothing: it is the first moment at which options are known to be literal, so wrong
    /// ones are reported before anything runs.
    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        Some(Box::new(|function: AggregateFunction, _| {
            refuse_distinct(function.params.distinct)?;
            if let Some(expr) = function.params.args.get(2)
                && let Some(literal) = options::planned_literal(NAME, "options", expr)?
            {
                parse_options(Some(literal))?;
            }
            Ok(Expr::AggregateFunction(function))
        }))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(args.is_distinct)?;
        let signature = check_types(args.expr_fields)?;
        let literal = |expr| options::literal(NAME, "options", expr);
        let literal = args.exprs.get(2).map(literal).transpose()?;
        let params = parse_options(literal.as_ref())?;
        Ok(Box::new(IsolationForestAccumulator::new(params, signature)?))
    }
}

/// Checks the types of the arguments and gives the features.
fn check_types(arguments: &[FieldRef]) -> Result<ModelSignature> {
    let [features, key, options @ ..] = arguments else {
        return plan_err!("{NAME}: expected 2 or 3 arguments, got {}", arguments.len());
    };
    let signature = features::signature(NAME, features::struct_fields(NAME, features)?)?;
    if !Keys::accepts(key.data_type()) {
        return plan_err!(
            "{NAME}: argument `key` must be an integer, a string or binary, got {}; hint: pass \
             the column that identifies a row",
            key.data_type()
        );
    }
    for options in options {
        options::check_names(NAME, options, &OPTIONS)?;
    }
    Ok(signature)
}

fn refuse_distinct(is_distinct: bool) -> Result<()> {
    if is_distinct {
        return not_impl_err!(
            "{NAME}: DISTINCT is not supported; hint: select distinct rows in a subquery"
        );
    }
    Ok(())
}

fn parse_options(literal: Option<&ScalarValue>) -> Result<IsolationForestValidParams> {
    let mut params = IsolationForest::params();
    if let Some(literal) = literal {
        let options = Options::new(NAME, literal);
        if let Some(trees) = options.integer("n_estimators")? {
            params = params.n_estimators(trees);
        }
        if let Some(rows) = options.integer("max_samples")? {
            params = params.max_samples(rows);
        }
        if let Some(seed) = options.integer("seed")? {
            params = params.seed(seed);
        }
        params = params
            .max_depth(options.integer("max_depth")?)
            .contamination(options.number("contamination")?);
    }
    params.check().map_err(|error| plan_datafusion_err!("{NAME}: option {error}"))
}

#[cfg(test)]
mod tests;
