//! Go's view of characters: one character becomes one, whatever its case; what can be printed.
//!
//! Follows Go's `unicode` and `strconv`.

use std::sync::LazyLock;

use regex::Regex;

use crate::quote::push_escaped;

/// Go's `unicode.ToUpper`. Rust's may give several characters, as for `ß`; Go leaves such alone.
pub(in crate::funcs) fn upper(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_uppercase();
    }
    let mut upper = c.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => with_iota(c),
    }
}

/// The Greek letters with a small iota below have a capital of one character.
fn with_iota(c: char) -> char {
    let shift = match c {
        '\u{1f80}'..='\u{1f87}' | '\u{1f90}'..='\u{1f97}' | '\u{1fa0}'..='\u{1fa7}' => 8,
        '\u{1fb3}' | '\u{1fc3}' | '\u{1ff3}' => 9,
        _ => 0,
    };
    char::from_u32(u32::from(c) + shift).unwrap_or(c)
}

/// Go's `unicode.ToLower`.
pub(in crate::funcs) fn lower(c: char) -> char {
    if c.is_ascii() { c.to_ascii_lowercase() } else { c.to_lowercase().next().unwrap_or(c) }
}

/// Go's `unicode.ToTitle`: as upper case, but for digraphs and Georgian.
pub(in crate::funcs) fn title(c: char) -> char {
    match c {
        '\u{1c4}'..='\u{1c6}' => '\u{1c5}',
        '\u{1c7}'..='\u{1c9}' => '\u{1c8}',
        '\u{1ca}'..='\u{1cc}' => '\u{1cb}',
        '\u{1f1}'..='\u{1f3}' => '\u{1f2}',
        '\u{10d0}'..='\u{10fa}' | '\u{10fd}'..='\u{10ff}' => c,
        _ => upper(c),
    }
}

/// Whether a character is a digraph in title case, or a Greek capital with iota.
pub(in crate::funcs) fn is_title(c: char) -> bool {
    matches!(
        c,
        '\u{1c5}' | '\u{1c8}' | '\u{1cb}' | '\u{1f2}' | '\u{1fbc}' | '\u{1fcc}' | '\u{1ffc}'
    ) || matches!(c,
            '\u{1f88}'..='\u{1f8f}' | '\u{1f98}'..='\u{1f9f}' | '\u{1fa8}'..='\u{1faf}')
}

/// Go's `unicode.IsUpper`: of the category, not the property.
pub(in crate::funcs) fn is_upper(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_uppercase() } else { in_class(&UPPER, c) }
}

/// Go's `unicode.IsLower`.
pub(in crate::funcs) fn is_lower(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_lowercase() } else { in_class(&LOWER, c) }
}

/// Go's `unicode.IsPunct`.
pub(in crate::funcs) fn is_punctuation(c: char) -> bool {
    in_class(&PUNCTUATION, c)
}

/// Go's `unicode.IsNumber`.
pub(in crate::funcs) fn is_number(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_digit() } else { c.is_numeric() }
}

/// Go's `unicode.IsLetter`.
pub(in crate::funcs) fn is_letter(c: char) -> bool {
    if c.is_ascii() { c.is_ascii_alphabetic() } else { in_class(&LETTER, c) }
}

static UPPER: LazyLock<Regex> = LazyLock::new(|| class(r"\p{Lu}"));
static LOWER: LazyLock<Regex> = LazyLock::new(|| class(r"\p{Ll}"));
static LETTER: LazyLock<Regex> = LazyLock::new(|| class(r"\p{L}"));
static PUNCTUATION: LazyLock<Regex> = LazyLock::new(|| class(r"\p{P}"));

fn class(class: &str) -> Regex {
    Regex::new(class).expect("the class is known")
}

fn in_class(class: &Regex, c: char) -> bool {
    class.is_match(c.encode_utf8(&mut [0; 4]))
}

/// Appends Go's `%q` of a text.
pub(in crate::funcs) fn quote(out: &mut String, text: &str) {
    let is_clean = |byte: u8| matches!(byte, b' '..=b'~') && byte != b'"' && byte != b'\\';
    out.reserve(text.len() + 2);
    out.push('"');
    // Without an end before the last byte many are looked at at once.
    if text.bytes().fold(true, |clean, byte| clean & is_clean(byte)) {
        out.push_str(text);
        out.push('"');
        return;
    }
    let mut clean = 0;
    for (at, c) in text.char_indices() {
        if u8::try_from(c).is_ok_and(is_clean) {
            continue;
        }
        out.push_str(&text[clean..at]);
        clean = at + c.len_utf8();
        push_escaped(out, c, '"', false);
    }
    out.push_str(&text[clean..]);
    out.push('"');
}
