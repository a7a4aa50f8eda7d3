//! `.Chart`: a struct in Helm 3, a map of its fields in Helm 4.

use std::any::Any;

use gitops_template::{
    Entries, Field, Kind, List, ListKind, Map, MapKind, Object, Record, Text, Value,
};

use super::convert;
use crate::{Compat, Dependency, Maintainer, Metadata};

pub(super) fn chart(metadata: &Metadata, is_root: bool, compat: Compat) -> Value {
    match compat {
        Compat::Helm4 => {
            let map: Map = fields(metadata, compat)
                .into_iter()
                .map(|field| (Text::from(field.name), field.value))
                .collect();
            map.insert("IsRoot", is_root);
            Value::Map(map)
        }
        Compat::Helm3 => Value::object(ChartObject { fields: fields(metadata, compat), is_root }),
    }
}

fn field(name: &'static str, key: &'static str, value: impl Into<Value>) -> Field {
    Field { name, key, omit_empty: true, value: value.into() }
}

fn fields(metadata: &Metadata, compat: Compat) -> Vec<Field> {
    let strings = |texts: &[String]| strings(texts, compat);
    let annotations = metadata
        .annotations
        .iter()
        .map(|(key, value)| (Text::from(key), Value::string(value)))
        .collect::<Entries>();
    let annotations = if annotations.is_empty() {
        Map::nil(MapKind::String)
    } else {
        Map::of(MapKind::String, annotations)
    };
    let maintainers =
        metadata.maintainers.iter().map(|one| record(maintainer(one), "*chart.Maintainer", compat));
    let dependencies = metadata
        .dependencies
        .iter()
        .map(|one| record(dependency(one, compat), "*chart.Dependency", compat));
    vec![
        field("Name", "name", &*metadata.name),
        field("Home", "home", &*metadata.home),
        field("Sources", "sources", strings(&metadata.sources)),
        field("Version", "version", &*metadata.version),
        field("Description", "description", &*metadata.description),
        field("Keywords", "keywords", strings(&metadata.keywords)),
        field(
            "Maintainers",
            "maintainers",
            list(maintainers.collect(), ListKind::Maintainers, compat),
        ),
        field("Icon", "icon", &*metadata.icon),
        field("APIVersion", "apiVersion", &*metadata.api_version),
        field("Condition", "condition", &*metadata.condition),
        field("Tags", "tags", &*metadata.tags),
        field("AppVersion", "appVersion", &*metadata.app_version),
        field("Deprecated", "deprecated", metadata.deprecated),
        field("Annotations", "annotations", annotations),
        field("KubeVersion", "kubeVersion", &*metadata.kube_version),
        field(
            "Dependencies",
            "dependencies",
            list(dependencies.collect(), ListKind::Dependencies, compat),
        ),
        field("Type", "type", &*metadata.kind),
    ]
}

fn strings(texts: &[String], compat: Compat) -> Value {
    let items = texts.iter().map(Value::string).collect();
    match compat {
        Compat::Helm4 => Value::List(List::new(ListKind::Any, items)),
        Compat::Helm3 if texts.is_empty() => Value::List(List::nil(ListKind::String)),
        Compat::Helm3 => Value::List(List::new(ListKind::String, items)),
    }
}

fn list(items: Vec<Value>, kind: ListKind, compat: Compat) -> Value {
    match compat {
        Compat::Helm4 => Value::List(List::new(ListKind::Any, items)),
        Compat::Helm3 if items.is_empty() => Value::List(List::nil(kind)),
        Compat::Helm3 => Value::List(List::new(kind, items)),
    }
}

fn record(fields: Vec<Field>, type_name: &'static str, compat: Compat) -> Value {
    match compat {
        Compat::Helm4 => Value::Map(
            fields.into_iter().map(|field| (Text::from(field.name), field.value)).collect(),
        ),
        Compat::Helm3 => Value::object(Record { type_name, fields }),
    }
}

fn maintainer(maintainer: &Maintainer) -> Vec<Field> {
    vec![
        field("Name", "name", &*maintainer.name),
        field("Email", "email", &*maintainer.email),
        field("URL", "url", &*maintainer.url),
    ]
}

fn dependency(dependency: &Dependency, compat: Compat) -> Vec<Field> {
    let imports = dependency.import_values.iter().map(convert::value).collect::<Vec<_>>();
    let required = |field: Field| Field { omit_empty: false, ..field };
    vec![
        required(field("Name", "name", &*dependency.name)),
        field("Version", "version", &*dependency.version),
        required(field("Repository", "repository", &*dependency.repository)),
        field("Condition", "condition", &*dependency.condition),
        field("Tags", "tags", strings(&dependency.tags, compat)),
        field("Enabled", "enabled", dependency.enabled),
        field("ImportValues", "import-values", List::new(ListKind::Any, imports)),
        field("Alias", "alias", &*dependency.alias),
    ]
}

/// Helm 3's metadata with one field more.
#[derive(Debug)]
struct ChartObject {
    fields: Vec<Field>,
    is_root: bool,
}

impl Object for ChartObject {
    fn type_name(&self) -> &'static str {
        "struct { chart.Metadata; IsRoot bool }"
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        match name {
            "IsRoot" => Some(Value::Bool(self.is_root)),
            "Metadata" => Some(self.metadata()),
            _ => {
                let found = self.fields.iter().find(|field| field.name == name);
                found.map(|field| field.value.clone())
            }
        }
    }

    fn fields(&self) -> Vec<Field> {
        let is_root = Field {
            name: "IsRoot",
            key: "IsRoot",
            omit_empty: false,
            value: Value::Bool(self.is_root),
        };
        let metadata =
            Field { name: "Metadata", key: "", omit_empty: false, value: self.metadata() };
        vec![metadata, is_root]
    }
}

impl ChartObject {
    fn metadata(&self) -> Value {
        Value::object(Record { type_name: "chart.Metadata", fields: self.fields.clone() })
    }
}
