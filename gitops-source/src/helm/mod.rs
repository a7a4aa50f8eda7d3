//! Charts from repositories.
//!
//! Follows Flux's `internal/helm` of source-controller, whose texts of errors it shows.

mod entry;
mod index;
mod repository;
mod split;

pub use entry::{ChartChoiceError, ChartVersion, choose_version};
pub use index::{IndexError, find_chart};
pub use repository::{BasicCredentials, FoundIndex, HelmRepositories, HelmRepository, StoredIndex};
