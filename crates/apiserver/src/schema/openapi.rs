//! The structural schema of a custom resource definition.

use std::sync::OnceLock;

use kube_cel::cel::parser::Expression;
use regex::Regex;
use serde_json::Value;

use super::{Field, Kind, ListKind, Node, NodeId, Scalar, Schema, Text};

/// Schemas nest no deeper; deeper ones are refused.
const DEPTH_LIMIT: usize = 64;

/// Longer rules are refused.
const CEL_LIMIT: usize = 64 << 10;

/// The validations of a `JSONSchemaProps`, beyond the shape.
#[expect(clippy::struct_excessive_bools, reason = "as many as the API has")]
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// `object`, `array`, `string`, `integer`, `number`, `boolean` or empty.
    pub(crate) json_type: String,
    pub(crate) nullable: bool,
    pub(crate) preserve_unknown: bool,
    pub(crate) embedded: bool,
    pub(crate) int_or_string: bool,
    pub(crate) default: Option<Value>,
    pub(crate) required: Vec<String>,
    pub(crate) allowed: Vec<Value>,
    pub(crate) format: String,
    pub(crate) pattern: Option<Pattern>,
    pub(crate) min_length: Option<u64>,
    pub(crate) max_length: Option<u64>,
    pub(crate) minimum: Option<f64>,
    pub(crate) maximum: Option<f64>,
    pub(crate) exclusive_minimum: bool,
    pub(crate) exclusive_maximum: bool,
    pub(crate) multiple_of: Option<f64>,
    pub(crate) min_items: Option<u64>,
    pub(crate) max_items: Option<u64>,
    pub(crate) unique_items: bool,
    pub(crate) min_properties: Option<u64>,
    pub(crate) max_properties: Option<u64>,
    pub(crate) all_of: Vec<NodeId>,
    pub(crate) any_of: Vec<NodeId>,
    pub(crate) one_of: Vec<NodeId>,
    pub(crate) not: Option<NodeId>,
    pub(crate) cel: Vec<CelRule>,
}

/// A regular expression, compiled when it is first needed.
#[derive(Debug)]
pub(crate) struct Pattern {
    pub(crate) source: String,
    compiled: OnceLock<Option<Regex>>,
}

/// One of `x-kubernetes-validations`.
pub(crate) struct CelRule {
    pub(crate) rule: String,
    pub(crate) message: String,
    pub(crate) message_expression: String,
    pub(crate) reason: String,
    pub(crate) field_path: String,
    pub(crate) optional_old_self: bool,
    parsed: OnceLock<Result<Expression, String>>,
    parsed_message: OnceLock<Result<Expression, String>>,
}

impl std::fmt::Debug for CelRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("CelRule").field(&self.rule).finish()
    }
}

/// A schema that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SchemaError {
    #[error("schema nests deeper than {DEPTH_LIMIT} levels")]
    TooDeep,
}

impl Pattern {
    fn new(source: &str) -> Self {
        Self { source: source.to_owned(), compiled: OnceLock::new() }
    }

    /// Whether the text matches; a pattern that cannot be compiled matches everything.
    pub(crate) fn matches(&self, text: &str) -> bool {
        let compile = || regex::RegexBuilder::new(&self.source).size_limit(1 << 20).build().ok();
        self.compiled.get_or_init(compile).as_ref().is_none_or(|regex| regex.is_match(text))
    }
}

/// Reads `openAPIV3Schema`; the node of the whole object gets `metadata`, `apiVersion` and `kind`.
pub(crate) fn structural(
    schema: &mut Schema,
    definition: &Value,
    metadata: NodeId,
) -> Result<NodeId, SchemaError> {
    let mut node = node(schema, definition, 0, Some(metadata))?;
    node.name = Text::default();
    Ok(schema.add(node))
}

