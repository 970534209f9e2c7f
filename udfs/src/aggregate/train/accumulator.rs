//! The state of every training function: a sample of the rows, the categories of all rows, and the
//! fit on them.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Float64Array, UInt32Array};
use datafusion::arrow::compute::{cast, filter, is_not_null, take};
use datafusion::arrow::datatypes::{DataType, Float64Type};
use datafusion::common::{
    Result, ScalarValue, exec_datafusion_err, exec_err, internal_err, plan_datafusion_err,
};
use datafusion::logical_expr::Accumulator;
use ndarray::Axis;

use super::Trainer;
use crate::aggregate::keys::Keys;
use crate::detectors::categories::{CategoryCounts, Encoder, merge_counts};
use crate::detectors::sample::BottomK;
use crate::detectors::signature::{FeatureKind, Signature};
use crate::detectors::training::{Hyperparameters, TrainingOptions, train};
use crate::features;

/// Keeps a sample of the rows and fits on it.
#[derive(Debug)]
pub(super) struct TrainAccumulator {
    trainer: &'static dyn Trainer,
    hyperparameters: Arc<dyn Hyperparameters>,
    options: TrainingOptions,
    signature: Signature,
    /// Values of the features, the hashes of texts among them, and behind them the label, where
    /// there is one.
    sample: BottomK,
    /// Positions of the features that are texts.
    texts: Vec<usize>,
    /// Their categories.
    counts: Vec<CategoryCounts>,
}

impl TrainAccumulator {
    pub(super) fn new(
        trainer: &'static dyn Trainer,
        hyperparameters: Arc<dyn Hyperparameters>,
        options: TrainingOptions,
        signature: Signature,
    ) -> Result<Self> {
        let mut context = vec![];
        hyperparameters.encode(&mut context);
        options.encode(&mut context);
        signature.encode(&mut context);
        let name = trainer.doc().name;
        let k = usize::try_from(hyperparameters.sample_rows())
            .map_err(|_| plan_datafusion_err!("{name}: the sample does not fit in memory"))?;
        let features = signature.features();
        let width = features.len() + usize::from(trainer.is_supervised());
        let sample = BottomK::new(k, width, hyperparameters.seed(), context);
        let texts: Vec<usize> =
            (0..features.len()).filter(|at| features[*at].kind == FeatureKind::Text).collect();
        let counts = texts.iter().map(|at| features[*at].name.clone());
        let counts = counts.map(|name| CategoryCounts::new(name, options.encoding())).collect();
        Ok(Self { trainer, hyperparameters, options, signature, sample, texts, counts })
    }

    fn name(&self) -> &'static str {
        self.trainer.doc().name
    }

    /// Takes up rows, each of which has a key, and a label where there are labels.
    fn update(
        &mut self,
        rows: &ArrayRef,
        labels: Option<&ArrayRef>,
        keys: &ArrayRef,
    ) -> Result<()> {
        let name = self.name();
        if keys.null_count() > 0 {
            return exec_err!(
                "{name}: argument `key` is NULL in {} rows; hint: filter them, \
                 `FILTER (WHERE key IS NOT NULL)`, or number the rows",
                keys.null_count()
            );
        }
        let labels = labels.map(|labels| self.labels(labels)).transpose()?;
        self.sample.count(keys.len() as u64);
        self.count_categories(rows)?;
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
        let kept = features::struct_array(name, &kept)?;
        let positions: Vec<usize> = (0..kept.num_columns()).collect();
        let hash = |_, text: &str| CategoryCounts::hash(text);
        let values = features::matrix(kept, &self.signature, &positions, hash)?;
        for (row, values) in candidates.values().iter().zip(values.rows()) {
            let row = *row as usize;
            let label = labels.as_ref().map(|labels| labels.value(row));
            let values = values.iter().copied().chain(label);
            keys.with(row, |key| self.sample.offer(key, values));
        }
        Ok(())
    }

    fn count_categories(&mut self, rows: &ArrayRef) -> Result<()> {
        let name = self.name();
        if self.texts.is_empty() {
            return Ok(());
        }
        let rows = features::struct_array(name, rows)?;
        for (position, counts) in self.texts.iter().zip(&mut self.counts) {
            for text in features::texts(rows, rows.column(*position))?.iter().flatten() {
                counts.count(text, 1).map_err(|error| exec_datafusion_err!("{name}: {error}"))?;
            }
        }
        Ok(())
    }

    /// Labels as 0 and 1.
    fn labels(&self, labels: &ArrayRef) -> Result<Float64Array> {
        let labels = cast(labels, &DataType::Float64)?;
        let labels = labels.as_primitive::<Float64Type>();
        match labels.iter().flatten().find(|label| *label != 0.0 && *label != 1.0) {
            Some(label) => exec_err!(
                "{}: argument `label` must be 0 or 1, got {label}; hint: say what an anomaly is, \
                 `label <> 'benign'`",
                self.name()
            ),
            None => Ok(labels.clone()),
        }
    }
}

