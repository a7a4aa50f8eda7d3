//! JSON as Go's `encoding/json` reads it: what it refuses, in its words.

/// The deepest nesting.
const MAX_DEPTH: usize = 100;

/// How long the first value of a text is, with the blanks before it.
///
/// # Errors
/// What a decoder of Go's says, and how many bytes it looked at.
pub fn go_json_value(text: &str) -> Result<usize, (String, usize)> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0 };
    match scan.value("looking for beginning of value", 0) {
        Ok(()) => Ok(scan.at),
        Err(message) => Err((message, scan.at + 1)),
    }
}

/// Why Go's `json.Unmarshal` refuses a text that is not one value, e.g. `unexpected end of JSON
/// input`; `None` where it does not.
pub fn go_json_refusal(text: &str) -> Option<String> {
    match go_json_value(text) {
        Err((message, _)) if message == END => Some("unexpected end of JSON input".to_owned()),
        Err((message, _)) => Some(message),
        Ok(end) => {
            let byte = text[end..].trim_start().bytes().next()?;
            Some(invalid(char::from(byte), "after top-level value"))
        }
    }
}

/// What a decoder says of a text that ends too early.
const END: &str = "unexpected EOF";

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
        self.bytes.get(self.at).copied().ok_or_else(|| END.to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_go_refuses() {
        for (text, why) in [
            ("", "unexpected end of JSON input"),
            ("{\"a\": 1", "unexpected end of JSON input"),
            ("hello", "invalid character 'h' looking for beginning of value"),
            ("{a}", "invalid character 'a' looking for beginning of object key string"),
            ("[1 2]", "invalid character '2' after array element"),
            ("{} x", "invalid character 'x' after top-level value"),
            ("trux", "invalid character 'x' in literal true (expecting 'e')"),
        ] {
            assert_eq!(go_json_refusal(text).as_deref(), Some(why), "{text}");
        }
        for text in ["{}", " [1, 2.5e3, \"\\u0041\"] ", "null"] {
            assert_eq!(go_json_refusal(text), None, "{text}");
        }
        assert_eq!(go_json_value(" {} x"), Ok(3));
        assert_eq!(go_json_value("[1"), Err(("unexpected EOF".to_owned(), 3)));
    }
}
