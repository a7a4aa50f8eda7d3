//! What Helm would have written to its log, as values.

use std::fmt;

use gitops_core::quoted;
use serde_json::Value;

use crate::Compat;

/// Something that is not as its author meant it. `Display` gives Helm's text.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Warning {
    /// A chart's default at this path is a scalar, the given value a table.
    NotATable(String),
    /// A chart's default at this path is a table, the given value is not.
    TableIgnored(String, Value),
    /// A chart's default at this path is no table, the given value is one.
    ScalarIgnored(String, Value),
    /// `global` of a chart's values is no table.
    GlobalDestination,
    /// `global` of the parent's values is no table.
    GlobalSource,
    /// A global of this name is a table in the parent and none in the chart.
    GlobalConflict(String),
    /// A global of this name is a table in the chart and none in the parent.
    GlobalTable(String),
    /// The path of a condition leads to something else than a boolean.
    Condition {
        /// The path.
        path: String,
        /// The dependency.
        chart: String,
    },
    /// A tag is something else than a boolean.
    Tag {
        /// The tag.
        tag: String,
        /// The dependency.
        chart: String,
    },
    /// What a chart wants to import is no table.
    ImportFromChart {
        /// The dependency.
        chart: String,
        /// The part of the path that is none.
        key: String,
    },
    /// What a chart wants to import from `exports` is no table.
    Import {
        /// The part of the path that is none.
        key: String,
    },
    /// A hook names an event that is none.
    UnknownHook(String),
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotATable(path) => {
                write!(f, "warning: skipped value for {path}: Not a table.")
            }
            Self::TableIgnored(path, value) => {
                let value = go_value(value);
                write!(f, "warning: cannot overwrite table with non table for {path} ({value})")
            }
            Self::ScalarIgnored(path, value) => {
                let value = go_value(value);
                write!(
                    f,
                    "warning: destination for {path} is a table. Ignoring non-table value ({value})"
                )
            }
            Self::GlobalDestination => {
                f.write_str("warning: skipping globals because destination global is not a table.")
            }
            Self::GlobalSource => {
                f.write_str("warning: skipping globals because source global is not a table.")
            }
            Self::GlobalConflict(key) => {
                write!(f, "Conflict: cannot merge map onto non-map for {}. Skipping.", quoted(key))
            }
            Self::GlobalTable(key) => write!(f, "key {key} is table. Skipping"),
            Self::Condition { path, chart } => write!(
                f,
                "Warning: Condition path '{path}' for chart {chart} returned non-bool value"
            ),
            Self::Tag { tag, chart } => {
                write!(f, "Warning: Tag '{tag}' for chart {chart} returned non-bool value")
            }
            Self::ImportFromChart { chart, key } => write!(
                f,
                "Warning: ImportValues missing table from chart {chart}: {} is not a table",
                quoted(key)
            ),
            Self::Import { key } => {
                write!(f, "Warning: ImportValues missing table: {} is not a table", quoted(key))
            }
            Self::UnknownHook(hook) => {
                write!(f, "info: skipping unknown hook: {}", quoted(hook))
            }
        }
    }
}

impl Warning {
    /// The line that Helm writes to standard error.
    pub fn log_line(&self, compat: Compat) -> String {
        match compat {
            Compat::Helm3 => format!("{}: {self}", self.place()),
            Compat::Helm4 => match self {
                Self::Condition { path, chart } => format!(
                    "level=WARN msg=\"returned non-bool value\" path={} chart={}",
                    logged(path),
                    logged(chart)
                ),
                Self::Tag { tag, chart } => format!(
                    "level=WARN msg=\"returned non-bool value\" tag={} chart={}",
                    logged(tag),
                    logged(chart)
                ),
                Self::ImportFromChart { chart, key } => format!(
                    "level=WARN msg=\"ImportValues missing table from chart\" chart={} error={}",
                    logged(chart),
                    logged(&format!("{} is not a table", quoted(key)))
                ),
                Self::Import { key } => format!(
                    "level=WARN msg=\"ImportValues missing table\" error={}",
                    logged(&format!("{} is not a table", quoted(key)))
                ),
                Self::UnknownHook(hook) => {
                    format!("level=INFO msg=\"skipping unknown hooks\" hookTypes={}", logged(hook))
                }
                other => format!("level=INFO msg={}", logged(&other.to_string())),
            },
        }
    }

    /// Where Helm 3 says it: its log names the line of its source.
    fn place(&self) -> &'static str {
        match self {
            Self::GlobalDestination => "coalesce.go:138",
            Self::GlobalSource => "coalesce.go:145",
            Self::GlobalConflict(_) => "coalesce.go:161",
            Self::GlobalTable(_) => "coalesce.go:175",
            Self::NotATable(_) => "coalesce.go:237",
            Self::TableIgnored(..) => "coalesce.go:316",
            Self::ScalarIgnored(..) => "coalesce.go:319",
            Self::Condition { .. } => "dependencies.go:64",
            Self::Tag { .. } => "dependencies.go:95",
            Self::ImportFromChart { .. } => "dependencies.go:270",
            Self::Import { .. } => "dependencies.go:287",
            Self::UnknownHook(_) => "manifest_sorter.go:199",
        }
    }
}

/// A value as `slog`'s text handler writes it: quoted where that is needed.
fn logged(text: &str) -> String {
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '=' | '\\') || !c.is_ascii();
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

/// A value as Go's `%v` shows it.
pub(crate) fn go_value(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => go_float_v(float),
            _ => number.to_string(),
        },
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(go_value).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
            let entries: Vec<_> =
                entries.iter().map(|(key, value)| format!("{key}:{}", go_value(value))).collect();
            format!("map[{}]", entries.join(" "))
        }
    }
}

/// `%v` of a float: exponents from 10^6 on, and below 10^-4.
fn go_float_v(value: f64) -> String {
    let scientific = format!("{value:e}");
    let Some((digits, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..6).contains(&exponent) || value == 0.0 {
        return value.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", exponent.abs())
}

/// A value as Go's `%t` shows it where it wants a boolean.
pub(crate) fn go_bad_bool(value: &Value) -> String {
    match value {
        Value::Null => "%!t(<nil>)".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) if number.is_f64() => format!("%!t(float64={})", go_value(value)),
        Value::Number(_) => format!("%!t(int64={})", go_value(value)),
        Value::String(text) => format!("%!t(string={text})"),
        Value::Array(items) => {
            let items: Vec<_> = items.iter().map(go_bad_bool_within).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Object(object) => {
            let mut entries: Vec<_> = object.iter().collect();
            entries.sort_unstable_by(|a, b| a.0.cmp(b.0));
            let entries: Vec<_> = entries
                .iter()
                .map(|(key, value)| format!("%!t(string={key}):{}", go_bad_bool_within(value)))
                .collect();
            format!("map[{}]", entries.join(" "))
        }
    }
}

/// Within others, nil is printed whatever is wanted.
fn go_bad_bool_within(value: &Value) -> String {
    if value.is_null() { "<nil>".to_owned() } else { go_bad_bool(value) }
}

/// The Go type that a value has among values.
pub(crate) fn go_type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}
