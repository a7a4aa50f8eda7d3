//! The single crossing between nodes and `serde_json`.

use std::borrow::Cow;

use serde_json::Value;

use crate::{
    error::{Error, ErrorKind},
    node::{Content, Mapping, Node, Place, Scalar, ScalarType},
    read::go_value,
    resolve::{Flavour, Number, rfc3339, write_float32},
};

impl Node {
    /// A tree of a JSON value; whole floats stay floats.
    pub fn from_json(value: Value) -> Self {
        match value {
            Value::Null => Self::null(),
            Value::Bool(value) => Self::from(value),
            Value::Number(number) => Self::from(&number),
            Value::String(text) => Self::string(text),
            Value::Array(items) => {
                Self::from(items.into_iter().map(Self::from_json).collect::<Vec<_>>())
            }
            Value::Object(object) => {
                let mut mapping = Mapping::with_capacity(object.len());
                for (key, value) in object {
                    mapping.push(Self::string(key), Self::from_json(value));
                }
                Self::from(mapping)
            }
        }
    }

    /// The JSON value, as `kustomize` gets it: keys other than strings are errors.
    ///
    /// # Errors
    /// For NaN, the infinities and keys that are no strings.
    pub fn to_json(&self) -> Result<Value, Error> {
        convert(self, Flavour::V3)
    }

    /// The JSON value, as `sigs.k8s.io/yaml` makes it: numbers and booleans as keys become
    /// strings.
    ///
    /// # Errors
    /// For NaN, the infinities and keys that are null or no scalars.
    pub fn to_json_v2(&self) -> Result<Value, Error> {
        convert(self, Flavour::V2)
    }
}

/// The JSON value of a node; see [`Node::to_json`].
///
/// # Errors
/// For NaN, the infinities and keys that are no strings.
pub fn to_json(node: &Node) -> Result<Value, Error> {
    node.to_json()
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        Self::from_json(value)
    }
}

impl From<&serde_json::Number> for Node {
    fn from(number: &serde_json::Number) -> Self {
        if let Some(value) = number.as_i64() {
            Self::number(value)
        } else if let Some(value) = number.as_u64() {
            Self::number(value)
        } else {
            Self::number(number.as_f64().unwrap_or(f64::NAN))
        }
    }
}

fn convert(node: &Node, flavour: Flavour) -> Result<Value, Error> {
    match node.content() {
        Content::Scalar(scalar) => scalar_to_json(node, scalar, flavour),
        Content::Sequence(sequence) => sequence
            .iter()
            .map(|item| convert(item, flavour))
            .collect::<Result<_, _>>()
            .map(Value::Array),
        Content::Mapping(mapping) => {
            let mut object = serde_json::Map::with_capacity(mapping.len());
            for entry in mapping {
                let key = json_key(&entry.key, &entry.value, flavour)?.into_owned();
                object.insert(key, convert(&entry.value, flavour)?);
            }
            Ok(Value::Object(object))
        }
    }
}

fn scalar_to_json(node: &Node, scalar: &Scalar, flavour: Flavour) -> Result<Value, Error> {
    Ok(match scalar.kind {
        ScalarType::Null => Value::Null,
        ScalarType::Bool => Value::Bool(scalar.as_bool().unwrap_or_default()),
        ScalarType::Int | ScalarType::Float => match scalar.as_number() {
            Some(Number::Int(value)) => Value::from(value),
            Some(Number::Uint(value)) => Value::from(value),
            Some(Number::Float(value)) => serde_json::Number::from_f64(value)
                .map(Value::Number)
                .ok_or_else(|| unsupported_float(node.place(), value))?,
            None => Value::from(scalar.text()),
        },
        ScalarType::Timestamp => Value::from(&*timestamp_text(scalar, flavour)),
        ScalarType::Str | ScalarType::Merge => Value::from(scalar.text()),
    })
}

