//! Classes and escapes: `[a-z]`, `\d`, `\p{Greek}`, `\x{263a}`.

use std::fmt::Write as _;

use super::error::Error;

/// What an escape stands for, and what follows it.
pub(super) struct Escape<'t> {
    pub(super) code: u32,
    pub(super) rest: &'t str,
}

/// A class without its brackets' translation, and what follows it.
pub(super) struct Class<'t> {
    pub(super) translated: String,
    pub(super) rest: &'t str,
}

/// A character, written so that it means itself within and without brackets. A surrogate matches
/// nothing.
pub(super) fn literal(out: &mut String, code: u32) {
    match char::from_u32(code) {
        Some(c) if c.is_ascii_alphanumeric() || c == '_' => out.push(c),
        Some(_) => {
            let _ = write!(out, "\\x{{{code:X}}}");
        }
        None => out.push_str(r"[^\s\S]"),
    }
}

/// An escape that stands for one character.
pub(super) fn escape(text: &str) -> Result<Escape<'_>, Error> {
    let mut rest = &text[1..];
    let Some(first) = take(&mut rest) else {
        return Err(Error::new("trailing backslash at end of expression", ""));
    };
    let octal = |text: &str| text.starts_with(|c| ('0'..='7').contains(&c));
    let code = match first {
        // A single digit is a reference back, which there is not.
        '1'..='7' if !octal(rest) => None,
        '0'..='7' => {
            let mut code = u32::from(first) - u32::from('0');
            for _ in 0..2 {
                if octal(rest) {
                    let digit = take(&mut rest).unwrap_or('0');
                    code = code * 8 + u32::from(digit) - u32::from('0');
                }
            }
            Some(code)
        }
        'x' => hexadecimal(&mut rest),
        'a' => Some(7),
        'f' => Some(12),
        'n' => Some(10),
        'r' => Some(13),
        't' => Some(9),
        'v' => Some(11),
        c if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(u32::from(c)),
        _ => None,
    };
    match code {
        Some(code) => Ok(Escape { code, rest }),
        None => Err(Error::new("invalid escape sequence", &text[..text.len() - rest.len()])),
    }
}

fn hexadecimal(rest: &mut &str) -> Option<u32> {
    let first = take(rest)?;
    if first != '{' {
        let high = first.to_digit(16);
        let low = take(rest)?.to_digit(16);
        return Some(high? * 16 + low?);
    }
    let (mut code, mut digits) = (0_u32, 0);
    loop {
        match take(rest)? {
            '}' if digits > 0 => return Some(code),
            c => code = code * 16 + c.to_digit(16)?,
        }
        if code > 0x10_FFFF {
            return None;
        }
        digits += 1;
    }
}

fn take(rest: &mut &str) -> Option<char> {
    let first = rest.chars().next()?;
    *rest = &rest[first.len_utf8()..];
    Some(first)
}

/// `\d`, `\s`, `\w` and their opposites, which are about ASCII only.
pub(super) fn perl(text: &str) -> Option<Class<'_>> {
    let class = match text.as_bytes().get(1)? {
        b'd' => "[0-9]",
        b'D' => "[^0-9]",
        b's' => r"[\t\n\x0C\r ]",
        b'S' => r"[^\t\n\x0C\r ]",
        b'w' => "[0-9A-Za-z_]",
        b'W' => "[^0-9A-Za-z_]",
        _ => return None,
    };
    Some(Class { translated: class.to_owned(), rest: &text[2..] })
}

/// `\pL`, `\p{Greek}`, `\P{^Lu}`.
pub(super) fn unicode(text: &str) -> Result<Option<Class<'_>>, Error> {
    let (Some(b'\\'), Some(letter @ (b'p' | b'P'))) =
        (text.as_bytes().first(), text.as_bytes().get(1))
    else {
        return Ok(None);
    };
    let wrong = |part: &str| Error::new("invalid character class range", part);
    let (name, rest) = if text[2..].starts_with('{') {
        let end = text.find('}').ok_or_else(|| wrong(text))?;
        (&text[3..end], &text[end + 1..])
    } else {
        let length = text[2..].chars().next().map_or(0, char::len_utf8);
        text[2..].split_at(length)
    };
    let sequence = &text[..text.len() - rest.len()];
    let inner = name.strip_prefix('^');
    let negated = (*letter == b'P') != inner.is_some();
    let name = inner.unwrap_or(name);
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || " _-".contains(c));
    if name.is_empty() || !plain {
        return Err(wrong(sequence));
    }
    let letter = if negated { 'P' } else { 'p' };
    for property in ["gc", "sc"] {
        let translated = format!("\\{letter}{{{property}={name}}}");
        if regex::Regex::new(&translated).is_ok() {
            return Ok(Some(Class { translated, rest }));
        }
    }
    Err(wrong(sequence))
}

/// `[:alpha:]` within brackets.
fn posix(text: &str) -> Result<Option<Class<'_>>, Error> {
    if !text.starts_with("[:") {
        return Ok(None);
    }
    let Some(end) = text[2..].find(":]") else { return Ok(None) };
    let (sequence, rest) = text.split_at(end + 4);
    let name = &sequence[2..sequence.len() - 2];
    let known = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct",
        "space", "upper", "word", "xdigit",
    ];
    if !known.contains(&name.strip_prefix('^').unwrap_or(name)) {
        return Err(Error::new("invalid character class range", sequence));
    }
    Ok(Some(Class { translated: sequence.to_owned(), rest }))
}

/// A class in brackets; `whole` is the text from the opening bracket on.
pub(super) fn bracketed(whole: &str) -> Result<Class<'_>, Error> {
    let mut out = "[".to_owned();
    let mut rest = &whole[1..];
    if let Some(after) = rest.strip_prefix('^') {
        out.push('^');
        rest = after;
    }
    let mut first = true;
    while first || !rest.starts_with(']') {
        first = false;
        let escaped = rest.starts_with('\\');
        let class = match posix(rest)? {
            Some(class) => Some(class),
            None if escaped => match unicode(rest)? {
                Some(class) => Some(class),
                None => perl(rest),
            },
            None => None,
        };
        if let Some(class) = class {
            out.push_str(&class.translated);
            rest = class.rest;
            continue;
        }
        let start = rest;
        let low = character(&mut rest, whole)?;
        let mut high = low;
        if rest.starts_with('-') && rest.len() > 1 && !rest[1..].starts_with(']') {
            rest = &rest[1..];
            high = character(&mut rest, whole)?;
            if high < low {
                let part = &start[..start.len() - rest.len()];
                return Err(Error::new("invalid character class range", part));
            }
        }
        range(&mut out, low, high);
    }
    out.push(']');
    Ok(Class { translated: out, rest: &rest[1..] })
}

fn character(rest: &mut &str, whole: &str) -> Result<u32, Error> {
    if rest.starts_with('\\') {
        let escape = escape(rest)?;
        *rest = escape.rest;
        return Ok(escape.code);
    }
    match take(rest) {
        Some(c) => Ok(u32::from(c)),
        None => Err(Error::new("missing closing ]", whole)),
    }
}

/// A range without the surrogates, which are no characters.
fn range(out: &mut String, low: u32, high: u32) {
    let low = if (0xD800..0xE000).contains(&low) { 0xE000 } else { low };
    let high = if (0xD800..0xE000).contains(&high) { 0xD7FF } else { high };
    if low > high {
        out.push_str(r"[^\s\S]");
        return;
    }
    literal(out, low);
    if high > low {
        out.push('-');
        literal(out, high);
    }
}
