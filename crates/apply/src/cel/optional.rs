//! CEL's optional values: `a.?b`, `a[?b]`, `optional.of(x)`, `.or()`, `.orValue()`, `.optMap()`.
//!
//! The library parses the syntax but evaluates it otherwise than cel-go: a missing first field is
//! an error there, and a field of an optional is false. So the operators become calls of our own
//! functions when an expression is parsed. Follows cel-go's `interpreter/attributes.go`
//! (`refQualify`, `applyQualifiers`) and `cel/library.go`:
//! * `a.?b` and `a[?b]` are none where `a` has no such field, or is not something that has fields.
//! * What follows an optional is optional: `a.?b.c['d']` is none where anything after `a` is
//!   missing.
//! * `has(a.?b.c)` is whether there is a value.
//! * `or` and `orValue` look at their argument only where there is no value.

use std::sync::Arc;

use kube_cel::cel::{
    Context, ExecutionError, FunctionContext, Value,
    common::ast::{
        CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue,
        operators::{CONDITIONAL, INDEX, OPT_INDEX, OPT_SELECT},
    },
    objects::{Key, OptionalValue},
};

/// Looks a field or an element up; the name cannot be written in CEL.
const LOOK_UP: &str = "@optional_look_up";
/// Whether an optional has a value.
const IS_THERE: &str = "@optional_is_there";
/// cel-go's words.
const NONE_DEREFERENCE: &str = "optional.none() dereference";
const NO_OVERLOAD: &str = "no such overload";

type Result<T = Value> = std::result::Result<T, ExecutionError>;
type Function = Box<dyn Fn(&mut FunctionContext<'_, '_>) -> Result + Send + Sync>;

/// Whether a message of a function is ours and holds nothing of the object.
pub(super) fn is_own(message: &str) -> bool {
    message == NONE_DEREFERENCE || message == NO_OVERLOAD
}

/// Turns what concerns optional values into calls of our functions.
///
/// # Errors
/// A text for literals of message types, of which there are none here.
pub(super) fn lower(expression: &mut IdedExpr) -> std::result::Result<(), String> {
    match &mut expression.expr {
        Expr::Call(call) => {
            for inner in call.target.iter_mut().map(AsMut::as_mut).chain(&mut call.args) {
                lower(inner)?;
            }
            let is_optional = match call.func_name.as_str() {
                OPT_SELECT | OPT_INDEX => true,
                INDEX => call.args.first().is_some_and(may_be_optional),
                _ => false,
            };
            if is_optional {
                LOOK_UP.clone_into(&mut call.func_name);
            }
        }
        Expr::Select(select) => {
            lower(&mut select.operand)?;
            if may_be_optional(&select.operand) {
                let field = Expr::Literal(LiteralValue::String(select.field.clone().into()));
                let field = IdedExpr { id: expression.id, expr: field };
                let found = call(LOOK_UP, vec![std::mem::take(&mut *select.operand), field]);
                expression.expr = if select.test {
                    call(IS_THERE, vec![IdedExpr { id: expression.id, expr: found }])
                } else {
                    found
                };
            }
        }
        Expr::List(list) => list.elements.iter_mut().try_for_each(lower)?,
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    lower(&mut entry.key)?;
                    lower(&mut entry.value)?;
                }
            }
        }
        Expr::Comprehension(comprehension) => {
            let comprehension = comprehension.as_mut();
            for inner in [
                &mut comprehension.iter_range,
                &mut comprehension.accu_init,
                &mut comprehension.loop_cond,
                &mut comprehension.loop_step,
                &mut comprehension.result,
            ] {
                lower(inner)?;
            }
        }
        Expr::Struct(literal) => {
            return Err(format!(
                "undeclared reference to '{}' (in container '')",
                literal.type_name
            ));
        }
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
    }
    Ok(())
}

fn call(function: &str, args: Vec<IdedExpr>) -> Expr {
    Expr::Call(CallExpr { func_name: function.to_owned(), target: None, args })
}

