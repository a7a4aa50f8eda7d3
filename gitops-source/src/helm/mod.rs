//! Charts from repositories.
//!
//! Follows Flux's `internal/helm` of source-controller, whose texts of errors it shows.

mod build;
mod charts;
mod entry;
mod find;
mod index;
mod json;
mod repository;
mod split;

pub use build::{
    BuiltChart, ChartBuildError, ChartBuildOptions, ChartRepositories, ChartRepository,
    FindChartError, LocalChart, StoredChart, build_local, build_remote, normalize_url,
};
pub use charts::{IndexedCharts, OciCharts, VerifyImage};
pub use entry::{ChartChoiceError, ChartVersion, choose_version};
pub use find::find_chart;
pub use index::IndexError;
pub use repository::{BasicCredentials, FoundIndex, HelmRepositories, HelmRepository, StoredIndex};
