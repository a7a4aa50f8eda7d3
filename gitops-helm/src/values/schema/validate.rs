//! Values against a schema.
//!
//! Follows santhosh-tekuri/jsonschema validator.go in what is looked at in which order; properties
//! are looked at in the order of their names.

mod collections;

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    compile::{Draft, Schema, references},
    error::{Mistake, quote},
    format,
    number::{float, integer},
};

/// The names of types, in the order in which they are listed.
pub(super) const TYPES: [&str; 7] =
    ["null", "boolean", "number", "integer", "string", "array", "object"];

/// The deepest nesting of schemas within one another, references followed.
const MAX_DEPTH: usize = 500;

impl Schema<'_> {
    /// Checks a value; the error tells every mistake in a line of its own. Each meeting of a
    /// schema and a value costs a step.
    pub(super) fn validate(&self, value: &Value, steps: &mut u64) -> Result<(), String> {
        let mut run =
            Run { schema: self, steps, place: String::new(), scopes: Vec::new(), value: 0 };
        match run.check(self.root, value, true) {
            Ok(_) => Ok(()),
            Err(mistake) => Err(mistake.report()),
        }
    }
}

struct Run<'r, 's> {
    schema: &'r Schema<'s>,
    steps: &'r mut u64,
    /// The pointer to the value that is looked at.
    place: String,
    /// The schemas on the way, with a number for the value they look at.
    scopes: Vec<(usize, usize)>,
    value: usize,
}

/// What of a value some schema has looked at.
#[derive(Debug, Default)]
struct Evaluated {
    properties: BTreeSet<String>,
    items: BTreeSet<usize>,
    all_items: bool,
}

impl Evaluated {
    fn add(&mut self, other: Self) {
        self.properties.extend(other.properties);
        self.items.extend(other.items);
        self.all_items |= other.all_items;
    }
}

impl Run<'_, '_> {
    fn check(&mut self, schema: &Value, value: &Value, tell: bool) -> Result<Evaluated, Mistake> {
        let object = match schema {
            Value::Bool(false) => return Err(self.mistake("false schema")),
            Value::Object(object) => object,
            _ => return Ok(Evaluated::default()),
        };
        if *self.steps == 0 {
            return Err(self.mistake("the schema takes too many steps"));
        }
        *self.steps -= 1;
        let scope = (std::ptr::from_ref(schema) as usize, self.value);
        if self.scopes.iter().rev().take_while(|(_, v)| *v == self.value).any(|s| *s == scope) {
            return Err(self.mistake("reference cycle"));
        }
        if self.scopes.len() > MAX_DEPTH {
            return Err(self.mistake("the schema is nested too deeply"));
        }
        self.scopes.push(scope);
        let result = self.object(schema, object, value, tell);
        self.scopes.pop();
        result
    }

    fn object(
        &mut self,
        schema: &Value,
        object: &Map<String, Value>,
        value: &Value,
        tell: bool,
    ) -> Result<Evaluated, Mistake> {
        let modern = self.schema.draft >= Draft::Nineteen;
        let mut evaluated = Evaluated::default();
        let mut mistakes = Vec::new();
        if !modern && object.contains_key("$ref") {
            // What stands beside a reference does not count.
            return self.reference(schema, "$ref", value, tell);
        }
        self.scalar(object, value)?;
        if modern && object.contains_key("$ref") {
            self.keep(&mut evaluated, &mut mistakes, |run| {
                run.reference(schema, "$ref", value, tell)
            });
        }
        match value {
            Value::Object(fields) => {
                self.fields(object, fields, value, tell, &mut evaluated, &mut mistakes);
            }
            Value::Array(items) => self.items(object, items, tell, &mut evaluated, &mut mistakes),
            Value::String(text) => self.text(object, text, &mut mistakes),
            Value::Number(number) => {
                self.number(object, number.as_f64().unwrap_or(0.0), &mut mistakes);
            }
            _ => {}
        }
        if mistakes.is_empty() || tell {
            for keyword in &references(self.schema.draft)[1..] {
                if object.contains_key(*keyword) {
                    self.keep(&mut evaluated, &mut mistakes, |run| {
                        run.reference(schema, keyword, value, tell)
                    });
                }
            }
            self.conditions(object, value, tell, &mut evaluated, &mut mistakes);
            if modern {
                self.unevaluated(object, value, tell, &mut evaluated, &mut mistakes);
            }
        }
        match Mistake::group(&self.place, mistakes) {
            None => Ok(evaluated),
            Some(mistake) => Err(mistake),
        }
    }

