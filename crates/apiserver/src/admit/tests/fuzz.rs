//! Random JSON never makes admission panic.
//!
//! Objects follow the types of a kind often enough to get past the decoder, and break them often
//! enough to find what is not expected; every text and number is one that somebody would try.

use proptest::prelude::*;
use serde_json::{Map, Number, Value, json};

use super::world::{World, admit};
use crate::{
    request::FieldValidation,
    schema::{Kind, NodeId, Scalar, Schema},
};

const TEXTS: [&str; 48] = [
    "",
    "a",
    "x",
    "A_b",
    "a.b",
    "a/b",
    "-",
    "..",
    ".",
    "*",
    "é",
    "💥",
    "\u{0}",
    "a\nb",
    " ",
    "None",
    "1",
    "-1",
    "0.5",
    "1e9",
    "1e99999",
    "99999999999999999999999999999999999999999999999999999999999999999999999999999999",
    "100m",
    "1Gi",
    "5000000000000000000Ei",
    "%",
    "50%",
    "500%",
    "YQ==",
    "YQ",
    "=",
    "2020-01-01T00:00:00Z",
    "2020-01-01T00:00:00.000000Z",
    "+1",
    "10.0.0.1",
    "::1",
    "10.0.0.0/8",
    "x/99",
    "https://a.b/c",
    "http://[",
    "* * * * *",
    "*/0 99 a-b 1-2-3 @",
    "@every 1h",
    "ClusterIP",
    "Always",
    "metadata.labels['a']",
    "metadata.labels['",
    "{\"a\":",
];

/// A small generator of its own: a case is its seed.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        // xorshift
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(limit.max(1)).unwrap()).unwrap()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    fn text(&mut self) -> Value {
        TEXTS[self.below(TEXTS.len())].into()
    }

    fn number(&mut self) -> Value {
        let numbers = [
            json!(0),
            json!(1),
            json!(-1),
            json!(80),
            json!(70000),
            json!(i64::MAX),
            json!(i64::MIN),
            json!(u64::MAX),
            json!(0.5),
            json!(1e308),
            json!(-0.0),
            json!(2.0),
            json!(i32::MAX),
        ];
        numbers[self.below(numbers.len())].clone()
    }

    fn anything(&mut self, depth: usize) -> Value {
        match self.below(if depth > 3 { 5 } else { 7 }) {
            0 => Value::Null,
            1 => Value::Bool(self.one_in(2)),
            2 => self.number(),
            3 | 4 => self.text(),
            5 => (0..self.below(4)).map(|_| self.anything(depth + 1)).collect(),
            _ => {
                let entries = self.below(4);
                let object: Map<String, Value> = (0..entries)
                    .map(|_| {
                        let name = TEXTS[self.below(TEXTS.len())].to_owned();
                        (name, self.anything(depth + 1))
                    })
                    .collect();
                Value::Object(object)
            }
        }
    }

    /// A value of a type, more or less.
    fn of(&mut self, schema: &Schema, id: NodeId, depth: usize) -> Value {
        if depth > 14 || self.one_in(25) {
            return self.anything(2);
        }
        match &schema.node(id).kind {
            Kind::Any => self.anything(1),
            Kind::Struct { fields, rest } => {
                let share = if depth < 2 { 2 } else { 3 };
                let mut object = Map::new();
                for field in fields {
                    if field.required || self.one_in(share) {
                        object
                            .insert(field.name.to_string(), self.of(schema, field.node, depth + 1));
                    }
                }
                if self.one_in(8) || rest.is_some() {
                    let name = TEXTS[self.below(TEXTS.len())].to_owned();
                    object.insert(name, self.anything(2));
                }
                Value::Object(object)
            }
            Kind::List { items, .. } => {
                (0..self.below(3)).map(|_| self.of(schema, *items, depth + 1)).collect()
            }
            Kind::Map { values } => {
                let entries = self.below(3);
                let object: Map<String, Value> = (0..entries)
                    .map(|_| {
                        let name = TEXTS[self.below(TEXTS.len())].to_owned();
                        (name, self.of(schema, *values, depth + 1))
                    })
                    .collect();
                Value::Object(object)
            }
            Kind::Scalar(scalar) => match scalar {
                Scalar::String(allowed) if !allowed.is_empty() && !self.one_in(5) => {
                    allowed[self.below(allowed.len())].to_string().into()
                }
                Scalar::String(_) | Scalar::Bytes | Scalar::Time | Scalar::MicroTime => self.text(),
                Scalar::Boolean => Value::Bool(self.one_in(2)),
                Scalar::Int32 | Scalar::Int64 => Value::Number(Number::from(self.below(100))),
                Scalar::Double => self.number(),
                Scalar::Quantity | Scalar::IntOrString => {
                    if self.one_in(2) {
                        self.text()
                    } else {
                        self.number()
                    }
                }
            },
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_objects_are_answered(seed in 1_u64..) {
        let world = WORLD.with(std::rc::Rc::clone);
        let mut random = Random(seed);
        let kinds = world.all();
        let resource = &kinds[random.below(kinds.len())];
        let mut accepted: Option<Value> = None;
        for _ in 0..4 {
            let mut object = random.of(&resource.schema, resource.node, 0);
            if let Value::Object(object) = &mut object {
                if !random.one_in(10) {
                    object.insert("metadata".to_owned(), json!({"name": "x"}));
                }
            } else {
                continue;
            }
            let answer = admit(resource, object, accepted.as_ref(), "", FieldValidation::Warn);
            match answer {
                Ok((object, _)) => accepted = Some(object),
                Err(refusal) => {
                    prop_assert!(refusal.code.is_client_error(), "{refusal}");
                    let _ = refusal.to_value();
                }
            }
        }
    }

    #[test]
    fn random_schemas_are_read_and_judged(seed in 1_u64..) {
        let mut random = Random(seed);
        let world = WORLD.with(std::rc::Rc::clone);
        let definitions = world
            .resource(&json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}))
            .unwrap();
        let props = definitions.schema.named("JSONSchemaProps").unwrap();
        let definition = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": "things.example.com"},
            "spec": {
                "group": "example.com",
                "names": {"kind": "Thing", "plural": "things"},
                "scope": "Namespaced",
                "versions": [{
                    "name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": {
                        "type": "object",
                        "properties": {"spec": random.of(&definitions.schema, props, 6)},
                    }},
                }],
            },
        });
        let _ = admit(&definitions, definition.clone(), None, "", FieldValidation::Warn);
        let world = World::of(std::slice::from_ref(&definition));
        let thing = json!({"apiVersion": "example.com/v1", "kind": "Thing"});
        let Some(resource) = world.resource(&thing) else { return Ok(()) };
        for _ in 0..3 {
            let object = json!({
                "apiVersion": "example.com/v1", "kind": "Thing", "metadata": {"name": "x"},
                "spec": random.of(&resource.schema, resource.schema.node(resource.node).member("spec").unwrap(), 1),
            });
            let _ = admit(&resource, object, None, "", FieldValidation::Strict);
        }
    }
}

