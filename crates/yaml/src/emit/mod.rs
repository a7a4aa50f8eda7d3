//! From nodes to text, with go-yaml's bytes.
//!
//! Follows yaml.v2's `encode.go` for a value that came from JSON, which is how kustomize and
//! `sigs.k8s.io/yaml` print: keys in natural order, no comments, anchors or styles.

mod key_order;
mod scalar;

use std::borrow::Cow;

use crate::{
    error::Error,
    json::{json_key, timestamp_text, unrepresentable, unsupported_float},
    node::{Content, Mapping, Node, Scalar, ScalarType},
    resolve::{Flavour, Number, is_base60, resolve, write_float},
};

use key_order::natural;
use scalar::{Output, Style, is_break};

const INDENT: usize = 2;

/// A longer key is written behind a `?`.
const LONGEST_KEY: usize = 128;

/// The text of a node as kustomize prints it.
///
/// # Errors
/// For values without a form in JSON: NaN, the infinities, and keys that are no strings.
pub fn to_yaml(node: &Node) -> Result<String, Error> {
    let mut writer = Writer { out: Output::default(), flavour: Flavour::V3 };
    match node.content() {
        Content::Mapping(mapping) if !mapping.is_empty() => writer.mapping(mapping, 0)?,
        Content::Sequence(sequence) if !sequence.items.is_empty() => {
            writer.sequence(&sequence.items, 0)?;
        }
        _ => writer.leaf(node, INDENT)?,
    }
    let mut text = writer.out.text;
    if !text.ends_with('\n') {
        text.push('\n');
    }
    Ok(text)
}

struct Writer {
    out: Output,
    flavour: Flavour,
}

impl Writer {
    fn mapping(&mut self, mapping: &Mapping, indent: usize) -> Result<(), Error> {
        let mut entries: Vec<(Cow<'_, str>, &Node)> = Vec::with_capacity(mapping.len());
        for entry in mapping {
            entries.push((json_key(&entry.key, &entry.value, self.flavour)?, &entry.value));
        }
        entries.sort_by(|(a, _), (b, _)| natural(a, b));
        for (number, (key, value)) in entries.into_iter().enumerate() {
            self.start(indent, number == 0);
            if key.len() > LONGEST_KEY || key.contains(is_break) {
                self.out.push("? ");
                self.out.scalar(&key, style_of(&key), Some(indent + INDENT));
                self.out.line(indent);
                self.out.push(":");
                self.element(value, indent)?;
            } else {
                self.out.scalar(&key, style_of(&key), None);
                self.out.push(":");
                self.value(value, indent)?;
            }
        }
        Ok(())
    }

    /// What follows `key:`. A sequence stands at the key's own indentation.
    fn value(&mut self, value: &Node, indent: usize) -> Result<(), Error> {
        match value.content() {
            Content::Mapping(mapping) if !mapping.is_empty() => {
                self.out.line(indent + INDENT);
                self.mapping(mapping, indent + INDENT)
            }
            Content::Sequence(sequence) if !sequence.items.is_empty() => {
                self.out.line(indent);
                self.sequence(&sequence.items, indent)
            }
            _ => {
                self.out.push(" ");
                self.leaf(value, indent + INDENT)
            }
        }
    }

    fn sequence(&mut self, items: &[Node], indent: usize) -> Result<(), Error> {
        for (number, item) in items.iter().enumerate() {
            self.start(indent, number == 0);
            self.out.push("-");
            self.element(item, indent)?;
        }
        Ok(())
    }

    /// What follows `-`: a collection goes on in the same line.
    fn element(&mut self, item: &Node, indent: usize) -> Result<(), Error> {
        self.out.push(" ");
        match item.content() {
            Content::Mapping(mapping) if !mapping.is_empty() => {
                self.mapping(mapping, indent + INDENT)
            }
            Content::Sequence(sequence) if !sequence.items.is_empty() => {
                self.sequence(&sequence.items, indent + INDENT)
            }
            _ => self.leaf(item, indent + INDENT),
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

    fn leaf(&mut self, node: &Node, indent: usize) -> Result<(), Error> {
        match node.content() {
            Content::Scalar(scalar) => self.scalar(node, scalar, indent)?,
            Content::Mapping(_) => self.out.push("{}"),
            Content::Sequence(_) => self.out.push("[]"),
        }
        Ok(())
    }

    fn scalar(&mut self, node: &Node, scalar: &Scalar, indent: usize) -> Result<(), Error> {
        let text: Cow<'_, str> = match scalar.kind() {
            ScalarType::Null => "null".into(),
            ScalarType::Bool if scalar.as_bool() == Some(true) => "true".into(),
            ScalarType::Bool => "false".into(),
            ScalarType::Int if is_canonical(scalar.text()) => scalar.text().into(),
            ScalarType::Int | ScalarType::Float => match scalar.as_number() {
                Some(Number::Float(value)) if !value.is_finite() => {
                    return Err(unsupported_float(node, value));
                }
                Some(Number::Float(value)) => float(value).into(),
                Some(number) => number.to_string().into(),
                None => {
                    return self.text(node, scalar.text(), indent);
                }
            },
            ScalarType::Timestamp => {
                return self.text(node, &timestamp_text(scalar, self.flavour), indent);
            }
            ScalarType::Str | ScalarType::Merge => {
                return self.text(node, scalar.text(), indent);
            }
        };
        self.out.push(&text);
        Ok(())
    }

    fn text(&mut self, node: &Node, text: &str, indent: usize) -> Result<(), Error> {
        let text = through_json(node, text)?;
        self.out.scalar(&text, style_of(&text), Some(indent));
        Ok(())
    }
}

/// Whether an integer is printed as it was written: no sign, no base, no leading zero.
fn is_canonical(text: &str) -> bool {
    text == "0" || (!text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit()))
}

/// What is left of a string that goes through JSON and is read as YAML: a next-line character
/// folds to a space, and control characters are refused.
fn through_json<'t>(node: &Node, text: &'t str) -> Result<Cow<'t, str>, Error> {
    const NEXT_LINE: char = '\u{85}';
    if text.bytes().all(|b| b < 0x7f) {
        return Ok(text.into());
    }
    let refused =
        |c| matches!(c, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}'..='\u{ffff}');
    if text.contains(refused) {
        return Err(unrepresentable(node, "yaml: control characters are not allowed".to_owned()));
    }
    if !text.contains(NEXT_LINE) {
        return Ok(text.into());
    }
    let mut folded = String::with_capacity(text.len());
    let mut breaks = 0;
    for (number, piece) in text.split(NEXT_LINE).enumerate() {
        breaks += usize::from(number > 0);
        let piece = if number > 0 { piece.trim_start_matches([' ', '\t']) } else { piece };
        if piece.is_empty() {
            continue;
        }
        fold(&mut folded, breaks);
        breaks = 0;
        folded.push_str(piece);
    }
    fold(&mut folded, breaks);
    Ok(folded.into())
}

