//! TOML to values, with the errors of BurntSushi/toml.
//!
//! Follows its `lex.go` and `parse.go`.

use super::{
    key_text,
    number::{date, float_of, integer, is_date},
    scan::{Fault, Read, Scan, shown},
    table::Table,
};
use crate::{
    quote::quoted,
    value::{List, ListKind, Text, Value},
};

/// Deeper values are refused.
const DEEPEST: u32 = 500;

/// Reads a document; the error is Go's.
pub(in crate::funcs) fn read(text: &str) -> Result<Value, String> {
    let mut reader = Reader {
        scan: Scan { text, at: 0 },
        root: Table::default(),
        context: Vec::new(),
        current: Vec::new(),
    };
    match reader.document() {
        Ok(()) => Ok(reader.root.into_value()),
        Err(Fault { line, message }) => {
            let path = reader.context.iter().chain(&reader.current).map(Text::as_str);
            let last = key_text(path);
            Err(if last.is_empty() {
                format!("toml: line {line}: {message}")
            } else {
                format!("toml: line {line} (last key {}): {message}", quoted(&last))
            })
        }
    }
}

struct Reader<'t> {
    scan: Scan<'t>,
    root: Table,
    /// The table that was opened last.
    context: Vec<Text>,
    /// The key whose value is read.
    current: Vec<Text>,
}

