//! Artifacts composed from the files of others.
//!
//! Follows Flux's source-watcher: what is copied where, what a pattern means, and the names of
//! files, which are hashes of their content.

mod copy;
mod expand;
mod glob;
mod hash;
mod paths;

pub use copy::{ComposeError, Composition, CopyRule, CopyStrategy, compose};
pub use expand::{ExpandError, Expansion, PathPattern};