fn node(
    schema: &mut Schema,
    definition: &Value,
    depth: usize,
    metadata: Option<NodeId>,
) -> Result<Node, SchemaError> {
    if depth > DEPTH_LIMIT {
        return Err(SchemaError::TooDeep);
    }
    let mut rules = rules(schema, definition, depth)?;
    let json_type = text(definition, "type");
    let kind = if rules.int_or_string {
        Kind::Scalar(Scalar::IntOrString)
    } else if let Some(Value::Object(properties)) = definition.get("properties") {
        let mut fields = Vec::new();
        for (name, property) in properties {
            let is_metadata = (metadata.is_some() || rules.embedded) && name == "metadata";
            let id = match metadata {
                Some(metadata) if is_metadata => metadata,
                _ => child(schema, property, depth)?,
            };
            fields.push(field(&rules, name, id));
        }
        if let Some(metadata) = metadata {
            identify(schema, &mut fields, Some(metadata));
        } else if rules.embedded {
            identify(schema, &mut fields, None);
        }
        Kind::Struct { fields, rest: rest(schema, definition, &rules, depth)? }
    } else if definition.get("items").is_some_and(Value::is_object) || json_type == "array" {
        let items = definition.get("items").filter(|items| items.is_object());
        let items = match items {
            Some(items) => child(schema, items, depth)?,
            None => schema.add(Node::new(Kind::Any)),
        };
        Kind::List { items, list: list_kind(definition) }
    } else {
        match json_type {
            "string" => Kind::Scalar(Scalar::String(Vec::new())),
            "integer" => Kind::Scalar(Scalar::Int64),
            "number" => Kind::Scalar(Scalar::Double),
            "boolean" => Kind::Scalar(Scalar::Boolean),
            _ => match rest(schema, definition, &rules, depth)? {
                _ if metadata.is_some() || rules.embedded => {
                    let mut fields = Vec::new();
                    identify(schema, &mut fields, metadata);
                    let rest = rest(schema, definition, &rules, depth)?;
                    Kind::Struct { fields, rest }
                }
                Some(values) if !rules.preserve_unknown => Kind::Map { values },
                _ if rules.preserve_unknown || json_type.is_empty() => Kind::Any,
                _ => Kind::Struct { fields: Vec::new(), rest: None },
            },
        }
    };
    json_type.clone_into(&mut rules.json_type);
    let mut node = Node::new(kind);
    node.atomic = text(definition, "x-kubernetes-map-type") == "atomic";
    node.rules = Some(Box::new(rules));
    Ok(node)
}

/// `apiVersion`, `kind` and `metadata` belong to every object, whether the schema names them or not.
fn identify(schema: &mut Schema, fields: &mut Vec<Field>, metadata: Option<NodeId>) {
    for name in ["apiVersion", "kind"] {
        if fields.iter().all(|field| field.name != name) {
            let node = schema.add(Node::new(Kind::Scalar(Scalar::String(Vec::new()))));
            let name = Text::Borrowed(name);
            fields.push(Field::new(name, node, false));
        }
    }
    if fields.iter().all(|field| field.name != "metadata") {
        let node = metadata.unwrap_or_else(|| schema.add(Node::new(Kind::Any)));
        let name = Text::Borrowed("metadata");
        fields.push(Field::new(name, node, false));
    }
}

fn child(schema: &mut Schema, definition: &Value, depth: usize) -> Result<NodeId, SchemaError> {
    let node = node(schema, definition, depth + 1, None)?;
    Ok(schema.add(node))
}

fn field(rules: &Rules, name: &str, node: NodeId) -> Field {
    let required = rules.required.iter().any(|field| field == name);
    Field::new(Text::Owned(name.to_owned()), node, required)
}

/// The type of fields without a name in the schema.
fn rest(
    schema: &mut Schema,
    definition: &Value,
    rules: &Rules,
    depth: usize,
) -> Result<Option<NodeId>, SchemaError> {
    Ok(match definition.get("additionalProperties") {
        Some(values @ Value::Object(_)) => Some(child(schema, values, depth)?),
        Some(Value::Bool(true)) => Some(schema.add(Node::new(Kind::Any))),
        _ if rules.preserve_unknown => Some(schema.add(Node::new(Kind::Any))),
        _ => None,
    })
}

fn list_kind(definition: &Value) -> ListKind {
    match text(definition, "x-kubernetes-list-type") {
        "set" => ListKind::Set,
        "map" => ListKind::Map(
            strings(definition, "x-kubernetes-list-map-keys")
                .into_iter()
                .map(Text::Owned)
                .collect(),
        ),
        _ => ListKind::Atomic,
    }
}

