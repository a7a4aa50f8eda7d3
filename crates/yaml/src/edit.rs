//! Changes to a text that leave everything else as it stands.

use crate::{
    emit::inline_scalar,
    error::{Error, ErrorKind},
    node::{Node, Scalar, ScalarStyle, ScalarType},
    read::Spans,
    resolve::{Flavour, resolve},
};

/// Replaces scalars of a text by the spans of their nodes: comments, styles, order and indentation
/// stay.
///
/// ```
/// use gitops_yaml::{Edits, Scalar, read};
///
/// let text = "image:\n  tag: 'v1' # the release\n";
/// let node = read(text)?;
/// let mut edits = Edits::new(text);
/// edits.replace(node.at(["image", "tag"]).expect("a tag"), &Scalar::string("v2"))?;
/// assert_eq!(edits.finish()?, "image:\n  tag: 'v2' # the release\n");
/// # Ok::<(), gitops_yaml::Error>(())
/// ```
#[derive(Debug)]
pub struct Edits<'s> {
    source: &'s str,
    spans: Spans,
    changes: Vec<(usize, usize, String)>,
}

impl<'s> Edits<'s> {
    /// Edits of a text from which nodes were read.
    pub fn new(source: &'s str) -> Self {
        Self { source, spans: Spans::of(source), changes: Vec::new() }
    }

    /// Puts a scalar in the place of one that was read from this text. A string keeps the quotes that
    /// stand there, and gets some where it would be read as something else; what stands under an alias
    /// is changed at its anchor.
    ///
    /// # Errors
    /// When the node is no scalar of this text.
    pub fn replace(&mut self, node: &Node, value: &Scalar) -> Result<(), Error> {
        let place = node.place();
        let wrong = |message: &str| {
            Err(Error::new(ErrorKind::Path, message).at(place.line(), place.column()))
        };
        let Some(former) = node.as_scalar() else {
            return wrong("only a scalar can be replaced");
        };
        let Some(span) = self.spans.span(node) else {
            return wrong("the value does not stand in this text");
        };
        let stands = &self.source[span.clone()];
        let start = span.start + properties_len(stands);
        let block = matches!(former.style(), ScalarStyle::Literal | ScalarStyle::Folded);
        let mut text = written(value, former.style());
        if block && self.source[start..span.end].ends_with('\n') {
            text.push('\n');
        }
        // Where nothing stands, a space keeps the value from its `:`.
        if start == span.end && self.source[..start].ends_with([':', '-']) {
            text.insert(0, ' ');
        }
        self.changes.push((start, span.end, text));
        Ok(())
    }

    /// The changed text.
    ///
    /// # Errors
    /// When a scalar was replaced twice.
    pub fn finish(mut self) -> Result<String, Error> {
        self.changes.sort_by_key(|(start, end, _)| (*start, *end));
        let mut text = String::with_capacity(self.source.len() + 64);
        let mut done = 0;
        for (start, end, change) in &self.changes {
            if *start < done {
                return Err(Error::new(ErrorKind::Path, "two changes of the same value"));
            }
            text.push_str(&self.source[done..*start]);
            text.push_str(change);
            done = *end;
        }
        text.push_str(&self.source[done..]);
        Ok(text)
    }
}

/// How much of a value's span its anchor and tag take.
fn properties_len(text: &str) -> usize {
    let mut rest = text;
    while rest.starts_with(['&', '!']) {
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        rest = rest[end..].trim_start();
    }
    text.len() - rest.len()
}

