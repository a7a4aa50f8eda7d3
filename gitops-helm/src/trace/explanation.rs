//! The answer, for people and machines.

use std::fmt;

use gitops_core::{Class, Classify, truncate};
use serde_json::{Value, json};

use super::Setting;
use crate::engine::Place;

/// Where lines of a release come from: the answer of [`Release::explain`](crate::Release::explain).
///
/// [`Display`](fmt::Display) prints each line with what wrote it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Explanation {
    /// The object, as `Kind/name`; empty of a document that is none.
    pub object: String,
    /// The field, as it was asked for; empty for the whole object or for a line.
    pub field: String,
    /// Its value; `null` when a line was asked for.
    pub value: Value,
    /// The lines, in order.
    pub lines: Vec<ExplainedLine>,
}

/// A line of the output.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExplainedLine {
    /// Its text.
    pub text: String,
    /// What wrote it: several actions can stand in a line. None for the lines of `crds/` and those
    /// that stand between the documents.
    pub origins: Vec<LineOrigin>,
}

/// What wrote a part of a line.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct LineOrigin {
    /// The part.
    pub text: String,
    /// The action of a template, or the place of a text, whose action is empty.
    pub place: Place,
    /// The actions that called that template, outermost first.
    pub calls: Vec<Place>,
    /// The `if`, `with` and `range` that these stand in, outermost first.
    pub within: Vec<Place>,
    /// The values that were read for it.
    pub values: Vec<ExplainedValue>,
    /// The values that were read by what stands in `within`.
    pub deciding: Vec<ExplainedValue>,
}

/// A value that a template read.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ExplainedValue {
    /// Its path in the values of the release, so with the names of subcharts.
    pub path: String,
    /// What it was; `None` if it was not set.
    pub value: Option<Value>,
    /// Who set it, the one that won first; for mappings, all that set something in it.
    pub settings: Vec<Setting>,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ExplainError {
    /// [`RenderOptions::trace`](crate::RenderOptions) was not set.
    #[error("the release was not traced")]
    NotTraced,
    /// No object of that kind and name was rendered.
    #[error("no object of the release is {question:?}; there are {known}")]
    NoObject {
        /// What was asked.
        question: String,
        /// Some that are there.
        known: String,
    },
    /// Several objects may be meant.
    #[error("{question:?} may mean {candidates}")]
    Ambiguous {
        /// What was asked.
        question: String,
        /// Those objects, as questions name them.
        candidates: String,
    },
    /// The object has no such field.
    #[error("{object} has no field {field:?}")]
    NoField {
        /// The object.
        object: String,
        /// The field.
        field: String,
    },
    /// The output, or what a template gave, is shorter.
    #[error("{file} has {lines} lines, not {line}")]
    NoLine {
        /// The template, or `the output`.
        file: String,
        /// How many lines there are.
        lines: usize,
        /// Which one was asked for.
        line: usize,
    },
    /// The question is none of those that are understood.
    #[error("{question:?} is neither Kind/name.field nor path:line: {why}")]
    Malformed {
        /// What was asked.
        question: String,
        /// What is wrong with it.
        why: String,
    },
}

impl Classify for ExplainError {
    fn class(&self) -> Class {
        Class::Invalid
    }
}

impl Explanation {
    /// One JSON object: `object`, `field`, `value`, and `lines`, each with `text` and `origins`: of
    /// these each with `text`, `place`, `calls` and `within` (`{file, line, column, action}`), and
    /// `values` and `deciding`: `{path, value, settings: [{by, line, column}]}`. A line or column that
    /// is not known is `null`.
    pub fn to_json(&self) -> Value {
        let lines = self.lines.iter().map(|line| {
            let origins: Vec<Value> = line.origins.iter().map(origin_json).collect();
            json!({ "text": line.text, "origins": origins })
        });
        json!({
            "object": self.object,
            "field": self.field,
            "value": self.value,
            "lines": lines.collect::<Vec<_>>(),
        })
    }
}

fn origin_json(origin: &LineOrigin) -> Value {
    let places = |places: &[Place]| places.iter().map(Place::to_json).collect::<Vec<_>>();
    let known = |number: u32| Some(number).filter(|number| *number > 0);
    let setting = |setting: &Setting| {
        json!({
            "by": setting.by,
            "line": known(setting.line),
            "column": known(setting.column),
        })
    };
    let value = |value: &ExplainedValue| {
        json!({
            "path": value.path,
            "value": value.value,
            "settings": value.settings.iter().map(setting).collect::<Vec<_>>(),
        })
    };
    json!({
        "text": origin.text,
        "place": origin.place.to_json(),
        "calls": places(&origin.calls),
        "within": places(&origin.within),
        "values": origin.values.iter().map(value).collect::<Vec<_>>(),
        "deciding": origin.deciding.iter().map(value).collect::<Vec<_>>(),
    })
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut head = self.object.clone();
        if !self.field.is_empty() {
            head.extend([" ", &self.field]);
        }
        if !self.value.is_null() && !self.value.is_object() && !self.value.is_array() {
            head.extend([" = ", &shown(&self.value)]);
        }
        f.write_str(&head)?;
        // A single line is told already where its value is.
        let one = self.lines.len() == 1 && head.contains(" = ");
        let mut first = head.is_empty();
        for line in &self.lines {
            if !one {
                f.write_str(if first { "" } else { "\n" })?;
                write!(f, "{}", truncate(&line.text, 200))?;
            }
            first = false;
            for origin in &line.origins {
                fmt::Display::fmt(origin, f)?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for LineOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n  {}", told(&self.place))?;
        for place in self.calls.iter().rev() {
            write!(f, "\n    called from {}", told(place))?;
        }
        for place in &self.within {
            write!(f, "\n    within {}", told(place))?;
        }
        for value in self.values.iter().chain(self.unread()) {
            write!(f, "\n    {value}")?;
        }
        Ok(())
    }
}

impl LineOrigin {
    /// The values that decided, but were not read for the line itself.
    fn unread(&self) -> impl Iterator<Item = &ExplainedValue> {
        let read = |path: &str| self.values.iter().any(|value| value.path == path);
        self.deciding.iter().filter(move |value| !read(&value.path))
    }
}

impl fmt::Display for ExplainedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, ".Values.{}", self.path)?;
        match &self.value {
            Some(Value::Object(_) | Value::Array(_)) => {}
            Some(value) => write!(f, " = {}", shown(value))?,
            None => f.write_str(" is not set")?,
        }
        for (index, setting) in self.settings.iter().enumerate() {
            write!(f, "{}{setting}", if index == 0 { "  " } else { ", over " })?;
        }
        Ok(())
    }
}

fn told(place: &Place) -> String {
    let Place { file, line, column, action } = place;
    let place = format!("{file}:{line}:{column}");
    if action.is_empty() {
        format!("{place}  text")
    } else {
        format!("{place}  {}", truncate(action, 200))
    }
}

/// A scalar on one line.
fn shown(value: &Value) -> String {
    match value.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 1e15) {
        // Numbers of YAML are floats.
        Some(float) => format!("{float}"),
        None => truncate(&value.to_string(), 200),
    }
}
