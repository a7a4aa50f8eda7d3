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
        text.contains("json-pointer in \"file:///values.schema.json#/nope\" not found"),
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

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn dynamic_references_look_at_the_way_that_led_to_them() {
    let tree = |draft: &str, anchor: (&str, Value), outside: bool, refers: (&str, &str)| {
        let mut schema = json!({
            "$schema": format!("https://json-schema.org/draft/{draft}/schema"),
            "$id": "https://x.example/strict",
            "$ref": "tree",
            "unevaluatedProperties": false,
            "$defs": { "tree": {
                "$id": "https://x.example/tree",
                anchor.0: anchor.1.clone(),
                "type": "object",
                "properties": {
                    "data": true,
                    "children": { "type": "array", "items": { refers.0: refers.1 } },
                },
            } },
        });
        if outside {
            schema[anchor.0] = anchor.1;
        }
        schema
    };
    let strict = "- at '/children/0/daat': false schema\n- at '/children': false schema\n";
    let good = json!({"children": [{"data": 1}]});
    let bad = json!({"children": [{"daat": 1}]});
    for (draft, anchor, refers) in [
        ("2020-12", ("$dynamicAnchor", json!("node")), ("$dynamicRef", "#node")),
        ("2019-09", ("$recursiveAnchor", json!(true)), ("$recursiveRef", "#")),
    ] {
        let schema = tree(draft, anchor.clone(), true, refers);
        assert_eq!(errors(&schema, &good), "", "{draft}");
        assert_eq!(errors(&schema, &bad), strict, "{draft}");
        let schema = tree(draft, anchor, false, refers);
        assert_eq!(errors(&schema, &bad), "", "{draft}: nothing outside has the anchor");
    }
    let wrong = "- at '/a': got number, want string\n";
    for (schema, value, text) in [
        // No dynamic anchor where it leads to: as $ref.
        (
            json!({"$dynamicAnchor": "n", "properties": {"a": {
                "$id": "https://x.example/in",
                "$defs": {"p": {"$anchor": "n", "type": "string"}},
                "$dynamicRef": "#n",
            }}}),
            json!({"a": 1}),
            wrong,
        ),
        (
            json!({
                "$defs": {"p": {"$dynamicAnchor": "n", "type": "string"}},
                "properties": {"a": {"$dynamicRef": "#/$defs/p"}},
            }),
            json!({"a": 1}),
            wrong,
        ),
        // Another resource's anchor, to which nothing else leads.
        (
            json!({
                "$id": "https://x.example/root",
                "$ref": "list",
                "$defs": {
                    "strings": {"$dynamicAnchor": "item", "type": "string"},
                    "list": {
                        "$id": "https://x.example/list",
                        "properties": {"l": {"items": {"$dynamicRef": "#item"}}},
                        "$defs": {"any": {"$dynamicAnchor": "item"}},
                    },
                },
            }),
            json!({"l": [1, "a"]}),
            "- at '/l/0': got number, want string\n",
        ),
        (
            json!({"properties": {"a": {"$recursiveRef": "#"}, "b": {"type": "string"}}}),
            json!({"a": {"b": 1}}),
            "- at '/a/b': got number, want string\n",
        ),
        // Drafts that do not know the keyword.
        (
            json!({
                "$schema": "https://json-schema.org/draft/2019-09/schema",
                "properties": {"a": {"$dynamicRef": "#nope"}},
            }),
            json!({"a": 1}),
            "",
        ),
        (draft7(json!({"a": {"$recursiveRef": "nope.json"}})), json!({"a": 1}), ""),
        (
            json!({"properties": {"a": {"$dynamicRef": "#nope"}}}),
            json!({"a": 1}),
            "anchor in \"file:///values.schema.json#nope\" not found in schema \
             \"file:///values.schema.json\"",
        ),
    ] {
        assert_eq!(errors(&schema, &value), text, "{schema}");
    }
}
