//! The argument `model`: its types, and decoding it once rather than once per batch.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{ArrayRef, AsArray, BinaryViewArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field};
use datafusion::common::{Result, exec_datafusion_err, exec_err, internal_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs};
use datafusion::scalar::ScalarValue;

use crate::detectors::calibration::Calibration;
use crate::detectors::model::{Model, digest};

/// Checks the type of the argument, or gives a plan error.
pub(crate) fn check_type(function: &str, argument: &Field) -> Result<()> {
    match argument.data_type() {
        DataType::Null => Ok(()),
        binary if binary.is_binary() => Ok(()),
        other => plan_err!(
            "{function}: argument `model` must be a model (BINARY), got {other}; hint: train one \
             with a `train_*` function, and pass it first"
        ),
    }
}

/// The argument as one type. Casting to views copies no model.
pub(crate) fn to_views(models: &ArrayRef) -> Result<BinaryViewArray> {
    Ok(cast(models, &DataType::BinaryView)?.as_binary_view().clone())
}

/// The bytes of a model as a key: hashed by their digest alone; compared in full, but for bytes
/// that are the same memory, as in a column that a join repeats, or that differ in their digest.
#[derive(Clone, Copy)]
pub(super) struct ModelBytes<'a>(pub(super) &'a [u8]);

impl PartialEq for ModelBytes<'_> {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self.0, other.0) || (digest(self.0) == digest(other.0) && self.0 == other.0)
    }
}

impl Eq for ModelBytes<'_> {}

impl Hash for ModelBytes<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        digest(self.0).hash(state);
    }
}

/// Encoded bytes of the models that the cache holds at most.
const CACHE_BYTES: usize = 64 << 20;

struct Cached {
    bytes: Arc<[u8]>,
    model: Arc<Model>,
}

/// Decoded models, the last used first. A function sees one batch at a time and keeps nothing
/// itself, so that plans can be copied and sent; decoding is what would be repeated.
static CACHE: Mutex<VecDeque<Cached>> = Mutex::new(VecDeque::new());

/// Decodes a model, or finds it decoded.
pub(crate) fn decode(function: &str, bytes: &[u8]) -> Result<Arc<Model>> {
    // A panic elsewhere cannot leave the list half changed.
    let cache = || CACHE.lock().unwrap_or_else(PoisonError::into_inner);
    {
        let mut cache = cache();
        let found = cache.iter().position(|cached| ModelBytes(&cached.bytes) == ModelBytes(bytes));
        if let Some(cached) = found.and_then(|at| cache.remove(at)) {
            let model = Arc::clone(&cached.model);
            cache.push_front(cached);
            return Ok(model);
        }
    }
    // Not under the lock: other threads score meanwhile.
    let model = Model::decode(bytes)
        .map(Arc::new)
        .map_err(|error| exec_datafusion_err!("{function}: argument `model`: {error}"))?;
    let mut cache = cache();
    cache.push_front(Cached { bytes: Arc::from(bytes), model: Arc::clone(&model) });
    let mut size = 0;
    cache.retain(|cached| {
        size += cached.bytes.len();
        size <= CACHE_BYTES
    });
    Ok(model)
}

/// The calibration of a model, which those of version 1 lack.
pub(super) fn calibration<'a>(function: &str, model: &'a Model) -> Result<&'a Calibration> {
    match &model.calibration {
        Some(calibration) => Ok(calibration),
        None => exec_err!(
            "{function}: the model has format version {} and no calibration; hint: train it again",
            model.version
        ),
    }
}

/// A decoded model and its digest; None for NULL.
pub(super) type Described = Option<(Arc<Model>, Option<String>)>;

/// Which of them are not NULL.
pub(super) fn valid(models: &[Described]) -> NullBuffer {
    models.iter().map(Option::is_some).collect()
}

/// Checks that there is one argument, a model, or gives a plan error.
pub(super) fn check_one(function: &str, args: &ReturnFieldArgs) -> Result<()> {
    let [model] = args.arg_fields else {
        return plan_err!("{function}: expected 1 argument, got {}", args.arg_fields.len());
    };
    check_type(function, model)
}

/// Describes each model, NULL where it is NULL; a single value where the argument is one.
pub(super) fn describe_models(
    function: &str,
    args: &ScalarFunctionArgs,
    describe: impl FnOnce(&[Described]) -> Result<ArrayRef>,
) -> Result<ColumnarValue> {
    let [models] = args.args.as_slice() else {
        return internal_err!("{function}: expected 1 argument, got {}", args.args.len());
    };
    let is_scalar = matches!(models, ColumnarValue::Scalar(_));
    let models = to_views(&models.to_array(if is_scalar { 1 } else { args.number_rows })?)?;
    let models = models
        .iter()
        .map(|bytes| {
            let Some(bytes) = bytes else { return Ok(None) };
            let digest = digest(bytes).map(|digest| format!("{digest:032x}"));
            Ok(Some((decode(function, bytes)?, digest)))
        })
        .collect::<Result<Vec<_>>>()?;
    let described = describe(&models)?;
    Ok(if is_scalar {
        ColumnarValue::Scalar(ScalarValue::try_from_array(&described, 0)?)
    } else {
        ColumnarValue::Array(described)
    })
}
