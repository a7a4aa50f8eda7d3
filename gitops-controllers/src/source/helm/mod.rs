//! Chart repositories, and charts of them and of other sources.

mod chart;
mod repository;
mod source;

pub use chart::{ChartOptions, HelmChartReconciler};
pub use repository::HelmRepositoryReconciler;
