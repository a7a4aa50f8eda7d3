//! JSON to values: every number is a `float64`.

use crate::value::{Entries, List, ListKind, Map, MapKind, Value, bytes::escaped_byte};

/// Go allows 10 000 levels; no document in use comes near ours.
const DEEPEST: u32 = 1000;

/// What the text is to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::funcs) enum Target {
    /// `interface {}`
    Any,
    /// `map[string]interface {}`
    Map,
    /// `[]interface {}`
    List,
}

/// A text that is no JSON, or not what was asked for.
#[derive(Debug)]
pub(in crate::funcs) struct Error {
    /// Go's words.
    pub(in crate::funcs) message: String,
    /// What Go read all the same: numbers that are too large are left out.
    pub(in crate::funcs) read: Option<Value>,
}

/// Reads one value.
pub(in crate::funcs) fn read(text: &str, target: Target) -> Result<Value, Error> {
    let of = |message| Error { message, read: None };
    let mut reader = Reader { bytes: text.as_bytes(), text, at: 0, too_large: None };
    let value = reader.document().map_err(|message| of(whole_byte(message, text, reader.at)))?;
    // Go looks at the kind of a number before it looks at its size.
    let value = if value.is_nil() && reader.too_large.is_some() && target != Target::Any {
        Value::Float(0.0)
    } else {
        value
    };
    let value = fit(value, target).map_err(of)?;
    if let Some(number) = reader.too_large {
        let message =
            format!("json: cannot unmarshal number {number} into Go value of type float64");
        return Err(Error { message, read: Some(value) });
    }
    Ok(value)
}

/// Checks that a value read from JSON is what was asked for; `null` is the nil value of anything.
pub(in crate::funcs) fn fit(value: Value, target: Target) -> Result<Value, String> {
    let wanted = match (&value, target) {
        (_, Target::Any) | (Value::Map(_), Target::Map) | (Value::List(_), Target::List) => {
            return Ok(value);
        }
        (Value::Nil, Target::Map) => return Ok(Value::Map(Map::nil(MapKind::Any))),
        (Value::Nil, Target::List) => return Ok(Value::List(List::nil(ListKind::Any))),
        (_, Target::Map) => MapKind::Any.name(),
        (_, Target::List) => ListKind::Any.name(),
    };
    let found = match value {
        Value::Bool(_) => "bool",
        Value::Str(_) => "string",
        Value::List(_) => "array",
        Value::Map(_) => "object",
        _ => "number",
    };
    Err(format!("json: cannot unmarshal {found} into Go value of type {wanted}"))
}

struct Reader<'t> {
    bytes: &'t [u8],
    text: &'t str,
    at: usize,
    /// The first number that is no `float64`; Go reports it after the syntax was found right.
    too_large: Option<String>,
}

