//! The language of `--set` and its relatives: paths, lists and values on one line.
//!
//! Follows helm pkg/strvals; differs in: lists in lists are at most [`MAX_NESTED_LISTS`] deep, and
//! one expression makes at most [`MAX_ITEMS`] list items.

use gitops_core::quoted;
use serde_json::{Map, Value};

use crate::{
    Compat,
    values::{Values, go_json},
};

/// The largest index of a list.
const MAX_INDEX: i64 = 65_536;
/// The most dots in a path.
const MAX_NESTED_NAMES: usize = 30;
/// The most indexes behind each other.
const MAX_NESTED_LISTS: usize = 100;
/// The most items that one expression may add to lists.
const MAX_ITEMS: usize = 1 << 20;

/// How an expression is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetMode {
    /// `--set`: numbers, booleans and `null` are told from text.
    Typed,
    /// `--set-string`: every value is text.
    Text,
    /// `--set-json`: values are JSON.
    Json,
    /// `--set-literal`: the value is the rest of the expression, nothing in it is special.
    Literal,
}

/// An expression that is none. The text is Helm's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SetError(String);

/// Sets what an expression says.
///
/// ```
/// use gitops_helm::{Compat, SetMode, Values, set};
///
/// let mut values = Values::new();
/// set("image.tag=1.2,hosts[1]=b,port=80", &mut values, SetMode::Typed, Compat::Helm4)?;
/// let json = serde_json::Value::Object(values).to_string();
/// assert_eq!(json, r#"{"image":{"tag":"1.2"},"hosts":[null,"b"],"port":80}"#);
/// # Ok::<(), gitops_helm::SetError>(())
/// ```
///
/// # Errors
/// In Helm's words; what stands before the mistake may be set already.
pub fn set(
    expression: &str,
    values: &mut Values,
    mode: SetMode,
    compat: Compat,
) -> Result<(), SetError> {
    let mut no_files = |_: &str| Err(String::new());
    Parser::new(expression, mode, compat, &mut no_files).run(values)
}

/// Sets what an expression of `--set-file` says: each value names a file, `read` gives its text or
/// says why it cannot.
///
/// # Errors
/// In Helm's words; what stands before the mistake may be set already.
pub fn set_file(
    expression: &str,
    values: &mut Values,
    compat: Compat,
    read: &mut dyn FnMut(&str) -> Result<String, String>,
) -> Result<(), SetError> {
    let mut parser = Parser::new(expression, SetMode::Text, compat, read);
    parser.files = true;
    parser.run(values)
}

/// Applies one `--set-json` argument: Helm 4 also takes a whole object, which is merged.
///
/// # Errors
/// In Helm's words.
pub fn set_json(argument: &str, values: &mut Values, compat: Compat) -> Result<(), SetError> {
    if compat == Compat::Helm4 && argument.trim_start().starts_with('{') {
        return match go_json::read(argument.trim()) {
            Ok(Value::Object(object)) => {
                super::merge(values, object);
                Ok(())
            }
            _ => Err(SetError(format!("failed parsing --set-json data JSON: {argument}"))),
        };
    }
    set(argument, values, SetMode::Json, compat)
        .map_err(|_| SetError(format!("failed parsing --set-json data {argument}")))
}

struct Parser<'p> {
    rest: &'p str,
    mode: SetMode,
    files: bool,
    compat: Compat,
    read: &'p mut dyn FnMut(&str) -> Result<String, String>,
    items: usize,
}

/// Why a part of an expression ends early.
#[derive(Debug)]
enum Stop {
    /// The text ended where it may end.
    End,
    /// The text ended within an index: to Helm 4 an end like another, to Helm 3 a mistake.
    EndOfIndex,
    Mistake(String),
}

impl<'p> Parser<'p> {
    fn new(
        expression: &'p str,
        mode: SetMode,
        compat: Compat,
        read: &'p mut dyn FnMut(&str) -> Result<String, String>,
    ) -> Self {
        Self { rest: expression, mode, files: false, compat, read, items: 0 }
    }

    fn run(mut self, values: &mut Values) -> Result<(), SetError> {
        loop {
            match self.key(values, 0) {
                Ok(()) => {}
                Err(Stop::End) => return Ok(()),
                Err(Stop::EndOfIndex) if self.compat == Compat::Helm4 => return Ok(()),
                Err(Stop::EndOfIndex) => {
                    return Err(SetError("error parsing index: EOF".to_owned()));
                }
                Err(Stop::Mistake(message)) => return Err(SetError(message)),
            }
        }
    }

    fn literal(&self) -> bool {
        self.mode == SetMode::Literal
    }

