//! The short way for documents as people write them.
//!
//! Most documents are lines of `key: value` and `- item`: one pass over their lines gives the nodes,
//! without tokens and events in between. Scalars over several lines are left to the scanner. Whatever
//! else a document holds (anchors, tags, an error) makes this reader give up, and the document is read
//! the long way from its start. What it does read, it reads as the long way does, places included; a test compares both.

mod flow;
mod scalar;
mod texts;

use texts::Texts;

use super::{
    mapping::{are_distinct, is_plain},
    scan::{Mark, Scanner},
};
use crate::{
    bytes,
    node::{Content, Entry, Mapping, Node, Scalar, ScalarStyle, ScalarType, Sequence},
    resolve::Flavour,
};

/// The document needs the long way.
#[derive(Debug)]
pub(super) struct GiveUp;

type Quick<T> = Result<T, GiveUp>;

/// Deeper nesting is rare.
const DEEPEST: usize = 64;

/// What was read, and where to go on.
#[derive(Debug)]
pub(super) struct Document {
    /// `None` if there is nothing in it.
    pub(super) node: Option<Node>,
    /// The start of the next document, or the end of the stream.
    pub(super) next: Mark,
}

/// Reads one document that begins at a mark, at the start of a line. `Ok(None)` at the end of the
/// stream.
pub(super) fn document(
    text: &str,
    start: Mark,
    flavour: Flavour,
    max_depth: usize,
    scratch: &mut Scratch,
) -> Quick<Option<Document>> {
    scratch.entries.clear();
    scratch.items.clear();
    let bytes = text.as_bytes();
    let at = start.at as usize;
    let mut reader = Reader {
        text,
        bytes,
        at,
        line: start.line,
        line_start: at,
        flavour,
        deepest: DEEPEST.min(max_depth),
        scanner: None,
        scratch,
    };
    reader.document()
}

/// Collections that are being read, kept so that each gets exactly the memory that it needs.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    entries: Vec<Entry>,
    items: Vec<Node>,
    texts: Texts,
}

struct Reader<'s, 'b> {
    text: &'s str,
    bytes: &'s [u8],
    at: usize,
    /// Counted from 0.
    line: u32,
    line_start: usize,
    flavour: Flavour,
    deepest: usize,
    /// Reads the scalars over several lines.
    scanner: Option<Scanner<'s>>,
    scratch: &'b mut Scratch,
}

impl Reader<'_, '_> {
    fn document(&mut self) -> Quick<Option<Document>> {
        self.skip_to_content()?;
        let mut explicit = false;
        if self.at_marker() {
            if self.bytes[self.at] == b'.' {
                return Err(GiveUp);
            }
            let line = self.line;
            self.at += 3;
            self.skip_to_content()?;
            if self.line == line && self.at < self.bytes.len() {
                return Err(GiveUp);
            }
            explicit = true;
        }
        let node = if self.at >= self.bytes.len() || self.at_marker() {
            if !explicit {
                return Ok(None);
            }
            None
        } else {
            Some(self.block(-1, 0)?)
        };
        let ends = self.at >= self.bytes.len() || (self.at_marker() && self.bytes[self.at] == b'-');
        if ends { Ok(Some(Document { node, next: self.mark() })) } else { Err(GiveUp) }
    }

    /// What begins here, in a line of its own and deeper than `outer`.
    fn block(&mut self, outer: i64, depth: usize) -> Quick<Node> {
        if depth >= self.deepest {
            return Err(GiveUp);
        }
        if self.at_dash() {
            return self.sequence(outer, depth);
        }
        match self.key()? {
            Some(key) => self.mapping(key, depth),
            // A value in a line of its own.
            None if outer >= 0 && !matches!(self.bytes[self.at], b'|' | b'>') => {
                self.inline(outer, depth)
            }
            None => Err(GiveUp),
        }
    }

    /// A mapping whose first key was read up to its `:`.
    fn mapping(&mut self, first: Node, depth: usize) -> Quick<Node> {
        let place = first.place();
        let column = place.column - 1;
        let base = self.scratch.entries.len();
        let mut key = first;
        loop {
            let value = self.value(i64::from(column), depth)?;
            self.scratch.entries.push(Entry { key, value });
            if !self.goes_on(column)? {
                break;
            }
            key = self.key()?.ok_or(GiveUp)?;
        }
        Ok(Node::from(self.mapping_of(base)?).at_place(place))
    }

    /// The mapping of the entries that were read last.
    fn mapping_of(&mut self, base: usize) -> Quick<Mapping> {
        let entries = &self.scratch.entries[base..];
        if !is_plain(entries, self.flavour) || !are_distinct(entries) {
            return Err(GiveUp);
        }
        Ok(Mapping::from_entries(self.scratch.entries.drain(base..)))
    }

    /// What follows a key and its `:` in a mapping at a column.
    fn value(&mut self, column: i64, depth: usize) -> Quick<Node> {
        let behind = self.mark();
        self.skip_spaces();
        if !self.at_line_end() {
            return self.inline(column, depth);
        }
        self.skip_to_content()?;
        let next = self.next_column();
        if next > column {
            return self.block(column, depth + 1);
        }
        if next == column && self.at_dash() {
            return self.sequence(column - 1, depth + 1);
        }
        Ok(empty(behind))
    }

