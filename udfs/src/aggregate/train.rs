//! What all training functions are: `train_x(features[, label], key[, options])`.

mod accumulator;
#[cfg(test)]
pub(crate) mod laws;

use std::fmt;
use std::hash::{Hash, Hasher};
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

use self::accumulator::TrainAccumulator;
use super::keys::Keys;
use super::options::{Options, check_names, literal, planned_literal};
use crate::detectors::categories::CategoryEncoding;
use crate::detectors::signature::Signature as ModelSignature;
use crate::detectors::training::{Hyperparameters, TrainingOptions};
use crate::doc::{Argument, FunctionDoc};
use crate::features;

/// A view: where the planner turns a model that a query uses twice into a column, every row
/// refers to one copy.
const MODEL_TYPE: DataType = DataType::BinaryView;

/// Options that every training function has.
const COMMON_OPTIONS: [&str; 2] = ["categories", "contamination"];

/// The first argument of every training function.
pub(super) const FEATURES: Argument = Argument {
    name: "features",
    types: "STRUCT of numbers (integer, float, decimal), booleans, timestamps, dates and strings",
    description: "The named features of a row, usually a struct literal. Numbers are compared as \
                  DOUBLE, so integers beyond 2^53 are rounded; timestamps as seconds since 1970 in \
                  UTC; strings are categories, counted exactly over all rows.",
};

/// The label of supervised training functions.
pub(super) const LABEL: Argument = Argument {
    name: "label",
    types: "BOOLEAN or a number that is 0 or 1",
    description: "Whether the row is an anomaly. Rows whose label is NULL are left out.",
};

/// The key of every training function.
pub(super) const KEY: Argument = Argument {
    name: "key",
    types: "integer, string or binary",
    description: "Identity of the row, which decides whether the row is in the sample. Equal keys \
                  are allowed; each row counts.",
};

/// What every training function says of its common options.
macro_rules! common_options {
    () => {
        "`categories` how strings become numbers (`'frequency'`: the share of the rows, at most \
         65536 categories, unseen ones 0; `'one_hot'`: a column for each, at most 256, unseen ones \
         all 0; default frequency); `contamination` share of anomalies, which sets the threshold \
         on the sample (in (0, 0.5])"
    };
}
pub(super) use common_options;

/// An algorithm, as SQL trains it.
pub(crate) trait Trainer: fmt::Debug + Send + Sync {
    /// The documentation of its function, which also names it.
    fn doc(&self) -> &'static FunctionDoc;

    /// Whether it has the argument `label`.
    fn is_supervised(&self) -> bool {
        false
    }

    /// Names of its own options.
    fn options(&self) -> &'static [&'static str];

    /// Reads its own options; an error names the option.
    fn parse(&self, options: &Options<'_>) -> Result<Arc<dyn Hyperparameters>>;
}

/// The aggregate function of an algorithm.
pub(crate) fn udaf(trainer: &'static dyn Trainer) -> Arc<AggregateUDF> {
    let arity = 2 + usize::from(trainer.is_supervised());
    let arities = vec![TypeSignature::Any(arity), TypeSignature::Any(arity + 1)];
    let signature = Signature::one_of(arities, Volatility::Immutable);
    Arc::new(AggregateUDF::from(Train { trainer, signature }))
}

/// The SQL function.
#[derive(Debug)]
struct Train {
    trainer: &'static dyn Trainer,
    signature: Signature,
}

impl PartialEq for Train {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Train {}

impl Hash for Train {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl AggregateUDFImpl for Train {
    fn name(&self) -> &str {
        self.trainer.doc().name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(MODEL_TYPE)
    }

    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        let signature = check_types(self.trainer, arguments)?;
        let metadata = [(features::METADATA_KEY.to_owned(), signature.to_string())];
        Ok(Arc::new(Field::new(self.name(), MODEL_TYPE, true).with_metadata(metadata.into())))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field =
            |name| Arc::new(Field::new(format_state_name(args.name, name), DataType::Binary, true));
        Ok(vec![field("sample"), field("categories")])
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    /// Changes nothing: it is the first moment at which options are known to be literal, so wrong
    /// ones are reported before anything runs.
    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        let trainer = self.trainer;
        Some(Box::new(move |function: AggregateFunction, _| {
            refuse_distinct(trainer, function.params.distinct)?;
            if let Some(expr) = function.params.args.get(options_position(trainer))
                && let Some(literal) = planned_literal(trainer.doc().name, "options", expr)?
            {
                parse_options(trainer, Some(literal))?;
            }
            Ok(Expr::AggregateFunction(function))
        }))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        refuse_distinct(self.trainer, args.is_distinct)?;
        let signature = check_types(self.trainer, args.expr_fields)?;
        let options = args.exprs.get(options_position(self.trainer));
        let literal = options.map(|expr| literal(self.name(), "options", expr)).transpose()?;
        let (hyperparameters, options) = parse_options(self.trainer, literal.as_ref())?;
        Ok(Box::new(TrainAccumulator::new(self.trainer, hyperparameters, options, signature)?))
    }
}

fn options_position(trainer: &dyn Trainer) -> usize {
    2 + usize::from(trainer.is_supervised())
}

/// Checks the types of the arguments and gives the features.
fn check_types(trainer: &dyn Trainer, arguments: &[FieldRef]) -> Result<ModelSignature> {
    let name = trainer.doc().name;
    let expected = options_position(trainer);
    if !(expected..=expected + 1).contains(&arguments.len()) {
        let got = arguments.len();
        return plan_err!("{name}: expected {expected} or {} arguments, got {got}", expected + 1);
    }
    let signature = features::signature(name, features::struct_fields(name, &arguments[0])?)?;
    if trainer.is_supervised() {
        let label = arguments[1].data_type();
        if !(label.is_numeric() || *label == DataType::Boolean || label.is_null()) {
            return plan_err!(
                "{name}: argument `label` must be a boolean or a number that is 0 or 1, got {label}"
            );
        }
    }
    let key = arguments[expected - 1].data_type();
    if !Keys::accepts(key) {
        return plan_err!(
            "{name}: argument `key` must be an integer, a string or binary, got {key}; hint: pass \
             the column that identifies a row"
        );
    }
    if let Some(options) = arguments.get(expected) {
        let mut known = [trainer.options(), &COMMON_OPTIONS].concat();
        known.sort_unstable();
        check_names(name, options, &known)?;
    }
    Ok(signature)
}

fn refuse_distinct(trainer: &dyn Trainer, is_distinct: bool) -> Result<()> {
    if is_distinct {
        return not_impl_err!(
            "{}: DISTINCT is not supported; hint: select distinct rows in a subquery",
            trainer.doc().name
        );
    }
    Ok(())
}

fn parse_options(
    trainer: &dyn Trainer,
    literal: Option<&ScalarValue>,
) -> Result<(Arc<dyn Hyperparameters>, TrainingOptions)> {
    let name = trainer.doc().name;
    let options = Options::new(name, literal.unwrap_or(&ScalarValue::Null));
    let encoding = match options.text("categories")? {
        Some(given) => CategoryEncoding::parse(&given).ok_or_else(|| {
            plan_datafusion_err!(
                "{name}: option `categories` must be 'frequency' or 'one_hot', got '{given}'"
            )
        })?,
        None => CategoryEncoding::default(),
    };
    let training = TrainingOptions::new(options.number("contamination")?, encoding)
        .map_err(|error| plan_datafusion_err!("{name}: option {error}"))?;
    Ok((trainer.parse(&options)?, training))
}

#[cfg(test)]
mod tests;
