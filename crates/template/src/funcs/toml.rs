//! TOML.

use super::plain::Refusal;
use crate::{Context, Value};

pub(super) fn write(_: &Value, _: &mut Context<'_>) -> Result<String, Refusal> {
    Err(Refusal::Unsupported("toml".to_owned()))
}

pub(super) fn read(_: &str) -> Result<Value, String> {
    Err("toml".to_owned())
}
