//! Paths with slashes. The `os` functions are the same, as on every system with slashes.
//!
//! Follows Go's `path`.

use crate::{Arguments, CallError, Context, Function, Type, Value};

const ONE: &[Type] = &[Type::String];

pub(in crate::funcs) const PATHS: &[Function] = &[
    Function::new("base", ONE, base),
    Function::new("dir", ONE, dir),
    Function::new("clean", ONE, clean),
    Function::new("ext", ONE, ext),
    Function::new("isAbs", ONE, is_abs),
    Function::new("osBase", ONE, base),
    Function::new("osDir", ONE, dir),
    Function::new("osClean", ONE, clean),
    Function::new("osExt", ONE, ext),
    Function::new("osIsAbs", ONE, is_abs),
];

type Outcome = Result<Value, CallError>;

fn base(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let path = arguments.text(0);
    let trimmed = path.trim_end_matches('/');
    Ok(Value::from(match trimmed.rsplit('/').next() {
        _ if path.is_empty() => ".",
        Some("") | None => "/",
        Some(name) => name,
    }))
}

fn dir(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let path = arguments.text(0);
    let end = path.rfind('/').map_or(0, |slash| slash + 1);
    Ok(Value::from(cleaned(&path[..end])))
}

fn clean(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::from(cleaned(arguments.text(0))))
}

/// The shortest path to the same place by the text alone.
fn cleaned(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(last) if *last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

fn ext(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let path = arguments.text(0);
    let name = path.rsplit('/').next().unwrap_or(path);
    Ok(Value::from(name.rfind('.').map_or("", |dot| &name[dot..])))
}

fn is_abs(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::Bool(arguments.text(0).starts_with('/')))
}