/// One break is a space, more are one line break less.
fn fold(text: &mut String, breaks: usize) {
    if breaks > 0 {
        text.truncate(text.trim_end_matches([' ', '\t']).len());
    }
    match breaks {
        0 => {}
        1 => text.push(' '),
        more => text.extend(std::iter::repeat_n('\n', more - 1)),
    }
}

/// A string is quoted where its plain form would be read as something else.
fn style_of(text: &str) -> Style {
    if text.contains('\n') {
        return Style::Literal;
    }
    match resolve(text, Flavour::V2) {
        // Quirk: yaml.v2 knows `<<` only as a key.
        ScalarType::Str | ScalarType::Merge if !is_base60(text) => Style::Plain,
        _ => Style::DoubleQuoted,
    }
}

/// JSON writes a whole float below 1e21 without a fraction, and what reads it back takes it for an
/// integer where that fits 64 bits.
fn float(value: f64) -> String {
    let whole = value.fract() == 0.0 && value.abs() < 1e21;
    let digits = if whole { format!("{value}") } else { String::new() };
    if digits == "-0" {
        return "0".to_owned();
    }
    if digits.parse::<i64>().is_ok() || digits.parse::<u64>().is_ok() {
        return digits;
    }
    let mut text = String::new();
    write_float(&mut text, value);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(text: &str) -> String {
        to_yaml(&crate::read(text).unwrap()).unwrap()
    }

    #[test]
    fn prints_as_kustomize_does() {
        for (text, printed) in [
            ("{b: 1, a: [x, {y: z}], c: {}, d: []}", "a:\n- x\n- \"y\": z\nb: 1\nc: {}\nd: []\n"),
            ("{a10: 1, a2: 1, B: 1}", "B: 1\na2: 1\na10: 1\n"),
            (
                "{a: 1.10, b: 010, c: 0x1F, d: 1e20, e: 1e6}",
                "a: 1.1\nb: 8\nc: 31\nd: 1e+20\ne: 1000000\n",
            ),
            (
                "{a: 'yes', b: '1', c: '', d: ~, e: 'null'}",
                "a: \"yes\"\nb: \"1\"\nc: \"\"\nd: null\ne: \"null\"\n",
            ),
            ("a: \"x: y\"\nb: '*c'\nc: |\n  l1\n  l2\n", "a: 'x: y'\nb: '*c'\nc: |\n  l1\n  l2\n"),
            ("a: 2020-01-01", "a: \"2020-01-01T00:00:00Z\"\n"),
        ] {
            assert_eq!(again(text), printed, "{text}");
        }
    }

    #[test]
    fn what_json_cannot_hold_is_refused() {
        for text in ["a: .nan", "a: -.inf", "1: x", "{[a]: b}"] {
            assert!(to_yaml(&crate::read(text).unwrap()).is_err(), "{text}");
        }
    }
}