    /// The keywords that end the check when they fail.
    fn scalar(&self, object: &Map<String, Value>, value: &Value) -> Result<(), Mistake> {
        if let Some(wanted) = object.get("type") {
            let wanted: Vec<&str> = match wanted {
                Value::Array(names) => names.iter().filter_map(Value::as_str).collect(),
                name => name.as_str().into_iter().collect(),
            };
            let found = type_of(value);
            let whole = found == "number" && value.as_f64().is_some_and(|n| n.fract() == 0.0);
            let matches = |name: &str| name == found || (whole && name == "integer");
            if !wanted.is_empty() && !wanted.iter().any(|name| matches(name)) {
                let wanted: Vec<_> =
                    TYPES.iter().filter(|name| wanted.contains(name)).copied().collect();
                return Err(self.mistake(&format!("got {found}, want {}", wanted.join(" or "))));
            }
        }
        let constant = object.get("const").filter(|_| self.schema.draft > Draft::Four);
        if let Some(wanted) = constant
            && !equal(wanted, value)
        {
            let text = match wanted {
                Value::Array(_) | Value::Object(_) => "'const' failed".to_owned(),
                wanted => format!("value must be {}", display(wanted)),
            };
            return Err(self.mistake(&text));
        }
        if let Some(Value::Array(wanted)) = object.get("enum")
            && !wanted.iter().any(|wanted| equal(wanted, value))
        {
            let text = if wanted.iter().any(|item| item.is_array() || item.is_object()) {
                "'enum' failed".to_owned()
            } else if let [wanted] = wanted.as_slice() {
                format!("value must be {}", display(wanted))
            } else {
                let wanted: Vec<_> = wanted.iter().map(display).collect();
                format!("value must be one of {}", wanted.join(", "))
            };
            return Err(self.mistake(&text));
        }
        if self.schema.draft < Draft::Nineteen
            && let (Some(Value::String(name)), Value::String(text)) = (object.get("format"), value)
            && let Err(error) = format::check(name, text)
        {
            return Err(self.mistake(&format!("{} is not valid {name}: {error}", quote(text))));
        }
        Ok(())
    }

    fn reference(
        &mut self,
        schema: &Value,
        keyword: &'static str,
        value: &Value,
        tell: bool,
    ) -> Result<Evaluated, Mistake> {
        let scopes = self.scopes.iter().map(|(scope, _)| *scope);
        let Some(target) = self.schema.dynamic_reference(schema, keyword, scopes) else {
            return Ok(Evaluated::default());
        };
        self.check(target, value, tell).map_err(|mistake| mistake.referred(&self.place))
    }

    fn text(&self, object: &Map<String, Value>, text: &str, mistakes: &mut Vec<Mistake>) {
        if object.contains_key("minLength") || object.contains_key("maxLength") {
            self.count(object, ["minLength", "maxLength"], text.chars().count(), mistakes);
        }
        if let Some(pattern) = object.get("pattern")
            && let Some(regex) = self.schema.pattern(pattern)
            && !regex.is_match(text)
        {
            let pattern = quote(pattern.as_str().unwrap_or_default());
            mistakes
                .push(self.mistake(&format!("{} does not match pattern {pattern}", quote(text))));
        }
    }

