//! From values to lines.

use std::{borrow::Cow, cmp::Ordering, fmt::Write as _, mem};

use super::{
    Emit, Entries, View,
    key_order::natural,
    order::sort,
    scalar::{Output, Style, is_break},
    through_json,
};
use crate::{
    error::Error,
    json::{unrepresentable, unsupported_float},
    node::{Place, ScalarType},
    resolve::{Flavour, Number, is_base60, is_old_bool, resolve, write_float},
};

const INDENT: usize = 2;

/// A longer key is written behind a `?`.
const LONGEST_KEY: usize = 128;

/// Whose bytes are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Profile {
    /// `sigs.k8s.io/yaml`: yaml.v2 behind JSON.
    Sigs,
    /// yaml.v3's encoder with an indentation of 2.
    V3,
}

/// Writes one value.
pub(super) struct Writer<'o, 'v, V> {
    out: Output<'o>,
    profile: Profile,
    /// The entries of all mappings that are open; kept so that none needs memory of its own.
    entries: Entries<'v, V>,
}

impl<'o, 'v, V: Emit<'v>> Writer<'o, 'v, V> {
    pub(super) fn new(text: &'o mut String, profile: Profile) -> Self {
        Self { out: Output::new(text, profile), profile, entries: Entries::new() }
    }

    pub(super) fn document(mut self, value: V) -> Result<(), Error> {
        match value.view() {
            View::Mapping(length) if length > 0 => self.mapping(value, 0)?,
            View::Sequence(length) if length > 0 => self.sequence(value, length, 0)?,
            leaf => self.leaf(leaf, value.place(), INDENT)?,
        }
        self.out.end_line();
        Ok(())
    }

    fn mapping(&mut self, value: V, indent: usize) -> Result<(), Error> {
        let from = self.entries.list.len();
        value.entries(&mut self.entries)?;
        if self.profile == Profile::Sigs || !value.keeps_order() {
            sort_entries(&mut self.entries.list[from..], self.profile == Profile::V3);
        }
        for at in from..self.entries.list.len() {
            let (key, value) = &mut self.entries.list[at];
            let (key, value) = (mem::take(key), *value);
            self.start(indent, at == from);
            self.entry(&key, value, indent)?;
        }
        self.entries.list.truncate(from);
        Ok(())
    }

    fn entry(&mut self, key: &str, value: V, indent: usize) -> Result<(), Error> {
        if key.len() <= LONGEST_KEY
            && Output::is_simple(key)
            && self.line_style(key) == Style::Plain
        {
            self.out.push_ascii(key);
            self.out.push_ascii(":");
            return self.value(value, indent);
        }
        let key = self.readable(key, value.place())?;
        let style = self.style_of(&key);
        if key.len() > LONGEST_KEY || key.contains(is_break) {
            self.out.push_ascii("? ");
            self.out.scalar(&key, style, Some(indent + INDENT));
            self.out.line(indent);
            self.out.push_ascii(":");
            return self.element(value, indent);
        }
        self.out.scalar(&key, style, None);
        self.out.push_ascii(":");
        self.value(value, indent)
    }

    /// What follows `key:`.
    fn value(&mut self, value: V, indent: usize) -> Result<(), Error> {
        match value.view() {
            View::Mapping(length) if length > 0 => {
                self.out.line(indent + INDENT);
                self.mapping(value, indent + INDENT)
            }
            View::Sequence(length) if length > 0 => {
                // To yaml.v2 the dash is indentation enough.
                let indent = if self.profile == Profile::V3 { indent + INDENT } else { indent };
                self.out.line(indent);
                self.sequence(value, length, indent)
            }
            leaf => {
                self.out.push_ascii(" ");
                self.leaf(leaf, value.place(), indent + INDENT)
            }
        }
    }

    fn sequence(&mut self, value: V, length: usize, indent: usize) -> Result<(), Error> {
        for index in 0..length {
            self.start(indent, index == 0);
            self.out.push_ascii("-");
            self.element(value.item(index), indent)?;
        }
        Ok(())
    }

    /// What follows `-`: a collection goes on in the same line.
    fn element(&mut self, item: V, indent: usize) -> Result<(), Error> {
        self.out.push_ascii(" ");
        match item.view() {
            View::Mapping(length) if length > 0 => self.mapping(item, indent + INDENT),
            View::Sequence(length) if length > 0 => self.sequence(item, length, indent + INDENT),
            leaf => self.leaf(leaf, item.place(), indent + INDENT),
        }
    }

    /// The first line of a collection was started by what holds it.
    fn start(&mut self, indent: usize, first: bool) {
        if first {
            self.out.pad(indent);
        } else {
            self.out.line(indent);
        }
    }

    fn leaf(&mut self, view: View<'_>, place: Place, indent: usize) -> Result<(), Error> {
        match view {
            View::Null => self.out.push_ascii("null"),
            View::Bool(true) => self.out.push_ascii("true"),
            View::Bool(false) => self.out.push_ascii("false"),
            View::Digits(digits) => self.out.push_ascii(digits),
            View::Number(Number::Int(value)) => self.integer(value),
            View::Number(Number::Uint(value)) => self.integer(value),
            View::Number(Number::Float(value)) => self.float(value, place)?,
            View::Text(text)
                if Output::is_simple(&text) && self.line_style(&text) == Style::Plain =>
            {
                self.out.simple(&text, indent);
            }
            View::Text(text) => {
                let text = self.readable(&text, place)?;
                self.out.scalar(&text, self.style_of(&text), Some(indent));
            }
            View::Sequence(_) => self.out.push_ascii("[]"),
            View::Mapping(_) => self.out.push_ascii("{}"),
        }
        Ok(())
    }

    fn integer(&mut self, value: impl std::fmt::Display) {
        let _ = write!(self.out, "{value}");
    }

    fn float(&mut self, value: f64, place: Place) -> Result<(), Error> {
        if self.profile == Profile::Sigs {
            if !value.is_finite() {
                return Err(unsupported_float(place, value));
            }
            match through_json::whole(value) {
                Some(whole) => self.integer(whole),
                None => self.out.push_ascii(&through_json::float(value)),
            }
            return Ok(());
        }
        let mut text = String::new();
        write_float(&mut text, value);
        self.out.push_ascii(&text);
        Ok(())
    }

    /// The text that the writer of YAML gets to see.
    fn readable<'t>(&self, text: &'t str, place: Place) -> Result<Cow<'t, str>, Error> {
        if self.profile == Profile::V3 {
            return Ok(text.into());
        }
        through_json::text(text).map_err(|_| {
            unrepresentable(place, "yaml: control characters are not allowed".to_owned())
        })
    }

    /// A string is quoted where its plain form would be read as something else.
    fn style_of(&self, text: &str) -> Style {
        if crate::bytes::find(b'\n', text.as_bytes()).is_some() {
            return Style::Literal;
        }
        self.line_style(text)
    }

    /// As [`Self::style_of`], for a text without line breaks.
    fn line_style(&self, text: &str) -> Style {
        if is_surely_string(text) {
            return Style::Plain;
        }
        // Quirk: go-yaml knows `<<` only as a key.
        let plain = match self.profile {
            Profile::Sigs => resolve(text, Flavour::V2),
            Profile::V3 if is_old_bool(text) => ScalarType::Bool,
            Profile::V3 => resolve(text, Flavour::V3),
        };
        let plain = matches!(plain, ScalarType::Str | ScalarType::Merge);
        if plain && !is_base60(text) { Style::Plain } else { Style::DoubleQuoted }
    }
}

