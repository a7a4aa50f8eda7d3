//! The first JSON value of a text, failures told in the words of Go's `encoding/json`.

use serde_json::Value;

use crate::decode::floats;

/// The deepest nesting.
const MAX_DEPTH: usize = 100;

/// Reads one value from the beginning of a text and says how long it is. Numbers are floats.
///
/// A failure comes with the number of bytes that were looked at.
pub(crate) fn read_prefix(text: &str) -> Result<(Value, usize), (String, usize)> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
    if let Err(message) = scan.value("looking for beginning of value", 0) {
        return Err((message, scan.at + 1));
    }
    let end = scan.at;
    let mut value: Value =
        serde_json::from_str(&text[..end]).map_err(|error| (format!("json: {error}"), end))?;
    floats(&mut value);
    Ok((value, end))
}

/// Reads a text that is one value.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let (value, end) = read_prefix(text).map_err(|(message, _)| message)?;
    match text[end..].trim_start().bytes().next() {
        None => Ok(value),
        Some(byte) => Err(invalid(char::from(byte), "after top-level value")),
    }
}

/// A walk over a value that knows what Go would say.
struct Scan<'t> {
    bytes: &'t [u8],
    at: usize,
}

impl Scan<'_> {
    fn peek(&mut self) -> Result<u8, String> {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.byte()
    }

    fn byte(&self) -> Result<u8, String> {
        self.bytes.get(self.at).copied().ok_or_else(|| "unexpected EOF".to_owned())
    }

    fn unexpected(&self, context: &str) -> String {
        // Go looks at bytes.
        invalid(char::from(self.bytes.get(self.at).copied().unwrap_or_default()), context)
    }

    fn value(&mut self, context: &str, depth: usize) -> Result<(), String> {
        if depth > MAX_DEPTH {
            return Err("exceeded max depth".to_owned());
        }
        match self.peek()? {
            b'{' => self.object(depth),
            b'[' => self.array(depth),
            b'"' => self.string(),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.unexpected(context)),
        }
    }

    fn object(&mut self, depth: usize) -> Result<(), String> {
        self.at += 1;
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            if self.peek()? != b'"' {
                return Err(self.unexpected("looking for beginning of object key string"));
            }
            self.string()?;
            if self.peek()? != b':' {
                return Err(self.unexpected("after object key"));
            }
            self.at += 1;
            self.value("looking for beginning of value", depth + 1)?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err(self.unexpected("after object key:value pair")),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn array(&mut self, depth: usize) -> Result<(), String> {
        self.at += 1;
        if self.peek()? == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            self.value("looking for beginning of value", depth + 1)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return Err(self.unexpected("after array element")),
            }
        }
        self.at += 1;
        Ok(())
    }

    fn string(&mut self) -> Result<(), String> {
        self.at += 1;
        loop {
            match self.byte()? {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    match self.byte()? {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => {}
                        b'u' => {
                            for _ in 0..4 {
                                self.at += 1;
                                if !self.byte()?.is_ascii_hexdigit() {
                                    return Err(
                                        self.unexpected("in \\u hexadecimal character escape")
                                    );
                                }
                            }
                        }
                        _ => return Err(self.unexpected("in string escape code")),
                    }
                }
                0..=0x1f => return Err(self.unexpected("in string literal")),
                _ => {}
            }
            self.at += 1;
        }
        self.at += 1;
        Ok(())
    }

    fn word(&mut self, word: &str) -> Result<(), String> {
        for wanted in word.bytes() {
            if self.byte()? != wanted {
                let context = format!("in literal {word} (expecting {:?})", char::from(wanted));
                return Err(self.unexpected(&context));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), String> {
        if self.byte()? == b'-' {
            self.at += 1;
        }
        match self.byte()? {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            _ => return Err(self.unexpected("in numeric literal")),
        }
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            if !self.byte()?.is_ascii_digit() {
                return Err(self.unexpected("after decimal point in numeric literal"));
            }
            self.digits();
        }
        if matches!(self.bytes.get(self.at), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte()?, b'+' | b'-') {
                self.at += 1;
            }
            if !self.byte()?.is_ascii_digit() {
                return Err(self.unexpected("in exponent of numeric literal"));
            }
            self.digits();
        }
        Ok(())
    }

    fn digits(&mut self) {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_digit) {
            self.at += 1;
        }
    }
}

fn invalid(character: char, context: &str) -> String {
    let shown = match character {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        character => format!("{character:?}"),
    };
    format!("invalid character {shown} {context}")
}
