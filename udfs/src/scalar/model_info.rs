//! `model_info(model)`.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, Float64Array, Int64Array, MapBuilder, MapFieldNames, StringArray,
    StringBuilder, StructArray,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};

use super::anomaly_score;
use super::model_argument::{Described, check_one, describe_models, valid};
use super::model_features;
use crate::detectors::model::Model;
use crate::doc::{FunctionDoc, Kind};

const NAME: &str = "model_info";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Scalar,
    summary: "Says what a model is and how it was trained.",
    syntax: "model_info(model)",
    arguments: &[anomaly_score::MODEL],
    returns: "STRUCT of `algorithm` VARCHAR, format `version` BIGINT, `options` (MAP of VARCHAR to \
              VARCHAR: the hyperparameters in force, and `categories`), `features` (see \
              `model_features`), `contamination` DOUBLE (NULL where not given), `training_rows` \
              BIGINT (rows seen), `sample_rows` BIGINT (rows kept and fitted on), `threshold` \
              DOUBLE, `digest` VARCHAR (XXH3-128 of the content, 32 hex digits: equal for equal \
              models).",
    nulls: "A NULL model gives NULL.",
    empty: "No rows in, no rows out.",
    errors: "Bytes that are not a model, are damaged, or have another version.",
    determinism: "Depends on the model alone.",
    cost: "Decodes each model once.",
    example: "SELECT model_info(model)['algorithm'], model_info(model)['sample_rows'] FROM (SELECT \
              train_isolation_forest({bytes: value * value}, value, {n_estimators: 2}) AS model \
              FROM generate_series(1, 1000))",
    example_result: "isolation_forest 512",
    source: "The model format of this crate",
    related: &["model_features", "train_isolation_forest", "anomaly_score"],
    since: "0.1.0",
};

/// The SQL function.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct ModelInfo {
    signature: Signature,
}

impl ModelInfo {
    pub(crate) fn new() -> Self {
        Self { signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for ModelInfo {
    fn name(&self) -> &str {
        NAME
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Struct(fields()))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        check_one(NAME, &args)?;
        Ok(Arc::new(Field::new(NAME, DataType::Struct(fields()), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        describe_models(NAME, &args, |models| Ok(Arc::new(describe(models)?)))
    }
}

fn fields() -> Fields {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Fields::from(vec![
        field("algorithm", DataType::Utf8),
        field("version", DataType::Int64),
        field("options", options_type()),
        field("features", DataType::List(model_features::item())),
        field("contamination", DataType::Float64),
        field("training_rows", DataType::Int64),
        field("sample_rows", DataType::Int64),
        field("threshold", DataType::Float64),
        field("digest", DataType::Utf8),
    ])
}

fn options_type() -> DataType {
    let entry = Fields::from(vec![
        Field::new("key", DataType::Utf8, false),
        Field::new("value", DataType::Utf8, true),
    ]);
    DataType::Map(Arc::new(Field::new("entries", DataType::Struct(entry), false)), false)
}

fn describe(models: &[Described]) -> Result<StructArray> {
    let digests = models.iter().map(|model| model.as_ref().and_then(|(_, digest)| digest.as_ref()));
    let columns: Vec<ArrayRef> = vec![
        column::<_, StringArray>(models, |model| Some(model.detector.algorithm().as_str())),
        column::<_, Int64Array>(models, |model| Some(i64::from(model.version))),
        options(models)?,
        Arc::new(model_features::features(models)?),
        column::<_, Float64Array>(models, |model| model.contamination),
        integers(models, |model| model.training_rows),
        integers(models, |model| model.sample_rows),
        column::<_, Float64Array>(models, |model| Some(model.threshold)),
        Arc::new(StringArray::from_iter(digests)),
    ];
    Ok(StructArray::try_new(fields(), columns, Some(valid(models)))?)
}

/// One value per model, NULL for NULL.
fn column<T, A>(models: &[Described], get: impl Fn(&Model) -> Option<T>) -> ArrayRef
where
    A: FromIterator<Option<T>> + Array + 'static,
{
    let values = models.iter().map(|model| model.as_ref().and_then(|(model, _)| get(model)));
    Arc::new(values.collect::<A>())
}

fn integers(models: &[Described], get: impl Fn(&Model) -> u64) -> ArrayRef {
    column::<_, Int64Array>(models, |model| i64::try_from(get(model)).ok())
}

fn options(models: &[Described]) -> Result<ArrayRef> {
    let names = MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut maps = MapBuilder::new(Some(names), StringBuilder::new(), StringBuilder::new());
    for model in models {
        if let Some((model, _)) = model {
            let mut options = model.detector.options();
            options.push(("categories", model.encoder.encoding().as_str().to_owned()));
            options.sort_unstable();
            for (name, value) in options {
                maps.keys().append_value(name);
                maps.values().append_value(value);
            }
        }
        maps.append(model.is_some())?;
    }
    Ok(Arc::new(maps.finish()))
}