impl Reader<'_> {
    fn document(&mut self) -> Read<()> {
        self.scan.check_characters()?;
        loop {
            self.scan.blank_lines();
            match self.scan.peek() {
                None => return Ok(()),
                Some('[') => self.header()?,
                Some(_) => self.assignment()?,
            }
            self.scan.blank();
            self.scan.comment();
            match self.scan.peek() {
                None | Some('\n') => {}
                Some('\r') if self.scan.rest().starts_with("\r\n") => {}
                other => {
                    return self.scan.fault(format!(
                        "expected a top-level item to end with a newline, comment, or EOF, but \
                         got {} instead",
                        shown(other)
                    ));
                }
            }
        }
    }

    /// A fault of the meaning, in the line of the text that is read.
    fn at_line<T>(line: usize, result: Result<T, String>) -> Read<T> {
        result.map_err(|message| Fault { line, message })
    }

    fn header(&mut self) -> Read<()> {
        let line = self.scan.line();
        let list = self.scan.accept("[[");
        if !list {
            self.scan.take();
        }
        let mut path = Vec::new();
        loop {
            self.scan.blank();
            match self.scan.peek() {
                Some(']') | None => {
                    return self
                        .scan
                        .fault("unexpected end of table name (table names cannot be empty)");
                }
                Some('.') => {
                    return self
                        .scan
                        .fault("unexpected table separator (table names cannot be empty)");
                }
                _ => path.push(self.key_part()?),
            }
            self.scan.blank();
            match self.scan.peek() {
                Some('.') => drop(self.scan.take()),
                Some(']') => break,
                other => {
                    return self.scan.fault(format!(
                        "expected '.' or ']' to end table name, but got {} instead",
                        shown(other)
                    ));
                }
            }
        }
        self.scan.take();
        if list && !self.scan.accept("]") {
            let found = shown(self.scan.peek());
            return self.scan.fault(format!(
                "expected end of table array name delimiter ']', but got {found} instead"
            ));
        }
        let opened = if list { self.root.append(&path) } else { self.root.open(&path) };
        Self::at_line(line, opened)?;
        self.context = path;
        Ok(())
    }

    /// One part of a key. A bare one may be empty, which the next step finds.
    fn key_part(&mut self) -> Read<Text> {
        match self.scan.peek() {
            Some('"') => self.basic().map(Text::from),
            Some('\'') => self.raw().map(Text::from),
            _ => {
                let bare = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
                Ok(self.scan.while_is(bare).into())
            }
        }
    }

    fn key(&mut self) -> Read<Vec<Text>> {
        let mut path = Vec::new();
        loop {
            self.scan.blank();
            match (self.scan.peek(), path.is_empty()) {
                (Some('=') | None, true) => {
                    return self.scan.fault("unexpected '=': key name appears blank");
                }
                (Some('.'), true) => {
                    return self.scan.fault("unexpected '.': keys cannot start with a '.'");
                }
                (Some('=') | None, false) => return self.scan.fault("unexpected '='"),
                (Some('.'), false) => return self.scan.fault("unexpected '.'"),
                _ => path.push(self.key_part()?),
            }
            self.scan.blank();
            match self.scan.peek() {
                Some('.') => drop(self.scan.take()),
                Some('=') => {
                    self.scan.take();
                    return Ok(path);
                }
                None => {
                    return self.scan.fault("unexpected EOF; expected key separator '='");
                }
                other => {
                    return self
                        .scan
                        .fault(format!("expected '.' or '=', but got {} instead", shown(other)));
                }
            }
        }
    }

    fn assignment(&mut self) -> Read<()> {
        let line = self.scan.line();
        let key = self.key()?;
        self.current.clone_from(&key);
        let value = self.value(0)?;
        let set = self.root.set(&self.context, &key, value);
        Self::at_line(line, set)?;
        self.current.clear();
        Ok(())
    }

    fn value(&mut self, depth: u32) -> Read<Value> {
        if depth > DEEPEST {
            return self.scan.fault("the value is too deep");
        }
        self.scan.blank();
        let rest = self.scan.rest();
        match self.scan.peek() {
            Some('[') => self.list(depth),
            Some('{') => self.inline(depth),
            Some('"') if rest.starts_with("\"\"\"") => self.multi_line("\"\"\"").map(Value::from),
            Some('\'') if rest.starts_with("'''") => self.multi_line("'''").map(Value::from),
            Some('"') => self.basic().map(Value::from),
            Some('\'') => self.raw().map(Value::from),
            Some('0'..='9' | '+' | '-') => self.number(),
            Some('.') => self.scan.fault("floats must start with a digit, not '.'"),
            Some(c) if c.is_alphabetic() => {
                let word = self.scan.while_is(char::is_alphabetic);
                match word {
                    "true" => Ok(Value::Bool(true)),
                    "false" => Ok(Value::Bool(false)),
                    "inf" => Ok(Value::Float(f64::INFINITY)),
                    "nan" => Ok(Value::Float(f64::NAN)),
                    _ => self
                        .scan
                        .fault(format!("expected value but found {} instead", quoted(word))),
                }
            }
            None => self.scan.fault("unexpected EOF; expected value"),
            other => self.scan.fault(format!("expected value but found {} instead", shown(other))),
        }
    }

    fn list(&mut self, depth: u32) -> Read<Value> {
        self.scan.take();
        let mut items = Vec::new();
        loop {
            self.scan.blank_lines();
            match self.scan.peek() {
                Some(',') => return self.scan.fault("unexpected comma"),
                Some(']') => break,
                _ => items.push(self.value(depth + 1)?),
            }
            self.scan.blank_lines();
            match self.scan.peek() {
                Some(',') => drop(self.scan.take()),
                Some(']') => break,
                other => {
                    return self.scan.fault(format!(
                        "expected a comma (',') or array terminator (']'), but got {}",
                        rune_or_end(other)
                    ));
                }
            }
        }
        self.scan.take();
        Ok(Value::List(List::new(ListKind::Any, items)))
    }

    fn inline(&mut self, depth: u32) -> Read<Value> {
        self.scan.take();
        let mut table = Table::default();
        loop {
            self.scan.blank_lines();
            match self.scan.peek() {
                Some(',') => return self.scan.fault("unexpected comma"),
                Some('}') => break,
                _ => {
                    let line = self.scan.line();
                    let outer = self.current.len();
                    let key = self.key()?;
                    self.current.extend_from_slice(&key);
                    let value = self.value(depth + 1)?;
                    Self::at_line(line, table.set(&[], &key, value))?;
                    self.current.truncate(outer);
                }
            }
            self.scan.blank_lines();
            match self.scan.peek() {
                Some(',') => drop(self.scan.take()),
                Some('}') => break,
                other => {
                    return self.scan.fault(format!(
                        "expected a comma or an inline table terminator '}}', but got {} instead",
                        rune_or_end(other)
                    ));
                }
            }
        }
        self.scan.take();
        Ok(table.into_value())
    }

    fn number(&mut self) -> Read<Value> {
        let line = self.scan.line();
        let start = self.scan.rest();
        if let Some(after) = start.strip_prefix(['+', '-']) {
            self.scan.take();
            if self.scan.accept("inf") {
                let infinite = f64::INFINITY;
                return Ok(Value::Float(if start.starts_with('-') { -infinite } else { infinite }));
            }
            if self.scan.accept("nan") {
                let nan = if start.starts_with('-') { -f64::NAN } else { f64::NAN };
                return Ok(Value::Float(nan));
            }
            if after.starts_with(['i', 'n']) {
                return self.scan.fault(format!("invalid float: '{}'", &start[..2]));
            }
            if after.starts_with('.') {
                return self.scan.fault("floats must start with a digit, not '.'");
            }
            if after.starts_with("0b") || after.starts_with("0o") || after.starts_with("0x") {
                return self
                    .scan
                    .fault(format!("cannot use sign with non-decimal numbers: '{}'", &start[..3]));
            }
            if !after.starts_with(|c: char| c.is_ascii_digit()) {
                let found = shown(self.scan.peek());
                return self.scan.fault(format!("expected a digit but got {found}"));
            }
        } else if let Some(number) = self.based(line)? {
            return Ok(number);
        } else if is_date(start) {
            let in_date = |c: char| c.is_ascii_digit() || "-:Tt .Zz+".contains(c);
            let text = self.scan.while_is(in_date).trim();
            return Self::at_line(line, date(text));
        }
        self.scan.while_is(|c| c.is_ascii_digit() || c == '_');
        let float = self.scan.rest().starts_with(['.', 'e', 'E']);
        if float {
            self.scan.while_is(|c| c.is_ascii_digit() || "_.-+eE".contains(c));
        }
        let text = &start[..start.len() - self.scan.rest().len()];
        Self::at_line(line, if float { float_of(text) } else { integer(text) })
    }

    /// `0b…`, `0o…`, `0x…`
    fn based(&mut self, line: usize) -> Read<Option<Value>> {
        let rest = self.scan.rest();
        let (digits, name): (fn(char) -> bool, _) = match rest.as_bytes() {
            [b'0', b'b', ..] => (|c| c.is_digit(2), "a binary"),
            [b'0', b'o', ..] => (|c| c.is_digit(8), "an octal"),
            [b'0', b'x', ..] => (|c| c.is_ascii_hexdigit(), "a hexadecimal"),
            _ => return Ok(None),
        };
        let first = rest[2..].chars().next();
        if !first.is_some_and(digits) {
            let first = first.map(String::from).unwrap_or_default();
            self.scan.at += 2;
            return self.scan.fault(format!("not {name} number: '{}{first}'", &rest[..2]));
        }
        self.scan.at += 2;
        self.scan.while_is(|c| digits(c) || c == '_');
        let text = &rest[..rest.len() - self.scan.rest().len()];
        Self::at_line(line, integer(text)).map(Some)
    }

    /// `"text"`
    fn basic(&mut self) -> Read<String> {
        self.scan.take();
        let mut out = String::new();
        loop {
            match self.scan.peek() {
                None => return self.scan.fault("unexpected EOF; expected '\"'"),
                Some('\n' | '\r') => return self.scan.fault("strings cannot contain newlines"),
                Some('"') => {
                    self.scan.take();
                    return Ok(out);
                }
                Some('\\') => self.escape(&mut out)?,
                Some(c) => {
                    self.scan.take();
                    out.push(c);
                }
            }
        }
    }

    fn escape(&mut self, out: &mut String) -> Read<()> {
        self.scan.take();
        let c = self.scan.take();
        out.push(match c {
            Some('e') => '\u{1b}',
            Some('b') => '\u{8}',
            Some('t') => '\t',
            Some('n') => '\n',
            Some('f') => '\u{c}',
            Some('r') => '\r',
            Some(c @ ('"' | '\\')) => c,
            Some('x') => return self.code(out, 2, "two hexadecimal digits after '\\x'"),
            Some('u') => return self.code(out, 4, "four hexadecimal digits after '\\u'"),
            Some('U') => return self.code(out, 8, "eight hexadecimal digits after '\\U'"),
            c => {
                let c = c.unwrap_or('\0');
                return self.scan.fault(format!("invalid escape in string '\\{c}'"));
            }
        });
        Ok(())
    }

    fn code(&mut self, out: &mut String, length: usize, wanted: &str) -> Read<()> {
        let digits = self.scan.rest().get(..length).unwrap_or("");
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            let found = self.scan.rest().chars().take(length).collect::<String>();
            return self
                .scan
                .fault(format!("expected {wanted}, but got {} instead", quoted(&found)));
        }
        let Some(c) = u32::from_str_radix(digits, 16).ok().and_then(char::from_u32) else {
            return self.scan.fault(format!("Escaped character '\\u{digits}' is not valid UTF-8."));
        };
        self.scan.at += length;
        out.push(c);
        Ok(())
    }

    /// `'text'`
    fn raw(&mut self) -> Read<String> {
        self.scan.take();
        let text = self.scan.while_is(|c| !matches!(c, '\'' | '\n' | '\r'));
        match self.scan.peek() {
            None => self.scan.fault("unexpected EOF; expected \"'\""),
            Some('\'') => {
                self.scan.take();
                Ok(text.to_owned())
            }
            Some(_) => self.scan.fault("strings cannot contain newlines"),
        }
    }

    /// A string of several lines, of which the first may be empty. Up to two quotes may stand at its
    /// end.
    fn multi_line(&mut self, quotes: &str) -> Read<String> {
        let basic = quotes.starts_with('"');
        self.scan.accept(quotes);
        if !self.scan.accept("\r\n") {
            self.scan.accept("\n");
        }
        let mut out = String::new();
        loop {
            if self.scan.accept(quotes) {
                for _ in 0..2 {
                    if self.scan.accept(&quotes[..1]) {
                        out.push_str(&quotes[..1]);
                    }
                }
                return Ok(out);
            }
            match self.scan.peek() {
                None => {
                    let quote = if basic { "'" } else { "\"" };
                    return self
                        .scan
                        .fault(format!("unexpected EOF; expected {quote}{quotes}{quote}"));
                }
                Some('\\') if basic => {
                    let rest = self.scan.rest()[1..].trim_start_matches([' ', '\t', '\r']);
                    if rest.starts_with('\n') {
                        let rest = rest.trim_start_matches([' ', '\t', '\r', '\n']);
                        self.scan.at = self.scan.text.len() - rest.len();
                    } else {
                        self.escape(&mut out)?;
                    }
                }
                Some(c) => {
                    self.scan.take();
                    out.push(c);
                }
            }
        }
    }
}

fn rune_or_end(c: Option<char>) -> String {
    c.map_or_else(|| "end of file".to_owned(), |c| format!("'{c}'"))
}
