//! Patches: strategic merge and JSON patch.

mod elements;
mod json6902;
mod strategic;

pub use json6902::JsonPatch;
pub use strategic::merge_strategic;
