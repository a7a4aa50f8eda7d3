//! Rules in CEL: `x-kubernetes-validations`.
//!
//! Follows apiextensions' `schema/cel`; differs in: rules are not type checked before they run, and
//! a rule that uses a function which this engine lacks is not checked.
//!
//! What an evaluation may cost is bounded before it starts, from the rule's nested loops and the
//! sizes of the collections at hand; so none runs away, and none needs a thread of its own.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use kube_cel::{
    KubeCelExt as _,
    cel::{
        self, Context, ExecutionError, Value as Cel,
        common::ast::{EntryExpr, Expr, IdedExpr},
        objects::{Key, Map as CelMap, OptionalValue},
        parser::Expression,
    },
};
use serde_json::Value;

use super::super::{checks::Checks, place::Place};
use crate::{
    schema::{CelRule, Kind, ListKind, NodeId, Rules, Schema},
    status::Cause,
};

/// Steps of one evaluation; each takes well under a microsecond.
const STEP_LIMIT: u64 = 10_000_000;
/// Steps of all evaluations of one request.
const BUDGET: u64 = 50_000_000;
const MESSAGE_LIMIT: usize = 5 << 10;

/// Whether any rule stands anywhere in the schema.
pub(super) fn has_rules(schema: &Schema, id: NodeId) -> bool {
    let node = schema.node(id);
    let Some(rules) = &node.rules else { return false };
    if !rules.cel.is_empty() {
        return true;
    }
    let below = match &node.kind {
        Kind::List { items, .. } => has_rules(schema, *items),
        Kind::Map { values } => has_rules(schema, *values),
        Kind::Struct { fields, rest } => {
            fields.iter().any(|field| has_rules(schema, field.node))
                || rest.is_some_and(|rest| has_rules(schema, rest))
        }
        Kind::Any | Kind::Scalar(_) => false,
    };
    below || rules.all_of.iter().any(|id| has_rules(schema, *id))
}

/// Evaluates the rules of an object, which is structurally valid.
pub(super) fn check(
    checks: &mut Checks,
    schema: &Schema,
    id: NodeId,
    new: &Value,
    old: Option<&Value>,
) {
    let functions = Context::default().with_all();
    let mut judge = Judge { schema, checks, functions: &functions, budget: BUDGET, stopped: false };
    judge.value(id, new, old, &Place::ROOT, true);
}

struct Judge<'j, 'c> {
    schema: &'j Schema,
    checks: &'j mut Checks,
    functions: &'j Context<'c>,
    budget: u64,
    stopped: bool,
}

/// Why an evaluation has no value.
enum Failure {
    TooDear,
    /// The engine lacks what the rule uses.
    Unsupported,
    Error(String),
}

impl Judge<'_, '_> {
    fn value(
        &mut self,
        id: NodeId,
        new: &Value,
        old: Option<&Value>,
        place: &Place<'_>,
        root: bool,
    ) {
        let schema = self.schema;
        let node = schema.node(id);
        let Some(rules) = &node.rules else { return };
        if self.stopped || new.is_null() || !has_rules(schema, id) {
            return;
        }
        self.rules(id, rules, new, old, place, root);
        for id in &rules.all_of {
            self.value(*id, new, old, place, false);
        }
        match (new, &node.kind) {
            (Value::Object(object), _) => {
                let old = if node.atomic { None } else { old };
                for (name, value) in object {
                    let Some(child) = node.member(name) else { continue };
                    let old = old.and_then(|old| old.get(name));
                    let place = if node.field(name).is_some() {
                        place.field(name)
                    } else {
                        place.key(name)
                    };
                    self.value(child, value, old, &place, false);
                }
            }
            (Value::Array(list), Kind::List { items, list: kind }) => {
                let former = Former::new(kind, old);
                for (index, item) in list.iter().enumerate() {
                    self.value(*items, item, former.of(item), &place.index(index), false);
                }
            }
            _ => {}
        }
    }