impl Accumulator for TrainAccumulator {
    fn update_batch(&mut self, arguments: &[ArrayRef]) -> Result<()> {
        match (self.trainer.is_supervised(), arguments) {
            (false, [rows, keys, ..]) => self.update(rows, None, keys),
            (true, [rows, labels, keys, ..]) if labels.logical_null_count() == 0 => {
                self.update(rows, Some(labels), keys)
            }
            (true, [rows, labels, keys, ..]) => {
                let labelled = is_not_null(labels)?;
                let rows = filter(rows, &labelled)?;
                let keys = filter(keys, &labelled)?;
                self.update(&rows, Some(&filter(labels, &labelled)?), &keys)
            }
            _ => internal_err!("{}: too few arguments: {}", self.name(), arguments.len()),
        }
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        let name = self.name();
        let [samples, categories] = states else {
            return internal_err!("{name}: expected 2 state columns, got {}", states.len());
        };
        for sample in samples.as_binary::<i32>().iter().flatten() {
            self.sample.merge(sample).map_err(|error| exec_datafusion_err!("{name}: {error}"))?;
        }
        for state in categories.as_binary::<i32>().iter().flatten() {
            merge_counts(&mut self.counts, state)
                .map_err(|error| exec_datafusion_err!("{name}: {error}"))?;
        }
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let mut categories = vec![];
        self.counts.iter().for_each(|counts| counts.encode(&mut categories));
        let sample = self.sample.encode();
        Ok(vec![ScalarValue::Binary(Some(sample)), ScalarValue::Binary(Some(categories))])
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut records = self.sample.records();
        if records.is_empty() {
            return Ok(ScalarValue::BinaryView(None));
        }
        for (column, counts) in self.texts.iter().zip(&self.counts) {
            let positions = counts.positions();
            for cell in records.column_mut(*column).iter_mut().filter(|cell| !cell.is_nan()) {
                *cell = positions.get(&(*cell as u64)).copied().unwrap_or(f64::NAN);
            }
        }
        let features = self.signature.features().len();
        let labels: Option<Vec<bool>> = self
            .trainer
            .is_supervised()
            .then(|| records.column(features).iter().map(|label| *label == 1.0).collect());
        let categories = self.counts.iter().map(CategoryCounts::categories);
        let encoder = Encoder::new(&self.signature, self.options.encoding(), categories);
        let model = train(
            &*self.hyperparameters,
            &self.options,
            self.signature.clone(),
            encoder,
            self.sample.rows_seen(),
            records.view().split_at(Axis(1), features).0,
            labels.as_deref(),
        )
        .map_err(|error| exec_datafusion_err!("{}: {error}", self.name()))?;
        Ok(ScalarValue::BinaryView(Some(model.encode())))
    }

    fn size(&self) -> usize {
        let counts: usize = self.counts.iter().map(CategoryCounts::size).sum();
        size_of_val(self) - size_of_val(&self.sample) + self.sample.size() + counts
    }
}