    fn number(&self, object: &Map<String, Value>, number: f64, mistakes: &mut Vec<Mistake>) {
        let bound = |keyword: &str| object.get(keyword).and_then(Value::as_f64);
        // To draft 4 the exclusive bounds are flags.
        let exclusive = |keyword: &str| object.get(keyword) == Some(&Value::Bool(true));
        let mut fail = |keyword: &str, wanted: f64| {
            let (got, wanted) = (float(number), float(wanted));
            mistakes.push(self.mistake(&format!("{keyword}: got {got}, want {wanted}")));
        };
        if let Some(least) = bound("minimum") {
            if exclusive("exclusiveMinimum") {
                if number <= least {
                    fail("exclusiveMinimum", least);
                }
            } else if number < least {
                fail("minimum", least);
            }
        }
        if let Some(most) = bound("maximum") {
            if exclusive("exclusiveMaximum") {
                if number >= most {
                    fail("exclusiveMaximum", most);
                }
            } else if number > most {
                fail("maximum", most);
            }
        }
        if let Some(least) = bound("exclusiveMinimum").filter(|least| number <= *least) {
            fail("exclusiveMinimum", least);
        }
        if let Some(most) = bound("exclusiveMaximum").filter(|most| number >= *most) {
            fail("exclusiveMaximum", most);
        }
        if let Some(factor) = bound("multipleOf").filter(|factor| !is_multiple(number, *factor)) {
            fail("multipleOf", factor);
        }
    }

    fn conditions(
        &mut self,
        object: &Map<String, Value>,
        value: &Value,
        tell: bool,
        evaluated: &mut Evaluated,
        mistakes: &mut Vec<Mistake>,
    ) {
        if let Some(schema) = object.get("not")
            && self.check(schema, value, false).is_ok()
        {
            mistakes.push(self.mistake("'not' failed"));
        }
        let list = |keyword: &str| object.get(keyword).and_then(Value::as_array);
        if let Some(schemas) = list("allOf") {
            let mut causes = Vec::new();
            for schema in schemas {
                self.keep(evaluated, &mut causes, |run| run.check(schema, value, tell));
                if !tell && !causes.is_empty() {
                    break;
                }
            }
            self.push_with("'allOf' failed", causes, mistakes);
        }
        if let Some(schemas) = list("anyOf") {
            let mut causes = Vec::new();
            let mut matched = false;
            let all = self.needs_all(object);
            for schema in schemas {
                let before = causes.len();
                self.keep(evaluated, &mut causes, |run| run.check(schema, value, tell));
                matched |= causes.len() == before;
                if matched && !all {
                    break;
                }
            }
            if !matched {
                self.push_with("'anyOf' failed", causes, mistakes);
            }
        }
        if let Some(schemas) = list("oneOf") {
            self.one_of(schemas, value, tell, evaluated, mistakes);
        }
        if self.schema.draft < Draft::Seven {
            return;
        }
        if let Some(schema) = object.get("if") {
            let branch = match self.check(schema, value, false) {
                Ok(more) => {
                    evaluated.add(more);
                    object.get("then")
                }
                Err(_) => object.get("else"),
            };
            if let Some(schema) = branch {
                self.keep(evaluated, mistakes, |run| run.check(schema, value, tell));
            }
        }
    }

    fn one_of(
        &mut self,
        schemas: &[Value],
        value: &Value,
        tell: bool,
        evaluated: &mut Evaluated,
        mistakes: &mut Vec<Mistake>,
    ) {
        let mut causes = Vec::new();
        let mut matched: Option<usize> = None;
        for (index, schema) in schemas.iter().enumerate() {
            match (self.check(schema, value, tell && matched.is_none()), matched) {
                (Ok(more), None) => {
                    matched = Some(index);
                    evaluated.add(more);
                }
                (Ok(_), Some(first)) => {
                    let (first, second) = (integer(first), integer(index));
                    mistakes.push(
                        self.mistake(&format!(
                            "'oneOf' failed, subschemas {first}, {second} matched"
                        )),
                    );
                    return;
                }
                (Err(cause), None) => causes.push(cause),
                (Err(_), Some(_)) => {}
            }
        }
        if matched.is_none() {
            self.push_with("'oneOf' failed, none matched", causes, mistakes);
        }
    }