    fn rules(
        &mut self,
        id: NodeId,
        rules: &Rules,
        new: &Value,
        old: Option<&Value>,
        place: &Place<'_>,
        root: bool,
    ) {
        if rules.cel.is_empty() {
            return;
        }
        let this = to_cel(self.schema, id, new, root);
        let former = old.filter(|old| !old.is_null()).map(|old| to_cel(self.schema, id, old, root));
        let width = width(new).max(old.map_or(0, width));
        for rule in &rules.cel {
            if self.stopped {
                return;
            }
            let transition = rule.is_transition();
            if rule.rule.trim().is_empty()
                || (transition && former.is_none() && !rule.optional_old_self)
            {
                continue;
            }
            // What was wrong before does not stop an update.
            if !transition && old == Some(new) {
                continue;
            }
            let mut scope = self.functions.new_inner_scope();
            scope.add_variable_from_value("self", this.clone());
            if rule.optional_old_self {
                let value = former.clone().map_or_else(OptionalValue::none, OptionalValue::of);
                scope.add_variable_from_value("oldSelf", Cel::Opaque(Arc::new(value)));
            } else if let Some(former) = &former {
                scope.add_variable_from_value("oldSelf", former.clone());
            }
            let result = evaluate(rule.parsed(), &scope, width, &mut self.budget);
            self.judge(rule, rules, result, &scope, width, new, place);
        }
    }

    #[expect(clippy::too_many_arguments, reason = "what one rule is judged by")]
    fn judge(
        &mut self,
        rule: &CelRule,
        rules: &Rules,
        result: Result<Cel, Failure>,
        scope: &Context<'_>,
        width: u64,
        new: &Value,
        place: &Place<'_>,
    ) {
        let shown = if rule.message.is_empty() { rule.rule.trim() } else { rule.message.trim() };
        let kind = Value::from(rules.json_type.clone());
        let field = name(place);
        match result {
            Ok(Cel::Bool(true)) | Err(Failure::Unsupported) => {}
            Ok(_) => {
                let detail =
                    self.message(rule, scope, width).unwrap_or_else(|| match rule.message.trim() {
                        "" => format!("failed rule: {}", rule.rule.trim()),
                        message => message.to_owned(),
                    });
                let field = match rule.field_path.trim_start_matches('.') {
                    "" => field,
                    path if field == "<nil>" => path.to_owned(),
                    path => format!("{field}.{path}"),
                };
                self.checks.push(match &*rule.reason {
                    "FieldValueForbidden" => Cause::forbidden(field, detail),
                    "FieldValueRequired" => Cause::required(field, detail),
                    "FieldValueDuplicate" => Cause::duplicate(field, new.clone()),
                    _ if new.is_object() || new.is_array() => Cause::invalid_unshown(field, detail),
                    _ => Cause::invalid(field, new.clone(), detail),
                });
            }
            Err(Failure::TooDear) => {
                self.stopped = true;
                let text = format!(
                    "'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: {shown}"
                );
                self.checks.push(Cause::invalid(field, kind, text));
            }
            Err(Failure::Error(text)) if text.starts_with("no such overload") => {
                let text = format!(
                    "'{text}': call arguments did not match a supported operator, function or macro signature for rule: {shown}"
                );
                self.checks.push(Cause::invalid(field, kind, text));
            }
            Err(Failure::Error(text)) => {
                let text = format!("{text} evaluating rule: {shown}");
                self.checks.push(Cause::invalid(field, kind, text));
            }
        }
    }

    /// The value of a rule's `messageExpression`, if it has one that gives a fitting text.
    fn message(&mut self, rule: &CelRule, scope: &Context<'_>, width: u64) -> Option<String> {
        let parsed = rule.parsed_message()?;
        let Ok(Cel::String(text)) = evaluate(parsed, scope, width, &mut self.budget) else {
            return None;
        };
        let text = text.trim();
        let fits = !text.is_empty() && text.len() <= MESSAGE_LIMIT && !text.contains('\n');
        fits.then(|| text.to_owned())
    }
}

