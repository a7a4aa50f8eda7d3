//! Schemas: every keyword, with values that mostly break it.

use super::put;
use crate::{case::Case, rng::Rng};

const KEYWORDS: &[&str] = &[
    "\"type\": \"string\"",
    "\"type\": [\"string\", \"null\"]",
    "\"type\": \"integer\"",
    "\"type\": \"number\"",
    "\"type\": \"array\"",
    "\"type\": \"object\"",
    "\"type\": \"null\"",
    "\"type\": \"boolean\"",
    "\"enum\": [1, \"x\", null]",
    "\"enum\": [\"a\"]",
    "\"const\": 1",
    "\"const\": {\"a\": [1]}",
    "\"multipleOf\": 2",
    "\"multipleOf\": 0.1",
    "\"maximum\": 1",
    "\"exclusiveMaximum\": 1",
    "\"minimum\": 5",
    "\"exclusiveMinimum\": 1.5",
    "\"maxLength\": 1",
    "\"minLength\": 9",
    "\"pattern\": \"^[0-9]+$\"",
    "\"pattern\": \"a'b\"",
    "\"maxItems\": 1",
    "\"minItems\": 3",
    "\"uniqueItems\": true",
    "\"contains\": {\"type\": \"string\"}",
    "\"contains\": {\"const\": 1}, \"minContains\": 2",
    "\"contains\": {\"type\": \"number\"}, \"maxContains\": 1",
    "\"items\": {\"type\": \"string\"}",
    "\"items\": [{\"type\": \"string\"}], \"additionalItems\": false",
    "\"prefixItems\": [{\"type\": \"number\"}], \"items\": false",
    "\"maxProperties\": 1",
    "\"minProperties\": 4",
    "\"required\": [\"x\", \"y\"]",
    "\"required\": [\"a\"]",
    "\"dependentRequired\": {\"a\": [\"zz\"]}",
    "\"dependentSchemas\": {\"a\": {\"required\": [\"q\"]}}",
    "\"dependencies\": {\"a\": [\"zz\", \"yy\"]}",
    "\"propertyNames\": {\"maxLength\": 1}",
    "\"propertyNames\": {\"pattern\": \"^z\"}",
    "\"additionalProperties\": false",
    "\"properties\": {\"a\": {\"type\": \"string\"}}, \"additionalProperties\": {\"type\": \"null\"}",
    "\"patternProperties\": {\"^[a-m]\": {\"type\": \"null\"}}",
    "\"allOf\": [{\"type\": \"string\"}, {\"minLength\": 9}]",
    "\"anyOf\": [{\"type\": \"null\"}, {\"const\": \"q\"}]",
    "\"oneOf\": [{\"type\": \"null\"}, {\"type\": \"string\"}]",
    "\"oneOf\": [{}, {\"type\": [\"object\", \"string\", \"number\"]}]",
    "\"not\": {}",
    "\"not\": {\"type\": \"object\"}",
    "\"if\": {\"type\": \"object\"}, \"then\": {\"required\": [\"then\"]}, \"else\": {\"const\": \"else\"}",
    "\"if\": {\"type\": \"string\"}, \"else\": {\"minProperties\": 9}",
    "\"$ref\": \"#/definitions/s\"",
    "\"$ref\": \"#/$defs/n\"",
    "\"unevaluatedProperties\": false",
    "\"unevaluatedItems\": false",
    "\"$ref\": \"#/definitions/nope\"",
    "\"$ref\": \"#nope\"",
    "\"$ref\": \"other.json\"",
    "\"$ref\": \"#/properties/a\"",
    "\"format\": \"ipv4\"",
    "\"format\": \"email\"",
    "\"format\": \"date-time\"",
    "\"format\": \"uri\"",
    "\"format\": \"regex\"",
    "\"contentEncoding\": \"base64\"",
    "\"deprecated\": true",
    "\"default\": 5",
    "\"minProperties\": 1, \"type\": \"array\"",
];

pub(super) fn schema(rng: &mut Rng, case: &mut Case) {
    let draft = rng.pick(&[
        "",
        "",
        "",
        "\"$schema\": \"http://json-schema.org/draft-07/schema#\", ",
        "\"$schema\": \"http://json-schema.org/draft-04/schema#\", ",
        "\"$schema\": \"http://json-schema.org/draft-06/schema#\", ",
        "\"$schema\": \"https://json-schema.org/draft/2019-09/schema\", ",
        "\"$schema\": \"https://json-schema.org/draft/2020-12/schema\", ",
    ]);
    let mut parts = Vec::new();
    for name in ["a", "b", "name", "sub", "x/y~z", "é"] {
        if rng.chance(50) {
            let mut rules: Vec<&str> = vec![rng.pick(KEYWORDS)];
            let word = |rule: &str| rule.split(':').next().unwrap_or_default().to_owned();
            let second = rng.pick(KEYWORDS);
            if rng.chance(30) && word(second) != word(rules[0]) {
                rules.push(second);
            }
            parts.push(format!("\"{name}\": {{{}}}", rules.join(", ")));
        }
    }
    let root = rng.pick(&[
        "",
        "",
        "",
        "\"required\": [\"need\"], ",
        "\"additionalProperties\": false, ",
        "\"minProperties\": 20, ",
    ]);
    let text = format!(
        "{{{draft}{root}\"definitions\": {{\"s\": {{\"type\": \"string\"}}}}, \"$defs\": {{\"n\": {{\"type\": \"number\", \"maximum\": 0}}}}, \"properties\": {{{}}}}}",
        parts.join(", ")
    );
    let of =
        rng.pick(&["values.schema.json", "values.schema.json", "charts/sub/values.schema.json"]);
    put(case, of, text);
    let simple = [
        "1",
        "2.5",
        "text",
        "\"123\"",
        "[1, 1, x]",
        "[a]",
        "{a: 1, b: 2}",
        "{a: {a: 1}}",
        "null",
        "true",
        "\"1.2.3.4\"",
        "[]",
        "{}",
        "\"é\"",
        "12345678901234567890",
        "1e3",
    ];
    let mut values = String::new();
    for name in ["a", "b", "name", "\"x/y~z\"", "\"é\""] {
        if rng.chance(60) {
            let value = rng.pick(&simple);
            values.push_str(&format!("{name}: {value}\n"));
            if of.starts_with("charts") && !case.values.contains("sub:") {
                case.values = format!("sub: {{{name}: {value}}}\n");
            }
        }
    }
    if !of.starts_with("charts") {
        case.values = values;
    }
}
