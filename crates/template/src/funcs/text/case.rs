//! Upper and lower case, and the cases of names: `camelcase`, `snakecase`, `kebabcase`.
//!
//! Follows Go's `strings`, goutils and huandu/xstrings v1.5.

use super::unicode::{
    is_letter, is_lower, is_number, is_punctuation, is_title, is_upper, lower as to_lower,
    title as to_title, upper as to_upper,
};
use crate::{Arguments, CallError, Context, Value, value::bytes::escaped_byte};

type Outcome = Result<Value, CallError>;

/// Go reads runes: a byte that is no text becomes the replacement character.
fn rune(c: char) -> char {
    if escaped_byte(c).is_some() { char::REPLACEMENT_CHARACTER } else { c }
}

fn mapped(arguments: Arguments<'_>, map: impl FnMut(char) -> char) -> Outcome {
    Ok(Value::from(arguments.text(0).chars().map(rune).map(map).collect::<String>()))
}

pub(in crate::funcs) fn upper(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    mapped(arguments, to_upper)
}

pub(in crate::funcs) fn lower(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    mapped(arguments, to_lower)
}

/// Go's `strings.Title`: the first letter after what is no letter, digit or `_`.
pub(in crate::funcs) fn title(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut before = ' ';
    mapped(arguments, |c| {
        let starts = separates(std::mem::replace(&mut before, c));
        if starts { to_title(c) } else { c }
    })
}

fn separates(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_alphanumeric() && c != '_';
    }
    c.is_whitespace()
}

pub(in crate::funcs) fn untitle(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut starts = true;
    mapped(arguments, |c| {
        if c.is_whitespace() {
            starts = true;
            return c;
        }
        if std::mem::take(&mut starts) { to_lower(c) } else { c }
    })
}

/// Quirk: a small letter at the front of a word gets title case instead of upper case.
pub(in crate::funcs) fn swapcase(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut starts = true;
    mapped(arguments, |c| {
        if is_upper(c) || is_title(c) {
            starts = false;
            to_lower(c)
        } else if is_lower(c) {
            if std::mem::take(&mut starts) { to_title(c) } else { to_upper(c) }
        } else {
            starts = c.is_whitespace();
            c
        }
    })
}

fn is_connector(c: char) -> bool {
    c == '-' || c == '_' || c.is_whitespace()
}

/// xstrings' `ToPascalCase`: connectors go, and what follows them becomes a capital, after which
/// further capitals become small. Connectors at the front stay, and of several together all but the
/// last.
pub(in crate::funcs) fn camelcase(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let text: String = arguments.text(0).chars().map(rune).collect();
    let body = text.trim_start_matches(is_connector);
    let mut out = String::with_capacity(text.len());
    out.push_str(&text[..text.len() - body.len()]);
    let mut chars = body.chars();
    let Some(first) = chars.next() else {
        // Quirk: where there is nothing else, the last connector comes twice.
        out.extend(text.chars().next_back());
        return Ok(Value::from(out));
    };
    let mut last = to_upper(first);
    let mut in_capitals = is_upper(first);
    for c in chars {
        if is_connector(last) && is_connector(c) {
            out.push(last);
            last = c;
        } else if is_connector(last) {
            in_capitals = is_upper(c);
            last = to_upper(c);
        } else {
            out.push(last);
            in_capitals = in_capitals && is_upper(c);
            last = if in_capitals { to_lower(c) } else { c };
        }
    }
    out.push(last);
    Ok(Value::from(out))
}

pub(in crate::funcs) fn snakecase(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::from(connected(arguments.text(0), '_')))
}

pub(in crate::funcs) fn kebabcase(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    Ok(Value::from(connected(arguments.text(0), '-')))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    End,
    Number,
    Capitals,
    Letters,
    Connector,
    Punctuation,
    Other,
}

