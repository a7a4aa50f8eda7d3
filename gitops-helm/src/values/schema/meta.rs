//! What a schema itself has to look like: the rules of each draft, as a schema.
//!
//! A sound schema is known by one look at its keywords. Only of others it is told in the words of
//! the original what is wrong, by validating them against their draft's own schema.

use serde_json::{Map, Value, json};

use super::compile::{Draft, Schema};

/// Refuses a document that is no schema.
pub(super) fn check(document: &Value, draft: Draft, root: &str) -> Result<(), String> {
    if is_sound(document, draft, 0) { Ok(()) } else { explain(document, draft, root) }
}

/// Says what is wrong, if something is.
pub(super) fn explain(document: &Value, draft: Draft, root: &str) -> Result<(), String> {
    let rules = rules(draft);
    let mut steps = 1_000_000;
    // Formats are rules in older drafts, and of metaschemas they are.
    let told = Schema::trusted(&rules, draft.min(Draft::Seven))?.validate(document, &mut steps);
    told.map_err(|told| {
        format!(
            "\"{root}#\" is not valid against metaschema: jsonschema validation failed with '{}#'\n{}",
            address(draft),
            told.trim_end_matches('\n')
        )
    })
}

fn address(draft: Draft) -> &'static str {
    match draft {
        Draft::Four => "http://json-schema.org/draft-04/schema",
        Draft::Six => "http://json-schema.org/draft-06/schema",
        Draft::Seven => "http://json-schema.org/draft-07/schema",
        Draft::Nineteen => "https://json-schema.org/draft/2019-09/schema",
        Draft::Twenty => "https://json-schema.org/draft/2020-12/schema",
    }
}

/// Whether nothing can be wrong. What it does not know for certain is looked at again.
fn is_sound(schema: &Value, draft: Draft, depth: u32) -> bool {
    let object = match schema {
        Value::Bool(_) => return draft > Draft::Four,
        Value::Object(object) => object,
        _ => return false,
    };
    let schema = |value: &Value| depth < 200 && is_sound(value, draft, depth + 1);
    let schemas = |value: &Value| {
        value.as_array().is_some_and(|all| !all.is_empty() && all.iter().all(schema))
    };
    let table = |value: &Value| value.as_object().is_some_and(|all| all.values().all(schema));
    object.iter().all(|(keyword, value)| match keyword.as_str() {
        "$id" | "id" | "$schema" | "$ref" | "title" | "description" | "format" | "$comment"
        | "contentMediaType" | "contentEncoding" | "pattern" => value.is_string(),
        "multipleOf" => value.as_f64().is_some_and(|number| number > 0.0),
        "maximum" | "minimum" => value.is_number(),
        "exclusiveMaximum" | "exclusiveMinimum" if draft == Draft::Four => {
            value.is_boolean()
                && object.contains_key(if keyword == "exclusiveMaximum" {
                    "maximum"
                } else {
                    "minimum"
                })
        }
        "exclusiveMaximum" | "exclusiveMinimum" => value.is_number(),
        "maxLength" | "minLength" | "maxItems" | "minItems" | "maxProperties" | "minProperties"
        | "maxContains" | "minContains" => value.as_u64().is_some(),
        "uniqueItems" | "readOnly" | "writeOnly" | "deprecated" => value.is_boolean(),
        "required" => texts(value, draft),
        "dependentRequired" => {
            value.as_object().is_some_and(|all| all.values().all(|value| texts(value, draft)))
        }
        "additionalItems" | "additionalProperties" => value.is_boolean() || schema(value),
        "items" => schema(value) || (draft < Draft::Twenty && schemas(value)),
        "definitions" | "$defs" | "properties" | "dependentSchemas" | "patternProperties" => {
            table(value)
        }
        "dependencies" => {
            let sound = |value: &Value| texts(value, draft) || schema(value);
            value.as_object().is_some_and(|all| all.values().all(sound))
        }
        "not"
        | "contains"
        | "propertyNames"
        | "if"
        | "then"
        | "else"
        | "unevaluatedItems"
        | "unevaluatedProperties"
        | "contentSchema" => schema(value),
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => schemas(value),
        "enum" => value.as_array().is_some_and(|all| !all.is_empty() && all.len() < 2),
        "type" => value.as_str().is_some_and(|name| super::validate::TYPES.contains(&name)),
        "default" | "const" | "examples" => keyword != "examples" || value.is_array(),
        keyword => !keyword.starts_with('$'),
    })
}

