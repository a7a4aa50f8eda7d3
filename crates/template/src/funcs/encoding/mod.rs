//! YAML, JSON, TOML and the base encodings.
//!
//! Follows sprig's `strings.go` and `defaults.go`, and Helm's `pkg/engine/funcs.go`.

use gitops_yaml::{
    AsV2, Duplicates, Emit as _, Flavour, Number, ReadOptions, View, to_yaml_pretty, write_yaml,
};

mod base32;
pub(super) mod base64;
mod json;
mod plain;
mod toml;

pub(super) use plain::DEEPEST;

use json::{Layout, Target};
pub(crate) use plain::Plain;
use plain::{Refusal, Shape, with_copy};

use crate::{
    Arguments, CallError, Context, Function,
    funcs::coerce,
    value::{Entries, List, ListKind, Map, MapKind, Text, Type, Value, bytes::to_bytes},
};

pub(super) const ENCODING: &[Function] = &[
    Function::new("b64enc", &[Type::String], b64enc),
    Function::new("b64dec", &[Type::String], b64dec),
    Function::new("b32enc", &[Type::String], b32enc),
    Function::new("b32dec", &[Type::String], b32dec),
    Function::new("fromJson", &[Type::String], lenient_from_json),
    Function::new("mustFromJson", &[Type::String], must_from_json),
    Function::new("toJson", &[Type::Any], to_json),
    Function::new("mustToJson", &[Type::Any], must_to_json),
    Function::new("toPrettyJson", &[Type::Any], to_pretty_json),
    Function::new("mustToPrettyJson", &[Type::Any], must_to_pretty_json),
    Function::new("toRawJson", &[Type::Any], must_to_raw_json),
    Function::new("mustToRawJson", &[Type::Any], must_to_raw_json),
];

/// What Helm adds, and puts in the place of sprig's.
pub(super) const HELM_ENCODING: &[Function] = &[
    Function::new("toYaml", &[Type::Any], to_yaml_text),
    Function::new("toYamlPretty", &[Type::Any], to_yaml_pretty_text),
    Function::new("fromYaml", &[Type::String], from_yaml),
    Function::new("fromYamlArray", &[Type::String], from_yaml_array),
    Function::new("toJson", &[Type::Any], to_json),
    Function::new("fromJson", &[Type::String], from_json),
    Function::new("fromJsonArray", &[Type::String], from_json_array),
    Function::new("toToml", &[Type::Any], to_toml),
    Function::new("fromToml", &[Type::String], from_toml),
    Function::new("mustToYaml", &[Type::Any], must_to_yaml),
    Function::new("mustToJson", &[Type::Any], must_to_json),
    Function::new("mustToToml", &[Type::Any], must_to_toml),
];

type Outcome = Result<Value, CallError>;

/// What Go's function gives when it swallows an error.
fn lenient(result: Result<impl Into<Value>, Refusal>) -> Outcome {
    match result {
        Ok(text) => Ok(text.into()),
        Err(Refusal::Unsupported(_)) => Ok(Value::from("")),
        Err(Refusal::Stop(error)) => Err(error),
    }
}

fn strict(result: Result<impl Into<Value>, Refusal>) -> Outcome {
    match result {
        Ok(text) => Ok(text.into()),
        Err(Refusal::Unsupported(message)) => Err(CallError::new(message)),
        Err(Refusal::Stop(error)) => Err(error),
    }
}

/// The text of Helm's `toYaml`, with its last line break.
pub fn yaml_text(value: &Value) -> Result<String, CallError> {
    let mut out = String::new();
    match write_yaml_of(value, None, &mut out) {
        Ok(()) => Ok(out + "\n"),
        Err(Refusal::Unsupported(message)) => Err(CallError::new(message)),
        Err(Refusal::Stop(error)) => Err(error),
    }
}

/// Writes a value to a text that is empty.
fn write_yaml_of(
    value: &Value,
    context: Option<&mut Context<'_>>,
    out: &mut String,
) -> Result<(), Refusal> {
    let printed = with_copy(value, Shape::Json, context, |copy| write_yaml(out, copy));
    let printed = printed.map_err(|refusal| match refusal {
        Refusal::Unsupported(message) => {
            Refusal::Unsupported(format!("error marshaling into JSON: {message}"))
        }
        stop @ Refusal::Stop(_) => stop,
    })?;
    printed.map_err(|error| Refusal::Unsupported(error.message().to_owned()))?;
    cut_line_break(out);
    Ok(())
}

fn cut_line_break(text: &mut String) {
    if text.ends_with('\n') {
        text.pop();
    }
}

fn yaml_of(context: &mut Context<'_>, arguments: Arguments<'_>) -> Result<Text, Refusal> {
    context.text(|context, out| write_yaml_of(arguments.any(0), Some(context), out))
}

fn to_yaml_text(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    lenient(yaml_of(context, arguments))
}

fn must_to_yaml(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    strict(yaml_of(context, arguments))
}

fn to_yaml_pretty_text(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let printed =
        with_copy(arguments.any(0), Shape::V3, Some(context), |copy| to_yaml_pretty(copy));
    lenient(printed.and_then(|printed| {
        let mut text = printed.map_err(|error| Refusal::Unsupported(error.message().to_owned()))?;
        cut_line_break(&mut text);
        Ok(text)
    }))
}