/// Small letters, and a connector where a word begins. A number belongs to the word before it,
/// unless letters follow it at once.
fn connected(text: &str, connector: char) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let (mut kind, mut word, mut rest) = next_word(text);
    while !rest.is_empty() {
        if kind != Word::Connector {
            small(&mut out, kind, word, connector);
        }
        let (before, last) = (kind, word);
        (kind, word, rest) = next_word(rest);
        match before {
            Word::Number => {
                while matches!(kind, Word::Letters | Word::Number) {
                    small(&mut out, kind, word, connector);
                    (kind, word, rest) = next_word(rest);
                }
                if !matches!(kind, Word::End | Word::Punctuation | Word::Connector) {
                    out.push(connector);
                }
            }
            Word::Connector => small(&mut out, before, last, connector),
            Word::Punctuation => {}
            _ if kind != Word::Number => {
                if !matches!(kind, Word::Connector | Word::Punctuation) {
                    out.push(connector);
                }
            }
            _ if rest.is_empty() => {}
            _ => {
                let number = word;
                (kind, word, rest) = next_word(rest);
                if kind == Word::Letters {
                    out.push(connector);
                    small(&mut out, Word::Number, number, connector);
                    while matches!(kind, Word::Letters | Word::Number) {
                        small(&mut out, kind, word, connector);
                        (kind, word, rest) = next_word(rest);
                    }
                    if !matches!(kind, Word::End | Word::Connector | Word::Punctuation) {
                        out.push(connector);
                    }
                } else {
                    small(&mut out, Word::Number, number, connector);
                    if !matches!(kind, Word::Connector | Word::Punctuation) {
                        out.push(connector);
                    }
                }
            }
        }
    }
    small(&mut out, kind, word, connector);
    out
}

fn small(out: &mut String, kind: Word, word: &str, connector: char) {
    if !matches!(kind, Word::Capitals | Word::Connector) {
        out.push_str(word);
        return;
    }
    out.extend(word.chars().map(|c| match c {
        c if is_connector(c) => connector,
        c if is_upper(c) => to_lower(c),
        c => c,
    }));
}

/// The word at the front, and what follows it.
fn next_word(text: &str) -> (Word, &str, &str) {
    let Some(first) = text.chars().next() else { return (Word::End, "", "") };
    let while_is = |test: fn(char) -> bool| text.len() - text.trim_start_matches(test).len();
    let (kind, length) = match first {
        c if is_connector(c) => (Word::Connector, while_is(is_connector)),
        c if is_punctuation(c) => (Word::Punctuation, while_is(is_punctuation)),
        c if is_upper(c) => (Word::Capitals, capitalized(text)),
        c if is_alphabetic(c) => (Word::Letters, while_is(|c| is_alphabetic(c) && !is_upper(c))),
        c if is_number(c) => (Word::Number, while_is(is_number)),
        _ => (
            Word::Other,
            while_is(|c| {
                !(is_connector(c) || is_alphabetic(c) || is_number(c) || is_punctuation(c))
            }),
        ),
    };
    (kind, &text[..length], &text[length..])
}

/// The length of `HTTP` in `HTTPServer`, and of `Server`.
fn capitalized(text: &str) -> usize {
    let capitals = text.len() - text.trim_start_matches(is_upper).len();
    let mut first = text[..capitals].char_indices().rev();
    let last = first.next().map_or(0, |(at, _)| at);
    let rest = &text[capitals..];
    if last == 0 {
        let small = rest.trim_start_matches(|c| is_alphabetic(c) && !is_upper(c));
        return text.len() - small.len();
    }
    if rest.starts_with(is_alphabetic) { last } else { capitals }
}

/// A letter, but of no script that writes words with signs.
fn is_alphabetic(c: char) -> bool {
    let sign = matches!(c,
        '\u{3400}'..='\u{4d85}' | '\u{4e00}'..='\u{9fcc}' | '\u{20000}'..='\u{2b81d}');
    is_letter(c) && !sign
}
