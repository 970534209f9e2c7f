//! `model_info(model)`.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, Float64Array, Int64Array, ListArray, StringArray, StructArray, UInt64Array,
};
use datafusion::arrow::buffer::{NullBuffer, OffsetBuffer};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::{Result, internal_err, plan_err};
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::scalar::ScalarValue;

use super::anomaly_score;
use super::model_argument::{check_type, decode, to_views};
use crate::detectors::isolation_forest::IsolationForest;
use crate::detectors::model::{Detector, FORMAT_VERSION, Model, digest};
use crate::doc::{FunctionDoc, Kind};

const NAME: &str = "model_info";

pub(crate) const DOC: FunctionDoc = FunctionDoc {
    name: NAME,
    kind: Kind::Scalar,
    summary: "Says what a model is and how it was trained.",
    syntax: "model_info(model)",
    arguments: &[anomaly_score::MODEL],
    returns: "STRUCT of `algorithm` VARCHAR, format `version` BIGINT, `features` (list of STRUCT \
              of `name` and `type`: `number` or `boolean`), `n_estimators` BIGINT, `max_samples` \
              BIGINT, `max_depth` BIGINT (the height limit in force), `contamination` DOUBLE \
              (NULL where not given), `seed` BIGINT UNSIGNED, `training_rows` BIGINT (rows \
              seen), `sample_rows` BIGINT (rows kept and fitted on), `threshold` DOUBLE, `digest` \
              VARCHAR (XXH3-128 of the content, 32 hex digits: equal for equal models).",
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
    related: &["train_isolation_forest", "anomaly_score"],
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
        let [model] = args.arg_fields else {
            return plan_err!("{NAME}: expected 1 argument, got {}", args.arg_fields.len());
        };
        check_type(NAME, model)?;
        Ok(Arc::new(Field::new(NAME, DataType::Struct(fields()), true)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [models] = args.args.as_slice() else {
            return internal_err!("{NAME}: expected 1 argument, got {}", args.args.len());
        };
        let is_scalar = matches!(models, ColumnarValue::Scalar(_));
        let models = to_views(&models.to_array(if is_scalar { 1 } else { args.number_rows })?)?;
        let models = models
            .iter()
            .map(|bytes| {
                let Some(bytes) = bytes else { return Ok(None) };
                let digest = digest(bytes).map(|digest| format!("{digest:032x}"));
                Ok(Some((decode(NAME, bytes)?, digest)))
            })
            .collect::<Result<Vec<_>>>()?;
        let infos: ArrayRef = Arc::new(describe(&models)?);
        Ok(if is_scalar {
            ColumnarValue::Scalar(ScalarValue::try_from_array(&infos, 0)?)
        } else {
            ColumnarValue::Array(infos)
        })
    }
}

fn fields() -> Fields {
    let field = |name: &str, data_type| Field::new(name, data_type, true);
    Fields::from(vec![
        field("algorithm", DataType::Utf8),
        field("version", DataType::Int64),
        field("features", DataType::List(feature_field())),
        field("n_estimators", DataType::Int64),
        field("max_samples", DataType::Int64),
        field("max_depth", DataType::Int64),
        field("contamination", DataType::Float64),
        field("seed", DataType::UInt64),
        field("training_rows", DataType::Int64),
        field("sample_rows", DataType::Int64),
        field("threshold", DataType::Float64),
        field("digest", DataType::Utf8),
    ])
}

fn feature_field() -> FieldRef {
    let text = |name: &str| Field::new(name, DataType::Utf8, true);
    let feature = DataType::Struct(Fields::from(vec![text("name"), text("type")]));
    Arc::new(Field::new_list_field(feature, true))
}

/// A decoded model and its digest; None for NULL.
type Described = Option<(Arc<Model>, Option<String>)>;

fn describe(models: &[Described]) -> Result<StructArray> {
    let digests = models.iter().map(|model| model.as_ref().and_then(|(_, digest)| digest.as_ref()));
    let columns: Vec<ArrayRef> = vec![
        column::<_, StringArray>(models, |model| Some(model.detector.algorithm())),
        column::<_, Int64Array>(models, |_| Some(i64::from(FORMAT_VERSION))),
        Arc::new(features(models)?),
        integers(models, |model| forest(model).hyperparams().n_estimators()),
        integers(models, |model| forest(model).hyperparams().max_samples()),
        integers(models, |model| forest(model).max_depth()),
        column::<_, Float64Array>(models, |model| forest(model).hyperparams().contamination()),
        column::<_, UInt64Array>(models, |model| Some(forest(model).hyperparams().seed())),
        integers(models, |model| model.training_rows),
        integers(models, |model| forest(model).sample_rows()),
        column::<_, Float64Array>(models, |model| Some(model.detector.threshold())),
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

fn valid(models: &[Described]) -> NullBuffer {
    models.iter().map(Option::is_some).collect()
}

fn forest(model: &Model) -> &IsolationForest {
    let Detector::IsolationForest(forest) = &model.detector;
    forest
}

fn features(models: &[Described]) -> Result<ListArray> {
    let field = feature_field();
    let DataType::Struct(parts) = field.data_type() else {
        return internal_err!("{NAME}: a feature is described by a struct");
    };
    let lists = || {
        models.iter().map(|model| match model {
            Some((model, _)) => model.signature.features(),
            None => &[],
        })
    };
    let names = lists().flatten().map(|feature| Some(&feature.name));
    let kinds = lists().flatten().map(|feature| Some(feature.kind.as_str()));
    let columns: Vec<ArrayRef> =
        vec![Arc::new(StringArray::from_iter(names)), Arc::new(StringArray::from_iter(kinds))];
    let items = Arc::new(StructArray::try_new(parts.clone(), columns, None)?);
    let offsets = OffsetBuffer::from_lengths(lists().map(<[_]>::len));
    Ok(ListArray::try_new(field, offsets, items, Some(valid(models)))?)
}