/// The string that stands for a moment: its text to yaml.v2, RFC 3339 to yaml.v3.
pub(crate) fn timestamp_text(scalar: &Scalar, flavour: Flavour) -> Cow<'_, str> {
    match flavour {
        Flavour::V2 => Cow::Borrowed(scalar.text()),
        Flavour::V3 => rfc3339(scalar.text()).map_or(Cow::Borrowed(scalar.text()), Cow::Owned),
    }
}

/// The error for a float that JSON cannot hold.
pub(crate) fn unsupported_float(place: Place, value: f64) -> Error {
    let name = match value {
        value if value.is_nan() => "NaN",
        value if value > 0.0 => "+Inf",
        _ => "-Inf",
    };
    unrepresentable(place, format!("json: unsupported value: {name}"))
}

pub(crate) fn unrepresentable(place: Place, message: String) -> Error {
    Error::new(ErrorKind::Unrepresentable, message).at(place.line(), place.column())
}

/// Quirk: `sigs.k8s.io/yaml` rounds keys to 32 bits.
#[expect(clippy::cast_possible_truncation, reason = "it is the quirk")]
fn float_key(value: f64) -> String {
    let mut text = String::new();
    write_float32(&mut text, value as f32);
    text
}

/// The string that a key becomes in JSON.
pub(crate) fn json_key<'n>(
    key: &'n Node,
    value: &Node,
    flavour: Flavour,
) -> Result<Cow<'n, str>, Error> {
    let Some(scalar) = key.as_scalar() else {
        return Err(unrepresentable(key.place(), "yaml: invalid map key".to_owned()));
    };
    match (scalar.kind, flavour) {
        (ScalarType::Str | ScalarType::Merge, _) | (ScalarType::Timestamp, Flavour::V2) => {
            Ok(Cow::Borrowed(scalar.text()))
        }
        (ScalarType::Bool, Flavour::V2) => {
            Ok(Cow::Borrowed(if scalar.as_bool() == Some(true) { "true" } else { "false" }))
        }
        (ScalarType::Int | ScalarType::Float, Flavour::V2) => match scalar.as_number() {
            Some(Number::Uint(_)) | None => Err(unsupported_key(key, value, "uint64")),
            Some(Number::Float(value)) => Ok(Cow::Owned(float_key(value))),
            Some(number) => Ok(Cow::Owned(number.to_string())),
        },
        (ScalarType::Null, Flavour::V2) => Err(unsupported_key(key, value, "%!s(<nil>)")),
        (_, Flavour::V3) => Err(unrepresentable(
            key.place(),
            format!(
                "json: unsupported type: map[interface {{}}]interface {{}} (key {})",
                scalar.text()
            ),
        )),
    }
}

/// The text that `sigs.k8s.io/yaml` makes of a scalar where Go wants a string: numbers and truth values
/// in their usual form.
///
/// ```
/// let node = gitops_yaml::read_first("[1.50, 0x1F, yes, \"1.50\"]", gitops_yaml::Flavour::V2)?;
/// let texts: Vec<_> = node.as_sequence().unwrap().iter().filter_map(gitops_yaml::wanted_text).collect();
/// assert_eq!(texts, ["1.5", "31", "true", "1.50"]);
/// # Ok::<(), gitops_yaml::Error>(())
/// ```
pub fn wanted_text(node: &Node) -> Option<Cow<'_, str>> {
    let scalar = node.as_scalar()?;
    Some(match (scalar.kind, scalar.as_number()) {
        (ScalarType::Bool, _) => {
            Cow::Borrowed(if scalar.as_bool() == Some(true) { "true" } else { "false" })
        }
        (_, Some(Number::Float(value))) => Cow::Owned(float_key(value)),
        (_, Some(number)) => Cow::Owned(number.to_string()),
        _ => Cow::Borrowed(scalar.text()),
    })
}

fn unsupported_key(key: &Node, value: &Node, kind: &str) -> Error {
    let message = format!(
        "unsupported map key of type: {kind}, key: {}, value: {}",
        go_value(key),
        go_value(value)
    );
    unrepresentable(key.place(), message)
}