/// Whether a plain text is a string to everybody, by its looks: most are. The others may be.
fn is_surely_string(text: &str) -> bool {
    /// The longest word that means something is `false`.
    const LONGEST_WORD: usize = 5;
    // No letter of a number, in any base or without an end, or of a moment.
    let in_no_number = |byte: u8| {
        matches!(
            byte.to_ascii_lowercase(),
            b'g' | b'h' | b'j'..=b'm' | b'p'..=b's' | b'u'..=b'w' | b'y'
        )
    };
    match text.as_bytes().first() {
        None => false,
        Some(b'0'..=b'9' | b'+' | b'-' | b'.') => text.bytes().any(in_no_number),
        Some(b'~' | b'<') => false,
        Some(first) => text.len() > LONGEST_WORD || !b"yYnNtTfFoO".contains(first),
    }
}

fn sort_entries<V: Copy>(entries: &mut [(Cow<'_, str>, V)], digits_first: bool) {
    let in_order = |a: &(Cow<'_, str>, V), b: &(Cow<'_, str>, V)| {
        natural(&a.0, &b.0, digits_first) != Ordering::Greater
    };
    // Numbers may make the order contradict itself, and then the outcome depends on where the sorting
    // begins.
    let numbered = || {
        entries.len() > 2 && entries.iter().any(|(key, _)| key.bytes().any(|b| b.is_ascii_digit()))
    };
    if !entries.is_sorted_by(in_order) || numbered() {
        entries.sort_by(|(a, _), (b, _)| a.cmp(b));
        sort(entries, &|(a, _), (b, _)| natural(a, b, digits_first));
    }
}
