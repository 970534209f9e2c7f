//! `model_features(model)`.

use std::sync::Arc;

use datafusion::arrow::array::{
    ArrayRef, Float64Array, Int64Array, ListArray, StringArray, StructArray,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::anomaly_score;
use super::model_argument::{Described, check_one, describe_models, valid};
use crate::detectors::categories::Categories;
use crate::detectors::signature::{Feature, FeatureKind};
use crate::detectors::statistics::{FeatureStatistics, Present};
use crate::doc::{FunctionDoc, Kind};

const NAME: &str = "model_features";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Scalar,
    summary: "Says which features a model has and what training saw of each.",
    syntax: "model_features(model)",
    arguments: &[anomaly_score::MODEL],
    returns: "LIST of STRUCT, in the order of training, of `name` VARCHAR, `type` VARCHAR (`number`, \
              `boolean`, `timestamp`, `text`), `categories` (of texts: LIST of STRUCT of `value` \
              VARCHAR and `rows` BIGINT, sorted by value; exact, over all training rows), and of \
              the sample: `missing` BIGINT (rows without a value), `mean`, `stddev` (of the \
              population) DOUBLE, `percentiles` LIST of DOUBLE (101 of them, from the minimum to \
              the maximum). Timestamps are seconds since 1970; texts have no mean and percentiles.",
    nulls: "A NULL model gives NULL. What training saw is NULL for models of format version 1, and \
            for features that were missing in all rows.",
    empty: "No rows in, no rows out.",
    errors: "Bytes that are not a model, are damaged, or have a newer version.",
    determinism: "Depends on the model alone.",
    cost: "Decodes each model once.",
    example: "SELECT f['name'], f['type'], f['percentiles'][51] FROM (SELECT \
              unnest(model_features(train_isolation_forest({x: value, odd: value % 2 = 1}, \
              value))) AS f FROM generate_series(1, 101))",
    example_result: "x number 51.0\nodd boolean 1.0",
    source: "numpy.percentile, linear interpolation; numpy.mean and numpy.std",
    related: &["model_info", "train_isolation_forest"],
    since: "0.1.0",
};

/// The SQL function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct ModelFeatures {
    signature: Signature,
}

impl ModelFeatures {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ModelFeatures {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::List(item()))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        check_one(NAME, &args)?;
        Ok(Arc::new(Field::new(NAME, DataType::List(item()), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        describe_models(NAME, &args, |models| Ok(Arc::new(features(models)?)))
    }
}

/// What a feature is described by.
pub(super) fn item() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(fields()), true))
}

fn fields() -> Fields {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Fields::from(vec![
        field("name", DataType::Utf8),
        field("type", DataType::Utf8),
        field("categories", DataType::List(category())),
        field("missing", DataType::Int64),
        field("mean", DataType::Float64),
        field("stddev", DataType::Float64),
        field("percentiles", DataType::List(number())),
    ])
}

fn category_fields() -> Fields {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Fields::from(vec![field("value", DataType::Utf8), field("rows", DataType::Int64)])
}

fn category() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Struct(category_fields()), true))
}

fn number() -> FieldRef {
    Arc::new(Field::new_list_field(DataType::Float64, true))
}

/// A feature with what is known of it.
struct Known<'a> {
    feature: &'a Feature,
    categories: Option<&'a Categories>,
    statistics: Option<&'a FeatureStatistics>,
}

impl<'a> Known<'a> {
    /// Means and percentiles of positions of categories say nothing.
    fn present(&self) -> Option<&'a Present> {
        let is_number = self.feature.kind != FeatureKind::Text;
        self.statistics.filter(|_| is_number)?.present.as_ref()
    }
}

/// The features of each model.
pub(super) fn features(models: &[Described]) -> Result<ListArray> {
    let of = |model: &Described| match model {
        Some((model, _)) => model.signature.features().len(),
        None => 0,
    };
    let known: Vec<Known<'_>> = models
        .iter()
        .flatten()
        .flat_map(|(model, _)| {
            model.signature.features().iter().enumerate().map(|(at, feature)| Known {
                feature,
                categories: model.encoder.categories(at),
                statistics: model.statistics.get(at),
            })
        })
        .collect();
    let of_known = |get: fn(&Known<'_>) -> Option<f64>| -> ArrayRef {
        Arc::new(known.iter().map(get).collect::<Float64Array>())
    };
    let missing = known.iter().map(|known| Some(known.statistics?.missing as i64));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(known.iter().map(|known| &known.feature.name))),
        Arc::new(StringArray::from_iter_values(
            known.iter().map(|known| known.feature.kind.as_str()),
        )),
        Arc::new(categories(&known)?),
        Arc::new(missing.collect::<Int64Array>()),
        of_known(|known| known.present().map(|present| present.mean)),
        of_known(|known| known.present().map(|present| present.stddev)),
        Arc::new(percentiles(&known)?),
    ];
    let items = Arc::new(StructArray::try_new(fields(), columns, None)?);
    let offsets = OffsetBuffer::from_lengths(models.iter().map(of));
    Ok(ListArray::try_new(item(), offsets, items, Some(valid(models)))?)
}

fn categories(known: &[Known<'_>]) -> Result<ListArray> {
    let each = || known.iter().filter_map(|known| known.categories);
    let values: Vec<&str> = each().flat_map(|known| known.iter().map(|(text, _)| text)).collect();
    let rows = each().flat_map(|known| known.iter().map(|(_, rows)| rows as i64));
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from_iter_values(values)),
        Arc::new(Int64Array::from_iter_values(rows)),
    ];
    let items = Arc::new(StructArray::try_new(category_fields(), columns, None)?);
    let lengths = known.iter().map(|known| known.categories.map_or(0, |known| known.iter().len()));
    let valid: NullBuffer = known.iter().map(|known| known.categories.is_some()).collect();
    Ok(ListArray::try_new(category(), OffsetBuffer::from_lengths(lengths), items, Some(valid))?)
}

fn percentiles(known: &[Known<'_>]) -> Result<ListArray> {
    let each = || known.iter().map(Known::present);
    let values = each().flatten().flat_map(|present| present.quantiles.iter().copied());
    let items = Arc::new(Float64Array::from_iter_values(values));
    let lengths = each().map(|present| present.map_or(0, |present| present.quantiles.len()));
    let valid: NullBuffer = each().map(|present| present.is_some()).collect();
    Ok(ListArray::try_new(number(), OffsetBuffer::from_lengths(lengths), items, Some(valid))?)
}
