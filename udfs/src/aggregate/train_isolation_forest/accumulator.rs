//! The state of `train_isolation_forest`: a sample of the rows, and the fit on it.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use datafusion::arrow::compute::take;
use datafusion::common::{
    Result, ScalarValue, exec_datafusion_err, exec_err, internal_err, plan_datafusion_err,
};
use datafusion::logical_expr::Accumulator;
use linfa::DatasetBase;
use linfa::traits::Fit;

use super::NAME;
use crate::aggregate::keys::Keys;
use crate::detectors::isolation_forest::IsolationForestValidParams;
use crate::detectors::model::{Detector, Model, Signature};
use crate::detectors::sample::BottomK;
use crate::features;

/// Keeps a sample of the rows and fits on it.
#[derive(Debug)]
pub(super) struct IsolationForestAccumulator {
    params: IsolationForestValidParams,
    signature: Signature,
    sample: BottomK,
}

impl IsolationForestAccumulator {
    pub(super) fn new(params: IsolationForestValidParams, signature: Signature) -> Result<Self> {
        let mut context = vec![];
        params.encode(&mut context);
        signature.encode(&mut context);
        let k = usize::try_from(params.sample_rows())
            .map_err(|_| plan_datafusion_err!("{NAME}: the sample does not fit in memory"))?;
        let sample = BottomK::new(k, signature.features().len(), params.seed(), context);
        Ok(Self { params, signature, sample })
    }
}

impl Accumulator for IsolationForestAccumulator {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        let [rows, keys, ..] = arguments else {
            return internal_err!("{NAME}: expected 2 arguments, got {}", arguments.len());
        };
        if keys.null_count() > 0 {
            return exec_err!(
                "{NAME}: argument `key` is NULL in {} rows; hint: filter them, \
                 `FILTER (WHERE key IS NOT NULL)`, or number the rows",
                keys.null_count()
            );
        }
        self.sample.count(keys.len() as u64);
        // Most rows of a long table end here: their hash is too large.
        let keys = Keys::new(keys)?;
        let candidates: UInt32Array = (0..rows.len() as u32)
            .filter(|row| {
                let hash = keys.with(*row as usize, |key| self.sample.hash(key));
                self.sample.admits(hash)
            })
            .collect::<Vec<_>>()
            .into();
        if candidates.is_empty() {
            return Ok(());
        }
        let kept = take(rows, &candidates, None)?;
        let kept = features::struct_array(NAME, &kept)?;
        let positions: Vec<usize> = (0..kept.num_columns()).collect();
        let values = features::matrix(kept, &positions)?;
        for (row, values) in candidates.values().iter().zip(values.rows()) {
            keys.with(*row as usize, |key| self.sample.offer(key, values.iter().copied()));
        }
        Ok(())
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let [states] = states else {
            return internal_err!("{NAME}: expected 1 state column, got {}", states.len());
        };
        for state in states.as_binary::<i32>().iter().flatten() {
            self.sample.merge(state).map_err(|error| exec_datafusion_err!("{NAME}: {error}"))?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        Ok(vec![ScalarValue::Binary(Some(self.sample.encode()))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let records = self.sample.records();
        if records.is_empty() {
            return Ok(ScalarValue::BinaryView(None));
        }
        let forest = self
            .params
            .fit(&DatasetBase::from(records))
            .map_err(|error| exec_datafusion_err!("{NAME}: {error}"))?;
        let model = Model {
            signature: self.signature.clone(),
            training_rows: self.sample.rows_seen(),
            detector: Detector::IsolationForest(forest),
        };
        Ok(ScalarValue::BinaryView(Some(model.encode())))
    }

    fn size(&self) -> usize {
        size_of_val(self) - size_of_val(&self.sample) + self.sample.size()
    }
}
