//! What all metrics share: two columns and at most one literal as arguments, rows with NULL
//! skipped, and a state that is a commutative monoid.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::cast::as_float64_array;
use datafusion::common::{Result, exec_datafusion_err, not_impl_err, plan_err};
use datafusion::logical_expr::expr::AggregateFunction;
use datafusion::logical_expr::function::{
    AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs,
};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Expr, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::metric_parameter::{Parameter, ParameterType};
use super::metric_value::MetricValue;
use super::options;
use crate::doc::FunctionDoc;
use crate::metrics::MetricError;

/// The columns come first, then the literal of the functions that have one.
const COLUMNS: usize = 2;

/// Changes a state by the two values of a row.
pub(super) type Change<S> = fn(&mut S, f64, f64) -> Result<(), MetricError>;

/// The state of a metric, and how it crosses Arrow.
pub(super) trait MetricState: Default + fmt::Debug + Send + Sync + 'static {
    /// Name and type of each state column.
    fn fields() -> Vec<(&'static str, DataType)>;

    /// Adds a row: the values of its two columns.
    fn push(&mut self, first: f64, second: f64) -> Result<(), MetricError>;

    /// Adds all states of the state columns.
    fn merge(&mut self, states: &[ArrayRef]) -> Result<()>;

    /// Gives the state away, one value per state column.
    fn take(&mut self) -> Result<Vec<ScalarValue>>;

    /// Bytes held on the heap.
    fn heap_size(&self) -> usize;

    /// Takes back a row that was added before. None where the state cannot.
    const RETRACT: Option<Change<Self>>;
}

/// Computes a metric from its state, which stays usable.
type Value<S> = Arc<dyn Fn(&mut S) -> Result<ScalarValue> + Send + Sync>;

/// Gives the computation under a literal argument, or says why the literal is wrong.
type Plan<S> = Arc<dyn Fn(Option<&ScalarValue>) -> Result<Value<S>> + Send + Sync>;

/// A metric as an aggregate function.
pub(super) struct Metric<S> {
    doc: &'static FunctionDoc,
    signature: Signature,
    /// Arguments that must be given, of those in `doc`.
    required: usize,
    output: DataType,
    plan: Plan<S>,
}

impl<S: MetricState> Metric<S> {
    /// The aggregate function that `doc` describes; `value` computes it and leaves the state
    /// usable.
    pub(super) fn udaf<V: MetricValue>(
        doc: &'static FunctionDoc,
        value: fn(&mut S) -> V,
    ) -> Arc<AggregateUDF> {
        let value: Value<S> = Arc::new(move |state| value(state).into_scalar());
        Self::planned(doc, COLUMNS, V::data_type(), Arc::new(move |_| Ok(Arc::clone(&value))))
    }

    /// The same, with a literal as last argument that is given to `value`.
    pub(super) fn with_parameter<V: MetricValue, P: ParameterType>(
        doc: &'static FunctionDoc,
        parameter: Parameter<P>,
        value: fn(&mut S, P) -> V,
    ) -> Arc<AggregateUDF> {
        let required = COLUMNS + usize::from(parameter.default.is_none());
        let plan: Plan<S> = Arc::new(move |literal| {
            let parameter = parameter.read(doc, literal)?;
            Ok(Arc::new(move |state| value(state, parameter).into_scalar()))
        });
        Self::planned(doc, required, V::data_type(), plan)
    }

    fn planned(
        doc: &'static FunctionDoc,
        required: usize,
        output: DataType,
        plan: Plan<S>,
    ) -> Arc<AggregateUDF> {
        let signature = Signature::user_defined(Volatility::Immutable);
        Arc::new(AggregateUDF::new_from_impl(Self { doc, signature, required, output, plan }))
    }
}

impl<S> fmt::Debug for Metric<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metric").field("name", &self.doc.name).finish_non_exhaustive()
    }
}

impl<S> PartialEq for Metric<S> {
    fn eq(&self, other: &Self) -> bool {
        self.doc.name == other.doc.name
    }
}