fn evaluate(
    parsed: Result<&Expression, &str>,
    scope: &Context<'_>,
    width: u64,
    budget: &mut u64,
) -> Result<Cel, Failure> {
    let expression =
        parsed.map_err(|text| Failure::Error(format!("rule compile error: {text}")))?;
    let steps = steps(expression, width);
    if steps > STEP_LIMIT || steps > *budget {
        return Err(Failure::TooDear);
    }
    *budget -= steps;
    Cel::resolve(expression, scope).map_err(|error| match error {
        ExecutionError::UndeclaredReference(_) => Failure::Unsupported,
        ExecutionError::NoSuchKey(key) => Failure::Error(format!("no such key: {key}")),
        ExecutionError::NoSuchOverload => Failure::Error("no such overload".to_owned()),
        ExecutionError::DivisionByZero(_) => Failure::Error("division by zero".to_owned()),
        ExecutionError::RemainderByZero(_) => Failure::Error("modulus by zero".to_owned()),
        ExecutionError::IndexOutOfBounds(index) => {
            Failure::Error(format!("index out of bounds: {}", index_text(&index)))
        }
        other => Failure::Error(other.to_string()),
    })
}

fn index_text(index: &Cel) -> String {
    match index {
        Cel::Int(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

/// The field that a complaint names.
fn name(place: &Place<'_>) -> String {
    match place.to_string() {
        root if root.is_empty() => "<nil>".to_owned(),
        path => path,
    }
}

/// No more steps than this are taken, if no collection is larger than `width`.
fn steps(expression: &IdedExpr, width: u64) -> u64 {
    let many = |list: &[IdedExpr], width: u64| {
        list.iter().fold(0_u64, |sum, item| sum.saturating_add(steps(item, width)))
    };
    let width = width.max(literal_width(&expression.expr));
    1_u64.saturating_add(match &expression.expr {
        Expr::Call(call) => {
            let target = call.target.as_deref().map_or(0, |target| steps(target, width));
            target.saturating_add(many(&call.args, width))
        }
        Expr::Comprehension(loops) => {
            let once = [&loops.loop_cond, &loops.loop_step]
                .iter()
                .fold(1_u64, |sum, part| sum.saturating_add(steps(part, width)));
            steps(&loops.iter_range, width)
                .saturating_add(steps(&loops.accu_init, width))
                .saturating_add(steps(&loops.result, width))
                .saturating_add(once.saturating_mul(width.max(1)))
        }
        Expr::List(list) => many(&list.elements, width),
        Expr::Map(map) => map.entries.iter().fold(0_u64, |sum, entry| {
            sum.saturating_add(match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    steps(&entry.key, width).saturating_add(steps(&entry.value, width))
                }
                EntryExpr::StructField(field) => steps(&field.value, width),
            })
        }),
        Expr::Select(select) => steps(&select.operand, width),
        _ => 0,
    })
}

fn literal_width(expression: &Expr) -> u64 {
    match expression {
        Expr::List(list) => list.elements.len() as u64,
        Expr::Map(map) => map.entries.len() as u64,
        _ => 0,
    }
}

/// The size of the largest collection in a value; texts count, for they can be split.
fn width(value: &Value) -> u64 {
    match value {
        Value::String(text) => (text.len() as u64).min(256),
        Value::Array(list) => list.iter().map(width).max().unwrap_or(0).max(list.len() as u64),
        Value::Object(object) => {
            object.values().map(width).max().unwrap_or(0).max(object.len() as u64)
        }
        _ => 0,
    }
}

/// A value as rules see it: typed by the schema, with the names of fields escaped.
fn to_cel(schema: &Schema, id: NodeId, value: &Value, root: bool) -> Cel {
    let node = schema.node(id);
    let rules = node.rules.as_deref();
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => {
            let float = rules.is_some_and(|rules| rules.json_type == "number");
            match number.as_i64() {
                Some(whole) if !float => Cel::Int(whole),
                _ => {
                    let float_value = number.as_f64().unwrap_or(f64::NAN);
                    let whole = rules.is_some_and(|rules| rules.json_type == "integer");
                    #[expect(clippy::cast_possible_truncation, reason = "it saturates")]
                    if whole { Cel::Int(float_value as i64) } else { Cel::Float(float_value) }
                }
            }
        }
        Value::String(text) => string(text, rules.map_or("", |rules| &*rules.format)),
        Value::Array(list) => {
            let items = list.iter().map(|item| match &node.kind {
                Kind::List { items, .. } => to_cel(schema, *items, item, false),
                _ => untyped(item),
            });
            Cel::List(Arc::new(items.collect()))
        }
        Value::Object(object) => {
            let mut map = HashMap::with_capacity(object.len());
            for (name, value) in object {
                if root && name == "metadata" {
                    let seen = ["name", "generateName"].iter().filter_map(|name| {
                        let text = value.get(*name)?.as_str()?;
                        Some((key(name), Cel::String(Arc::new(text.to_owned()))))
                    });
                    map.insert(key(name), Cel::Map(CelMap { map: Arc::new(seen.collect()) }));
                    continue;
                }
                let named = node.field(name).is_some();
                let value = match node.member(name) {
                    Some(child) => to_cel(schema, child, value, false),
                    None => untyped(value),
                };
                map.insert(if named { key(&escape(name)) } else { key(name) }, value);
            }
            Cel::Map(CelMap { map: Arc::new(map) })
        }
    }
}

