//! A schema made ready: its parts checked, its references and patterns resolved.

use std::collections::{BTreeMap, BTreeSet};

use gitops_core::quoted;
use gitops_template::re2::Regex;
use serde_json::{Map, Value};

/// A schema within its document.
#[derive(Debug)]
pub(super) struct Schema<'s> {
    pub(super) root: &'s Value,
    pub(super) draft: Draft,
    /// What `$ref` and its relatives lead to, by the address of the schema that has it.
    references: BTreeMap<(usize, &'static str), &'s Value>,
    patterns: BTreeMap<usize, Regex>,
    /// The resource of each schema: the part of the document with an id of its own that it stands in.
    resources: BTreeMap<usize, usize>,
    /// What `$dynamicRef` may lead to, by resource and name.
    dynamic: BTreeMap<(usize, &'s str), &'s Value>,
    /// The resources with `$recursiveAnchor`.
    recursive: BTreeMap<usize, &'s Value>,
}

/// A version of the language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Draft {
    Four,
    Six,
    Seven,
    Nineteen,
    Twenty,
}

/// The keywords that refer to other schemas.
const REFERENCES: [&str; 3] = ["$ref", "$recursiveRef", "$dynamicRef"];

/// Those that a draft knows, `$ref` first.
pub(super) fn references(draft: Draft) -> &'static [&'static str] {
    match draft {
        Draft::Four | Draft::Six | Draft::Seven => &REFERENCES[..1],
        Draft::Nineteen => &REFERENCES[..2],
        Draft::Twenty => &REFERENCES,
    }
}

const ROOT: &str = "file:///values.schema.json";

impl<'s> Schema<'s> {
    /// Checks a document and finds what its references mean.
    pub(super) fn compile(root: &'s Value) -> Result<Self, String> {
        let draft = draft(root)?;
        super::meta::check(root, draft, ROOT)?;
        let compiled = Self::trusted(root, draft);
        if compiled.is_err() {
            // A pattern that is none, which the rules of schemas tell better.
            super::meta::explain(root, draft, ROOT)?;
        }
        compiled
    }

    /// The same of a document that is a schema for certain.
    pub(super) fn trusted(root: &'s Value, draft: Draft) -> Result<Self, String> {
        let mut ids = Ids::default();
        ids.bases.push(ROOT.to_owned());
        ids.resources.insert(ROOT.to_owned(), (root, 0));
        ids.collect(root, 0, draft);
        ids.begins.entry(address(root)).or_insert(0);
        let schema = Self {
            root,
            draft,
            references: BTreeMap::new(),
            patterns: BTreeMap::new(),
            resources: BTreeMap::new(),
            dynamic: BTreeMap::new(),
            recursive: BTreeMap::new(),
        };
        let mut compiler =
            Compiler { schema, ids, seen: BTreeSet::new(), queue: vec![(root, 0, String::new())] };
        while let Some((part, base, place)) = compiler.queue.pop() {
            compiler.part(part, base, &place)?;
        }
        Ok(compiler.schema)
    }

    pub(super) fn reference(&self, schema: &Value, keyword: &'static str) -> Option<&'s Value> {
        self.references.get(&(address(schema), keyword)).copied()
    }

    /// What a reference of a schema means on the way that led to it, `scopes` from the outside in by
    /// their addresses: of the resources on it, the outermost with the anchor wins.
    pub(super) fn dynamic_reference(
        &self,
        schema: &Value,
        keyword: &'static str,
        scopes: impl Iterator<Item = usize>,
    ) -> Option<&'s Value> {
        let fallback = self.reference(schema, keyword)?;
        let mut resources = scopes.filter_map(|scope| self.resources.get(&scope));
        let found = match keyword {
            "$recursiveRef" if is_recursive(fallback) => {
                resources.find_map(|resource| self.recursive.get(resource))
            }
            "$dynamicRef" => {
                let fragment = schema.get(keyword)?.as_str()?.split_once('#').map(|(_, name)| name);
                let anchor = fallback.get("$dynamicAnchor").and_then(Value::as_str);
                match anchor.filter(|anchor| fragment == Some(*anchor)) {
                    Some(anchor) => {
                        resources.find_map(|resource| self.dynamic.get(&(*resource, anchor)))
                    }
                    None => None,
                }
            }
            _ => None,
        };
        Some(found.copied().unwrap_or(fallback))
    }

    /// The pattern in a text of the schema.
    pub(super) fn pattern(&self, text: &Value) -> Option<&Regex> {
        self.patterns.get(&address(text))
    }

    /// The patterns of `patternProperties`, kept by the schemas below them.
    pub(super) fn name_pattern(&self, below: &Value) -> Option<&Regex> {
        self.patterns.get(&address(below))
    }
}

