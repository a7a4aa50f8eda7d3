//! An applied configuration laid over the live object, and what nobody wants any more taken out.

use serde_json::{Map, Value};

use super::{
    set::{Element, Set},
    shape::{Items, Shape, Type},
};

/// The live value with what is applied; fields keep the live order, new ones follow.
pub(crate) fn merge(of: Type<'_>, live: Option<&Value>, applied: &Value) -> Value {
    let Some(live) = live.filter(|live| !live.is_null()) else { return applied.clone() };
    match (of.shape(applied), live, applied) {
        (Shape::Fields, Value::Object(before), Value::Object(wanted)) => {
            let mut merged = Map::with_capacity(before.len() + wanted.len());
            for (name, value) in before {
                let value = match wanted.get(name) {
                    Some(wanted) => merge(of.field(name), Some(value), wanted),
                    None => value.clone(),
                };
                merged.insert(name.clone(), value);
            }
            for (name, value) in wanted {
                if !before.contains_key(name) {
                    merged.insert(name.clone(), value.clone());
                }
            }
            Value::Object(merged)
        }
        (Shape::Items { of, keys }, Value::Array(_), Value::Array(_)) => {
            let before = Items::of(of, keys, Some(live));
            let wanted = Items::of(of, keys, Some(applied));
            Value::Array(merge_items(of, &before, &wanted))
        }
        _ => applied.clone(),
    }
}

/// Items that are applied come in the applied order; those that are only live stay where they stood
/// between them.
fn merge_items(of: Type<'_>, before: &Items<'_>, wanted: &Items<'_>) -> Vec<Value> {
    let mut merged = Vec::with_capacity(before.order.len() + wanted.order.len());
    let mut done = vec![false; wanted.order.len()];
    let shared = |element: &Element| before.places.contains_key(element);
    let (mut left, mut right) = (0, 0);
    while left < before.order.len() || right < wanted.order.len() {
        if let Some((element, item)) = before.order.get(left) {
            match wanted.places.get(element) {
                None => {
                    merged.push((*item).clone());
                    left += 1;
                    continue;
                }
                Some(place) if done[*place] => {
                    left += 1;
                    continue;
                }
                Some(place) if *place != right => {
                    // It comes later, unless it is the next that both have.
                    let next = wanted.order[right..].iter().position(|(step, _)| shared(step));
                    if next.map(|offset| right + offset) != Some(*place) {
                        left += 1;
                        continue;
                    }
                }
                Some(_) => {}
            }
        }
        let Some((element, item)) = wanted.order.get(right) else { break };
        merged.push(merge(of, before.get(element), item));
        done[right] = true;
        right += 1;
    }
    merged
}

/// Takes out what `last` has and `owned` does not: what an applier owned, does not apply any more,
/// and nobody else owns.
pub(crate) fn prune(of: Type<'_>, value: &mut Value, last: &Set, owned: Option<&Set>) {
    let kept = |element: &Element| owned.is_some_and(|owned| owned.touches(element));
    let below = |element: &Element| owned.and_then(|owned| owned.below(element));
    match of.shape(value) {
        Shape::Leaf => {}
        Shape::Fields => {
            let Value::Object(fields) = value else { return };
            fields.retain(|name, value| {
                let element = Element::field(name);
                let Some(next) = last.below(&element) else { return true };
                if (last.has(&element) || of.declares(name)) && !kept(&element) {
                    return false;
                }
                prune(of.field(name), value, next, below(&element));
                true
            });
        }
        Shape::Items { of, keys } => {
            let Value::Array(list) = value else { return };
            list.retain_mut(|item| {
                let Ok(element) = of.item(keys, item) else { return true };
                let Some(next) = last.below(&element) else { return true };
                if last.has(&element) && !kept(&element) {
                    return false;
                }
                prune(of, item, next, below(&element));
                true
            });
        }
    }
}
