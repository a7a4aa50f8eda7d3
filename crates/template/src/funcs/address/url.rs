//! URLs: `urlParse` and `urlJoin`.
//!
//! Follows sprig's `url.go` and Go's `net/url`, which reads more, and other things, than browsers do.

use super::go_url::{Url, parse};
use crate::{
    Arguments, CallError, Context, Function,
    funcs::coerce::NIL_POINTER,
    value::{Kind, Map, Type, Value},
};

pub(in crate::funcs) const URL: &[Function] = &[
    Function::new("urlParse", &[Type::String], url_parse),
    Function::new("urlJoin", &[Type::MAP], url_join),
];

type Outcome = Result<Value, CallError>;

fn url_parse(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let url = parse(arguments.text(0))
        .map_err(|error| CallError::new(format!("unable to parse url: {error}")))?;
    let hostname = url.hostname().to_owned();
    Ok(Value::Map(Map::from_iter([
        ("scheme", url.scheme),
        ("hostname", hostname),
        ("host", url.host),
        ("path", url.path),
        ("query", url.query),
        ("opaque", url.opaque),
        ("fragment", url.fragment),
        ("userinfo", url.user.map(|user| user.to_string()).unwrap_or_default()),
    ])))
}

fn part(map: &Map, key: &str) -> Result<String, CallError> {
    match map.get(key) {
        None => Ok(String::new()),
        Some(Value::Str(text)) => Ok(text.to_string()),
        Some(Value::Nil) => Err(CallError::new(NIL_POINTER)),
        Some(other) => Err(CallError::new(format!(
            "unable to parse {key} key, must be of type string, but {} found",
            Kind::to_string(&other.kind())
        ))),
    }
}

fn url_join(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let map = arguments.map(0);
    let mut url = Url {
        scheme: part(map, "scheme")?,
        host: part(map, "host")?,
        path: part(map, "path")?,
        query: part(map, "query")?,
        opaque: part(map, "opaque")?,
        fragment: part(map, "fragment")?,
        ..Url::default()
    };
    let user = part(map, "userinfo")?;
    if !user.is_empty() {
        let parsed = parse(&format!("proto://{user}@host")).map_err(|error| {
            CallError::new(format!("unable to parse userinfo in dict: {error}"))
        })?;
        url.user = parsed.user;
    }
    Ok(Value::from(url.to_string()))
}
