//! Values: where they come from, and who wins.

mod coalesce;
mod go_json;
mod read;
mod schema;
mod set_flags;

use serde_json::{Map, Value};

pub use coalesce::{CoalesceError, coalesce};
pub(crate) use coalesce::{merge_tables, merge_tables_without_nulls, merge_with_nulls};
pub(crate) use go_json::read_prefix as read_json_prefix;
pub(crate) use read::documents;
pub use read::{merge, read_values};
pub(crate) use schema::validate_single_schema;
pub use schema::{SchemaError, validate_schema};
pub use set_flags::{SetError, SetMode, set, set_file, set_json};

/// The values of a chart or of a release: numbers of YAML are floats, those of `--set` integers.
pub type Values = Map<String, Value>;