fn written(value: &Scalar, former: ScalarStyle) -> String {
    if value.kind() != ScalarType::Str {
        return value.text().to_owned();
    }
    let text = value.text();
    let style = match former {
        ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => former,
        // It may stand in a flow collection, and be read by either library.
        ScalarStyle::Plain
            if !text.contains([',', '[', ']', '{', '}', '?', ':'])
                && [Flavour::V2, Flavour::V3]
                    .into_iter()
                    .all(|flavour| resolve(text, flavour) == ScalarType::Str) =>
        {
            ScalarStyle::Plain
        }
        _ => ScalarStyle::DoubleQuoted,
    };
    inline_scalar(text, style)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Mapping, read};

    fn edited(source: &str, path: &str, value: &Scalar) -> String {
        let node = read(source).unwrap();
        let found = path.parse::<crate::FieldPath>().unwrap().find(&node).unwrap().clone();
        let mut edits = Edits::new(source);
        edits.replace(&found, value).unwrap();
        edits.finish().unwrap()
    }

    #[test]
    fn nothing_else_is_touched() {
        let string = Scalar::string;
        for (source, path, value, result) in [
            ("a: b # c\n", "a", string("d"), "a: d # c\n"),
            ("a: b\n", "a", string("yes"), "a: \"yes\"\n"),
            ("a: \"b\"\n", "a", string("1"), "a: \"1\"\n"),
            ("a: 'b'\n", "a", string("it's"), "a: 'it''s'\n"),
            ("a: [x,  y]\n", "a[1]", string("p,q"), "a: [x,  \"p,q\"]\n"),
            ("a: &k b\nc: *k\n", "c", string("d"), "a: &k d\nc: *k\n"),
            ("a: !!str 5\n", "a", string("6"), "a: !!str \"6\"\n"),
            ("a: |\n  b\n  c\nd: e\n", "a", string("x"), "a: \"x\"\nd: e\n"),
            ("a:\nb: c\n", "a", string("x"), "a: x\nb: c\n"),
            ("ä: é #\n", "ä", string("ö"), "ä: ö #\n"),
            ("a: b\n  c\nd: e\n", "a", string("x\ny"), "a: \"x\\ny\"\nd: e\n"),
            ("a: 1\n", "a", Node::number(2_i64).as_scalar().unwrap().clone(), "a: 2\n"),
        ] {
            assert_eq!(edited(source, path, &value), result, "{source:?}");
        }
    }

    #[test]
    fn what_cannot_be_edited_is_refused() {
        let node = read("a: [b]\n").unwrap();
        let mut edits = Edits::new("a: [b]\n");
        let new = Scalar::string("x");
        assert!(edits.replace(node.get("a").unwrap(), &new).is_err());
        assert!(edits.replace(&Node::string("b"), &new).is_err());
        let item = &node.get("a").unwrap().as_sequence().unwrap()[0];
        assert!(Edits::new("a").replace(item, &new).is_err());
        edits.replace(item, &new).unwrap();
        edits.replace(item, &new).unwrap();
        assert!(edits.finish().is_err());
    }

    proptest! {
        /// Any text can be put anywhere, and is what is read there afterwards.
        #[test]
        fn what_is_put_is_read(
            text in "[ -~äß\u{85}\n\t😀]{0,20}",
            form in prop::sample::select(&["old", "'old'", "\"o\\ld\"", "|\n    old\n", ""][..]),
        ) {
            prop_assume!(!form.contains("\\l"));
            let source = format!("# head\nx: {form}\ny: [1, {{z: old}}] # tail\n");
            let node = read(&source).unwrap();
            let mut edits = Edits::new(&source);
            edits.replace(node.get("x").unwrap(), &Scalar::string(&text)).unwrap();
            let z = "y[1].z".parse::<crate::FieldPath>().unwrap();
            edits.replace(z.find(&node).unwrap(), &Scalar::string(&text)).unwrap();
            let result = edits.finish().unwrap();
            let inner = Node::from(Mapping::from_iter([("z", text.as_str())]));
            let wanted = Mapping::from_iter([
                ("x", Node::string(&text)),
                ("y", Node::from(vec![Node::number(1_i64), inner])),
            ]);
            prop_assert_eq!(read(&result).unwrap(), Node::from(wanted), "{}", result);
        }
    }
}
