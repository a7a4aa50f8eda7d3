//! Go's quoting of strings and characters.

use std::{borrow::Cow, fmt::Write, sync::LazyLock};

use memchr::memchr3;
use regex::Regex;

use crate::value::bytes::{escaped_byte, from_bytes};

/// Go's `%q`.
pub(crate) fn quoted(text: &str) -> String {
    quoted_with(text, '"', false)
}

/// Go's `%+q` for `ascii`, with the given quote.
pub(crate) fn quoted_with(text: &str, quote: char, ascii: bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for char in text.chars() {
        push_escaped(&mut out, char, quote, ascii);
    }
    out.push(quote);
    out
}

pub(crate) fn push_escaped(out: &mut String, char: char, quote: char, ascii: bool) {
    match char {
        '\\' => out.push_str("\\\\"),
        _ if char == quote => {
            out.push('\\');
            out.push(char);
        }
        ' '..='~' => out.push(char),
        '\x07' => out.push_str("\\a"),
        '\x08' => out.push_str("\\b"),
        '\x0c' => out.push_str("\\f"),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        '\x0b' => out.push_str("\\v"),
        _ => {
            let code = u32::from(char);
            if let Some(byte) = escaped_byte(char) {
                let _ = write!(out, "\\x{byte:02x}");
            } else if !ascii && is_printable(char) {
                out.push(char);
            } else if code < 0x80 {
                let _ = write!(out, "\\x{code:02x}");
            } else if code < 0x10000 {
                let _ = write!(out, "\\u{code:04x}");
            } else {
                let _ = write!(out, "\\U{code:08x}");
            }
        }
    }
}

/// Go's `%#U`.
pub(crate) fn unicode_name(char: char) -> String {
    let code = u32::from(char);
    if is_printable(char) { format!("U+{code:04X} '{char}'") } else { format!("U+{code:04X}") }
}

/// Go's `strconv.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space.
pub(crate) fn is_printable(char: char) -> bool {
    static PRINTABLE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"[\p{L}\p{M}\p{N}\p{P}\p{S}]").expect("the class is known"));
    match char {
        ' '..='~' => true,
        '\0'..='\u{a0}' | '\u{ad}' => false,
        _ if char.is_alphanumeric() => true,
        _ => PRINTABLE.is_match(char.encode_utf8(&mut [0; 4])),
    }
}

/// The value of a Go string literal with its quotes; `None` if it is none.
pub(crate) fn unquote(literal: &str) -> Option<Cow<'_, str>> {
    if let Some(raw) = literal.strip_prefix('`') {
        // Carriage returns are dropped from raw strings.
        let raw = raw.strip_suffix('`')?;
        return Some(if raw.contains('\r') { raw.replace('\r', "").into() } else { raw.into() });
    }
    let mut inner = literal.strip_prefix('"')?.strip_suffix('"')?;
    if memchr3(b'\\', b'\n', b'"', inner.as_bytes()).is_none() {
        return Some(inner.into());
    }
    let mut bytes = Vec::with_capacity(inner.len());
    while !inner.is_empty() {
        let (unit, rest) = unquote_char(inner, '"')?;
        match unit {
            Unit::Byte(byte) => bytes.push(byte),
            Unit::Char(char) => {
                bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        inner = rest;
    }
    Some(Cow::Owned(from_bytes(&bytes).into_owned()))
}

/// One character of a literal: a byte (`\x80`) or a character.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {
    Byte(u8),
    Char(char),
}

/// The first character of a literal without its quotes, and the rest.
pub(crate) fn unquote_char(text: &str, quote: char) -> Option<(Unit, &str)> {
    let mut chars = text.chars();
    let first = chars.next()?;
    if first == quote {
        return None;
    }
    if first == '\n' && quote == '"' {
        return None;
    }
    if first != '\\' {
        return Some((Unit::Char(first), chars.as_str()));
    }
    let escape = chars.next()?;
    let rest = chars.as_str();
    let plain = |char| Some((Unit::Char(char), rest));
    match escape {
        'a' => plain('\x07'),
        'b' => plain('\x08'),
        'f' => plain('\x0c'),
        'n' => plain('\n'),
        'r' => plain('\r'),
        't' => plain('\t'),
        'v' => plain('\x0b'),
        '\\' => plain('\\'),
        '\'' | '"' => (escape == quote).then_some(()).and_then(|()| plain(escape)),
        'x' => {
            let code = u32::from_str_radix(hex_digits(rest, 2)?, 16).ok()?;
            Some((Unit::Byte(u8::try_from(code).ok()?), &rest[2..]))
        }
        'u' | 'U' => {
            let length = if escape == 'u' { 4 } else { 8 };
            let code = u32::from_str_radix(hex_digits(rest, length)?, 16).ok()?;
            Some((Unit::Char(char::from_u32(code)?), &rest[length..]))
        }
        '0'..='7' => {
            let digits = text.get(1..4)?;
            if !digits.bytes().all(|byte| (b'0'..=b'7').contains(&byte)) {
                return None;
            }
            let code = u32::from_str_radix(digits, 8).ok()?;
            Some((Unit::Byte(u8::try_from(code).ok()?), &text[4..]))
        }
        _ => None,
    }
}

fn hex_digits(text: &str, length: usize) -> Option<&str> {
    text.get(..length).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}
