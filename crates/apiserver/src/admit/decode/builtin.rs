//! Built-in types: what is left of an object after a round trip through the server's Go types.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Number, Value};

use super::{
    DEPTH_LIMIT, Unknown,
    mismatch::{Mismatch, go_type, item_type, value_type},
    trail::{Step, Trail},
};
use crate::{
    admit::{quantity::Quantity, time},
    schema::{Field, Kind, Node, NodeId, Scalar, Schema},
};

/// Amounts of resources, which the API rounds up to thousandths.
const RESOURCES: &str = "v1.ResourceList";

/// Decodes a value in place.
pub(super) fn decode(
    schema: &Schema,
    node: NodeId,
    value: &mut Value,
    unknown: &mut Unknown,
) -> Result<(), Mismatch> {
    let mut decoder = Decoder { schema, unknown };
    decoder.value(node, "", "", value, &Trail::ROOT)
}

/// Decodes a value that stands somewhere in an object; `parent` is the path to it.
pub(super) fn decode_below(
    schema: &Schema,
    node: NodeId,
    value: &mut Value,
    unknown: &mut Unknown,
    parent: &str,
) -> Result<(), Mismatch> {
    let start = unknown.paths.len();
    decode(schema, node, value, unknown)?;
    for path in &mut unknown.paths[start..] {
        *path = format!("{parent}.{path}");
    }
    Ok(())
}

struct Decoder<'d> {
    schema: &'d Schema,
    unknown: &'d mut Unknown,
}

impl<'d> Decoder<'d> {
    /// `named` is the Go type if it has a name of its own, `owner` the struct that has the field.
    fn value(
        &mut self,
        id: NodeId,
        named: &str,
        owner: &str,
        value: &mut Value,
        trail: &Trail<'_>,
    ) -> Result<(), Mismatch> {
        if trail.depth > DEPTH_LIMIT {
            return Err(Mismatch("exceeded max depth".to_owned()));
        }
        let schema = self.schema;
        let node = schema.node(id);
        if value.is_null() {
            *value = zero(schema, id);
            return Ok(());
        }
        let mismatch = |value: &Value| {
            let expected = if named.is_empty() { go_type(schema, id) } else { named.to_owned() };
            Mismatch::new(value, &expected, owner, trail)
        };
        match (&node.kind, value) {
            (Kind::Any, _) => Ok(()),
            (Kind::Scalar(kind), value) => scalar(kind, named, owner, value, trail),
            (Kind::Struct { fields, .. }, Value::Object(object)) => {
                self.object(node, fields, object, trail)
            }
            (Kind::List { items, .. }, Value::Array(list)) => {
                for (index, item) in list.iter_mut().enumerate() {
                    let trail = trail.then(Step::Index(index));
                    self.value(*items, item_type(named), owner, item, &trail)?;
                }
                Ok(())
            }
            (Kind::Map { values }, Value::Object(object)) => {
                for (key, item) in object.iter_mut() {
                    let trail = trail.then(Step::Key(key));
                    let named = if named == RESOURCES { RESOURCES } else { value_type(named) };
                    self.value(*values, named, owner, item, &trail)?;
                }
                Ok(())
            }
            (_, value) => Err(mismatch(value)),
        }
    }

    fn object(
        &mut self,
        node: &'d Node,
        fields: &'d [Field],
        object: &mut Map<String, Value>,
        trail: &Trail<'_>,
    ) -> Result<(), Mismatch> {
        let mut failed = None;
        object.retain(|name, value| {
            if failed.is_some() {
                return true;
            }
            let Some(field) = node.field(name) else {
                self.unknown.push(|| trail.path(name));
                return false;
            };
            if value.is_null() {
                return false;
            }
            let trail = trail.then(Step::Field(field));
            if let Err(error) = self.value(field.node, &field.go_type, &node.name, value, &trail) {
                failed = Some(error);
                return true;
            }
            let list =
                matches!(self.schema.node(field.node).kind, Kind::List { .. } | Kind::Map { .. });
            if list && is_empty(value) {
                // Empty ones do not survive the storage's encoding; those that are always written
                // come back as null.
                return false;
            }
            field.pointer || field.always || !is_empty(value)
        });
        if let Some(error) = failed {
            return Err(error);
        }
        for field in fields.iter().filter(|field| field.always) {
            if !object.contains_key(&*field.name) {
                let value = if field.pointer { Value::Null } else { zero(self.schema, field.node) };
                object.insert(field.name.to_string(), value);
            }
        }
        Ok(())
    }
}

