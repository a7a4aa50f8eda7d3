//! What no recorded case can show: values that were accepted under other rules, and rules that cost
//! too much.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::world::{World, admit};
use crate::{
    request::FieldValidation,
    status::{Refusal, Result},
};

fn world(spec: Value) -> World {
    World::of(&[json!({
        "spec": {
            "group": "example.com",
            "names": {"kind": "Thing", "plural": "things"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "schema": {"openAPIV3Schema": {
                "type": "object", "properties": {"spec": spec},
            }}}],
        },
    })])
}

fn thing(spec: Value) -> Value {
    json!({
        "apiVersion": "example.com/v1", "kind": "Thing",
        "metadata": {"name": "x", "namespace": "cases"}, "spec": spec,
    })
}

fn answer(world: &World, new: Value, old: Option<Value>) -> Result<()> {
    let (new, old) = (thing(new), old.map(thing));
    let resource = world.resource(&new).unwrap();
    let old = old.map(|mut old| {
        old["metadata"]["uid"] = "u".into();
        old
    });
    admit(&resource, new, old.as_ref(), "", FieldValidation::Warn).map(drop)
}

fn refusal(result: Result<()>) -> Refusal {
    result.expect_err("it is refused")
}

#[test]
fn what_was_wrong_before_does_not_stop_an_update() {
    let world = world(json!({
        "type": "object",
        "properties": {
            "size": {"type": "integer", "minimum": 1},
            "note": {"type": "string"},
            "tags": {"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "string"}},
            "items": {
                "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["k"],
                "items": {"type": "object", "properties": {
                    "k": {"type": "string"},
                    "v": {"type": "integer", "maximum": 5},
                }},
            },
            "ruled": {
                "type": "object", "properties": {"a": {"type": "integer"}},
                "x-kubernetes-validations": [{"rule": "self.a > 0", "message": "a is too small"}],
            },
        },
    }));
    let old = json!({
        "size": 0, "tags": ["a", "a"], "items": [{"k": "x", "v": 9}, {"k": "y", "v": 1}],
        "ruled": {"a": 0},
    });
    let mut new = old.clone();
    new["note"] = "changed".into();
    // Items are known by their keys, wherever they stand.
    new["items"] = json!([{"k": "y", "v": 2}, {"k": "x", "v": 9}]);
    answer(&world, new.clone(), Some(old.clone())).unwrap();
    for (pointer, value, complaint) in [
        ("/spec/size", json!(-1), "spec.size in body should be greater than or equal to 1"),
        ("/spec/ruled/a", json!(-1), "a is too small"),
        ("/spec/items/1/v", json!(8), "spec.items[1].v in body should be less than or equal to 5"),
    ] {
        let mut worse = thing(new.clone());
        *worse.pointer_mut(pointer).unwrap() = value;
        let refusal = refusal(answer(&world, worse["spec"].clone(), Some(old.clone())));
        assert!(refusal.message.contains(complaint), "{refusal}");
    }
    let created = refusal(answer(&world, new, None));
    assert!(created.message.contains("spec.tags[1]: Duplicate value"), "{created}");
}

#[test]
fn rules_that_cost_too_much_are_not_run() {
    let nested = "self.l.all(a, self.l.all(b, self.l.all(c, a + b + c != -1)))";
    let world = world(json!({
        "type": "object",
        "properties": {"l": {"type": "array", "items": {"type": "integer"}}},
        "x-kubernetes-validations": [{"rule": nested}],
    }));
    let list = |length: usize| json!({"l": (0..length).collect::<Vec<_>>()});
    answer(&world, list(20), None).unwrap();
    let start = Instant::now();
    let refusal = refusal(answer(&world, list(3000), None));
    assert!(refusal.message.contains("actual cost limit exceeded"), "{refusal}");
    assert!(start.elapsed() < Duration::from_secs(5), "it was not run");
}

#[test]
fn rules_that_cannot_be_read_refuse_and_unknown_functions_do_not() {
    let rule =
        |rule: &str| world(json!({"type": "object", "x-kubernetes-validations": [{"rule": rule}]}));
    let broken = refusal(answer(&rule("self ==="), json!({}), None));
    assert!(broken.message.contains("rule compile error"), "{broken}");
    answer(&rule("nobody.knows(self)"), json!({}), None).unwrap();
    let missing = refusal(answer(&rule("self.a == 1"), json!({}), None));
    assert!(missing.message.contains("no such key: a evaluating rule"), "{missing}");
}
