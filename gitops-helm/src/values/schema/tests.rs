//! Tests of schemas: the words of mistakes, references, and bounds.

use serde_json::{Value, json};

use super::*;

fn errors(schema: &Value, values: &Value) -> String {
    let schema = serde_json::to_vec(schema).unwrap();
    match check(&schema, values.as_object().unwrap(), &mut MAX_STEPS.clone()) {
        Ok(()) => String::new(),
        Err(text) => text,
    }
}

fn draft7(properties: Value) -> Value {
    json!({"$schema": "http://json-schema.org/draft-07/schema#", "properties": properties})
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn mistakes_are_told_in_helms_words() {
    for (schema, value, text) in [
        (
            json!({"minLength": 2, "pattern": "^[a-z]+$"}),
            json!("A"),
            "- at '/v': minLength: got 1, want 2\n- at '/v': 'A' does not match pattern '^[a-z]+$'\n",
        ),
        (
            json!({"maximum": 65535}),
            json!(99999.0),
            "- at '/v': maximum: got 99,999, want 65,535\n",
        ),
        (json!({"type": "integer"}), json!("a"), "- at '/v': got string, want integer\n"),
        (
            json!({"type": ["string", "null"]}),
            json!(1.0),
            "- at '/v': got number, want null or string\n",
        ),
        (json!({"enum": ["a", "b"]}), json!("c"), "- at '/v': value must be one of 'a', 'b'\n"),
        (
            json!({"uniqueItems": true}),
            json!(["a", "a"]),
            "- at '/v': items at 0 and 1 are equal\n",
        ),
        (
            json!({"items": {"type": "string"}}),
            json!([1]),
            "- at '/v/0': got number, want string\n",
        ),
        (
            json!({"oneOf": [{"type": "string"}, {"type": "object", "required": ["x"]}]}),
            json!({"y": 1}),
            "- at '/v': 'oneOf' failed, none matched\n  - at '/v': got object, want string\n  - at '/v': missing property 'x'\n",
        ),
        (
            json!({"oneOf": [true, {}]}),
            json!(1),
            "- at '/v': 'oneOf' failed, subschemas 0, 1 matched\n",
        ),
        (json!({"not": {"const": 5}}), json!(5.0), "- at '/v': 'not' failed\n"),
        (
            json!({"format": "email"}),
            json!("notmail"),
            "- at '/v': 'notmail' is not valid email: missing @\n",
        ),
        (
            json!({"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": {"type": "boolean"}}),
            json!({"x-a": "s", "b": 1}),
            "- at '/v/b': got number, want boolean\n- at '/v/x-a': got string, want integer\n",
        ),
        (
            json!({"if": {"properties": {"k": {"const": 1}}}, "then": {"required": ["z"]}}),
            json!({"k": 1}),
            "- at '/v': missing property 'z'\n",
        ),
        (json!({"multipleOf": 3}), json!(4), "- at '/v': multipleOf: got 4, want 3\n"),
        (json!({"multipleOf": 0.1}), json!(0.3), ""),
        (
            json!({"additionalProperties": false}),
            json!({"a": 1, "b/c": 2}),
            "- at '/v': additional properties 'a', 'b/c' not allowed\n",
        ),
        (
            json!({"allOf": [{"minLength": 3}, {"maxLength": 0}]}),
            json!("ab"),
            "- at '/v': 'allOf' failed\n  - at '/v': minLength: got 2, want 3\n  - at '/v': maxLength: got 2, want 0\n",
        ),
        (
            json!({"dependencies": {"a": ["b"]}}),
            json!({"a": 1}),
            "- at '/v': properties 'b' required, if 'a' exists\n",
        ),
        (
            json!({"contains": {"type": "string"}}),
            json!([1]),
            "- at '/v': no items match contains schema\n  - at '/v/0': got number, want string\n",
        ),
        (
            json!({"items": [{}], "additionalItems": false}),
            json!([1, 2, 3]),
            "- at '/v': last 2 additionalItem(s) not allowed\n",
        ),
    ] {
        let got = errors(&draft7(json!({"v": schema})), &json!({"v": value}));
        assert_eq!(got, text, "{schema}");
    }
}

#[test]
fn references_stay_within_the_document() {
    let schema = json!({
        "properties": {"a": {"$ref": "#/$defs/r"}, "b": {"$ref": "#named"}, "c": {"$ref": "other"}},
        "$defs": {
            "r": {"minLength": 2, "pattern": "x"},
            "n": {"$anchor": "named", "type": "string"},
            "o": {"$id": "other", "type": "null"},
        },
    });
    assert_eq!(
        errors(&schema, &json!({"a": "z", "b": 1, "c": 1})),
        "- at '/a': validation failed\n  - at '/a': minLength: got 1, want 2\n  - at '/a': 'z' does \
         not match pattern 'x'\n- at '/b': got number, want string\n- at '/c': got number, want null\n"
    );
    for url in ["http://169.254.169.254/", "file:///dev/zero", "https://example.org/a#/b", "urn:x"]
    {
        let text = errors(&json!({"$ref": url}), &json!({}));
        assert!(text.contains("references to other documents are refused"), "{text}");
    }
    let text = errors(&json!({"$schema": "https://example.org/own"}), &json!({}));
    assert!(text.contains("refused"), "{text}");
    let text = errors(&json!({"$ref": "#/nope"}), &json!({}));
    assert!(
        text.contains("jsonpointer in \"file:///values.schema.json#/nope\" not found"),
        "{text}"
    );
}

#[test]
fn unevaluated_properties_know_what_others_looked_at() {
    let schema = json!({
        "anyOf": [{"properties": {"a": true}}, {"properties": {"b": true}}],
        "unevaluatedProperties": false,
    });
    assert_eq!(errors(&schema, &json!({"a": 1, "b": 2})), "");
    assert_eq!(errors(&schema, &json!({"c": 1})), "- at '/c': false schema\n");
}

#[test]
fn malformed_schemas_are_refused() {
    for schema in [
        json!({"type": "strin"}),
        json!({"type": null}),
        json!({"properties": []}),
        json!({"required": "a"}),
        json!({"items": 5}),
        json!({"anyOf": [null]}),
        json!({"pattern": "("}),
        json!([]),
        Value::Null,
    ] {
        assert_ne!(errors(&schema, &json!({})), "", "{schema}");
    }
    assert_ne!(check(b"", &Values::new(), &mut 9).unwrap_err(), "");
    assert_ne!(check(b"{\"a\":", &Values::new(), &mut 9).unwrap_err(), "");
}

/// Whatever the schema, the work is bounded.
#[test]
fn hostile_schemas_end() {
    let text = errors(&json!({"$ref": "#"}), &json!({}));
    assert!(text.contains("reference cycle"), "{text}");
    // Each level looks at the next one twice.
    let mut defs = serde_json::Map::new();
    for level in 0..60 {
        let next = json!({"$ref": format!("#/$defs/l{}", level + 1)});
        defs.insert(format!("l{level}"), json!({"allOf": [next, next]}));
    }
    defs.insert("l60".to_owned(), json!(true));
    let text = errors(&json!({"$ref": "#/$defs/l0", "$defs": defs}), &json!({}));
    assert!(text.contains("too many steps"), "{} bytes", text.len());
    assert!(text.len() < 1 << 20, "{} bytes", text.len());
    let many = json!({"allOf": vec![json!({"type": "object"}); 100_000]});
    assert_eq!(errors(&many, &json!({})), "");
    let slow = json!({"properties": {"a": {"pattern": "(a+)+$"}}});
    assert_ne!(errors(&slow, &json!({"a": format!("{}!", "a".repeat(100_000))})), "");
    let mut deep = json!({});
    for _ in 0..900 {
        deep = json!({"a": deep});
    }
    let text = errors(&json!({"additionalProperties": {"$ref": "#"}}), &deep);
    assert!(text.contains("nested too deeply"), "{text}");
}