fn rules(schema: &mut Schema, definition: &Value, depth: usize) -> Result<Rules, SchemaError> {
    let flag = |name: &str| definition.get(name).and_then(Value::as_bool).unwrap_or(false);
    let count = |name: &str| definition.get(name).and_then(Value::as_u64);
    let number = |name: &str| definition.get(name).and_then(Value::as_f64);
    let mut junctor = |name: &str| -> Result<Vec<NodeId>, SchemaError> {
        let list = definition.get(name).and_then(Value::as_array);
        list.into_iter().flatten().map(|item| child(schema, item, depth)).collect()
    };
    let (all_of, any_of, one_of) = (junctor("allOf")?, junctor("anyOf")?, junctor("oneOf")?);
    let not = match definition.get("not") {
        Some(not @ Value::Object(_)) => Some(child(schema, not, depth)?),
        _ => None,
    };
    Ok(Rules {
        json_type: String::new(),
        nullable: flag("nullable"),
        preserve_unknown: flag("x-kubernetes-preserve-unknown-fields"),
        embedded: flag("x-kubernetes-embedded-resource"),
        int_or_string: flag("x-kubernetes-int-or-string"),
        default: definition.get("default").filter(|value| !value.is_null()).cloned(),
        required: strings(definition, "required"),
        allowed: definition.get("enum").and_then(Value::as_array).cloned().unwrap_or_default(),
        format: text(definition, "format").to_owned(),
        pattern: definition
            .get("pattern")
            .and_then(Value::as_str)
            .filter(|pattern| !pattern.is_empty())
            .map(Pattern::new),
        min_length: count("minLength"),
        max_length: count("maxLength"),
        minimum: number("minimum"),
        maximum: number("maximum"),
        exclusive_minimum: flag("exclusiveMinimum"),
        exclusive_maximum: flag("exclusiveMaximum"),
        multiple_of: number("multipleOf"),
        min_items: count("minItems"),
        max_items: count("maxItems"),
        unique_items: flag("uniqueItems"),
        min_properties: count("minProperties"),
        max_properties: count("maxProperties"),
        all_of,
        any_of,
        one_of,
        not,
        cel: definition
            .get("x-kubernetes-validations")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(CelRule::read)
            .collect(),
    })
}

impl CelRule {
    fn read(rule: &Value) -> Self {
        Self {
            rule: text(rule, "rule").to_owned(),
            message: text(rule, "message").to_owned(),
            message_expression: text(rule, "messageExpression").to_owned(),
            reason: text(rule, "reason").to_owned(),
            field_path: text(rule, "fieldPath").to_owned(),
            optional_old_self: rule
                .get("optionalOldSelf")
                .and_then(Value::as_bool)
                .unwrap_or(false),
            parsed: OnceLock::new(),
            parsed_message: OnceLock::new(),
        }
    }

    /// The rule as an expression, or why it is none.
    pub(crate) fn parsed(&self) -> Result<&Expression, &str> {
        self.parsed.get_or_init(|| parse_cel(&self.rule)).as_ref().map_err(String::as_str)
    }

    /// The same of the message, if it is an expression.
    pub(crate) fn parsed_message(&self) -> Option<Result<&Expression, &str>> {
        if self.message_expression.is_empty() {
            return None;
        }
        let parsed = self.parsed_message.get_or_init(|| parse_cel(&self.message_expression));
        Some(parsed.as_ref().map_err(String::as_str))
    }

    /// Whether the rule compares with the former value.
    pub(crate) fn is_transition(&self) -> bool {
        self.rule.contains("oldSelf")
    }
}

fn parse_cel(text: &str) -> Result<Expression, String> {
    if text.len() > CEL_LIMIT {
        return Err(format!("longer than {CEL_LIMIT} bytes"));
    }
    kube_cel::cel::parser::Parser::default()
        .enable_optional_syntax(true)
        .parse(text)
        .map_err(|error| error.to_string())
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn strings(value: &Value, field: &str) -> Vec<String> {
    let list = value.get(field).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_structural_schema_is_read_with_its_rules() {
        let mut schema = Schema::default();
        let metadata = schema.add(Node::new(Kind::Any));
        let definition = json!({
            "type": "object", "required": ["spec"],
            "properties": {"spec": {"type": "object", "properties": {
                "interval": {"type": "string", "pattern": "^[0-9]+s$"},
                "ports": {"type": "array", "x-kubernetes-list-type": "map",
                    "x-kubernetes-list-map-keys": ["port"], "items": {"type": "object"}}
            }}}
        });
        let root = structural(&mut schema, &definition, metadata).unwrap();
        let root = schema.node(root);
        assert!(root.field("spec").unwrap().required);
        assert!(root.field("metadata").is_some(), "every object has metadata");
        let spec = schema.node(root.member("spec").unwrap());
        let interval = schema.node(spec.member("interval").unwrap());
        let pattern = interval.rules.as_ref().unwrap().pattern.as_ref().unwrap();
        assert!(pattern.matches("10s") && !pattern.matches("10m"));
        let ports = &schema.node(spec.member("ports").unwrap()).kind;
        let Kind::List { list: ListKind::Map(keys), .. } = ports else { panic!("{ports:?}") };
        assert_eq!(keys, &["port"]);
    }

    #[test]
    fn endless_nesting_is_refused() {
        let mut schema = Schema::default();
        let metadata = schema.add(Node::new(Kind::Any));
        let mut definition = json!({"type": "object"});
        for _ in 0..100 {
            definition = json!({"type": "object", "properties": {"a": definition}});
        }
        let result = structural(&mut schema, &definition, metadata);
        assert!(matches!(result, Err(SchemaError::TooDeep)));
    }
}