/// Whether the value of a lowered expression could be an optional.
fn may_be_optional(expression: &IdedExpr) -> bool {
    let Expr::Call(call) = &expression.expr else { return false };
    let of_optional = call
        .target
        .as_deref()
        .is_some_and(|target| matches!(&target.expr, Expr::Ident(name) if name == "optional"));
    match call.func_name.as_str() {
        LOOK_UP | "or" | "optMap" | "optFlatMap" | "first" | "last" => true,
        CONDITIONAL => call.args.iter().skip(1).any(may_be_optional),
        _ => of_optional,
    }
}

/// Adds the functions, in place of the library's.
pub(super) fn add_functions(context: &mut Context<'_>) {
    let mut add = |name, function: Function| context.add_function(name, function);
    add(LOOK_UP, Box::new(|call| look_up(&argument(call, 0)?, &argument(call, 1)?)));
    add(IS_THERE, Box::new(|call| Ok(Value::Bool(value_of(&argument(call, 0)?)?.is_some()))));
    add("hasValue", Box::new(|call| Ok(Value::Bool(value_of(this(call)?)?.is_some()))));
    add(
        "value",
        Box::new(|call| value_of(this(call)?)?.ok_or_else(|| call.error(NONE_DEREFERENCE))),
    );
    add(
        "or",
        Box::new(|call| match value_of(this(call)?)? {
            Some(value) => Ok(some(value)),
            None => {
                let other = argument(call, 0)?;
                value_of(&other)?;
                Ok(other)
            }
        }),
    );
    add(
        "orValue",
        Box::new(|call| match value_of(this(call)?)? {
            Some(value) => Ok(value),
            None => argument(call, 0),
        }),
    );
    add("optMap", Box::new(|call| Ok(map(call)?.map_or_else(none, some))));
    add(
        "optFlatMap",
        Box::new(|call| match map(call)? {
            Some(mapped) => value_of(&mapped).map(|_| mapped),
            None => Ok(none()),
        }),
    );
}

/// The value of an expression in which the variable of `optMap(variable, expression)` is that of
/// the optional.
fn map(call: &FunctionContext<'_, '_>) -> Result<Option<Value>> {
    let [variable, expression] = call.args else { return Err(call.error(NO_OVERLOAD)) };
    let Expr::Ident(variable) = &variable.expr else { return Err(call.error(NO_OVERLOAD)) };
    let Some(value) = value_of(this(call)?)? else { return Ok(None) };
    let mut scope = call.ptx.new_inner_scope();
    scope.add_variable_from_value(variable.as_str(), value);
    scope.resolve(expression).map(Some)
}

/// A field of a map or an element of a list, of what an optional holds where it is one.
fn look_up(operand: &Value, key: &Value) -> Result {
    let inner = match value_of(operand) {
        Ok(None) => return Ok(none()),
        Ok(Some(inner)) => inner,
        Err(_) => operand.clone(),
    };
    let found = match (&inner, key) {
        (Value::Map(map), Value::String(key)) => map.get(&Key::String(Arc::clone(key))).cloned(),
        (Value::Map(map), Value::Int(key)) => map.get(&Key::Int(*key)).cloned(),
        (Value::Map(map), Value::UInt(key)) => map.get(&Key::Uint(*key)).cloned(),
        (Value::Map(map), Value::Bool(key)) => map.get(&Key::Bool(*key)).cloned(),
        (Value::List(list), Value::Int(index)) => {
            usize::try_from(*index).ok().and_then(|index| list.get(index).cloned())
        }
        (Value::List(list), Value::UInt(index)) => {
            usize::try_from(*index).ok().and_then(|index| list.get(index).cloned())
        }
        (Value::Map(_) | Value::List(_), _) => return Err(ExecutionError::NoSuchOverload),
        _ => None,
    };
    Ok(found.map_or_else(none, some))
}

fn this<'a>(call: &'a FunctionContext<'_, '_>) -> Result<&'a Value> {
    call.this.as_ref().ok_or_else(|| call.error(NO_OVERLOAD))
}

fn argument(call: &FunctionContext<'_, '_>, index: usize) -> Result {
    let argument = call.args.get(index).ok_or_else(|| call.error(NO_OVERLOAD))?;
    call.ptx.resolve(argument)
}

/// What an optional holds.
///
/// # Errors
/// When the value is no optional.
fn value_of(value: &Value) -> Result<Option<Value>> {
    let optional = <&OptionalValue>::try_from(value).map_err(|_| ExecutionError::NoSuchOverload)?;
    Ok(optional.value().cloned())
}