fn is_recursive(schema: &Value) -> bool {
    schema.get("$recursiveAnchor").and_then(Value::as_bool) == Some(true)
}

/// Parts of a document are told apart by where they are in memory.
fn address(value: &Value) -> usize {
    std::ptr::from_ref(value) as usize
}

fn draft(root: &Value) -> Result<Draft, String> {
    let Some(url) = root.get("$schema").and_then(Value::as_str) else { return Ok(Draft::Twenty) };
    let (address, fragment) = url.split_once('#').unwrap_or((url, ""));
    let name = address
        .strip_prefix("http://")
        .or_else(|| address.strip_prefix("https://"))
        .and_then(|rest| rest.strip_prefix("json-schema.org/"));
    match name {
        Some("schema" | "draft/2020-12/schema") if fragment.is_empty() => Ok(Draft::Twenty),
        Some("draft/2019-09/schema") if fragment.is_empty() => Ok(Draft::Nineteen),
        Some("draft-07/schema") if fragment.is_empty() => Ok(Draft::Seven),
        Some("draft-06/schema") if fragment.is_empty() => Ok(Draft::Six),
        Some("draft-04/schema") if fragment.is_empty() => Ok(Draft::Four),
        _ => Err(refused(url)),
    }
}

fn refused(url: &str) -> String {
    format!("failing loading {}: references to other documents are refused\n", quoted(url))
}

/// Which parts of a document have names.
#[derive(Debug, Default)]
struct Ids<'s> {
    bases: Vec<String>,
    resources: BTreeMap<String, (&'s Value, usize)>,
    anchors: BTreeMap<(usize, String), &'s Value>,
    /// Those that `$dynamicRef` looks for, with their resource.
    dynamic: Vec<(usize, &'s str, &'s Value)>,
    /// The base of each part that begins a resource.
    begins: BTreeMap<usize, usize>,
}

impl<'s> Ids<'s> {
    fn collect(&mut self, part: &'s Value, base: usize, draft: Draft) {
        let Value::Object(object) = part else { return };
        let id =
            object.get(if draft == Draft::Four { "id" } else { "$id" }).and_then(Value::as_str);
        // Before 2019-09 what stands beside a reference does not count.
        let id = id.filter(|_| draft >= Draft::Nineteen || !object.contains_key("$ref"));
        let mut base = base;
        if let Some(id) = id {
            match id.strip_prefix('#') {
                Some("") => {}
                Some(anchor) => {
                    self.anchors.insert((base, anchor.to_owned()), part);
                }
                None => {
                    let url = join(&self.bases[base], id.trim_end_matches('#'));
                    base = self.bases.len();
                    self.bases.push(url.clone());
                    self.resources.insert(url, (part, base));
                    self.begins.insert(address(part), base);
                }
            }
        }
        let since = [(Draft::Nineteen, "$anchor"), (Draft::Twenty, "$dynamicAnchor")];
        for (_, keyword) in since.into_iter().filter(|(since, _)| draft >= *since) {
            if let Some(anchor) = object.get(keyword).and_then(Value::as_str) {
                self.anchors.insert((base, anchor.to_owned()), part);
                if keyword == "$dynamicAnchor" {
                    self.dynamic.push((base, anchor, part));
                }
            }
        }
        for (_, below) in below(object) {
            self.collect(below, base, draft);
        }
        for keyword in ["definitions", "$defs"] {
            for below in object.get(keyword).and_then(Value::as_object).into_iter().flatten() {
                self.collect(below.1, base, draft);
            }
        }
    }

