//! The rows that `kubectl get` prints.
//!
//! Columns of custom resources are those of their definition, those of the main built-in kinds follow
//! Kubernetes' `printers/internalversion`; other kinds show name and creation. Descriptions of
//! built-in columns are left out: `kubectl` does not print them.

mod age;
mod builtin;
mod custom;
mod format;
mod path;
mod pods;
mod workloads;

pub(crate) use custom::{Column, columns};
use jiff::Timestamp;
pub(crate) use path::Path;
use serde_json::{Value, json};

use crate::{object::Meta as _, registry::Resource, request::Included};

/// The cells of an object.
type Row<'c> = Box<dyn Fn(&Value) -> Vec<Value> + 'c>;

/// The objects as a table.
pub(crate) fn table(
    resource: &Resource,
    objects: &[&Value],
    included: Included,
    now: Timestamp,
) -> Value {
    let (definitions, row): (Vec<Value>, Row<'_>) =
        match (&resource.columns, builtin::printer(&resource.group, &resource.plural)) {
            (Some(columns), _) => (
                columns.iter().map(Column::definition).collect(),
                Box::new(move |object| {
                    columns.iter().map(|column| column.cell(object, now)).collect()
                }),
            ),
            (None, Some(printer)) => (
                printer.columns.iter().map(builtin::Column::definition).collect(),
                Box::new(move |object| (printer.row)(object, now)),
            ),
            (None, None) => (
                vec![
                    definition("Name", "string", "name", 0, "Name of the object"),
                    definition("Created At", "date", "", 0, "When the object was created"),
                ],
                Box::new(|object| {
                    vec![object.name().into(), object.meta("creationTimestamp").into()]
                }),
            ),
        };
    let rows: Vec<Value> = objects
        .iter()
        .map(|object| {
            let shown = match included {
                Included::Nothing => Value::Null,
                Included::Metadata => partial(object),
                Included::Object => (*object).clone(),
            };
            let mut row = json!({"cells": row(object)});
            if resource.is("", "pods")
                && let Some(ended) = pods::ended(object)
            {
                row["conditions"] = json!([ended]);
            }
            row["object"] = shown;
            row
        })
        .collect();
    json!({
        "kind": "Table", "apiVersion": "meta.k8s.io/v1", "metadata": {},
        "columnDefinitions": definitions, "rows": rows,
    })
}

/// The metadata of an object alone.
pub(crate) fn partial(value: &Value) -> Value {
    json!({
        "kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1",
        "metadata": value.get("metadata"),
    })
}

fn definition(name: &str, kind: &str, format: &str, priority: i64, description: &str) -> Value {
    json!({
        "name": name, "type": kind, "format": format, "description": description,
        "priority": priority,
    })
}
