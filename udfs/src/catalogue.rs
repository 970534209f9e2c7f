//! The one list of all SQL functions.

use std::sync::Arc;

use datafusion::catalog::TableFunctionImpl;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, ScalarUDFImpl};
use datafusion::prelude::SessionContext;

use crate::aggregate::{
    average_precision, brier_score, confusion_matrix, f1_score, jensen_shannon_distance,
    ks_statistic, log_loss, matthews_corrcoef, population_stability_index, pr_curve, precision,
    precision_at_k, recall, recall_at_fpr, roc_auc, roc_curve, train_isolation_forest,
    wasserstein_distance,
};
use crate::doc::FunctionDoc;
use crate::scalar::{anomaly_score, is_anomaly, model_info};
use crate::table::synthetic_flows;

/// How DataFusion runs a function.
#[derive(Debug, Clone)]
pub enum Implementation {
    /// A scalar function.
    Scalar(Arc<ScalarUDF>),
    /// An aggregate function.
    Aggregate(Arc<AggregateUDF>),
    /// A table function.
    Table(Arc<dyn TableFunctionImpl>),
}

/// A SQL function: what it says about itself, and what runs.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its documentation.
    pub doc: &'static FunctionDoc,
    /// Its implementation.
    pub implementation: Implementation,
}

/// All SQL functions of this crate, sorted by name.
pub fn functions() -> Vec<Function> {
    vec![
        scalar(&anomaly_score::DOC, anomaly_score::AnomalyScore::new()),
        aggregate(&average_precision::DOC, average_precision::udaf()),
        aggregate(&brier_score::DOC, brier_score::udaf()),
        aggregate(&confusion_matrix::DOC, confusion_matrix::udaf()),
        aggregate(&f1_score::DOC, f1_score::udaf()),
        scalar(&is_anomaly::DOC, is_anomaly::IsAnomaly::new()),
        aggregate(&jensen_shannon_distance::DOC, jensen_shannon_distance::udaf()),
        aggregate(&ks_statistic::DOC, ks_statistic::udaf()),
        aggregate(&log_loss::DOC, log_loss::udaf()),
        aggregate(&matthews_corrcoef::DOC, matthews_corrcoef::udaf()),
        scalar(&model_info::DOC, model_info::ModelInfo::new()),
        aggregate(&population_stability_index::DOC, population_stability_index::udaf()),
        aggregate(&pr_curve::DOC, pr_curve::udaf()),
        aggregate(&precision::DOC, precision::udaf()),
        aggregate(&precision_at_k::DOC, precision_at_k::udaf()),
        aggregate(&recall::DOC, recall::udaf()),
        aggregate(&recall_at_fpr::DOC, recall_at_fpr::udaf()),
        aggregate(&roc_auc::DOC, roc_auc::udaf()),
        aggregate(&roc_curve::DOC, roc_curve::udaf()),
        table(&synthetic_flows::DOC, synthetic_flows::SyntheticFlows),
        aggregate(&train_isolation_forest::DOC, train_isolation_forest::udaf()),
        aggregate(&wasserstein_distance::DOC, wasserstein_distance::udaf()),
    ]
}

fn scalar(doc: &'static FunctionDoc, function: impl ScalarUDFImpl + 'static) -> Function {
    let implementation = Implementation::Scalar(Arc::new(ScalarUDF::from(function)));
    Function { doc, implementation }
}

fn aggregate(doc: &'static FunctionDoc, udaf: Arc<AggregateUDF>) -> Function {
    Function { doc, implementation: Implementation::Aggregate(udaf) }
}

fn table(doc: &'static FunctionDoc, function: impl TableFunctionImpl + 'static) -> Function {
    Function { doc, implementation: Implementation::Table(Arc::new(function)) }
}

/// Registers every function of this crate in a session.
pub fn register_all(ctx: &SessionContext) {
    for function in functions() {
        match function.implementation {
            Implementation::Scalar(udf) => ctx.register_udf(udf.as_ref().clone()),
            Implementation::Aggregate(udaf) => ctx.register_udaf(udaf.as_ref().clone()),
            Implementation::Table(udtf) => ctx.register_udtf(function.doc.name, udtf),
        }
    }
}

#[cfg(test)]
#[path = "catalogue_tests.rs"]
mod tests;
