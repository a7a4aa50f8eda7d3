//! JSON as Go's `json.MarshalIndent` writes it: two spaces a level, and what could be taken for HTML
//! escaped.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, PrettyFormatter, Serializer};

/// A value that stands so many levels deep in its document.
pub(super) fn indented<T: Serialize + ?Sized>(value: &T, level: usize) -> io::Result<Vec<u8>> {
    let mut pretty = PrettyFormatter::new();
    for _ in 0..level {
        pretty.begin_object(&mut io::sink())?;
    }
    let mut out = Vec::with_capacity(1024);
    value.serialize(&mut Serializer::with_formatter(&mut out, GoFormatter(pretty)))?;
    Ok(out)
}

struct GoFormatter(PrettyFormatter<'static>);

impl Formatter for GoFormatter {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        mut text: &str,
    ) -> io::Result<()> {
        const SPECIAL: [char; 5] = ['<', '>', '&', '\u{2028}', '\u{2029}'];
        // All but two are one byte, and those two begin with a rare one.
        let may_be = |byte: &u8| matches!(byte, b'<' | b'>' | b'&' | 0xe2);
        while let Some(at) = text.bytes().position(|byte| may_be(&byte)) {
            let (plain, rest) = text.split_at(at);
            out.write_all(plain.as_bytes())?;
            let mut chars = rest.chars();
            let Some(c) = chars.next() else { break };
            if SPECIAL.contains(&c) {
                write!(out, "\\u{:04x}", u32::from(c))?;
            } else {
                write!(out, "{c}")?;
            }
            text = chars.as_str();
        }
        out.write_all(text.as_bytes())
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::indented;

    #[test]
    fn values_are_indented_and_escaped_as_by_go() {
        let value = json!({"a": [1, "<é…\u{2028}€>&\"\n"], "b": {}, "&": []});
        let text = String::from_utf8(indented(&value, 1).unwrap()).unwrap();
        let expected = r#"{
    "a": [
      1,
      "\u003cé…\u2028€\u003e\u0026\"\n"
    ],
    "b": {},
    "\u0026": []
  }"#;
        assert_eq!(text, expected);
    }
}