    fn resolve(&self, reference: &str, base: usize) -> Result<(&'s Value, usize), String> {
        let (url, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let full =
            if url.is_empty() { self.bases[base].clone() } else { join(&self.bases[base], url) };
        let &(root, base) = self.resources.get(&full).ok_or_else(|| refused(&full))?;
        let fragment = percent_decode(fragment);
        let place = || quoted(&format!("{full}#{fragment}"));
        if fragment.is_empty() {
            Ok((root, base))
        } else if fragment.starts_with('/') {
            root.pointer(&fragment)
                .map(|part| (part, base))
                .ok_or_else(|| format!("json-pointer in {} not found\n", place()))
        } else {
            let anchor = self.anchors.get(&(base, fragment.clone()));
            anchor.map(|part| (*part, base)).ok_or_else(|| {
                format!("anchor in {} not found in schema {}\n", place(), quoted(ROOT))
            })
        }
    }
}

struct Compiler<'s> {
    schema: Schema<'s>,
    ids: Ids<'s>,
    seen: BTreeSet<usize>,
    queue: Vec<(&'s Value, usize, String)>,
}

impl<'s> Compiler<'s> {
    fn part(&mut self, part: &'s Value, base: usize, place: &str) -> Result<(), String> {
        if !self.seen.insert(address(part)) {
            return Ok(());
        }
        let object = match part {
            Value::Bool(_) => return Ok(()),
            Value::Object(object) => object,
            other => {
                let kind = gitops_core::json_kind(other);
                return Err(malformed(place, &format!("got {kind}, want boolean or object")));
            }
        };
        let begun = self.ids.begins.get(&address(part)).copied();
        let base = begun.unwrap_or(base);
        self.schema.resources.insert(address(part), base);
        if begun.is_some() {
            self.resource(part, base, place);
        }
        for &keyword in references(self.schema.draft) {
            let Some(reference) = object.get(keyword).and_then(Value::as_str) else { continue };
            let (target, base) = self.ids.resolve(reference, base)?;
            self.schema.references.insert((address(part), keyword), target);
            self.queue.push((target, base, place.to_owned()));
        }
        if self.schema.draft < Draft::Nineteen && object.contains_key("$ref") {
            return Ok(());
        }
        if let Some(pattern) = object.get("pattern")
            && let Some(text) = pattern.as_str()
        {
            self.pattern(text, pattern, &format!("{place}/pattern"))?;
        }
        let patterns = object.get("patternProperties").and_then(Value::as_object);
        for (pattern, below) in patterns.into_iter().flatten() {
            self.pattern(pattern, below, &format!("{place}/patternProperties"))?;
        }
        for (path, below) in below(object) {
            self.queue.push((below, base, format!("{place}/{path}")));
        }
        Ok(())
    }

    /// A part with an id of its own is met: its anchors may be led to.
    fn resource(&mut self, part: &'s Value, base: usize, place: &str) {
        if is_recursive(part) {
            self.schema.recursive.insert(base, part);
        }
        for &(_, anchor, target) in self.ids.dynamic.iter().filter(|(own, ..)| *own == base) {
            self.schema.dynamic.insert((base, anchor), target);
            self.queue.push((target, base, place.to_owned()));
        }
    }

    fn pattern(&mut self, text: &str, key: &'s Value, place: &str) -> Result<(), String> {
        let regex = go_regex(text)
            .map_err(|error| malformed(place, &format!("'{text}' is not valid regex: {error}")))?;
        self.schema.patterns.insert(address(key), regex);
        Ok(())
    }
}

/// The schemas directly within one, with their path.
fn below(object: &Map<String, Value>) -> Vec<(String, &Value)> {
    let mut found = Vec::new();
    for (keyword, value) in object {
        match keyword.as_str() {
            "not"
            | "if"
            | "then"
            | "else"
            | "contains"
            | "propertyNames"
            | "additionalProperties"
            | "additionalItems"
            | "unevaluatedProperties"
            | "unevaluatedItems" => found.push((keyword.clone(), value)),
            "items" | "allOf" | "anyOf" | "oneOf" | "prefixItems" => match value {
                Value::Array(items) => {
                    for (index, item) in items.iter().enumerate() {
                        found.push((format!("{keyword}/{index}"), item));
                    }
                }
                value => found.push((keyword.clone(), value)),
            },
            "properties" | "patternProperties" | "dependentSchemas" | "dependencies" => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    // A dependency may be a list of names.
                    if !(keyword == "dependencies" && value.is_array()) {
                        found.push((format!("{keyword}/{name}"), value));
                    }
                }
            }
            _ => {}
        }
    }
    found
}

fn malformed(place: &str, message: &str) -> String {
    format!(
        "{} is not valid against metaschema: jsonschema validation failed\n- at '{place}': {message}\n",
        quoted(&format!("{ROOT}#"))
    )
}

/// Joins a base address and a reference, as far as schemas need it.
fn join(base: &str, reference: &str) -> String {
    if reference.contains("://") || reference.starts_with("urn:") {
        return reference.to_owned();
    }
    let authority = base.find("://").map_or(0, |index| index + 3);
    let path = base[authority..].find('/').map_or(base.len(), |index| authority + index);
    if reference.starts_with('/') {
        return format!("{}{reference}", &base[..path]);
    }
    let directory = base.rfind('/').map_or(0, |index| index + 1).max(path.min(base.len()));
    format!("{}{reference}", &base[..directory])
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex =
            tail.get(..2).filter(|_| *first == b'%').and_then(|hex| std::str::from_utf8(hex).ok());
        match hex.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A pattern in Go's syntax. One that needs much memory is none: a schema may hold thousands.
pub(super) fn go_regex(pattern: &str) -> Result<Regex, String> {
    let regex = Regex::new(pattern).map_err(|error| error.to_string())?;
    if regex.is_large() { Err("expression too large".to_owned()) } else { Ok(regex) }
}
