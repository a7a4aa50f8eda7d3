//! Typed reading of documents: field by field, in the words of Go's JSON decoder.
//!
//! Field names match in any case, as Go's decoder has it. Four dialects exist: kustomization files
//! are strict about unknown fields and types, plugin configurations are lenient about both, but for two
//! that another decoder reads, and files of `configurations` are lenient about types only.

use std::collections::BTreeMap;

use gitops_yaml::{Content, Entry, Node, Number, ScalarType, wanted_text};

use crate::{
    error::{Error, ErrorKind, Result},
    words::nearest,
};

/// How strictly a document is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Unknown fields fail, and so does a number where a string must stand.
    Strict,
    /// Unknown fields fail, scalars become strings where a string must stand.
    Converting,
    /// Unknown fields are skipped, scalars become strings where a string must stand.
    Lenient,
    /// As lenient, but names must be written exactly, as yaml.v3 has it.
    Exact,
}

/// A mapping whose fields are taken one by one.
pub(crate) struct Fields<'n> {
    type_name: &'static str,
    dialect: Dialect,
    entries: &'n [Entry],
    known: Vec<&'static str>,
}

impl<'n> Fields<'n> {
    pub(crate) fn new(node: &'n Node, type_name: &'static str, dialect: Dialect) -> Result<Self> {
        let entries = match node.content() {
            Content::Mapping(mapping) => mapping.entries(),
            _ if node.is_null() => &[],
            _ => {
                return Err(at(
                    node,
                    format!(
                        "json: cannot unmarshal {} into Go value of type types.{type_name}",
                        json_kind(node)
                    ),
                )
                .expecting("a mapping"));
            }
        };
        Ok(Self { type_name, dialect, entries, known: Vec::with_capacity(8) })
    }

