//! Where the entries of an index stand in its text, found without reading them as YAML.
//!
//! An index is a long block mapping: `entries:` at the margin, then names at one indentation, each
//! with a block below it. A scan of the lines finds the blocks. What a scan cannot be sure of
//! (quoted text over several lines, anchors, flow mappings, tabs) makes it give up, and the text
//! is read as a whole.

use std::ops::Range;

/// A block of lines: the name it begins with, and all of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) name: Range<usize>,
    pub(super) lines: Range<usize>,
}

/// The blocks of an index.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// The fields at the margin, `entries` with its own line only.
    pub(super) fields: Vec<Block>,
    /// What stands below `entries`.
    pub(super) entries: Vec<Block>,
}

/// Scans a text, `None` where it needs to be read as a whole.
pub(super) fn scan(text: &[u8]) -> Option<Layout> {
    let mut layout = Layout::default();
    let mut in_entries = false;
    let mut indentation = None;
    // Lines deeper than this belong to a block scalar.
    let mut scalar: Option<usize> = None;
    let mut at = 0;
    while at < text.len() {
        let end = memchr(b'\n', &text[at..]).map_or(text.len(), |index| at + index + 1);
        let line = trim_end(&text[at..end]);
        let indent = line.iter().take_while(|byte| **byte == b' ').count();
        let start = at;
        at = end;
        if indent == line.len() {
            extend_last(&mut layout, in_entries, end);
            continue;
        }
        if let Some(outer) = scalar {
            if indent > outer {
                extend_last(&mut layout, in_entries, end);
                continue;
            }
            scalar = None;
        }
        let content = &line[indent..];
        if content[0] == b'#' {
            extend_last(&mut layout, in_entries, end);
            continue;
        }
        let (key, column) = regular(content)?;
        if key == Tail::BlockScalar {
            scalar = Some(indent + column);
        }
        let is_item = content[0] == b'-' && (content.len() == 1 || content[1] == b' ');
        if indent == 0 && !is_item {
            if content.starts_with(b"---") {
                if layout != Layout::default() {
                    return None;
                }
                continue;
            }
            let name = name(content)?;
            in_entries = &content[name.clone()] == b"entries";
            if in_entries && trim_end(&content[name.end..]) != b":" {
                return None;
            }
            indentation = None;
            let name = start + name.start..start + name.end;
            layout.fields.push(Block { name, lines: start..end });
        } else if in_entries && !is_item && indentation.is_none_or(|depth| depth == indent) {
            indentation = Some(indent);
            let name = name(content)?;
            let name = start + indent + name.start..start + indent + name.end;
            layout.entries.push(Block { name, lines: start..end });
        } else if in_entries && indentation.is_none_or(|depth| indent < depth) {
            return None;
        } else {
            extend_last(&mut layout, in_entries, end);
        }
    }
    Some(layout)
}

fn extend_last(layout: &mut Layout, in_entries: bool, end: usize) {
    let last = match layout.entries.last_mut() {
        Some(last) if in_entries => Some(last),
        _ => layout.fields.last_mut(),
    };
    if let Some(last) = last {
        last.lines.end = end;
    }
}

/// What a line ends with.
#[derive(PartialEq, Eq)]
enum Tail {
    Plain,
    BlockScalar,
}

/// Whether a line stands for itself, and the column of its key behind any dashes.
fn regular(content: &[u8]) -> Option<(Tail, usize)> {
    let mut column = 0;
    let mut rest = content;
    while let [b'-', b' ', ..] = rest {
        let spaces = rest[1..].iter().take_while(|byte| **byte == b' ').count();
        column += 1 + spaces;
        rest = &rest[1 + spaces..];
    }
    let value = match key_end(rest) {
        Some(end) => rest[end..].trim_ascii_start(),
        None => rest,
    };
    let tail = match value.first() {
        None => Tail::Plain,
        Some(b'|' | b'>') => Tail::BlockScalar,
        Some(quote @ (b'"' | b'\'')) => {
            quoted_to_end(value, *quote)?;
            Tail::Plain
        }
        Some(b'[') if value == b"[]" => Tail::Plain,
        Some(b'{') if value == b"{}" => Tail::Plain,
        Some(b'[' | b'{' | b'&' | b'*' | b'!' | b'%' | b'\t' | b'?' | b'@' | b'`') => return None,
        Some(_) => Tail::Plain,
    };
    Some((tail, column))
}

