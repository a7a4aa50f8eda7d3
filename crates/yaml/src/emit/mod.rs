//! From nodes to text, with go-yaml's bytes.
//!
//! Follows yaml.v2's `encode.go` for a value that came from JSON, which is how kustomize and
//! `sigs.k8s.io/yaml` print: keys in natural order, no comments, anchors or styles.

mod key_order;

use libyaml_safer::{Emitter, Encoding, Event, MappingStyle, ScalarStyle as Style, SequenceStyle};

use crate::{
    error::{Error, ErrorKind},
    json::{json_key, timestamp_text, unsupported_float},
    node::{Content, Mapping, Node, Scalar, ScalarType},
    resolve::{Flavour, Number, is_base60, resolve, write_float},
};

pub(crate) use key_order::natural;

/// The text of a node as kustomize prints it.
///
/// # Errors
/// For values without a form in JSON: NaN, the infinities, and keys that are no strings.
pub fn to_yaml(node: &Node) -> Result<String, Error> {
    let mut out = Vec::new();
    let mut emitter = Emitter::new();
    emitter.set_output_string(&mut out);
    emitter.set_unicode(true);
    emitter.set_width(80);
    emitter.set_indent(2);
    let mut writer = Writer {
        emitter,
        flavour: Flavour::V3,
    };
    writer.event(Event::stream_start(Encoding::Utf8))?;
    writer.event(Event::document_start(None, &[], true))?;
    writer.node(node)?;
    writer.event(Event::document_end(true))?;
    writer.event(Event::stream_end())?;
    drop(writer);
    String::from_utf8(out).map_err(|_| failed("the emitter wrote no UTF-8"))
}

struct Writer<'w> {
    emitter: Emitter<'w>,
    flavour: Flavour,
}

impl Writer<'_> {
    fn event(&mut self, event: Event) -> Result<(), Error> {
        self.emitter
            .emit(event)
            .map_err(|error| failed(error.problem()))
    }

    fn node(&mut self, node: &Node) -> Result<(), Error> {
        match node.content() {
            Content::Scalar(scalar) => self.scalar(node, scalar),
            Content::Mapping(mapping) => self.mapping(mapping),
            Content::Sequence(sequence) => {
                let flow = sequence.items.is_empty();
                let style = if flow {
                    SequenceStyle::Flow
                } else {
                    SequenceStyle::Block
                };
                self.event(Event::sequence_start(None, None, true, style))?;
                for item in &sequence.items {
                    self.node(item)?;
                }
                self.event(Event::sequence_end())
            }
        }
    }

    fn mapping(&mut self, mapping: &Mapping) -> Result<(), Error> {
        let style = if mapping.is_empty() {
            MappingStyle::Flow
        } else {
            MappingStyle::Block
        };
        self.event(Event::mapping_start(None, None, true, style))?;
        let mut entries = Vec::with_capacity(mapping.len());
        for entry in mapping {
            entries.push((
                json_key(&entry.key, &entry.value, self.flavour)?,
                &entry.value,
            ));
        }
        entries.sort_by(|(a, _), (b, _)| natural(a, b));
        for (key, value) in entries {
            self.text(&key)?;
            self.node(value)?;
        }
        self.event(Event::mapping_end())
    }

    fn scalar(&mut self, node: &Node, scalar: &Scalar) -> Result<(), Error> {
        match scalar.kind() {
            ScalarType::Null => self.plain("null"),
            ScalarType::Bool => self.plain(if scalar.as_bool() == Some(true) {
                "true"
            } else {
                "false"
            }),
            ScalarType::Int | ScalarType::Float => match scalar.as_number() {
                Some(Number::Float(value)) if !value.is_finite() => {
                    Err(unsupported_float(node, value))
                }
                Some(Number::Float(value)) => self.plain(&float(value)),
                Some(number) => self.plain(&number.to_string()),
                None => self.text(scalar.text()),
            },
            ScalarType::Timestamp => self.text(&timestamp_text(scalar, self.flavour)),
            ScalarType::Str | ScalarType::Merge => self.text(scalar.text()),
        }
    }

    fn plain(&mut self, text: &str) -> Result<(), Error> {
        self.event(Event::scalar(None, None, text, true, true, Style::Plain))
    }

    /// A string: quoted where its plain form would be read as something else.
    fn text(&mut self, text: &str) -> Result<(), Error> {
        let style = if text.contains('\n') {
            Style::Literal
        } else if resolve(text, Flavour::V2) == ScalarType::Str && !is_base60(text) {
            Style::Plain
        } else {
            Style::DoubleQuoted
        };
        self.event(Event::scalar(None, None, text, true, true, style))
    }
}

/// JSON writes a whole float below 1e21 without a fraction, and what reads it back takes it for an
/// integer where that fits 64 bits.
fn float(value: f64) -> String {
    let whole = value.fract() == 0.0 && value.abs() < 1e21;
    let digits = if whole {
        format!("{value}")
    } else {
        String::new()
    };
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

fn failed(why: &str) -> Error {
    Error::new(ErrorKind::Unrepresentable, format!("yaml: {why}"))
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
            (
                "{b: 1, a: [x, {y: z}], c: {}, d: []}",
                "a:\n- x\n- \"y\": z\nb: 1\nc: {}\nd: []\n",
            ),
            ("{a10: 1, a2: 1, B: 1}", "B: 1\na2: 1\na10: 1\n"),
            (
                "{a: 1.10, b: 010, c: 0x1F, d: 1e20, e: 1e6}",
                "a: 1.1\nb: 8\nc: 31\nd: 1e+20\ne: 1000000\n",
            ),
            (
                "{a: 'yes', b: '1', c: '', d: ~, e: 'null'}",
                "a: \"yes\"\nb: \"1\"\nc: \"\"\nd: null\ne: \"null\"\n",
            ),
            (
                "a: \"x: y\"\nb: '*c'\nc: |\n  l1\n  l2\n",
                "a: 'x: y'\nb: '*c'\nc: |\n  l1\n  l2\n",
            ),
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