fn scalar(
    kind: &Scalar,
    named: &str,
    owner: &str,
    value: &mut Value,
    trail: &Trail<'_>,
) -> Result<(), Mismatch> {
    let expected = |fallback: &'static str| -> String {
        if named.is_empty() { fallback.to_owned() } else { named.to_owned() }
    };
    let mismatch = |value: &Value, fallback: &'static str| {
        Err(Mismatch::new(value, &expected(fallback), owner, trail))
    };
    match kind {
        Scalar::String(_) if value.is_string() => Ok(()),
        Scalar::String(_) => mismatch(value, "string"),
        Scalar::Boolean if value.is_boolean() => Ok(()),
        Scalar::Boolean => mismatch(value, "bool"),
        Scalar::Int32 if fits_int32(value) => Ok(()),
        Scalar::Int32 => mismatch(value, "int32"),
        Scalar::Int64 if value.is_i64() => Ok(()),
        Scalar::Int64 => mismatch(value, "int64"),
        Scalar::Double if value.is_number() => Ok(()),
        Scalar::Double => mismatch(value, "float64"),
        // The type reads itself, as a string or an int32.
        Scalar::IntOrString if value.is_string() || fits_int32(value) => Ok(()),
        Scalar::IntOrString => Err(Mismatch::new(value, "int32", owner, trail)),
        Scalar::Time | Scalar::MicroTime => {
            let Value::String(text) = &*value else {
                return Err(Mismatch::new(value, "string", owner, trail));
            };
            let micro = *kind == Scalar::MicroTime;
            let canonical = time::canonical(text, micro).map_err(Mismatch)?;
            *value = Value::String(canonical);
            Ok(())
        }
        Scalar::Quantity => {
            let text = match &*value {
                Value::String(text) => text.trim().to_owned(),
                other => other.to_string(),
            };
            let quantity = Quantity::parse(&text).map_err(|e| Mismatch(e.to_string()))?;
            let quantity = if named == RESOURCES { quantity.in_millis() } else { quantity };
            *value = Value::String(quantity.to_string());
            Ok(())
        }
        Scalar::Bytes => match value {
            Value::String(text) => {
                if let Some(canonical) = canonical_base64(text)? {
                    *text = canonical;
                }
                Ok(())
            }
            Value::Array(items) => {
                let byte = |item: &Value| item.as_u64().and_then(|n| u8::try_from(n).ok());
                match items.iter().map(byte).collect::<Option<Vec<u8>>>() {
                    Some(bytes) => {
                        *value = Value::String(BASE64.encode(bytes));
                        Ok(())
                    }
                    None => Err(Mismatch::new(value, "uint8", owner, trail)),
                }
            }
            _ => mismatch(value, "[]uint8"),
        },
    }
}

/// The empty value of a Go type.
pub(in crate::admit) fn zero(schema: &Schema, id: NodeId) -> Value {
    match &schema.node(id).kind {
        Kind::Struct { fields, .. } => {
            let fields = fields.iter().filter(|field| field.always).map(|field| {
                let value = if field.pointer { Value::Null } else { zero(schema, field.node) };
                (field.name.to_string(), value)
            });
            Value::Object(fields.collect())
        }
        Kind::Scalar(scalar) => match scalar {
            Scalar::String(_) | Scalar::Bytes => Value::String(String::new()),
            Scalar::Boolean => Value::Bool(false),
            Scalar::Int32 | Scalar::Int64 | Scalar::Double | Scalar::IntOrString => {
                Value::Number(Number::from(0))
            }
            Scalar::Quantity => Value::String("0".to_owned()),
            Scalar::Time | Scalar::MicroTime => Value::Null,
        },
        Kind::List { .. } | Kind::Map { .. } | Kind::Any => Value::Null,
    }
}

/// What Go's `omitempty` leaves out.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(on) => !on,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.is_empty(),
    }
}

fn fits_int32(value: &Value) -> bool {
    value.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
}

/// As Go's standard encoding: padded, and lenient about the bits that the padding leaves over.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireCanonical),
);

/// The canonical form of a text in Base64, if it differs.
fn canonical_base64(text: &str) -> Result<Option<String>, Mismatch> {
    let stripped: std::borrow::Cow<'_, str> = if text.contains(['\n', '\r']) {
        text.replace(['\n', '\r'], "").into()
    } else {
        text.into()
    };
    match BASE64.decode(&*stripped) {
        Ok(bytes) => {
            let canonical = BASE64.encode(bytes);
            Ok((canonical != text).then_some(canonical))
        }
        Err(_) => Err(Mismatch(format!("illegal base64 data at input byte {}", damage(text)))),
    }
}

/// Where Go's decoder stops in a text that is no Base64.
fn damage(text: &str) -> usize {
    let bytes = text.as_bytes();
    let symbol = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    let mut quantum = 0;
    for (place, &byte) in bytes.iter().enumerate() {
        if matches!(byte, b'\n' | b'\r') {
            continue;
        }
        if symbol(byte) {
            quantum += 1;
            continue;
        }
        if byte == b'=' && quantum % 4 >= 2 {
            let mut rest = bytes[place + 1..]
                .iter()
                .enumerate()
                .filter(|(_, byte)| !matches!(byte, b'\n' | b'\r'))
                .map(|(offset, byte)| (place + 1 + offset, *byte));
            if quantum % 4 == 2 {
                match rest.next() {
                    None => return bytes.len(),
                    Some((_, b'=')) => {}
                    Some((at, _)) => return at,
                }
            }
            return rest.next().map_or(bytes.len(), |(at, _)| at);
        }
        return place;
    }
    bytes.len() - quantum % 4
}