thread_local! {
    static WORLD: std::rc::Rc<World> = std::rc::Rc::new(World::new(&[]));
}

#[test]
fn deep_and_wide_objects_are_answered_in_time() {
    let world = World::new(&[]);
    let resource = world
        .resource(&json!({"apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization"}))
        .unwrap();
    // Readers of JSON and YAML let no more levels through.
    let (mut deep, mut nested) = (json!({}), json!({"type": "object"}));
    for _ in 0..60 {
        deep = json!({"a": [deep]});
        nested = json!({"type": "object", "properties": {"a": nested}, "anyOf": [{"not": deep}]});
    }
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "x"}, "spec": {"versions": [{"schema": {"openAPIV3Schema": nested}}]},
    });
    let definitions = world.resource(&definition).unwrap();
    assert!(admit(&definitions, definition, None, "", FieldValidation::Warn).is_err());
    let wide: Vec<Value> =
        (0..20_000).map(|n| json!({"name": format!("n{n}"), "kind": "Deployment"})).collect();
    let object = json!({
        "apiVersion": "kustomize.toolkit.fluxcd.io/v1", "kind": "Kustomization",
        "metadata": {"name": "x", "deep": deep},
        "spec": {
            "interval": "1m", "prune": true, "healthChecks": wide,
            "sourceRef": {"kind": "GitRepository", "name": "x"},
        },
    });
    let (accepted, _) = admit(&resource, object.clone(), None, "", FieldValidation::Warn).unwrap();
    admit(&resource, object, Some(&accepted), "", FieldValidation::Warn).unwrap();
}
