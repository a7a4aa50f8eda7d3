//! JSON schema, with the texts of the API's validator.
//!
//! Follows kube-openapi's `validation/validate`, and on updates its ratcheting: a value that has not
//! changed is not judged again.

use std::collections::HashSet;

use serde_json::{Number, Value};

use super::{
    super::{checks::Checks, place::Place},
    formats,
};
use crate::{
    schema::{Kind, ListKind, NodeId, Rules, Schema},
    status::{Cause, go_quote},
};

/// Judges a whole object.
pub(super) fn check(
    checks: &mut Checks,
    schema: &Schema,
    id: NodeId,
    new: &Value,
    old: Option<&Value>,
) {
    for cause in (Walk { schema }).check(id, new, old, &Place::ROOT).causes {
        checks.push(cause);
    }
}

/// Judges a member alone: complaints name it, their texts do not.
pub(super) fn check_below(
    checks: &mut Checks,
    schema: &Schema,
    id: NodeId,
    new: &Value,
    old: Option<&Value>,
    parent: &str,
) {
    for mut cause in (Walk { schema }).check(id, new, old, &Place::ROOT).causes {
        cause.field = match &*cause.field {
            "" | "<nil>" => parent.to_owned(),
            field => format!("{parent}.{field}"),
        };
        checks.push(cause);
    }
}

struct Walk<'s> {
    schema: &'s Schema,
}

/// What is wrong, and how much was looked at: of alternatives that all fail, the complaints of the
/// one that got furthest are told.
#[derive(Default)]
struct Outcome {
    causes: Vec<Cause>,
    matches: usize,
}

impl Outcome {
    fn is_valid(&self) -> bool {
        self.causes.is_empty()
    }

    fn merge(&mut self, other: Self) {
        self.causes.extend(other.causes);
        self.matches += other.matches;
    }

    fn say(&mut self, cause: Cause) {
        self.causes.push(cause);
    }

    /// A complaint of the form `<path> in body <text>`.
    fn body(&mut self, place: &Place<'_>, value: impl Into<Value>, text: &str) {
        self.say(Cause::invalid(name(place), value, format!("{place} in body {text}")));
    }

    /// A complaint that names no field.
    fn whole(&mut self, text: String) {
        self.say(Cause::invalid("<nil>", "", text));
    }
}

/// The field that a complaint names.
fn name(place: &Place<'_>) -> String {
    match place.to_string() {
        root if root.is_empty() => "<nil>".to_owned(),
        path => path,
    }
}

