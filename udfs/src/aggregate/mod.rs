//! Aggregate functions: adapters between Arrow and the pure rooms.

pub(crate) mod average_precision;
pub(crate) mod brier_score;
pub(crate) mod confusion_matrix;
pub(crate) mod drift;
pub(crate) mod f1_score;
pub(crate) mod jensen_shannon_distance;
pub(crate) mod ks_statistic;
pub(crate) mod log_loss;
pub(crate) mod matthews_corrcoef;
pub(crate) mod population_stability_index;
pub(crate) mod pr_curve;
pub(crate) mod precision;
pub(crate) mod precision_at_k;
pub(crate) mod recall;
pub(crate) mod recall_at_fpr;
pub(crate) mod roc_auc;
pub(crate) mod roc_curve;
pub(crate) mod train_extended_isolation_forest;
pub(crate) mod train_gaussian_mixture;
pub(crate) mod train_hbos;
pub(crate) mod train_isolation_forest;
pub(crate) mod train_k_means;
pub(crate) mod train_logistic_regression;
pub(crate) mod train_mahalanobis;
pub(crate) mod train_nearest_neighbors;
pub(crate) mod train_one_class_svm;
pub(crate) mod train_pca;
pub(crate) mod train_random_forest;
pub(crate) mod train_robust_z_score;
pub(crate) mod train_tails;
pub(crate) mod wasserstein_distance;

mod keys;
#[cfg(test)]
pub(crate) mod laws;
mod metric;
mod metric_parameter;
mod metric_state;
mod metric_value;
mod options;
pub(crate) mod train;
