//! What all metrics share: two arguments, rows with NULL skipped, a state that is a commutative
//! monoid, and a DOUBLE as result.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use datafusion::arrow::array::ArrayRef;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::cast::as_float64_array;
use datafusion::common::{Result, exec_datafusion_err, not_impl_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use crate::doc::FunctionDoc;
use crate::metrics::MetricError;

/// Changes a state by the two values of a row.
pub(super) type Change<S> = fn(&mut S, f64, f64) -> Result<(), MetricError>;

/// The state of a metric, and how it crosses Arrow.
pub(super) trait MetricState: Default + fmt::Debug + Send + Sync + 'static {
    /// Name and type of each state column.
    fn fields() -> Vec<(&'static str, DataType)>;

    /// Adds a row.
    fn push(&mut self, label: f64, other: f64) -> Result<(), MetricError>;

    /// Adds all states of the state columns.
    fn merge(&mut self, states: &[ArrayRef]) -> Result<()>;

    /// Gives the state away, one value per state column.
    fn take(&mut self) -> Result<Vec<ScalarValue>>;

    /// Bytes held on the heap.
    fn heap_size(&self) -> usize;

    /// Takes back a row that was added before. None where the state cannot.
    const RETRACT: Option<Change<Self>>;
}

/// A metric as an aggregate function.
pub(super) struct Metric<S> {
    doc: &'static FunctionDoc,
    signature: Signature,
    value: fn(&mut S) -> Option<f64>,
}

impl<S: MetricState> Metric<S> {
    /// The aggregate function that `doc` describes; `value` computes it and leaves the state
    /// usable.
    pub(super) fn udaf(
        doc: &'static FunctionDoc,
        value: fn(&mut S) -> Option<f64>,
    ) -> Arc<AggregateUDF> {
        let signature = Signature::user_defined(Volatility::Immutable);
        Arc::new(AggregateUDF::new_from_impl(Self { doc, signature, value }))
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
        if types.len() != arguments.len() {
            return plan_err!(
                "{} takes {} arguments, got {}",
                self.doc.syntax,
                arguments.len(),
                types.len()
            );
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
        Ok(vec![DataType::Float64; arguments.len()])
    }

    fn return_type(&self, _types: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return not_impl_err!("{} does not support DISTINCT", self.doc.name);
        }
        Ok(Box::new(MetricAccumulator {
            name: self.doc.name,
            value: self.value,
            state: S::default(),
        }))
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
#[derive(Debug)]
struct MetricAccumulator<S> {
    name: &'static str,
    value: fn(&mut S) -> Option<f64>,
    state: S,
}

impl<S: MetricState> MetricAccumulator<S> {
    /// Calls `change` with the two values of each row that has no NULL.
    fn for_each(&mut self, values: &[ArrayRef], change: Change<S>) -> Result<()> {
        let (labels, others) = (as_float64_array(&values[0])?, as_float64_array(&values[1])?);
        for (label, other) in labels.iter().zip(others) {
            if let (Some(label), Some(other)) = (label, other) {
                change(&mut self.state, label, other)
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
        Ok(ScalarValue::Float64((self.value)(&mut self.state)))
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