impl Walk<'_> {
    fn check(&self, id: NodeId, new: &Value, old: Option<&Value>, place: &Place<'_>) -> Outcome {
        let mut outcome = Outcome::default();
        let Some(rules) = &self.schema.node(id).rules else { return outcome };
        if old == Some(new) {
            return outcome;
        }
        check_type(rules, new, place, &mut outcome);
        if new.is_null() {
            check_enum(rules, new, place, &mut outcome);
            return outcome;
        }
        self.junctors(rules, new, place, &mut outcome);
        match new {
            Value::String(text) => {
                check_string(rules, text, place, &mut outcome);
                if let Some(false) = formats::matches(&rules.format, text) {
                    let text = go_quote(text);
                    let format = &rules.format;
                    outcome.say(Cause::type_invalid(
                        name(place),
                        new.clone(),
                        format!("{place} in body must be of type {format}: {text}"),
                    ));
                }
            }
            Value::Number(number) => check_number(rules, number, place, &mut outcome),
            Value::Array(list) => self.list(id, rules, list, old, place, &mut outcome),
            _ => {}
        }
        check_enum(rules, new, place, &mut outcome);
        if new.is_object() {
            self.object(id, rules, new, old, place, &mut outcome);
        }
        outcome.matches += 1;
        outcome
    }

    fn junctors(&self, rules: &Rules, new: &Value, place: &Place<'_>, outcome: &mut Outcome) {
        let path = go_quote(&place.to_string());
        if !rules.any_of.is_empty() {
            let results = rules.any_of.iter().map(|id| self.check(*id, new, None, place));
            match furthest(results) {
                (0, best) => {
                    outcome.whole(format!("{path} must validate at least one schema (anyOf)"));
                    outcome.merge(best);
                }
                (_, best) => outcome.matches += best.matches,
            }
        }
        if !rules.one_of.is_empty() {
            let results = rules.one_of.iter().map(|id| self.check(*id, new, None, place));
            match furthest(results) {
                (1, best) => outcome.matches += best.matches,
                (0, best) => {
                    outcome.whole(format!(
                        "{path} must validate one and only one schema (oneOf). Found none valid"
                    ));
                    outcome.merge(best);
                }
                (many, _) => outcome.whole(format!(
                    "{path} must validate one and only one schema (oneOf). Found {many} valid alternatives"
                )),
            }
        }
        if !rules.all_of.is_empty() {
            let mut valid = 0;
            for id in &rules.all_of {
                let result = self.check(*id, new, None, place);
                valid += usize::from(result.is_valid());
                outcome.merge(result);
            }
            if valid != rules.all_of.len() {
                let more = if valid == 0 { ". None validated" } else { "" };
                outcome.whole(format!("{path} must validate all the schemas (allOf){more}"));
            }
        }
        if let Some(not) = rules.not
            && self.check(not, new, None, place).is_valid()
        {
            outcome.whole(format!("{path} must not validate the schema (not)"));
        }
        outcome.matches += 1;
    }

    fn list(
        &self,
        id: NodeId,
        rules: &Rules,
        list: &[Value],
        old: Option<&Value>,
        place: &Place<'_>,
        outcome: &mut Outcome,
    ) {
        if let Kind::List { items, list: kind } = &self.schema.node(id).kind {
            let old = Former::new(kind, old);
            for (index, item) in list.iter().enumerate() {
                outcome.merge(self.check(*items, item, old.of(item), &place.index(index)));
            }
        }
        let size = list.len();
        if rules.min_items.is_some_and(|least| (size as u64) < least) {
            let least = rules.min_items.unwrap_or_default();
            outcome.body(place, size, &format!("should have at least {least} items"));
        }
        if let Some(most) = rules.max_items.and_then(|most| usize::try_from(most).ok())
            && size > most
        {
            outcome.say(Cause::too_many(name(place), size, most));
        }
        if rules.unique_items {
            let mut seen = HashSet::new();
            if !list.iter().all(|item| seen.insert(item.to_string())) {
                outcome.body(place, "", "shouldn't contain duplicates");
            }
        }
        outcome.matches += 1;
    }

    fn object(
        &self,
        id: NodeId,
        rules: &Rules,
        new: &Value,
        old: Option<&Value>,
        place: &Place<'_>,
        outcome: &mut Outcome,
    ) {
        let Value::Object(object) = new else { return };
        let count = object.len();
        if let Some(least) = rules.min_properties
            && (count as u64) < least
        {
            outcome.body(place, count, &format!("should have at least {least} properties"));
        }
        if let Some(most) = rules.max_properties.and_then(|most| usize::try_from(most).ok())
            && count > most
        {
            outcome.say(Cause::too_many(name(place), count, most));
        }
        let node = self.schema.node(id);
        for (key, value) in object {
            if let Some(child) = node.member(key) {
                let old = old.and_then(|old| old.get(key));
                outcome.merge(self.check(child, value, old, &place.field(key)));
            }
        }
        for key in rules.required.iter().filter(|key| !object.contains_key(*key)) {
            outcome.say(Cause::required(place.field(key).to_string(), ""));
        }
    }
}

/// How many alternatives are valid, and the first of them, or the one that failed latest.
fn furthest(results: impl Iterator<Item = Outcome>) -> (usize, Outcome) {
    let mut valid = 0;
    let mut best: Option<Outcome> = None;
    for result in results {
        if result.is_valid() {
            if valid == 0 {
                best = Some(Outcome { causes: Vec::new(), matches: result.matches });
            }
            valid += 1;
        } else if valid == 0 && best.as_ref().is_none_or(|best| result.matches > best.matches) {
            best = Some(result);
        }
    }
    (valid, best.unwrap_or_default())
}

/// The items of a list's former state, found by their keys.
struct Former<'v> {
    keys: Vec<&'v str>,
    items: std::collections::HashMap<String, &'v Value>,
}

impl<'v> Former<'v> {
    fn new(kind: &'v ListKind, old: Option<&'v Value>) -> Self {
        let keys: Vec<&str> = match kind {
            ListKind::Map(keys) => keys.iter().map(|key| &**key).collect(),
            _ => Vec::new(),
        };
        let mut former = Self { keys, items: std::collections::HashMap::new() };
        if !former.keys.is_empty() {
            for item in old.and_then(Value::as_array).into_iter().flatten() {
                former.items.insert(former.identity(item), item);
            }
        }
        former
    }

    fn identity(&self, item: &Value) -> String {
        self.keys.iter().map(|key| item[*key].to_string()).collect::<Vec<_>>().join(
            "
",
        )
    }

    fn of(&self, item: &Value) -> Option<&'v Value> {
        if self.items.is_empty() {
            return None;
        }
        self.items.get(&self.identity(item)).copied()
    }
}

