//! A copy of a value for the printers of YAML, made in one walk that counts what it costs.
//!
//! Maps of templates are shared and can change, so nothing in them can be lent to a printer.

use std::{borrow::Cow, ops::Range};

use gitops_yaml::{Emit, Entries, Error, Number, View};

use crate::{
    CallError, Context,
    funcs::{coerce::replaced, dates::Time},
    value::{IntKind, Text, Value},
};

use super::base64;

/// Deeper values are taken for such that hold themselves; Go looks from there on as well.
pub(in crate::funcs) const DEEPEST: u32 = 1000;

/// What of a value YAML and JSON can show. The elements of a collection stand side by side in one list
/// of all, which serves one copy after the other.
#[derive(Debug, Default)]
pub(crate) struct Plain {
    elements: Vec<Element>,
    /// Elements of collections that are not yet whole, the outer ones first.
    open: Vec<Element>,
}

/// What a collection holds, with its key; in a list it has none.
type Element = (Text, Node);

#[derive(Debug)]
enum Node {
    Null,
    Bool(bool),
    Number(Number),
    /// Text that is written without quotes whatever it is: a moment.
    Raw(Text),
    Text(Text),
    List(Range<usize>),
    Map(Range<usize>),
    /// Entries that yaml.v3 keeps in their order.
    Struct(Range<usize>),
}

/// Whose eyes look at structs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::funcs) enum Shape {
    /// Go's JSON: names from tags.
    Json,
    /// yaml.v3: names in lower case.
    V3,
}

/// Why there is no copy.
pub(in crate::funcs) enum Refusal {
    /// The value has no form; Go's words.
    Unsupported(String),
    /// The run is over.
    Stop(CallError),
}

/// Hands a copy of a value to what prints it.
pub(super) fn with_copy<T>(
    value: &Value,
    shape: Shape,
    mut context: Option<&mut Context<'_>>,
    print: impl FnOnce(Shown<'_>) -> T,
) -> Result<T, Refusal> {
    let kept = context.as_mut().map(|context| std::mem::take(&mut context.plain));
    let mut plain = kept.unwrap_or_default();
    let mut walk = Walk { plain: &mut plain, shape, context: context.as_deref_mut() };
    let printed = walk.value(value, 0).map(|node| print(Shown { plain: &plain, node: &node }));
    if let Some(context) = context {
        plain.elements.clear();
        plain.open.clear();
        context.plain = plain;
    }
    printed
}

struct Walk<'p, 'c, 'r> {
    plain: &'p mut Plain,
    shape: Shape,
    context: Option<&'c mut Context<'r>>,
}

