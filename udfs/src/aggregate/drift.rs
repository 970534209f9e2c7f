//! `drift(model, features)`.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, ListArray, StringArray, StructArray,
    UInt32Array,
};
use datafusion::arrow::buffer::OffsetBuffer;
use datafusion::arrow::compute::take;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, ScalarValue, exec_err, internal_err, not_impl_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::utils::{AggregateOrderSensitivity, format_state_name};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, Signature, Volatility,
};

use crate::detectors::drift::{DriftCounts, FeatureDrift};
use crate::detectors::model::Model;
use crate::doc::{Argument, FunctionDoc, Kind};
use crate::features;
use crate::scalar::model_argument::{decode, to_views};

const NAME: &str = "drift";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Aggregate,
    summary: "Says how far rows have moved away from what a model was trained on, feature by \
              feature.",
    syntax: "drift(model, features)",
    arguments: &[
        Argument {
            name: "model",
            types: "BINARY",
            description: "A model made by a `train_*` function, the same for all rows of a group.",
        },
        Argument {
            name: "features",
            types: "STRUCT of numbers, booleans, timestamps, dates and strings",
            description: "The features of the row, found by name, as for `anomaly_score`.",
        },
    ],
    returns: "LIST of STRUCT, a feature each in the order of the model; `unnest` makes rows of it: \
              `feature` VARCHAR, `rows` BIGINT, `missing` and `reference_missing` (shares of rows \
              without a value), `unseen` (share of texts that training has not seen; NULL for \
              numbers), `population_stability_index` and `jensen_shannon_distance` (over the \
              deciles of the training sample, or over categories), `ks_statistic` (over its \
              percentiles, exact to 0.02; NULL for texts), `wasserstein_distance` (how far a value \
              has moved on average, in the unit of the feature, also beyond what training saw; of \
              rows that have all moved one way exact to 1 % of the range that training saw, \
              where it kept many rows, so take the logarithm of long tails; NULL for texts), all DOUBLE. By custom an index below 0.1 is \
              stable and above 0.25 has shifted.",
    nulls: "A NULL or NaN feature is missing. A NULL struct is a row with all features missing. Rows \
            whose model is NULL change nothing. Infinities count as the largest finite numbers; the \
            distances of the rows beyond the training range add up to at most 2^54 such ranges.",
    empty: "NULL for no rows. NULL distances for a feature without values, in training or now.",
    errors: "Two models in one group; a model of format version 1, which has no statistics; a feature \
             that is absent or of another kind; bytes that are not a model; DISTINCT.",
    determinism: "Bit for bit the same for any order, partitioning and batch size of the same rows.",
    cost: "A binary search per value; two integers for each of at most 103 cells per number and one \
           per category, whatever the number of rows.",
    example: "SELECT d['feature'], round(d['population_stability_index'], 1), \
              round(d['ks_statistic'], 1), round(d['wasserstein_distance']) FROM (SELECT \
              unnest(drift(model, {x: value, y: 7})) AS d FROM (SELECT \
              train_isolation_forest({x: value, y: 7}, value) AS model FROM generate_series(1, \
              1000)) CROSS JOIN generate_series(501, 1500))",
    example_result: "x 4.4 0.5 500.0\ny 0.0 0.0 0.0",
    source: "Siddiqi 2006; Lin 1991; Smirnov 1948; Vallender 1974: see the functions of these names",
    related: &[
        "population_stability_index",
        "jensen_shannon_distance",
        "ks_statistic",
        "wasserstein_distance",
        "model_features",
    ],
    since: "0.1.0",
};

/// The SQL function.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Drift {
    signature: Signature,
}

/// The aggregate function.
pub(crate) fn udaf() -> Arc<AggregateUDF> {
    let signature = Signature::any(2, Volatility::Immutable);
    Arc::new(AggregateUDF::from(Drift { signature }))
}

impl AggregateUDFImpl for Drift {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(item()))
    }

    fn return_field(&self, arguments: &[FieldRef]) -> Result<FieldRef> {
        check_types(arguments)?;
        Ok(Arc::new(Field::new(NAME, DataType::List(item()), true)))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        let field =
            |name| Arc::new(Field::new(format_state_name(args.name, name), DataType::Binary, true));
        Ok(vec![field("model"), field("counts")])
    }

    fn order_sensitivity(&self) -> AggregateOrderSensitivity {
        AggregateOrderSensitivity::Insensitive
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if args.is_distinct {
            return not_impl_err!("{NAME}: DISTINCT is not supported");
        }
        check_types(args.expr_fields)?;
        Ok(Box::new(DriftAccumulator(None)))
    }
}

fn check_types(arguments: &[FieldRef]) -> Result<()> {
    let [model, rows] = arguments else {
        return plan_err!("{NAME}: expected 2 arguments, got {}", arguments.len());
    };
    features::check_model_and_features(NAME, model, rows)
}