/// Quirk: unlike in JSON, `null` leaves the map that is there.
fn from_yaml(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(match read_yaml(arguments.text(0), Target::Map) {
        Ok(Value::Map(map)) if map.is_nil() => Value::Map(Map::new()),
        Ok(value) => value,
        Err(error) => error_map(error),
    })
}

fn from_yaml_array(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(match read_yaml(arguments.text(0), Target::List) {
        Ok(Value::List(list)) if list.is_nil() => Value::List(List::new(ListKind::Any, Vec::new())),
        Ok(value) => value,
        Err(error) => error_list(error),
    })
}

fn error_map(error: String) -> Value {
    Value::Map(Map::from_iter([("Error", error)]))
}

fn error_list(error: String) -> Value {
    Value::List(List::from_iter([Value::from(error)]))
}

/// `yaml.Unmarshal` of `sigs.k8s.io/yaml`: by way of JSON, so every number is a `float64`.
fn read_yaml(text: &str, target: Target) -> Result<Value, String> {
    let options = ReadOptions { duplicates: Duplicates::Last, ..ReadOptions::flavour(Flavour::V2) };
    let value = options
        .read_first(&to_bytes(text))
        .map_err(|error| error.to_string())
        .and_then(|node| value_of(AsV2(&node)))
        .map_err(|error| format!("error converting YAML to JSON: {error}"))?;
    json::fit(value, target)
        .map_err(|error| format!("error unmarshaling JSON: while decoding JSON: {error}"))
}

fn value_of(node: AsV2<'_>) -> Result<Value, String> {
    Ok(match node.view() {
        View::Null => Value::Nil,
        View::Bool(value) => Value::Bool(value),
        View::Number(number) => number_of(number)?,
        View::Digits(digits) => digits.parse().map_or(Value::Nil, Value::Float),
        View::Text(text) => Value::from(&*text),
        View::Sequence(length) => {
            let items = (0..length).map(|index| value_of(node.item(index)));
            Value::List(List::new(ListKind::Any, items.collect::<Result<_, _>>()?))
        }
        View::Mapping(length) => {
            let mut map = Entries::with_capacity(length);
            for pair in node.pairs() {
                let (key, value) = pair.map_err(|error| error.to_string())?;
                map.insert((&*key).into(), value_of(value)?);
            }
            Value::Map(Map::of(MapKind::Any, map))
        }
        other => return Err(format!("yaml: {other:?} has no form in JSON")),
    })
}

fn number_of(number: Number) -> Result<Value, String> {
    match number.as_f64() {
        value if value.is_nan() => Err("json: unsupported value: NaN".to_owned()),
        f64::INFINITY => Err("json: unsupported value: +Inf".to_owned()),
        f64::NEG_INFINITY => Err("json: unsupported value: -Inf".to_owned()),
        value => Ok(Value::Float(value)),
    }
}

fn json_of(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
    layout: Layout,
) -> Result<Text, Refusal> {
    context.text(|context, out| json::write(arguments.any(0), layout, context, out))
}

fn to_json(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    lenient(json_of(context, arguments, Layout::Compact))
}

fn must_to_json(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    strict(json_of(context, arguments, Layout::Compact))
}

fn to_pretty_json(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    lenient(json_of(context, arguments, Layout::Pretty))
}

fn must_to_pretty_json(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    strict(json_of(context, arguments, Layout::Pretty))
}

/// `toRawJson` as well: it panics with what `mustToRawJson` returns.
fn must_to_raw_json(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    strict(json_of(context, arguments, Layout::Raw))
}

fn lenient_from_json(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(json::read(arguments.text(0), Target::Any)
        .unwrap_or_else(|error| error.read.unwrap_or_default()))
}

fn must_from_json(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    json::read(arguments.text(0), Target::Any).map_err(|error| CallError::new(error.message))
}

fn from_json(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(match json::read(arguments.text(0), Target::Map) {
        Ok(value) => value,
        Err(json::Error { message, read: Some(Value::Map(map)) }) => {
            map.insert("Error", message);
            Value::Map(map)
        }
        Err(error) => error_map(error.message),
    })
}

fn from_json_array(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let read = json::read(arguments.text(0), Target::List);
    Ok(read.unwrap_or_else(|error| error_list(error.message)))
}

fn toml_of(context: &mut Context<'_>, arguments: Arguments<'_>) -> Result<String, Refusal> {
    if arguments.any(0).is_nil() {
        return Err(Refusal::Stop(CallError::new(coerce::NO_TYPE)));
    }
    toml::write(arguments.any(0), context)
}

/// Helm gives the error's text instead of the document.
fn to_toml(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    match toml_of(context, arguments) {
        Ok(text) | Err(Refusal::Unsupported(text)) => Ok(Value::from(text)),
        Err(Refusal::Stop(error)) => Err(error),
    }
}

fn must_to_toml(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    strict(toml_of(context, arguments))
}

fn from_toml(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(toml::read(arguments.text(0)).unwrap_or_else(error_map))
}

fn b64enc(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::from(base64::encode(&to_bytes(arguments.text(0)))))
}

fn b64dec(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(match base64::decode(&to_bytes(arguments.text(0))) {
        Ok(bytes) => coerce::string_of(&bytes),
        Err(error) => Value::from(error),
    })
}

fn b32enc(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::from(base32::encode(&to_bytes(arguments.text(0)))))
}

fn b32dec(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(match base32::decode(&to_bytes(arguments.text(0))) {
        Ok(bytes) => coerce::string_of(&bytes),
        Err(error) => Value::from(error),
    })
}
