//! The history of a field, for people and machines.

use std::fmt;

use gitops_core::ObjectId;
use gitops_yaml::Node;
use serde_json::{Value, json};

use super::shadow::Event;
use crate::error::Location;

/// What happened to a field until it was put out: the answer to `explain`.
///
/// [`Display`](fmt::Display) prints a line for each change, the first one first.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// The object, as it was put out.
    pub object: ObjectId,
    /// The field, as `spec.template.spec.containers[name=app].image`.
    pub field: String,
    /// Its value.
    pub value: Node,
    /// What set the field, and for mappings and lists the fields in it, in order.
    pub changes: Vec<Change>,
}

/// One change of a field.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Change {
    /// The field that changed: the one that was asked for, or one below it.
    pub field: String,
    /// Whether it was set or removed.
    pub action: Action,
    /// Kustomize's name of the transformer or generator, such as `PatchTransformer`; `None` for what
    /// was read from a file.
    pub by: Option<String>,
    /// Where the value stands: in the file that was read, in a patch, in the source of a generator. Of
    /// a reference or a variable: the object that it takes its value from, or the generator of it.
    /// Absent where the transformer computed the value otherwise.
    pub place: Option<Location>,
    /// The entry of the kustomization that named the file, patch or transformer.
    pub configured: Option<Location>,
    /// The value then, if it was a scalar.
    pub value: Option<Node>,
    /// More about it, such as what was copied.
    pub note: Option<String>,
}

/// What a [`Change`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// The field has a value from then on.
    Set,
    /// The field is gone from then on.
    Removed,
}

impl Change {
    pub(super) fn new(field: &str, event: &Event) -> Self {
        let cause = &event.cause;
        Self {
            field: field.to_owned(),
            action: event.action,
            by: Some(cause.by.clone()).filter(|by| !by.is_empty()),
            place: event.place.clone(),
            configured: event
                .from
                .as_ref()
                .and_then(|from| from.configured.clone())
                .or_else(|| cause.configured.clone()),
            value: event.value.clone(),
            note: event.from.as_ref().map(|from| from.note.clone()).or_else(|| cause.note.clone()),
        }
    }

    fn to_json(&self) -> Value {
        json!({
            "field": self.field,
            "action": match self.action { Action::Set => "set", Action::Removed => "removed" },
            "by": self.by,
            "place": self.place.as_ref().map(Location::to_json),
            "configured": self.configured.as_ref().map(Location::to_json),
            "value": self.value.as_ref().and_then(|value| gitops_yaml::to_json(value).ok()),
            "note": self.note,
        })
    }
}

impl Explanation {
    /// The history as one JSON object: `object` as `Kind/namespace/name`, `field`, `value`, and
    /// `changes`, each with `field`, `action` (`set` or `removed`), `by`, `place` and `configured`
    /// (`{file, line, column}`), `value` and `note`, which are `null` where there is none.
    pub fn to_json(&self) -> Value {
        json!({
            "object": self.object.to_string(),
            "field": self.field,
            "value": gitops_yaml::to_json(&self.value).unwrap_or_default(),
            "changes": self.changes.iter().map(Change::to_json).collect::<Vec<_>>(),
        })
    }

    /// The same history with other names for the files of the tree, such as relative to another
    /// directory. Those of remote places stay.
    #[must_use]
    pub fn map_files(mut self, mut name: impl FnMut(&str) -> String) -> Self {
        for change in &mut self.changes {
            for place in [&mut change.place, &mut change.configured].into_iter().flatten() {
                place.map_file(&mut name);
            }
        }
        self
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.object)?;
        if !self.field.is_empty() {
            write!(f, " {}", self.field)?;
        }
        if self.value.as_scalar().is_some() {
            write!(f, " = {}", shown(&self.value))?;
        }
        let lines: Vec<(String, String)> =
            self.changes.iter().map(|change| (place_of(change), told(change, self))).collect();
        let width = lines.iter().map(|(place, _)| place.chars().count()).max().unwrap_or(0);
        for (place, told) in &lines {
            let pad = width - place.chars().count();
            write!(f, "\n  {place}{:pad$}  {told}", "")?;
        }
        Ok(())
    }
}

fn place_of(change: &Change) -> String {
    match change.place.as_ref().or(change.configured.as_ref()) {
        Some(place) => place.to_string(),
        None => "(built)".to_owned(),
    }
}

/// `= 3  by PatchTransformer (prod/kustomization.yaml:4:3)`
fn told(change: &Change, of: &Explanation) -> String {
    let mut text = String::new();
    if change.field != of.field {
        text.push_str(change.field.strip_prefix(&of.field).unwrap_or(&change.field));
        text.push(' ');
    }
    match (change.action, &change.value) {
        (Action::Removed, _) => text.push_str("removed"),
        (Action::Set, Some(value)) => {
            text.push_str("= ");
            text.push_str(&shown(value));
        }
        (Action::Set, None) => text.push_str("set"),
    }
    match &change.by {
        Some(by) => {
            text.push_str("  by ");
            text.push_str(by);
        }
        None => text.push_str("  as read"),
    }
    if let Some(note) = &change.note {
        text.push_str(", ");
        text.push_str(note);
    }
    if let (Some(_), Some(configured)) = (&change.place, &change.configured) {
        text.push_str("  (");
        text.push_str(&configured.to_string());
        text.push(')');
    }
    text
}

/// A scalar on one line.
fn shown(node: &Node) -> String {
    let json = gitops_yaml::to_json(node).map(|value| value.to_string());
    gitops_core::truncate(&json.unwrap_or_default(), 200)
}