fn untyped(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => number
            .as_i64()
            .map_or_else(|| Cel::Float(number.as_f64().unwrap_or(f64::NAN)), Cel::Int),
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(list) => Cel::List(Arc::new(list.iter().map(untyped).collect())),
        Value::Object(object) => {
            let map = object.iter().map(|(name, value)| (key(name), untyped(value)));
            Cel::Map(CelMap { map: Arc::new(map.collect()) })
        }
    }
}

/// A text, or the time, span or bytes that its format makes of it.
fn string(text: &str, format: &str) -> Cel {
    let plain = || Cel::String(Arc::new(text.to_owned()));
    let convert = |function: &str| {
        let context = Context::default();
        let mut scope = context.new_inner_scope();
        scope.add_variable_from_value("text", plain());
        let expression = cel::parser::Parser::default().parse(&format!("{function}(text)")).ok()?;
        Cel::resolve(&expression, &scope).ok()
    };
    match format {
        "date-time" => convert("timestamp").unwrap_or_else(plain),
        "duration" => convert("duration").unwrap_or_else(plain),
        "byte" => BASE64_STANDARD
            .decode(text)
            .map_or_else(|_| plain(), |bytes| Cel::Bytes(Arc::new(bytes))),
        _ => plain(),
    }
}

fn key(name: &str) -> Key {
    Key::String(Arc::new(name.to_owned()))
}

const RESERVED: [&str; 21] = [
    "true",
    "false",
    "null",
    "in",
    "as",
    "break",
    "const",
    "continue",
    "else",
    "for",
    "function",
    "if",
    "import",
    "let",
    "loop",
    "package",
    "namespace",
    "return",
    "var",
    "void",
    "while",
];

/// How a field is named in rules.
fn escape(name: &str) -> String {
    if RESERVED.contains(&name) {
        return format!("__{name}__");
    }
    if !name.contains("__") && !name.contains(['.', '-', '/', '$']) {
        return name.to_owned();
    }
    name.replace("__", "__underscores__")
        .replace('.', "__dot__")
        .replace('-', "__dash__")
        .replace('/', "__slash__")
}

/// The items of a list's former state, found by their keys.
struct Former<'v> {
    keys: Vec<&'v str>,
    items: HashMap<String, &'v Value>,
}

impl<'v> Former<'v> {
    fn new(kind: &'v ListKind, old: Option<&'v Value>) -> Self {
        let ListKind::Map(keys) = kind else {
            return Self { keys: Vec::new(), items: HashMap::new() };
        };
        let mut former =
            Self { keys: keys.iter().map(|key| &**key).collect(), items: HashMap::new() };
        for item in old.and_then(Value::as_array).into_iter().flatten() {
            former.items.insert(former.identity(item), item);
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
        if self.items.is_empty() { None } else { self.items.get(&self.identity(item)).copied() }
    }
}