fn check_type(rules: &Rules, value: &Value, place: &Place<'_>, outcome: &mut Outcome) {
    let types: &[&str] = match &*rules.json_type {
        _ if rules.int_or_string => &["integer", "string"],
        "" => &[],
        one => &[one],
    };
    if types.is_empty() && rules.format.is_empty() {
        return;
    }
    outcome.matches += 1;
    let mut wrong = |expected: &str, found: &str| {
        let text = format!("{place} in body must be of type {expected}: {}", go_quote(found));
        outcome.say(Cause::type_invalid(name(place), found, text));
    };
    let has = |name: &str| types.contains(&name);
    let (found, format) = match value {
        Value::Null => {
            if !types.is_empty() && !rules.nullable {
                wrong(&types.join(","), "null");
            }
            return;
        }
        Value::Bool(_) => ("boolean", ""),
        Value::String(_) => ("string", ""),
        Value::Number(number) if number.is_f64() => ("number", "float64"),
        Value::Number(_) => ("integer", "int64"),
        Value::Array(_) => ("array", ""),
        Value::Object(_) => ("object", ""),
    };
    let whole_float = found == "number"
        && has("integer")
        && value.as_f64().is_some_and(|number| number.fract() == 0.0);
    let fits = has(found) || whole_float || (found == "integer" && has("number"));
    let plain = matches!(value, Value::String(_) | Value::Array(_));
    if !plain && !rules.format.is_empty() && !fits && format != rules.format {
        if formats::is_known(&rules.format) {
            wrong(&rules.format, format);
        } else {
            wrong(&types.join(","), found);
        }
        return;
    }
    if plain && formats::is_known(&rules.format) && !has("number") && !has("integer") {
        return;
    }
    if !fits && !types.is_empty() {
        wrong(&types.join(","), found);
    }
}

fn check_enum(rules: &Rules, value: &Value, place: &Place<'_>, outcome: &mut Outcome) {
    if rules.allowed.is_empty() {
        return;
    }
    let equal = |allowed: &Value| {
        allowed == value || (value.is_number() && allowed.as_f64() == value.as_f64())
    };
    if value.is_null() || !rules.allowed.iter().any(equal) {
        let supported = rules.allowed.iter().map(|allowed| match allowed {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        outcome.say(Cause::unsupported(name(place), value.clone(), supported));
    }
}

fn check_string(rules: &Rules, text: &str, place: &Place<'_>, outcome: &mut Outcome) {
    let length = text.chars().count() as u64;
    if let Some(most) = rules.max_length
        && length > most
    {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        outcome.say(Cause::too_long(name(place), most));
    } else if let Some(least) = rules.min_length
        && length < least
    {
        outcome.body(place, text, &format!("should be at least {least} chars long"));
    } else if let Some(pattern) = &rules.pattern
        && !pattern.matches(text)
    {
        outcome.body(place, text, &format!("should match '{}'", pattern.source));
    }
}

fn check_number(rules: &Rules, number: &Number, place: &Place<'_>, outcome: &mut Outcome) {
    let value = number.as_f64().unwrap_or(f64::NAN);
    let whole = number.as_i64().or_else(|| {
        #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
        (value.fract() == 0.0 && value.abs() < 9.2e18).then_some(value as i64)
    });
    let (kind, format) = (&*rules.json_type, &*rules.format);
    let fits = match (kind, format) {
        _ if rules.int_or_string => true,
        ("integer", "int32") => whole.is_some_and(|n| i32::try_from(n).is_ok()),
        ("integer", _) => whole.is_some(),
        ("number", "float") => value.abs() <= f64::from(f32::MAX),
        _ => true,
    };
    if !fits {
        let format = match format {
            "int32" | "int64" | "float" => format!("with format {format}"),
            _ => "(default format)".to_owned(),
        };
        outcome.whole(format!("Checked value must be of type {kind} {format} in {place}"));
    }
    let shown = || Value::Number(number.clone());
    if let Some(factor) = rules.multiple_of {
        // Of a whole number, the factor counts as one too.
        let factor = if number.is_f64() { factor } else { factor.trunc() };
        let quotient = if factor < 1.0 { value * (1.0 / factor) } else { value / factor };
        if factor <= 0.0 {
            outcome.say(Cause::invalid(
                name(place),
                0,
                format!("factor MultipleOf declared for {place} must be positive: 0"),
            ));
        } else if quotient.fract().abs() > 1e-9 {
            outcome.body(place, shown(), &format!("should be a multiple of {factor}"));
        }
    }
    if let Some(most) = rules.maximum {
        if rules.exclusive_maximum && value >= most {
            outcome.body(place, shown(), &format!("should be less than {most}"));
        } else if value > most {
            outcome.body(place, shown(), &format!("should be less than or equal to {most}"));
        }
    }
    if let Some(least) = rules.minimum {
        if rules.exclusive_minimum && value <= least {
            outcome.body(place, shown(), &format!("should be greater than {least}"));
        } else if value < least {
            outcome.body(place, shown(), &format!("should be greater than or equal to {least}"));
        }
    }
}