/// The end of `key:` in a line that has one.
fn key_end(line: &[u8]) -> Option<usize> {
    if matches!(line.first(), Some(b'"' | b'\'')) {
        let close = 1 + memchr(line[0], &line[1..])?;
        return (line.get(close + 1) == Some(&b':')
            && matches!(line.get(close + 2), None | Some(b' ')))
        .then_some(close + 2);
    }
    let mut from = 0;
    while let Some(colon) = memchr(b':', &line[from..]).map(|index| from + index) {
        if matches!(line.get(colon + 1), None | Some(b' ')) {
            return Some(colon + 1);
        }
        from = colon + 1;
    }
    None
}

/// A name that needs no unescaping, without its quotes.
fn name(content: &[u8]) -> Option<Range<usize>> {
    let end = key_end(content)?;
    let key = &content[..end - 1];
    let range = match key.first()? {
        b'"' | b'\'' => 1..key.len() - 1,
        b'-' | b'?' | b'[' | b'{' | b'&' | b'*' | b'!' => return None,
        _ => 0..trim_end(key).len(),
    };
    let plain = key[range.clone()].iter().all(|byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b'+')
    });
    plain.then_some(range)
}

/// Whether a quoted text closes at the end of its line.
fn quoted_to_end(value: &[u8], quote: u8) -> Option<()> {
    let mut index = 1;
    loop {
        match *value.get(index)? {
            b'\\' if quote == b'"' => index += 2,
            byte if byte == quote => {
                if quote == b'\'' && value.get(index + 1) == Some(&b'\'') {
                    index += 2;
                    continue;
                }
                let rest = value[index + 1..].trim_ascii_start();
                return (rest.is_empty() || rest[0] == b'#').then_some(());
            }
            _ => index += 1,
        }
    }
}

fn trim_end(line: &[u8]) -> &[u8] {
    line.trim_ascii_end()
}

fn memchr(byte: u8, text: &[u8]) -> Option<usize> {
    text.iter().position(|candidate| *candidate == byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Option<Vec<(&str, &str)>> {
        let layout = scan(text.as_bytes())?;
        Some(
            layout
                .entries
                .into_iter()
                .map(|block| (&text[block.name], &text[block.lines]))
                .collect(),
        )
    }

    #[test]
    fn blocks_are_found() {
        let text = "apiVersion: v1\nentries:\n  a:\n  - name: a\n    description: |\n      b:\n\n  \
                    # c\n  \"d\":\n    - version: 1.0.0\n  e: []\ngenerated: x\n";
        let names = names(text).unwrap();
        assert_eq!(names[0].0, "a");
        assert!(names[0].1.ends_with("b:\n\n  # c\n"));
        assert_eq!(names[1], ("d", "  \"d\":\n    - version: 1.0.0\n"));
        assert_eq!(names[2], ("e", "  e: []\n"));
        assert_eq!(scan(text.as_bytes()).unwrap().fields.len(), 3);
    }

    #[test]
    fn what_could_hide_a_name_is_not_guessed() {
        for text in [
            "entries:\n  a:\n  - description: \"x\n  b: 1\"\n",
            "entries:\n  a: &x\n  b: *x\n",
            "entries: {a: []}\n",
            "entries:\n  a: {\n  b: 1}\n",
            "entries:\n  a:\n  - 'x\n  b: y'\n",
        ] {
            assert_eq!(scan(text.as_bytes()), None, "{text}");
        }
    }
}
