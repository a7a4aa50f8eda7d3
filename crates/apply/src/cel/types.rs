//! What cel-go's checker says of an expression over variables of any shape: names that are none, and
//! the type of the value, as far as it shows without looking at data.

use kube_cel::cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, operators};

/// Type names may stand where values do.
const TYPES: &[&str] = &[
    "bool",
    "bytes",
    "double",
    "duration",
    "dyn",
    "int",
    "list",
    "map",
    "null_type",
    "optional_type",
    "string",
    "timestamp",
    "type",
    "uint",
];

/// The first name that is neither one of `variables` nor bound by a macro.
pub(super) fn undeclared<'e>(expression: &'e IdedExpr, variables: &[&'e str]) -> Option<&'e str> {
    let within = |inner: &'e IdedExpr| undeclared(inner, variables);
    match &expression.expr {
        Expr::Ident(name) => {
            let is_known = variables.contains(&name.as_str())
                || TYPES.contains(&name.as_str())
                || name.starts_with(['@', '.']);
            (!is_known).then_some(name)
        }
        // The target of a function may be a namespace, as in `sets.contains(a, b)`.
        Expr::Call(call) => {
            let target = call.target.as_deref().filter(|target| {
                !matches!(&target.expr, Expr::Ident(name) if ["sets", "base64", "strings", "math", "optional"].contains(&name.as_str()))
            });
            target.into_iter().chain(&call.args).find_map(within)
        }
        Expr::Select(select) => within(&select.operand),
        Expr::List(list) => list.elements.iter().find_map(within),
        Expr::Map(map) => map.entries.iter().find_map(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => within(&entry.key).or_else(|| within(&entry.value)),
            EntryExpr::StructField(_) => None,
        }),
        Expr::Comprehension(comprehension) => {
            let mut inner: Vec<&str> = variables.to_vec();
            inner.extend([comprehension.iter_var.as_str(), comprehension.accu_var.as_str()]);
            inner.extend(comprehension.iter_var2.as_deref());
            within(&comprehension.iter_range)
                .or_else(|| within(&comprehension.accu_init))
                .or_else(|| undeclared(&comprehension.loop_cond, &inner))
                .or_else(|| undeclared(&comprehension.loop_step, &inner))
                .or_else(|| undeclared(&comprehension.result, &inner))
        }
        Expr::Struct(_) | Expr::Unspecified | Expr::Literal(_) => None,
    }
}

/// The type of the value; `None` where it is not known here.
pub(super) fn output(expression: &IdedExpr) -> Option<String> {
    let known = |name: &str| Some(name.to_owned());
    match &expression.expr {
        Expr::Literal(value) => known(match value {
            LiteralValue::Boolean(_) => "bool",
            LiteralValue::Bytes(_) => "bytes",
            LiteralValue::Double(_) => "double",
            LiteralValue::Int(_) => "int",
            LiteralValue::Null => "null_type",
            LiteralValue::String(_) => "string",
            LiteralValue::UInt(_) => "uint",
        }),
        // A variable is an object of any shape.
        Expr::Ident(_) => known("map(string, dyn)"),
        Expr::Select(select) => known(if select.test { "bool" } else { "dyn" }),
        Expr::List(list) => {
            let of = list.elements.first().map_or_else(|| known("dyn"), output)?;
            Some(format!("list({of})"))
        }
        Expr::Call(call) => called(&call.func_name, call.target.as_deref(), &call.args),
        Expr::Comprehension(comprehension) => match &comprehension.result.expr {
            Expr::Ident(_) => output(&comprehension.accu_init),
            _ => output(&comprehension.result),
        },
        Expr::Map(_) | Expr::Struct(_) | Expr::Unspecified => None,
    }
}

fn called(function: &str, target: Option<&IdedExpr>, args: &[IdedExpr]) -> Option<String> {
    let known = |name: &str| Some(name.to_owned());
    match function {
        operators::LOGICAL_AND
        | operators::LOGICAL_OR
        | operators::LOGICAL_NOT
        | operators::EQUALS
        | operators::NOT_EQUALS
        | operators::LESS
        | operators::LESS_EQUALS
        | operators::GREATER
        | operators::GREATER_EQUALS
        | operators::IN => known("bool"),
        "bool" | "bytes" | "double" | "int" | "string" | "uint" if target.is_none() => {
            known(function)
        }
        "size" | "indexOf" | "lastIndexOf" => known("int"),
        "startsWith" | "endsWith" | "contains" | "matches" => known("bool"),
        "lowerAscii" | "upperAscii" | "replace" | "trim" | "substring" | "charAt" | "join"
        | "format" => known("string"),
        "split" => known("list(string)"),
        operators::ADD
        | operators::SUBSTRACT
        | operators::MULTIPLY
        | operators::DIVIDE
        | operators::MODULO => {
            let of: Vec<String> = args.iter().map(output).collect::<Option<_>>()?;
            let fixed = of.iter().find(|name| *name != "dyn").or(of.first())?;
            // Times and lengths of time mix; nobody judges an object by their sum.
            matches!(fixed.as_str(), "int" | "uint" | "double" | "string" | "dyn")
                .then(|| fixed.clone())
        }
        operators::NEGATE => args.first().and_then(output),
        operators::CONDITIONAL => {
            let (yes, no) = (output(args.get(1)?)?, output(args.get(2)?)?);
            if yes == no { Some(yes) } else { known("dyn") }
        }
        operators::INDEX => known("dyn"),
        _ => None,
    }
}

/// `status.phase` for `status`: the longest chain of names that begins with a name, as cel-go shows
/// it when the name is not there.
pub(super) fn attribute(expression: &IdedExpr, name: &str) -> Option<String> {
    let within = |inner: &IdedExpr| attribute(inner, name);
    match &expression.expr {
        Expr::Ident(own) => (own == name).then(|| own.clone()),
        Expr::Select(select) => {
            let found = within(&select.operand)?;
            let is_chain = chain_ends_in(&select.operand, name);
            Some(if is_chain && !select.test { format!("{found}.{}", select.field) } else { found })
        }
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).find_map(within),
        Expr::List(list) => list.elements.iter().find_map(within),
        Expr::Comprehension(comprehension) => within(&comprehension.iter_range)
            .or_else(|| within(&comprehension.loop_step))
            .or_else(|| within(&comprehension.result)),
        _ => None,
    }
}

/// Whether an expression is nothing but selections from a name.
fn chain_ends_in(expression: &IdedExpr, name: &str) -> bool {
    match &expression.expr {
        Expr::Ident(own) => own == name,
        Expr::Select(select) => !select.test && chain_ends_in(&select.operand, name),
        _ => false,
    }
}