    /// One path with its value.
    fn key(&mut self, values: &mut Values, names: usize) -> Result<(), Stop> {
        let stops: &[char] = if self.literal() { &['=', '[', '.'] } else { &['=', '[', ',', '.'] };
        let (key, stop) = self.until(stops);
        match stop {
            None if key.is_empty() => Err(Stop::End),
            None => Err(mistake(format!("key {} has no value", quoted(&key)))),
            Some('[') => {
                let index = self.index()?;
                let mut list = match values.get_mut(&key) {
                    None => Vec::new(),
                    Some(Value::Array(list)) => std::mem::take(list),
                    Some(other) => return Err(wrong_type(other, "[]interface {}")),
                };
                let result = self.item(&mut list, index, names, 1);
                put(values, key, Value::Array(list));
                result
            }
            Some('=') => self.assign(values, key),
            Some(',') => {
                let message = format!("key {} has no value (cannot end with ,)", quoted(&key));
                Err(mistake(message))
            }
            Some(_) => self.nested(values, key, names + 1),
        }
    }

    fn assign(&mut self, values: &mut Values, key: String) -> Result<(), Stop> {
        match self.value()? {
            Taken::Value(value) => {
                put(values, key, value);
                Ok(())
            }
            Taken::Nothing => {
                put(values, key, Value::from(""));
                Err(Stop::End)
            }
            Taken::Json(value) => {
                put(values, key, value);
                self.separator();
                Ok(())
            }
        }
    }

    /// What stands behind a dot.
    fn nested(&mut self, values: &mut Values, key: String, names: usize) -> Result<(), Stop> {
        if names > MAX_NESTED_NAMES {
            return Err(mistake(format!(
                "value name nested level is greater than maximum supported nested level of \
                 {MAX_NESTED_NAMES}"
            )));
        }
        let mut fresh = Map::new();
        let inner = match values.get_mut(&key) {
            None => &mut fresh,
            Some(Value::Object(inner)) => inner,
            Some(other) => return Err(wrong_type(other, "map[string]interface {}")),
        };
        let result = self.key(inner, names);
        if result.is_ok() && inner.is_empty() {
            return Err(mistake(format!("key map {} has no value", quoted(&key))));
        }
        if !fresh.is_empty() {
            put(values, key, Value::Object(fresh));
        }
        result
    }

    /// What stands behind `]`.
    fn item(
        &mut self,
        list: &mut Vec<Value>,
        index: i64,
        names: usize,
        lists: usize,
    ) -> Result<(), Stop> {
        if index < 0 {
            return Err(mistake(format!("negative {index} index not allowed")));
        }
        if lists > MAX_NESTED_LISTS {
            return Err(mistake(format!("lists are nested more than {MAX_NESTED_LISTS} deep")));
        }
        let (text, stop) = self.until(&['[', '.', '=']);
        if !text.is_empty() {
            let characters: Vec<_> = text.chars().map(|c| format!("{c:?}")).collect();
            let message =
                format!("unexpected data at end of array index: [{}]", characters.join(" "));
            return Err(mistake(message));
        }
        let position = usize::try_from(index).unwrap_or(usize::MAX);
        match stop {
            None => Err(Stop::End),
            Some('=') => match self.value()? {
                Taken::Value(value) => self.put_item(list, index, value),
                Taken::Nothing => self.put_item(list, index, Value::from("")),
                Taken::Json(value) => {
                    self.put_item(list, index, value)?;
                    self.separator();
                    Ok(())
                }
            },
            Some('[') => {
                let next = self.index()?;
                let mut fresh = Vec::new();
                match list.get_mut(position) {
                    None | Some(Value::Null) => {
                        self.item(&mut fresh, next, names, lists + 1)?;
                        self.put_item(list, index, Value::Array(fresh))
                    }
                    Some(Value::Array(inner)) => self.item(inner, next, names, lists + 1),
                    Some(other) => Err(wrong_type(other, "[]interface {}")),
                }
            }
            Some(_) => match list.get_mut(position) {
                Some(slot) => {
                    if !slot.is_object() {
                        *slot = Value::Object(Map::new());
                    }
                    self.key(slot.as_object_mut().expect("it was made one"), names)
                }
                None => {
                    let mut fresh = Map::new();
                    self.key(&mut fresh, names)?;
                    self.put_item(list, index, Value::Object(fresh))
                }
            },
        }
    }