impl Reader<'_> {
    fn document(&mut self) -> Result<Value, String> {
        let value = self.value(0)?;
        self.blank();
        match self.bytes.get(self.at) {
            None => Ok(value),
            Some(byte) => Err(unexpected(*byte, "after top-level value")),
        }
    }

    fn blank(&mut self) {
        while let Some(b' ' | b'\t' | b'\r' | b'\n') = self.bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// The next byte that is not white space, not taken.
    fn peek(&mut self) -> Result<u8, String> {
        self.blank();
        self.here()
    }

    fn here(&self) -> Result<u8, String> {
        self.bytes.get(self.at).copied().ok_or_else(|| "unexpected end of JSON input".to_owned())
    }

    fn value(&mut self, depth: u32) -> Result<Value, String> {
        let first = self.peek()?;
        if depth > DEEPEST {
            return Err("exceeded max depth".to_owned());
        }
        match first {
            b'{' => self.object(depth + 1),
            b'[' => self.array(depth + 1),
            b'"' => self.string().map(Value::from),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'n' => self.word("null", Value::Nil),
            b'-' | b'0'..=b'9' => self.number(),
            byte => Err(unexpected(byte, "looking for beginning of value")),
        }
    }

    fn word(&mut self, word: &str, value: Value) -> Result<Value, String> {
        for wanted in word.bytes() {
            let byte = self.here()?;
            if byte != wanted {
                let place = format!("in literal {word} (expecting '{}')", char::from(wanted));
                return Err(unexpected(byte, &place));
            }
            self.at += 1;
        }
        Ok(value)
    }

    fn object(&mut self, depth: u32) -> Result<Value, String> {
        let mut entries = Entries::new();
        self.at += 1;
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(Value::Map(Map::of(MapKind::Any, entries)));
        }
        loop {
            let byte = self.peek()?;
            if byte != b'"' {
                return Err(unexpected(byte, "looking for beginning of object key string"));
            }
            let key = self.string()?;
            let byte = self.peek()?;
            if byte != b':' {
                return Err(unexpected(byte, "after object key"));
            }
            self.at += 1;
            let value = self.value(depth)?;
            entries.insert(key.into(), value);
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b',' => {}
                b'}' => return Ok(Value::Map(Map::of(MapKind::Any, entries))),
                byte => return Err(unexpected(byte, "after object key:value pair")),
            }
        }
    }

    fn array(&mut self, depth: u32) -> Result<Value, String> {
        let mut items = Vec::new();
        self.at += 1;
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(Value::List(List::new(ListKind::Any, items)));
        }
        loop {
            items.push(self.value(depth)?);
            let byte = self.peek()?;
            self.at += 1;
            match byte {
                b',' => {}
                b']' => return Ok(Value::List(List::new(ListKind::Any, items))),
                byte => return Err(unexpected(byte, "after array element")),
            }
        }
    }

    fn number(&mut self) -> Result<Value, String> {
        let start = self.at;
        if self.bytes[self.at] == b'-' {
            self.at += 1;
            let byte = self.here()?;
            if !byte.is_ascii_digit() {
                return Err(unexpected(byte, "in numeric literal"));
            }
        }
        if self.bytes[self.at] == b'0' {
            self.at += 1;
        } else {
            self.digits();
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.some_digits("after decimal point in numeric literal")?;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let b'+' | b'-' = self.here()? {
                self.at += 1;
            }
            self.some_digits("in exponent of numeric literal")?;
        }
        let digits = &self.text[start..self.at];
        match digits.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Value::Float(value)),
            _ => {
                self.too_large.get_or_insert_with(|| digits.to_owned());
                Ok(Value::Nil)
            }
        }
    }

    fn digits(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }

    fn some_digits(&mut self, place: &str) -> Result<(), String> {
        let byte = self.here()?;
        if !byte.is_ascii_digit() {
            return Err(unexpected(byte, place));
        }
        self.digits();
        Ok(())
    }

    fn string(&mut self) -> Result<String, String> {
        self.at += 1;
        let mut out = String::new();
        let mut clean = self.at;
        loop {
            match self.here()? {
                b'"' => {
                    out.push_str(&self.text[clean..self.at]);
                    self.at += 1;
                    return Ok(out);
                }
                b'\\' => {
                    out.push_str(&self.text[clean..self.at]);
                    self.at += 1;
                    self.escape(&mut out)?;
                    clean = self.at;
                }
                byte if byte < b' ' => return Err(unexpected(byte, "in string literal")),
                _ => self.at += 1,
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Result<(), String> {
        let byte = self.here()?;
        self.at += 1;
        out.push(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                self.surrogate(first)
            }
            byte => return Err(unexpected(byte, "in string escape code")),
        });
        Ok(())
    }

    fn hex(&mut self) -> Result<u32, String> {
        let mut code = 0;
        for _ in 0..4 {
            let byte = self.here()?;
            let Some(digit) = char::from(byte).to_digit(16) else {
                return Err(unexpected(byte, "in \\u hexadecimal character escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    /// The character of a code, with the second half that follows it; a half alone is replaced.
    fn surrogate(&mut self, first: u32) -> char {
        if let Some(c) = char::from_u32(first) {
            return c;
        }
        let second = self.text.get(self.at..self.at + 6).and_then(|next| {
            let digits = next.strip_prefix("\\u")?;
            u32::from_str_radix(digits, 16).ok()
        });
        if let (0xD800..0xDC00, Some(second @ 0xDC00..0xE000)) = (first, second) {
            self.at += 6;
            let code = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
            return char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        }
        char::REPLACEMENT_CHARACTER
    }
}

/// A byte that is no text stands as a character, of which the reader saw the first byte.
fn whole_byte(message: String, text: &str, at: usize) -> String {
    const FIRST: &str = "invalid character '\u{f4}'";
    let Some(place) = message.strip_prefix(FIRST) else { return message };
    let char = text.get(at..).or_else(|| text.get(at.checked_sub(1)?..));
    match char.and_then(|text| text.chars().next()).and_then(escaped_byte) {
        Some(byte) => unexpected(byte, place.trim_start()),
        None => message,
    }
}

/// Go names the byte, also where it is a part of a character.
fn unexpected(byte: u8, place: &str) -> String {
    let shown = match byte {
        b'\'' => r"\'".to_owned(),
        b'"' => "\"".to_owned(),
        7 => r"\a".to_owned(),
        8 => r"\b".to_owned(),
        11 => r"\v".to_owned(),
        12 => r"\f".to_owned(),
        b'\t' | b'\n' | b'\r' | b'\\' => char::from(byte).escape_default().to_string(),
        0..=0x1f | 0x7f => format!("\\x{byte:02x}"),
        0x80..=0xa0 | 0xad => format!("\\u{byte:04x}"),
        _ => char::from(byte).to_string(),
    };
    format!("invalid character '{shown}' {place}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_are_gos() {
        for (text, error) in [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("hello", "invalid character 'h' looking for beginning of value"),
            ("tru", "unexpected end of JSON input"),
            ("trux", "invalid character 'x' in literal true (expecting 'e')"),
            ("1 2", "invalid character '2' after top-level value"),
            ("-x", "invalid character 'x' in numeric literal"),
            ("1.x", "invalid character 'x' after decimal point in numeric literal"),
            ("1e+", "unexpected end of JSON input"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            ("{\"a\":1 2}", "invalid character '2' after object key:value pair"),
            ("{a}", "invalid character 'a' looking for beginning of object key string"),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            ("'a'", "invalid character '\\'' looking for beginning of value"),
            ("é", "invalid character 'Ã' looking for beginning of value"),
            ("1e999", "json: cannot unmarshal number 1e999 into Go value of type float64"),
        ] {
            assert_eq!(read(text, Target::Any).unwrap_err().message, error, "{text}");
        }
        assert_eq!(
            read("[]", Target::Map).unwrap_err().message,
            "json: cannot unmarshal array into Go value of type map[string]interface {}"
        );
    }

    #[test]
    fn strings_are_decoded() {
        for (text, value) in [
            (r#""aé\n\u00e9\/""#, "aé\né/"),
            (r#""\ud83d\ude00""#, "😀"),
            (r#""\ud83d!""#, "\u{fffd}!"),
            (r#""\ude00""#, "\u{fffd}"),
        ] {
            assert_eq!(read(text, Target::Any).unwrap().as_str(), Some(value));
        }
    }
}
