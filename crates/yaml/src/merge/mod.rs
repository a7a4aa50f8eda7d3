//! Patches: strategic merge, JSON patch and JSON merge patch.

mod elements;
mod json6902;
mod json7386;
mod strategic;

pub use json6902::JsonPatch;
pub use json7386::{diff_json, merge_json, three_way_patch};
pub use strategic::merge_strategic;
