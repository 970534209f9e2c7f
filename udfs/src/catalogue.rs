//! The one list of all SQL functions.

use std::sync::Arc;

use datafusion::catalog::TableFunctionImpl;
use datafusion::logical_expr::{AggregateUDF, ScalarUDF, ScalarUDFImpl};
use datafusion::prelude::SessionContext;

use crate::aggregate::train::{self, Trainer};
use crate::aggregate::train_extended_isolation_forest::TrainExtendedIsolationForest;
use crate::aggregate::train_gaussian_mixture::TrainGaussianMixture;
use crate::aggregate::train_hbos::TrainHbos;
use crate::aggregate::train_isolation_forest::TrainIsolationForest;
use crate::aggregate::train_k_means::TrainKMeans;
use crate::aggregate::train_logistic_regression::TrainLogisticRegression;
use crate::aggregate::train_mahalanobis::TrainMahalanobis;
use crate::aggregate::train_nearest_neighbors::TrainNearestNeighbors;
use crate::aggregate::train_one_class_svm::TrainOneClassSvm;
use crate::aggregate::train_pca::TrainPca;
use crate::aggregate::train_random_forest::TrainRandomForest;
use crate::aggregate::train_robust_z_score::TrainRobustZScore;
use crate::aggregate::train_tails::TrainTails;
use crate::aggregate::{
    average_precision, brier_score, confusion_matrix, drift, f1_score, jensen_shannon_distance,
    ks_statistic, log_loss, matthews_corrcoef, population_stability_index, pr_curve, precision,
    precision_at_k, recall, recall_at_fpr, roc_auc, roc_curve, wasserstein_distance,
};
use crate::detectors::tails::Rule;
use crate::doc::FunctionDoc;
use crate::scalar::{
    alert_threshold, anomaly_percentile, anomaly_score, community_id, conn_state, explain_anomaly,
    ip_in_cidr, ip_is_private, ip_prefix, ip_version, is_anomaly, model_features, model_from_json,
    model_info, model_to_json, port_class, shannon_entropy, tcp_flags,
};
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
        scalar(&alert_threshold::DOC, alert_threshold::AlertThreshold::new()),
        scalar(&anomaly_percentile::DOC, anomaly_percentile::AnomalyPercentile::new()),
        scalar(&anomaly_score::DOC, anomaly_score::AnomalyScore::new()),
        aggregate(&average_precision::DOC, average_precision::udaf()),
        aggregate(&brier_score::DOC, brier_score::udaf()),
        scalar(&community_id::DOC, community_id::function()),
        aggregate(&confusion_matrix::DOC, confusion_matrix::udaf()),
        scalar(&conn_state::DOC, conn_state::function()),
        aggregate(&drift::DOC, drift::udaf()),
        scalar(&explain_anomaly::DOC, explain_anomaly::ExplainAnomaly::new()),
        aggregate(&f1_score::DOC, f1_score::udaf()),
        scalar(&ip_in_cidr::DOC, ip_in_cidr::function()),
        scalar(&ip_is_private::DOC, ip_is_private::function()),
        scalar(&ip_prefix::DOC, ip_prefix::function()),
        scalar(&ip_version::DOC, ip_version::function()),
        scalar(&is_anomaly::DOC, is_anomaly::IsAnomaly::new()),
        aggregate(&jensen_shannon_distance::DOC, jensen_shannon_distance::udaf()),
        aggregate(&ks_statistic::DOC, ks_statistic::udaf()),
        aggregate(&log_loss::DOC, log_loss::udaf()),
        aggregate(&matthews_corrcoef::DOC, matthews_corrcoef::udaf()),
        scalar(&model_features::DOC, model_features::ModelFeatures::new()),
        scalar(&model_from_json::DOC, model_from_json::ModelFromJson::new()),
        scalar(&model_info::DOC, model_info::ModelInfo::new()),
        scalar(&model_to_json::DOC, model_to_json::ModelToJson::new()),
        aggregate(&population_stability_index::DOC, population_stability_index::udaf()),
        scalar(&port_class::DOC, port_class::function()),
        aggregate(&pr_curve::DOC, pr_curve::udaf()),
        aggregate(&precision::DOC, precision::udaf()),
        aggregate(&precision_at_k::DOC, precision_at_k::udaf()),
        aggregate(&recall::DOC, recall::udaf()),
        aggregate(&recall_at_fpr::DOC, recall_at_fpr::udaf()),
        aggregate(&roc_auc::DOC, roc_auc::udaf()),
        aggregate(&roc_curve::DOC, roc_curve::udaf()),
        scalar(&shannon_entropy::DOC, shannon_entropy::function()),
        table(&synthetic_flows::DOC, synthetic_flows::SyntheticFlows),
        scalar(&tcp_flags::DOC, tcp_flags::function()),
        train(&TrainTails(Rule::Copod)),
        train(&TrainTails(Rule::Ecod)),
        train(&TrainExtendedIsolationForest),
        train(&TrainGaussianMixture),
        train(&TrainHbos),
        train(&TrainIsolationForest),
        train(&TrainKMeans),
        train(&TrainLogisticRegression),
        train(&TrainMahalanobis),
        train(&TrainNearestNeighbors),
        train(&TrainOneClassSvm),
        train(&TrainPca),
        train(&TrainRandomForest),
        train(&TrainRobustZScore),
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

fn train(trainer: &'static dyn Trainer) -> Function {
    aggregate(trainer.doc(), train::udaf(trainer))
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