impl<S> Eq for Metric<S> {}

impl<S> Hash for Metric<S> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        self.doc.name.hash(hasher);
    }
}

impl<S: MetricState> AggregateUDFImpl for Metric<S> {
    fn name(&self) -> &str {
        self.doc.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let (name, arguments) = (self.doc.name, self.doc.arguments);
        if types.len() < self.required || types.len() > arguments.len() {
            let allowed = match arguments.len() {
                most if most == self.required => most.to_string(),
                most => format!("{} or {most}", self.required),
            };
            return plan_err!("{} takes {allowed} arguments, got {}", self.doc.syntax, types.len());
        }
        for (argument, data_type) in arguments.iter().zip(types) {
            let number = data_type.is_numeric() || *data_type == DataType::Boolean;
            if !number && !data_type.is_null() {
                return plan_err!(
                    "{name}: {} must be {}, got {data_type}",
                    argument.name,
                    argument.types
                );
            }
        }
        let columns = [DataType::Float64, DataType::Float64];
        Ok(columns.into_iter().chain(types.iter().skip(COLUMNS).cloned()).collect())
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(self.output.clone())
    }

    /// Changes nothing: it is the first moment at which the literal is known, so a wrong one is
    /// reported before anything runs.
    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        let argument = self.doc.arguments.get(COLUMNS)?.name;
        let (name, plan) = (self.doc.name, Arc::clone(&self.plan));
        Some(Box::new(move |function: AggregateFunction, _| {
            if let Some(expr) = function.params.args.get(COLUMNS)
                && let Some(literal) = options::planned_literal(name, argument, expr)?
            {
                plan(Some(literal))?;
            }
            Ok(Expr::AggregateFunction(function))
        }))
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return not_impl_err!("{} does not support DISTINCT", self.doc.name);
        }
        let literal = match (self.doc.arguments.get(COLUMNS), args.exprs.get(COLUMNS)) {
            (Some(argument), Some(expr)) => {
                Some(options::literal(self.doc.name, argument.name, expr)?)
            }
            _ => None,
        };
        let value = (self.plan)(literal.as_ref())?;
        Ok(Box::new(MetricAccumulator { name: self.doc.name, value, state: S::default() }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field = |(name, data_type): (&str, DataType)| {
            Arc::new(Field::new(format_state_name(args.name, name), data_type, true))
        };
        Ok(S::fields().into_iter().map(field).collect())
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }
}

/// Adds rows and states to one state.
struct MetricAccumulator<S> {
    name: &'static str,
    value: Value<S>,
    state: S,
}

impl<S: fmt::Debug> fmt::Debug for MetricAccumulator<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct(self.name).field("state", &self.state).finish_non_exhaustive()
    }
}

impl<S: MetricState> MetricAccumulator<S> {
    /// Calls `change` with the two values of each row that has no NULL.
    fn for_each(&mut self, values: &[ArrayRef], change: Change<S>) -> Result<()> {
        let columns = (as_float64_array(&values[0])?, as_float64_array(&values[1])?);
        for (first, second) in columns.0.iter().zip(columns.1) {
            if let (Some(first), Some(second)) = (first, second) {
                change(&mut self.state, first, second)
                    .map_err(|error| exec_datafusion_err!("{}: {error}", self.name))?;
            }
        }
        Ok(())
    }
}

impl<S: MetricState> Accumulator for MetricAccumulator<S> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.for_each(values, S::push)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.state.merge(states)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.state.take()
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        (self.value)(&mut self.state)
    }

    fn size(&self) -> usize {
        size_of_val(self) + self.state.heap_size()
    }

    fn supports_retract_batch(&self) -> bool {
        S::RETRACT.is_some()
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        match S::RETRACT {
            Some(retract) => self.for_each(values, retract),
            None => not_impl_err!("{} cannot take rows back", self.name),
        }
    }
}

#[cfg(test)]
#[path = "metric_tests.rs"]
mod tests;
