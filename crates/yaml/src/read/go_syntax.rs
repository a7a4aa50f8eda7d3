//! Values as Go's `%#v` prints them, which go-yaml does in some errors.

use std::fmt::Write as _;

use crate::{
    node::{Content, Node, ScalarType},
    resolve::{Number, write_float},
};

/// More of a value than this tells nobody anything.
const LONGEST: usize = 4096;

/// The Go syntax of a value that yaml.v2 decoded into an `interface{}`.
pub(crate) fn go_syntax(node: &Node) -> String {
    let mut text = String::new();
    write_value(&mut text, node);
    gitops_core::truncate(&text, LONGEST)
}

/// As [`go_syntax`], for a value that stands alone: a null has no type there.
pub(crate) fn go_value(node: &Node) -> String {
    if node.is_null() { "<nil>".to_owned() } else { go_syntax(node) }
}

fn write_value(out: &mut String, node: &Node) {
    if out.len() > LONGEST {
        return;
    }
    match node.content() {
        Content::Sequence(sequence) => {
            out.push_str("[]interface {}{");
            for (index, item) in sequence.iter().enumerate() {
                separate(out, index);
                write_value(out, item);
            }
            out.push('}');
        }
        Content::Mapping(mapping) => {
            out.push_str("map[interface {}]interface {}{");
            let mut entries: Vec<_> = mapping.entries().iter().collect();
            entries.sort_by(|a, b| order(&a.key).cmp(&order(&b.key)));
            for (index, entry) in entries.into_iter().enumerate() {
                separate(out, index);
                write_value(out, &entry.key);
                out.push(':');
                write_value(out, &entry.value);
            }
            out.push('}');
        }
        Content::Scalar(scalar) => match (scalar.kind(), scalar.as_number()) {
            (ScalarType::Null, _) => out.push_str("interface {}(nil)"),
            (ScalarType::Bool, _) => {
                out.push_str(if scalar.as_bool() == Some(true) { "true" } else { "false" });
            }
            (_, Some(Number::Int(value))) => drop(write!(out, "{value}")),
            (_, Some(Number::Uint(value))) => drop(write!(out, "{value:#x}")),
            (_, Some(Number::Float(value))) if value.is_nan() => out.push_str("NaN"),
            (_, Some(Number::Float(value))) if value.is_infinite() => {
                out.push_str(if value > 0.0 { "+Inf" } else { "-Inf" });
            }
            (_, Some(Number::Float(value))) => write_float(out, value),
            _ => out.push_str(&gitops_core::quoted(scalar.text())),
        },
    }
}

fn separate(out: &mut String, index: usize) {
    if index > 0 {
        out.push_str(", ");
    }
}

/// The order in which Go prints keys: by type, then by value.
fn order(key: &Node) -> (u8, i64, &str) {
    let Some(scalar) = key.as_scalar() else { return (9, 0, "") };
    match (scalar.kind(), scalar.as_number()) {
        (ScalarType::Null, _) => (0, 0, ""),
        (ScalarType::Bool, _) => (1, i64::from(scalar.as_bool() == Some(true)), ""),
        (_, Some(Number::Float(value))) => (2, total(value), ""),
        (_, Some(Number::Int(value))) => (4, value, ""),
        (_, Some(Number::Uint(value))) => (5, value.cast_signed(), ""),
        _ => (3, 0, scalar.text()),
    }
}

/// A number that compares as the float does.
fn total(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { bits ^ i64::MAX } else { bits }
}