impl Walk<'_, '_, '_> {
    /// Closes the collection whose elements are open from there on.
    fn close(&mut self, from: usize) -> Range<usize> {
        let Plain { elements, open } = &mut *self.plain;
        let start = elements.len();
        elements.extend(open.drain(from..));
        start..elements.len()
    }

    fn open(&mut self, key: Text, value: &Value, depth: u32) -> Result<(), Refusal> {
        let node = self.value(value, depth)?;
        self.plain.open.push((key, node));
        Ok(())
    }

    fn value(&mut self, value: &Value, depth: u32) -> Result<Node, Refusal> {
        if depth > DEEPEST {
            return Err(Refusal::Unsupported(format!(
                "json: unsupported value: encountered a cycle via {}",
                value.type_of()
            )));
        }
        let bytes = value.as_str().map_or(1, str::len);
        if let Some(context) = &mut self.context {
            context.spend(1, bytes as u64).map_err(Refusal::Stop)?;
        }
        Ok(match value {
            Value::Nil => Node::Null,
            Value::Bool(value) => Node::Bool(*value),
            Value::Int(kind, value) => Node::Number(integer(*kind, *value)),
            Value::Float(value) => Node::Number(Number::Float(*value)),
            Value::Complex(_) if self.shape == Shape::V3 => {
                let message = "cannot marshal type: complex128";
                return Err(Refusal::Stop(CallError::new(message)));
            }
            Value::Complex(_) => {
                return Err(Refusal::Unsupported("json: unsupported type: complex128".to_owned()));
            }
            Value::Str(text) => match replaced(text) {
                Cow::Borrowed(_) => Node::Text(text.clone()),
                Cow::Owned(text) => Node::Text(text.into()),
            },
            Value::Bytes(bytes) if self.shape == Shape::Json => {
                Node::Text(base64::encode(bytes).into())
            }
            Value::Bytes(bytes) => {
                let from = self.plain.open.len();
                let numbers = bytes.iter().map(|byte| Node::Number(Number::Int((*byte).into())));
                self.plain.open.extend(numbers.map(|number| (Text::default(), number)));
                Node::List(self.close(from))
            }
            Value::List(list) if list.is_nil() && self.shape == Shape::Json => Node::Null,
            Value::List(list) => self.list(list.items(), depth)?,
            Value::Map(map) => match map.borrow() {
                Some(entries) => {
                    let from = self.plain.open.len();
                    for (key, value) in entries.iter() {
                        self.open(key.clone(), value, depth + 1)?;
                    }
                    Node::Map(self.close(from))
                }
                None if self.shape == Shape::V3 => Node::Map(0..0),
                None => Node::Null,
            },
            Value::Object(object) => {
                if self.shape == Shape::V3 {
                    return self.object_as_v3(&**object, depth);
                }
                let written = object.serialized();
                self.value(&written, depth + 1)?
            }
        })
    }

    fn list(&mut self, items: &[Value], depth: u32) -> Result<Node, Refusal> {
        let from = self.plain.open.len();
        for item in items {
            self.open(Text::default(), item, depth + 1)?;
        }
        Ok(Node::List(self.close(from)))
    }

    fn object_as_v3(&mut self, object: &dyn crate::Object, depth: u32) -> Result<Node, Refusal> {
        if object.as_any().is::<Time>() {
            return Ok(match object.serialized() {
                Value::Str(text) => Node::Raw(text),
                _ => Node::Null,
            });
        }
        if let Some(map) = object.map() {
            return self.value(&Value::Map(map), depth + 1);
        }
        if let Some(list) = object.list() {
            return self.list(list.items(), depth);
        }
        let mut fields = object.fields();
        fields.retain(|field| field.key != "-");
        if fields.is_empty() {
            return Ok(match object.text() {
                Some(text) => Node::Text(text.into()),
                None => Node::Map(0..0),
            });
        }
        let from = self.plain.open.len();
        for field in fields {
            self.open(field.name.to_lowercase().into(), &field.value, depth + 1)?;
        }
        Ok(Node::Struct(self.close(from)))
    }
}

/// An integer whose kind says whether the bits have a sign.
#[expect(clippy::cast_sign_loss, reason = "an unsigned integer is kept as its bits")]
pub(in crate::funcs) fn integer(kind: IntKind, value: i64) -> Number {
    if kind.is_unsigned() { Number::from(value as u64) } else { Number::Int(value) }
}

/// A part of a copy.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shown<'v> {
    plain: &'v Plain,
    node: &'v Node,
}

impl<'v> Shown<'v> {
    fn elements(self, range: &Range<usize>) -> &'v [Element] {
        &self.plain.elements[range.clone()]
    }
}

impl<'v> Emit<'v> for Shown<'v> {
    fn view(self) -> View<'v> {
        match self.node {
            Node::Null => View::Null,
            Node::Bool(value) => View::Bool(*value),
            Node::Number(number) => View::Number(*number),
            Node::Raw(text) => View::Digits(text),
            Node::Text(text) => View::Text(Cow::Borrowed(text)),
            Node::List(items) => View::Sequence(items.len()),
            Node::Map(entries) | Node::Struct(entries) => View::Mapping(entries.len()),
        }
    }

    fn entries(self, entries: &mut Entries<'v, Self>) -> Result<(), Error> {
        if let Node::Map(range) | Node::Struct(range) = self.node {
            for (key, node) in self.elements(range) {
                entries.push(key.as_str(), Self { node, ..self });
            }
        }
        Ok(())
    }

    fn keeps_order(self) -> bool {
        matches!(self.node, Node::Struct(_))
    }

    fn item(self, index: usize) -> Self {
        match self.node {
            Node::List(range) => Self { node: &self.elements(range)[index].1, ..self },
            _ => Self { node: &Node::Null, ..self },
        }
    }
}
