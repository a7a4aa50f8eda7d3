//! The kinds of the committed table.

use std::sync::{Arc, OnceLock};

use indexmap::IndexMap;

use super::{Registry, Resource, Subresource};
use crate::{
    schema::{NodeId, Schema, Table, Text},
    storage::Store,
};

/// Facts of Kubernetes 1.36.
static TABLE: &str = include_str!("builtin.txt");

struct Builtin {
    schema: Arc<Schema>,
    lines: Vec<crate::schema::Line>,
}

/// The table, read once: it never changes.
fn table() -> &'static Builtin {
    static READ: OnceLock<Builtin> = OnceLock::new();
    READ.get_or_init(|| {
        let table = Table::read(TABLE);
        Builtin { schema: Arc::new(table.schema), lines: table.resources }
    })
}

/// The type of `metadata`, which custom resources have as well.
pub(crate) fn object_meta() -> (&'static Schema, NodeId) {
    static FOUND: OnceLock<NodeId> = OnceLock::new();
    let schema = &*table().schema;
    let find = || schema.named("ObjectMeta").expect("the table has it");
    (schema, *FOUND.get_or_init(find))
}

pub(super) fn registry(store: &Store) -> Registry {
    let builtin = table();
    let mut registry = Registry { groups: IndexMap::new() };
    for line in &builtin.lines {
        let borrowed = |texts: &[&'static str]| texts.iter().copied().map(Text::Borrowed).collect();
        let subresources = line.subresources.iter().map(|sub| Subresource {
            name: Text::Borrowed(sub.name),
            speaks: (
                Text::Borrowed(sub.group),
                Text::Borrowed(sub.version),
                Text::Borrowed(sub.kind),
            ),
            verbs: borrowed(&sub.verbs),
            node: sub.node,
        });
        registry.add(Arc::new(Resource {
            group: Text::Borrowed(line.group),
            version: Text::Borrowed(line.version),
            api_version: match line.group {
                "" => line.version.to_owned(),
                group => format!("{group}/{}", line.version),
            },
            kind: Text::Borrowed(line.kind),
            list_kind: Text::Owned(format!("{}List", line.kind)),
            plural: Text::Borrowed(line.plural),
            singular: Text::Borrowed(line.singular),
            namespaced: line.namespaced,
            verbs: borrowed(&line.verbs),
            short_names: borrowed(&line.short_names),
            categories: borrowed(&line.categories),
            subresources: subresources.collect(),
            schema: Arc::clone(&builtin.schema),
            node: line.node,
            table: match (line.group, line.plural) {
                // The same objects under two groups.
                ("events.k8s.io", "events") => store.table("", "events"),
                (group, plural) => store.table(group, plural),
            },
            columns: None,
            selectable: None,
            scale: None,
        }));
    }
    registry
}