    fn unevaluated(
        &mut self,
        object: &Map<String, Value>,
        value: &Value,
        tell: bool,
        evaluated: &mut Evaluated,
        mistakes: &mut Vec<Mistake>,
    ) {
        if let (Some(schema), Value::Object(fields)) = (object.get("unevaluatedProperties"), value)
        {
            for (name, value) in fields {
                if evaluated.properties.insert(name.clone()) {
                    mistakes
                        .extend(self.at(Some(name), |run| run.check(schema, value, tell)).err());
                }
            }
        }
        if let (Some(schema), Value::Array(items)) = (object.get("unevaluatedItems"), value)
            && !evaluated.all_items
        {
            for (index, item) in items.iter().enumerate() {
                if evaluated.items.insert(index) {
                    let name = index.to_string();
                    mistakes
                        .extend(self.at(Some(&name), |run| run.check(schema, item, tell)).err());
                }
            }
            evaluated.all_items = true;
        }
    }

    /// Whether some schema may ask what of the value was looked at.
    fn needs_all(&self, object: &Map<String, Value>) -> bool {
        self.schema.draft >= Draft::Nineteen
            && (object.contains_key("unevaluatedProperties")
                || object.contains_key("unevaluatedItems")
                || self.scopes.iter().rev().take_while(|(_, v)| *v == self.value).count() > 1)
    }

    fn count(
        &self,
        object: &Map<String, Value>,
        [least, most]: [&str; 2],
        found: usize,
        mistakes: &mut Vec<Mistake>,
    ) {
        let bound = |keyword: &str| object.get(keyword).and_then(Value::as_f64);
        let count = as_float(found);
        for (keyword, wanted) in [
            (least, bound(least).filter(|wanted| count < *wanted)),
            (most, bound(most).filter(|wanted| count > *wanted)),
        ] {
            if let Some(wanted) = wanted {
                let text = format!("{keyword}: got {}, want {}", integer(found), whole(wanted));
                mistakes.push(self.mistake(&text));
            }
        }
    }

    fn push_with(&self, text: &str, causes: Vec<Mistake>, mistakes: &mut Vec<Mistake>) {
        if !causes.is_empty() {
            let mut mistake = self.mistake(text);
            mistake.causes = causes;
            mistakes.push(mistake);
        }
    }

    /// Runs a check and keeps what comes of it.
    fn keep(
        &mut self,
        evaluated: &mut Evaluated,
        mistakes: &mut Vec<Mistake>,
        check: impl FnOnce(&mut Self) -> Result<Evaluated, Mistake>,
    ) {
        match check(self) {
            Ok(more) => evaluated.add(more),
            Err(mistake) => mistakes.push(mistake),
        }
    }

    /// Runs a check of another value: of the field or item of this name, or of a name itself.
    fn at<T>(&mut self, name: Option<&str>, check: impl FnOnce(&mut Self) -> T) -> T {
        let (length, value) = (self.place.len(), self.value);
        if let Some(name) = name {
            self.place.push('/');
            self.place.push_str(&name.replace('~', "~0").replace('/', "~1"));
        }
        self.value = self.scopes.len() + value + 1;
        let result = check(self);
        self.place.truncate(length);
        self.value = value;
        result
    }

    fn mistake(&self, text: &str) -> Mistake {
        Mistake::new(&self.place, text)
    }
}

/// A count as schemas compare it.
#[expect(clippy::cast_precision_loss, reason = "counts of things in memory are below 2^52")]
fn as_float(count: usize) -> f64 {
    count as f64
}

/// A bound, which is a whole number, with separators.
fn whole(bound: f64) -> String {
    format!("{bound:.0}").parse().map_or_else(|_| float(bound), integer)
}

fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "boolean",
        other => gitops_core::json_kind(other),
    }
}

/// Equality that knows one kind of number.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, a)| b.get(key).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

fn is_multiple(number: f64, factor: f64) -> bool {
    let quotient = number / factor;
    // Both are read from decimals: what is whole but for rounding is whole.
    quotient.fract() == 0.0
        || (quotient.round() * factor - number).abs() <= f64::EPSILON * number.abs()
}

fn display(value: &Value) -> String {
    match value {
        Value::String(text) => quote(text),
        Value::Null => "<nil>".to_owned(),
        Value::Array(_) | Value::Object(_) => "value".to_owned(),
        other => other.to_string(),
    }
}