fn texts(value: &Value, draft: Draft) -> bool {
    let Some(all) = value.as_array() else { return false };
    let distinct =
        all.iter().enumerate().all(|(at, text)| text.is_string() && !all[..at].contains(text));
    distinct && (draft > Draft::Four || !all.is_empty())
}

/// The rules of a draft in one document, with `#` for a schema.
fn rules(draft: Draft) -> Value {
    let schema = json!({"$ref": "#"});
    let texts = match draft {
        Draft::Four => {
            json!({"type": "array", "items": {"type": "string"}, "minItems": 1, "uniqueItems": true})
        }
        _ => json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true}),
    };
    let definitions = json!({
        "schemas": {"type": "array", "minItems": 1, "items": schema},
        "count": {"type": "integer", "minimum": 0},
        "types": {"enum": ["array", "boolean", "integer", "null", "number", "object", "string"]},
        "texts": texts,
    });
    match draft {
        Draft::Four => json!({
            "definitions": definitions, "type": "object",
            "properties": merged(&[core(draft), applying(draft), validating(draft), describing(draft)]),
            "dependencies": {"exclusiveMaximum": ["maximum"], "exclusiveMinimum": ["minimum"]},
        }),
        Draft::Six | Draft::Seven => json!({
            "definitions": definitions, "type": ["object", "boolean"],
            "properties": merged(&[core(draft), applying(draft), validating(draft), describing(draft)]),
        }),
        Draft::Nineteen | Draft::Twenty => {
            let part = |properties: Value| json!({"type": ["object", "boolean"], "properties": properties});
            let vocabularies = json!({
                "core": part(core(draft)), "applying": part(applying(draft)),
                "unevaluated": part(json!({"unevaluatedItems": schema, "unevaluatedProperties": schema})),
                "validating": part(validating(draft)), "describing": part(describing(draft)),
                "format": part(json!({"format": {"type": "string"}})),
                "content": part(json!({
                    "contentEncoding": {"type": "string"}, "contentMediaType": {"type": "string"},
                    "contentSchema": schema,
                })),
            });
            let all: Vec<Value> = [
                "core",
                "applying",
                "unevaluated",
                "validating",
                "describing",
                "format",
                "content",
            ]
            .iter()
            .map(|name| json!({"$ref": format!("#/$defs/{name}")}))
            .collect();
            json!({
                "$defs": vocabularies, "definitions": definitions, "allOf": all,
                "type": ["object", "boolean"],
                "properties": {
                    "definitions": {"type": "object", "additionalProperties": schema},
                    "dependencies": {
                        "type": "object",
                        "additionalProperties": {"anyOf": [schema, {"$ref": "#/definitions/texts"}]},
                    },
                },
            })
        }
    }
}

fn merged(parts: &[Value]) -> Value {
    let all = parts.iter().filter_map(Value::as_object).flatten();
    Value::Object(all.map(|(key, value)| (key.clone(), value.clone())).collect::<Map<_, _>>())
}

fn core(draft: Draft) -> Value {
    let table = json!({"type": "object", "additionalProperties": {"$ref": "#"}});
    let reference = json!({"type": "string", "format": "uri-reference"});
    match draft {
        Draft::Four => json!({
            "id": reference, "$schema": {"type": "string", "format": "uri"}, "definitions": table,
        }),
        Draft::Six | Draft::Seven => json!({
            "$id": reference, "$schema": {"type": "string", "format": "uri"}, "$ref": reference,
            "$comment": {"type": "string"}, "definitions": table,
        }),
        Draft::Nineteen | Draft::Twenty => {
            let anchor = match draft {
                Draft::Twenty => "^[A-Za-z_][-A-Za-z0-9._]*$",
                _ => "^[A-Za-z][-A-Za-z0-9.:_]*$",
            };
            let anchor = json!({"type": "string", "pattern": anchor});
            let own = match draft {
                Draft::Twenty => json!({"$dynamicRef": reference, "$dynamicAnchor": anchor}),
                _ => json!({"$recursiveRef": reference, "$recursiveAnchor": {"type": "boolean"}}),
            };
            let common = json!({
                "$id": {"type": "string", "format": "uri-reference", "pattern": "^[^#]*#?$"},
                "$schema": {"type": "string", "format": "uri"}, "$ref": reference, "$anchor": anchor,
                "$vocabulary": {"type": "object", "additionalProperties": {"type": "boolean"}},
                "$comment": {"type": "string"}, "$defs": table,
            });
            merged(&[own, common])
        }
    }
}