    /// The value of a field, unless it is absent or `null`. Of names that differ in case the last one by
    /// their order counts, as the original sorts them first; of equal names the last one.
    pub(crate) fn node(&mut self, name: &'static str) -> Option<&'n Node> {
        self.known.push(name);
        let named = |key: &str| match self.dialect {
            Dialect::Exact => key == name,
            _ => key.eq_ignore_ascii_case(name),
        };
        self.entries
            .iter()
            .filter(|entry| entry.key.text().is_some_and(named))
            .max_by(|a, b| a.key.text().cmp(&b.key.text()))
            .map(|entry| &entry.value)
            .filter(|value| !value.is_null())
    }

    /// Whether a field is there with something in it.
    pub(crate) fn has(&mut self, name: &'static str) -> bool {
        self.node(name).is_some()
    }

    pub(crate) fn string(&mut self, name: &'static str) -> Result<String> {
        Ok(self.optional_string(name)?.unwrap_or_default())
    }

    pub(crate) fn optional_string(&mut self, name: &'static str) -> Result<Option<String>> {
        let Some(node) = self.node(name) else { return Ok(None) };
        self.text_of(node, name, "string").map(Some)
    }

    pub(crate) fn boolean(&mut self, name: &'static str) -> Result<bool> {
        let Some(node) = self.node(name) else { return Ok(false) };
        match node.as_bool() {
            Some(value) => Ok(value),
            None => Err(self.mismatch(node, name, "bool")),
        }
    }

    pub(crate) fn integer(&mut self, name: &'static str) -> Result<i64> {
        let Some(node) = self.node(name) else { return Ok(0) };
        // A whole float is an integer in JSON.
        let whole = |value: f64| value.to_string().parse::<i64>().ok();
        match node.as_i64().or_else(|| node.as_number().map(Number::as_f64).and_then(whole)) {
            Some(value) => Ok(value),
            None => Err(self.mismatch(node, name, if name == "count" { "int64" } else { "int" })),
        }
    }

    pub(crate) fn strings(&mut self, name: &'static str) -> Result<Vec<String>> {
        let Some(node) = self.node(name) else { return Ok(Vec::new()) };
        let Some(items) = node.as_sequence() else {
            return Err(self.mismatch(node, name, "[]string"));
        };
        items
            .iter()
            .map(|item| {
                if item.is_null() { Ok(String::new()) } else { self.text_of(item, name, "string") }
            })
            .collect()
    }

    pub(crate) fn string_map(&mut self, name: &'static str) -> Result<BTreeMap<String, String>> {
        let Some(node) = self.node(name) else { return Ok(BTreeMap::new()) };
        let Some(mapping) = node.as_mapping() else {
            return Err(self.mismatch(node, name, "map[string]string"));
        };
        mapping
            .entries()
            .iter()
            .map(|Entry { key, value }| {
                let text = if value.is_null() {
                    String::new()
                } else {
                    self.text_of(value, name, "string")?
                };
                Ok((wanted_text(key).unwrap_or_default().into_owned(), text))
            })
            .collect()
    }

    /// The elements of a list, each read by `read`.
    pub(crate) fn list<T>(
        &mut self,
        name: &'static str,
        mut read: impl FnMut(&'n Node, Dialect) -> Result<T>,
    ) -> Result<Vec<T>> {
        let Some(node) = self.node(name) else { return Ok(Vec::new()) };
        let Some(items) = node.as_sequence() else {
            return Err(self.mismatch(node, name, list_type(name)));
        };
        items
            .iter()
            .map(|item| read(item, self.dialect).map_err(|error| self.nested(error, name)))
            .collect()
    }

    /// A nested object, read by `read`.
    pub(crate) fn object<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'n Node, Dialect) -> Result<T>,
    ) -> Result<Option<T>> {
        let dialect = self.dialect;
        let Some(node) = self.node(name) else { return Ok(None) };
        read(node, dialect).map(Some).map_err(|error| self.nested(error, name))
    }

    /// A failure below a field as Go's decoder tells it: the path from the outermost struct stands
    /// behind the name of the innermost one.
    fn nested(&self, error: Error, name: &str) -> Error {
        let (outer, inside) = (self.type_name, embedded(self.type_name, name));
        error.reword(|text| match text.split_once("into Go struct field ") {
            Some((front, back)) => {
                let (struct_name, path) = back.split_once('.').unwrap_or((back, ""));
                format!("{front}into Go struct field {struct_name}.{inside}{name}.{path}")
            }
            None => text.replacen(
                "into Go value of type",
                &format!("into Go struct field {outer}.{inside}{name} of type"),
                1,
            ),
        })
    }

    /// Fails on the first field that was not asked for, unless the dialect is lenient.
    pub(crate) fn finish(self) -> Result<()> {
        if matches!(self.dialect, Dialect::Lenient | Dialect::Exact) {
            return Ok(());
        }
        for entry in self.entries {
            let key = entry.key.text().unwrap_or_default();
            if !self.known.iter().any(|name| name.eq_ignore_ascii_case(key)) {
                let error = at(&entry.key, format!("json: unknown field {key:?}"));
                let mut known = self.known;
                known.sort_unstable();
                known.dedup();
                return Err(match nearest(key, known.iter().copied()) {
                    Some(near) => error.with_hint(format!("did you mean {near:?}?")),
                    None => error,
                }
                .expecting(format!("one of {}", known.join(", "))));
            }
        }
        Ok(())
    }

    fn text_of(&self, node: &Node, name: &str, wanted: &str) -> Result<String> {
        // The original looks for a string to convert to in the outermost of embedded structs only.
        let converts = self.dialect == Dialect::Exact
            || self.dialect != Dialect::Strict && embedded(self.type_name, name).is_empty();
        let kind = node.as_scalar().map(gitops_yaml::Scalar::kind);
        match wanted_text(node) {
            Some(text)
                if converts
                    || matches!(
                        kind,
                        Some(ScalarType::Str | ScalarType::Timestamp | ScalarType::Merge)
                    ) =>
            {
                Ok(text.into_owned())
            }
            _ => Err(self.mismatch(node, name, wanted)),
        }
    }

    fn mismatch(&self, node: &Node, name: &str, wanted: &str) -> Error {
        let error = at(
            node,
            format!(
                "json: cannot unmarshal {} into Go struct field {}.{}{name} of type {wanted}",
                json_kind(node),
                self.type_name,
                embedded(self.type_name, name),
            ),
        );
        let error = error.expecting(match wanted {
            "string" => "a text",
            "bool" => "true or false",
            "int" | "int64" => "a whole number",
            "map[string]string" => "a mapping of texts",
            _ => "a list",
        });
        match (json_kind(node), wanted) {
            ("number" | "bool", "string") => error.with_hint("put the value in quotes"),
            ("string" | "object", list) if list.starts_with("[]") => {
                error.with_hint("begin each element with `- `")
            }
            _ => error,
        }
    }
}

/// The structs within Go's struct of a name that a field stands in.
fn embedded(type_name: &str, field: &str) -> &'static str {
    match (type_name, field) {
        ("ReplacementField", "source" | "sourceValue" | "targets") => "Replacement.",
        ("Selector" | "SourceSelector", "group" | "version" | "kind") => "ResId.Gvk.",
        ("Selector" | "SourceSelector", "name" | "namespace") => "ResId.",
        ("FieldSpec" | "Target" | "NameBackReferences", "group" | "version" | "kind") => "Gvk.",
        ("ConfigMapArgs" | "SecretArgs", "literals" | "files" | "envs" | "env") => {
            "GeneratorArgs.KvPairSources."
        }
        ("ConfigMapArgs" | "SecretArgs", "name" | "namespace" | "behavior" | "options") => {
            "GeneratorArgs."
        }
        ("Kustomization", "apiVersion" | "kind") => "TypeMeta.",
        _ => "",
    }
}

/// Go's type of a list.
fn list_type(field: &str) -> &'static str {
    match field {
        "labels" => "[]types.Label",
        "patches" | "patchesJson6902" => "[]types.Patch",
        "images" | "imageTags" => "[]types.Image",
        "replacements" => "[]types.ReplacementField",
        "replicas" => "[]types.Replica",
        "vars" => "[]types.Var",
        "configMapGenerator" => "[]types.ConfigMapArgs",
        "secretGenerator" => "[]types.SecretArgs",
        "helmCharts" => "[]types.HelmChart",
        "targets" => "[]*types.TargetSelector",
        "reject" => "[]*types.Selector",
        _ => "[]types.FieldSpec",
    }
}

/// A failure at a node of a configuration file.
pub(crate) fn at(node: &Node, message: String) -> Error {
    let place = node.place();
    Error::new(ErrorKind::Field, message).at_line(place.line(), place.column())
}

pub(crate) fn json_kind(node: &Node) -> &'static str {
    match node.content() {
        Content::Mapping(_) => "object",
        Content::Sequence(_) => "array",
        Content::Scalar(scalar) => match scalar.kind() {
            ScalarType::Bool => "bool",
            ScalarType::Int | ScalarType::Float => "number",
            ScalarType::Null => "null",
            _ => "string",
        },
    }
}