/// A model and the rows counted for it; nothing before the first row.
#[derive(Debug)]
struct DriftAccumulator(Option<Counted>);

#[derive(Debug)]
struct Counted {
    bytes: Vec<u8>,
    model: Arc<Model>,
    counts: DriftCounts,
}

impl DriftAccumulator {
    /// The counts of this model, which must be the one of all other rows.
    fn of(&mut self, bytes: &[u8]) -> Result<&mut Counted> {
        match &mut self.0 {
            Some(counted) if counted.bytes != bytes => exec_err!(
                "{NAME}: a group has several models; hint: GROUP BY what tells them apart, or \
                 compare with one, `(SELECT model FROM models.m)`"
            ),
            Some(counted) => Ok(counted),
            none => {
                let model = decode(NAME, bytes)?;
                let Some(counts) = DriftCounts::new(&model) else {
                    return exec_err!(
                        "{NAME}: the model has format version {} and no statistics; hint: train \
                         it again",
                        model.version
                    );
                };
                Ok(none.insert(Counted { bytes: bytes.to_vec(), model, counts }))
            }
        }
    }
}

impl Accumulator for DriftAccumulator {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        let [models, rows] = arguments else {
            return internal_err!("{NAME}: expected 2 arguments, got {}", arguments.len());
        };
        let models = to_views(models)?;
        let mut row = 0;
        while row < models.len() {
            // A run of rows with the same model: usually the whole batch.
            let first = row;
            let model = models.is_valid(row).then(|| models.value(row));
            let same = |row: usize| models.is_valid(row).then(|| models.value(row)) == model;
            while row < models.len() && same(row) {
                row += 1;
            }
            if let Some(model) = model {
                let counted = self.of(model)?;
                let positions = UInt32Array::from_iter_values(first as u32..row as u32);
                let rows = take(rows, &positions, None)?;
                let matrix = features::matrix_of_model(NAME, &counted.model, &rows)?;
                counted.counts.add(matrix.view());
            }
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [models, counts] = states else {
            return internal_err!("{NAME}: expected 2 state columns, got {}", states.len());
        };
        let (models, counts) = (models.as_binary::<i32>(), counts.as_binary::<i32>());
        for (model, counts) in models.iter().zip(counts.iter()) {
            let (Some(model), Some(counts)) = (model, counts) else { continue };
            let (words, rest) = counts.as_chunks::<8>();
            let words: Vec<u64> = words.iter().copied().map(u64::from_le_bytes).collect();
            if !rest.is_empty() || !self.of(model)?.counts.merge(&words) {
                return exec_err!("{NAME}: the state is malformed");
            }
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let bytes = self.0.as_ref().map(|counted| counted.bytes.clone());
        let counts = self.0.as_ref().map(|counted| {
            counted.counts.counts().into_iter().flat_map(u64::to_le_bytes).collect()
        });
        Ok(vec![ScalarValue::Binary(bytes), ScalarValue::Binary(counts)])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let Some(Counted { model, counts, .. }) = &self.0 else {
            return ScalarValue::try_new_null(&DataType::List(item()));
        };
        let names = model.signature.features().iter().map(|feature| &feature.name);
        let drifts = counts.finish(model);
        let number = |get: fn(&FeatureDrift) -> Option<f64>| -> ArrayRef {
            Arc::new(drifts.iter().map(get).collect::<Float64Array>())
        };
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from_iter_values(names)),
            Arc::new(Int64Array::from_iter_values(drifts.iter().map(|drift| drift.rows as i64))),
            number(|drift| drift.missing),
            number(|drift| Some(drift.reference_missing)),
            number(|drift| drift.unseen),
            number(|drift| drift.population_stability_index),
            number(|drift| drift.jensen_shannon_distance),
            number(|drift| drift.ks_statistic),
            number(|drift| drift.wasserstein_distance),
        ];
        let items = Arc::new(StructArray::try_new(fields(), columns, None)?);
        let offsets = OffsetBuffer::from_lengths([drifts.len()]);
        Ok(ScalarValue::List(Arc::new(ListArray::try_new(item(), offsets, items, None)?)))
    }

    fn size(&self) -> usize {
        let heap =
            self.0.as_ref().map_or(0, |counted| counted.bytes.capacity() + counted.counts.size());
        size_of_val(self) + heap
    }
}

fn fields() -> Fields {
    let number = |name: &str| Field::new(name, DataType::Float64, true);
    Fields::from(vec![
        Field::new("feature", DataType::Utf8, true),
        Field::new("rows", DataType::Int64, true),
        number("missing"),
        number("reference_missing"),
        number("unseen"),
        number("population_stability_index"),
        number("jensen_shannon_distance"),
        number("ks_statistic"),
        number("wasserstein_distance"),
    ])
}

fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(fields()), true))
}

#[cfg(test)]
#[path = "drift_tests.rs"]
mod tests;