fn applying(draft: Draft) -> Value {
    let schema = json!({"$ref": "#"});
    let schemas = json!({"$ref": "#/definitions/schemas"});
    let table = json!({"type": "object", "additionalProperties": schema});
    let more = match draft {
        Draft::Four => json!({"anyOf": [{"type": "boolean"}, schema]}),
        _ => schema.clone(),
    };
    let patterns = match draft {
        Draft::Four | Draft::Six => table.clone(),
        _ => {
            json!({"type": "object", "additionalProperties": schema, "propertyNames": {"format": "regex"}})
        }
    };
    let mut own = json!({
        "additionalProperties": more, "properties": table, "patternProperties": patterns,
        "allOf": schemas, "anyOf": schemas, "oneOf": schemas, "not": schema,
        "items": {"anyOf": [schema, schemas]}, "additionalItems": more,
    });
    let mut set = |key: &str, value: Value| own[key] = value;
    if draft >= Draft::Six {
        set("contains", schema.clone());
        set("propertyNames", schema.clone());
    }
    if draft >= Draft::Seven {
        for key in ["if", "then", "else"] {
            set(key, schema.clone());
        }
    }
    match draft {
        Draft::Twenty => {
            set("items", schema);
            set("prefixItems", schemas);
            set("dependentSchemas", table);
            set("additionalItems", json!(true));
        }
        Draft::Nineteen => {
            set("dependentSchemas", table);
            set("unevaluatedItems", schema.clone());
            set("unevaluatedProperties", schema);
        }
        _ => {
            let either = json!({"anyOf": [schema, {"$ref": "#/definitions/texts"}]});
            set("dependencies", json!({"type": "object", "additionalProperties": either}));
        }
    }
    own
}

fn validating(draft: Draft) -> Value {
    let count = json!({"$ref": "#/definitions/count"});
    // Of 2019-09 and later the formats are no rules.
    let pattern = json!({"type": "string", "format": "regex"});
    let texts = json!({"$ref": "#/definitions/texts"});
    let (above, exclusive) = match draft {
        Draft::Four => (
            json!({"type": "number", "minimum": 0, "exclusiveMinimum": true}),
            json!({"type": "boolean"}),
        ),
        _ => (json!({"type": "number", "exclusiveMinimum": 0}), json!({"type": "number"})),
    };
    let choice = match draft {
        Draft::Nineteen | Draft::Twenty => json!({"type": "array"}),
        _ => json!({"type": "array", "minItems": 1, "uniqueItems": true}),
    };
    let counted = match draft {
        Draft::Nineteen | Draft::Twenty => count.clone(),
        _ => json!({"allOf": [count, {}]}),
    };
    let mut own = json!({
        "multipleOf": above, "maximum": {"type": "number"}, "exclusiveMaximum": exclusive,
        "minimum": {"type": "number"}, "exclusiveMinimum": exclusive, "maxLength": count,
        "minLength": counted, "pattern": pattern, "maxItems": count, "minItems": counted,
        "uniqueItems": {"type": "boolean"}, "maxProperties": count, "minProperties": counted,
        "required": texts, "enum": choice,
        "type": {"anyOf": [
            {"$ref": "#/definitions/types"},
            {"type": "array", "items": {"$ref": "#/definitions/types"}, "minItems": 1, "uniqueItems": true},
        ]},
    });
    if draft >= Draft::Nineteen {
        own["maxContains"] = count.clone();
        own["minContains"] = count;
        own["dependentRequired"] = json!({"type": "object", "additionalProperties": texts});
    }
    own
}

fn describing(draft: Draft) -> Value {
    let mut own = json!({"title": {"type": "string"}, "description": {"type": "string"}});
    if draft >= Draft::Seven {
        own["readOnly"] = json!({"type": "boolean"});
        own["writeOnly"] = json!({"type": "boolean"});
        own["examples"] = json!({"type": "array"});
    }
    if draft >= Draft::Nineteen {
        own["deprecated"] = json!({"type": "boolean"});
    } else {
        own["format"] = json!({"type": "string"});
    }
    if draft == Draft::Seven {
        own["contentMediaType"] = json!({"type": "string"});
        own["contentEncoding"] = json!({"type": "string"});
    }
    own
}