    /// A sequence whose first dash stands here.
    fn sequence(&mut self, outer: i64, depth: usize) -> Quick<Node> {
        if depth >= self.deepest {
            return Err(GiveUp);
        }
        let start = self.mark();
        let column = i64::from(start.column);
        if column <= outer {
            return Err(GiveUp);
        }
        let base = self.scratch.items.len();
        loop {
            let item = self.item(column, depth)?;
            self.scratch.items.push(item);
            // A sequence at the column of its key ends where the next key begins; elsewhere, the
            // caller finds that nothing may stand there.
            if self.next_column() != column || !self.at_dash() {
                break;
            }
        }
        let items = Sequence::from_items(self.scratch.items.drain(base..));
        Ok(Node::from(Content::Sequence(items)).at_place(start.place()))
    }

    /// What follows the dash of a sequence at a column.
    fn item(&mut self, column: i64, depth: usize) -> Quick<Node> {
        self.at += 1;
        let behind = self.mark();
        self.skip_spaces();
        if self.at_line_end() {
            self.skip_to_content()?;
            return if self.next_column() > column {
                self.block(column, depth + 1)
            } else {
                Ok(empty(behind))
            };
        }
        if self.at_dash() {
            return self.sequence(column, depth + 1);
        }
        let before = (self.at, self.line);
        if let Some(key) = self.key()? {
            if depth + 1 >= self.deepest {
                return Err(GiveUp);
            }
            return self.mapping(key, depth + 1);
        }
        debug_assert_eq!(before, (self.at, self.line), "no key, no step");
        self.inline(column, depth)
    }

    /// Whether a mapping at a column has another entry here.
    fn goes_on(&self, column: u32) -> Quick<bool> {
        match self.next_column().cmp(&i64::from(column)) {
            std::cmp::Ordering::Less => Ok(false),
            std::cmp::Ordering::Equal => Ok(true),
            std::cmp::Ordering::Greater => Err(GiveUp),
        }
    }

    /// A scalar or a flow collection within a line, in a block collection at a column.
    fn inline(&mut self, column: i64, depth: usize) -> Quick<Node> {
        let (from, line, line_start) = (self.at, self.line, self.line_start);
        let first = self.bytes[from];
        let node = match first {
            b'[' | b'{' => Some(self.flow(depth + 1)?),
            b'"' | b'\'' => self.quoted(),
            b'|' => self.literal(column)?,
            b'>' => None,
            _ => self.plain()?,
        };
        let Some(node) = node else {
            (self.at, self.line, self.line_start) = (from, line, line_start);
            return self.long_scalar(column);
        };
        self.skip_to_content()?;
        if self.at >= self.bytes.len() || (self.line > line && self.next_column() <= column) {
            return Ok(node);
        }
        // What goes on in this line or, deeper, in the next one belongs to a plain scalar or is wrong.
        if matches!(first, b'[' | b'{' | b'"' | b'\'' | b'|') {
            return Err(GiveUp);
        }
        (self.at, self.line, self.line_start) = (from, line, line_start);
        self.long_scalar(column)
    }

    /// The column of the next token, counted from 0; -1 at the end of the document.
    fn next_column(&self) -> i64 {
        if self.at >= self.bytes.len() || self.at_marker() {
            return -1;
        }
        i64::try_from(self.at - self.line_start).unwrap_or(i64::MAX)
    }

    /// Goes on over spaces, comments and line breaks.
    fn skip_to_content(&mut self) -> Quick<()> {
        loop {
            self.skip_spaces();
            match self.bytes.get(self.at) {
                Some(b'\n') => self.next_line(),
                Some(b'#') => self.at = self.line_end(),
                Some(b'\t') => return Err(GiveUp),
                _ => return Ok(()),
            }
        }
    }

    fn next_line(&mut self) {
        self.at += 1;
        self.line += 1;
        self.line_start = self.at;
    }

    fn line_end(&self) -> usize {
        bytes::find(b'\n', &self.bytes[self.at..]).map_or(self.bytes.len(), |more| self.at + more)
    }

    fn skip_spaces(&mut self) {
        while self.bytes.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
    }

    /// Whether nothing but a comment may follow in this line.
    fn at_line_end(&self) -> bool {
        matches!(self.bytes.get(self.at), None | Some(b'\n' | b'#'))
    }

    /// Whether `- ` stands here.
    fn at_dash(&self) -> bool {
        self.bytes.get(self.at) == Some(&b'-') && self.is_blank(self.at + 1)
    }

    /// Whether the line begins with `---` or `...`, alone.
    fn at_marker(&self) -> bool {
        self.at == self.line_start
            && matches!(self.bytes[self.at..], [b'-', b'-', b'-', ..] | [b'.', b'.', b'.', ..])
            && self.is_blank(self.at + 3)
    }

    /// Whether white space or the end of the stream stands at a byte.
    fn is_blank(&self, at: usize) -> bool {
        matches!(self.bytes.get(at), None | Some(b' ' | b'\n' | b'\t'))
    }

    /// The place of the next byte. Only ASCII may stand before it in its line, or the column is
    /// counted.
    fn mark(&self) -> Mark {
        let before = &self.text[self.line_start..self.at];
        let column = if before.is_ascii() { before.len() } else { before.chars().count() };
        Mark { at: small(self.at), line: self.line, column: small(column) }
    }
}

/// The value where none stands.
fn empty(mark: Mark) -> Node {
    let scalar = Scalar::new("", ScalarType::Null, ScalarStyle::Plain);
    Node::from(scalar).at_place(mark.place())
}

/// Streams of 4 GiB are refused before they get here.
fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
