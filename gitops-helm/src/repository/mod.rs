//! Chart repositories: what an index lists, and which version is meant.

mod index;
mod layout;
mod versions;

pub use index::{Index, IndexError, Listing, Skipped};
pub use versions::ChartVersion;