    fn put_item(&mut self, list: &mut Vec<Value>, index: i64, value: Value) -> Result<(), Stop> {
        if index > MAX_INDEX {
            return Err(mistake(format!(
                "index of {index} is greater than maximum supported index of {MAX_INDEX}"
            )));
        }
        let index = usize::try_from(index).unwrap_or_default();
        if list.len() <= index {
            self.items += index + 1 - list.len();
            if self.items > MAX_ITEMS {
                return Err(mistake(format!("lists have more than {MAX_ITEMS} items")));
            }
            list.resize(index + 1, Value::Null);
        }
        list[index] = value;
        Ok(())
    }

    fn index(&mut self) -> Result<i64, Stop> {
        let (text, stop) = self.until(&[']']);
        if stop.is_none() {
            return Err(Stop::EndOfIndex);
        }
        let reason = match text.parse::<i64>() {
            // Go knows no more than one sign, as Rust does.
            Ok(index) => return Ok(index),
            Err(error) => match error.kind() {
                std::num::IntErrorKind::PosOverflow | std::num::IntErrorKind::NegOverflow => {
                    "value out of range"
                }
                _ => "invalid syntax",
            },
        };
        let message =
            format!("error parsing index: strconv.Atoi: parsing {}: {reason}", quoted(&text));
        Err(mistake(message))
    }

    /// The value behind `=`.
    fn value(&mut self) -> Result<Taken, Stop> {
        match self.mode {
            SetMode::Literal => Ok(Taken::Value(Value::from(std::mem::take(&mut self.rest)))),
            SetMode::Json => {
                if self.separator() {
                    return Ok(Taken::Value(Value::Null));
                }
                let (value, length) =
                    go_json::read_prefix(self.rest).map_err(|(message, _)| mistake(message))?;
                self.rest = &self.rest[length..];
                Ok(Taken::Json(value))
            }
            SetMode::Typed | SetMode::Text => {
                if self.rest.is_empty() {
                    return Ok(Taken::Nothing);
                }
                if let Some(rest) = self.rest.strip_prefix('{') {
                    self.rest = rest;
                    return self.list().map(Taken::Value);
                }
                let (text, _) = self.until(&[',']);
                self.convert(text).map(Taken::Value)
            }
        }
    }

    /// The items of `{a,b}`.
    fn list(&mut self) -> Result<Value, Stop> {
        let mut list = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            let Some(stop) = stop else {
                return Err(mistake("list must terminate with '}'".to_owned()));
            };
            self.items += 1;
            if self.items > MAX_ITEMS {
                return Err(mistake(format!("lists have more than {MAX_ITEMS} items")));
            }
            list.push(self.convert(text)?);
            if stop == '}' {
                self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
                return Ok(Value::Array(list));
            }
        }
    }

    fn convert(&mut self, text: String) -> Result<Value, Stop> {
        if self.files {
            return (self.read)(&text).map(Value::from).map_err(mistake);
        }
        if self.mode == SetMode::Text {
            return Ok(Value::from(text));
        }
        Ok(match text.as_str() {
            text if text.eq_ignore_ascii_case("true") => Value::from(true),
            text if text.eq_ignore_ascii_case("false") => Value::from(false),
            text if text.eq_ignore_ascii_case("null") => Value::Null,
            "0" => Value::from(0),
            digits if !digits.starts_with('0') => match digits.parse::<i64>() {
                Ok(number) => Value::from(number),
                Err(_) => Value::from(text),
            },
            _ => Value::from(text),
        })
    }

    /// Skips white space behind a JSON value and one comma; whether nothing else stood there.
    fn separator(&mut self) -> bool {
        let rest = self.rest.trim_start();
        self.rest = rest.strip_prefix(',').unwrap_or(rest);
        rest.is_empty() || rest.starts_with(',')
    }

    /// The text up to one of the stops, which is taken too. A backslash quotes, but not in
    /// literals.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        let mut characters = self.rest.chars();
        while let Some(character) = characters.next() {
            if stops.contains(&character) {
                self.rest = characters.as_str();
                return (text, Some(character));
            }
            if character == '\\' && !self.literal() {
                text.extend(characters.next());
            } else {
                text.push(character);
            }
        }
        self.rest = "";
        (text, None)
    }
}

/// What stood behind `=`.
enum Taken {
    Value(Value),
    /// A JSON value, behind which a comma may stand.
    Json(Value),
    /// The text ended.
    Nothing,
}

/// Quirk: what is set without a name is lost.
fn put(values: &mut Values, key: String, value: Value) {
    if !key.is_empty() {
        values.insert(key, value);
    }
}

fn mistake(message: String) -> Stop {
    Stop::Mistake(message)
}

fn wrong_type(value: &Value, wanted: &str) -> Stop {
    let found = match value {
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_f64() => "float64",
        Value::Number(_) => "int64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    mistake(format!(
        "unable to parse key: interface conversion: interface {{}} is {found}, not {wanted}"
    ))
}