fn some(value: Value) -> Value {
    Value::Opaque(Arc::new(OptionalValue::of(value)))
}

fn none() -> Value {
    Value::Opaque(Arc::new(OptionalValue::none()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::Expression;

    /// Each line is true with cel-go.
    #[tokio::test]
    async fn optionals_are_as_in_cel_go() {
        let dep = json!({
            "metadata": {"name": "x", "annotations": {"a": "b", "n": null}},
            "spec": {"list": [1, {"k": "v"}], "text": "t"},
        });
        for text in [
            "dep.metadata.?labels['x'].orValue('') == ''",
            "dep.metadata.?annotations['a'].orValue('') == 'b'",
            "dep.?status.?conditions.orValue([]).size() == 0",
            "dep.?status.conditions.orValue([]) == []",
            "dep.?metadata.name.hasValue()",
            "!dep.?metadata.other.hasValue()",
            "!dep.?status.deep.er['a'][3].hasValue()",
            "dep.metadata[?'name'].value() == 'x'",
            "!dep.metadata[?'none'].hasValue()",
            "dep.spec.list[?0].value() == 1",
            "!dep.spec.list[?7].hasValue()",
            "dep.spec.?list[1].k.value() == 'v'",
            "!dep.spec.text.?of.hasValue()",
            "!dep.metadata.annotations.n.?of.hasValue()",
            "dep.metadata.annotations.?n.hasValue()",
            "has(dep.?metadata.name) && !has(dep.?metadata.labels) && !has(dep.?status.x)",
            "optional.of(1).value() == 1 && optional.of(1).hasValue()",
            "!optional.none().hasValue() && optional.none().orValue(3) == 3",
            "!optional.ofNonZeroValue('').hasValue() && optional.ofNonZeroValue('a').hasValue()",
            "optional.of({'a': 1}).a.value() == 1",
            "dep.?status.or(dep.?metadata).name.value() == 'x'",
            "dep.?metadata.or(dep.?none).name.orValue('') == 'x'",
            "dep.?metadata.name.orValue(1 / 0) == 'x'",
            "dep.?metadata.name.optMap(n, n + '!').value() == 'x!'",
            "!dep.?status.optMap(s, s.phase).hasValue()",
            "dep.?metadata.optFlatMap(m, m.?name).value() == 'x'",
            "(has(dep.status) ? dep.?status : dep.?metadata).name.orValue('') == 'x'",
            "dep.spec.list.first().value() == 1",
            "[?dep.?status, ?dep.metadata.?name] == ['x']",
            "{?'a': dep.?status, ?'b': dep.metadata.?name} == {'b': 'x'}",
            "['name', 'none'].filter(f, dep.metadata[?f].hasValue()).size() == 1",
            "['name'].exists(f, dep.?metadata[f].orValue('') == 'x')",
        ] {
            let value = Expression::parse(text).unwrap();
            let value = value.evaluate([("dep".to_owned(), dep.clone())]).await;
            assert_eq!(value.map_err(|error| error.to_string()), Ok(true), "{text}");
        }
    }

    #[tokio::test]
    async fn what_is_no_optional_fails() {
        let dep = json!({"metadata": {"name": "x"}, "list": [1]});
        for (text, expected) in [
            ("dep.?status.value()", "optional.none() dereference"),
            ("dep.status.?x.hasValue()", "no such key: status"),
            ("dep.metadata.name.orValue('a') == 'a'", "no such overload"),
            ("dep.?status.or(1).hasValue()", "no such overload"),
            ("dep.list[?'a'].hasValue()", "no such overload"),
            ("dep.?metadata.name.optMap(1, 2).hasValue()", "no such overload"),
            ("dep.?metadata.optFlatMap(m, m.name).hasValue()", "no such overload"),
        ] {
            let expression = Expression::parse(text).unwrap();
            let error = expression.evaluate([("dep".to_owned(), dep.clone())]).await.unwrap_err();
            let whole = format!("failed to evaluate the CEL expression '{text}': {expected}");
            assert_eq!(error.to_string(), whole);
        }
        let error = Expression::parse("dep == Widget{name: 'x'}").unwrap_err().to_string();
        assert!(error.ends_with("undeclared reference to 'Widget' (in container '')"), "{error}");
    }
}
