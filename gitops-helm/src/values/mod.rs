//! Values: where they come from, and who wins.

mod read;

use serde_json::{Map, Value};

pub use read::{merge, read_values};

/// The values of a chart or of a release: numbers of YAML are floats, those of `--set` integers.
pub type Values = Map<String, Value>;
