//! Keys and scalars within a line, and literal blocks.

use std::borrow::Cow;

use super::{GiveUp, Quick, Reader, Scanner, small};
use crate::{
    bytes::{find, find_any},
    node::{Node, Place, Scalar, ScalarStyle, ScalarType, Text},
    read::scan::TokenKind,
    resolve::resolve,
};

/// Longer keys meet a limit of their own.
const LONGEST_KEY: usize = 1000;

impl Reader<'_, '_> {
    /// A key, with the `:` behind it; `None`, and no step, if none stands here.
    pub(super) fn key(&mut self) -> Quick<Option<Node>> {
        let from = self.at;
        let (start, end, after, style) = match self.bytes[from] {
            quote @ (b'"' | b'\'') => {
                let Some(end) = self.quote_end(quote) else { return Ok(None) };
                let style = match quote {
                    b'"' => ScalarStyle::DoubleQuoted,
                    _ => ScalarStyle::SingleQuoted,
                };
                (from + 1, end, end + 1, style)
            }
            first if may_start_key(first) => {
                let end = self.key_end();
                (from, end, end, ScalarStyle::Plain)
            }
            _ => return Ok(None),
        };
        if self.bytes.get(after) != Some(&b':') || !self.is_blank(after + 1) {
            return Ok(None);
        }
        if after - from > LONGEST_KEY {
            return Err(GiveUp);
        }
        let key = self.scalar(&self.text[start..end], style, from);
        self.at = after + 1;
        Ok(Some(key))
    }

    /// Where the characters end that may stand in a plain key.
    fn key_end(&self) -> usize {
        let mut at = self.at;
        while let Some(&byte) = self.bytes.get(at) {
            let within =
                may_start_key(byte) || byte == b'-' || (byte == b':' && !self.is_blank(at + 1));
            if !within {
                break;
            }
            at += 1;
        }
        at
    }

    /// A scalar without quotes that ends with the line; `None` if it may hold a tab.
    pub(super) fn plain(&mut self) -> Quick<Option<Node>> {
        let from = self.at;
        match self.bytes[from] {
            b'-' | b'?' | b':' if self.is_blank(from + 1) => return Err(GiveUp),
            b'*' | b'&' | b'!' | b'|' | b'>' | b'%' | b'@' | b'`' | b'#' | b',' | b'[' | b']'
            | b'{' | b'}' | b'"' | b'\'' | b'\t' => return Err(GiveUp),
            _ => {}
        }
        let line = &self.bytes[from..self.line_end()];
        let mut end = line.len();
        let mut next = 0;
        while let Some(more) = find_any([b':', b'#', b'\t'], &line[next..]) {
            let at = next + more;
            next = at + 1;
            match line[at] {
                b'#' if at > 0 && line[at - 1] == b' ' => {
                    end = at;
                    break;
                }
                b'#' => {}
                b':' if line.get(at + 1).is_some_and(|&byte| byte != b' ' && byte != b'\t') => {}
                b'\t' => return Ok(None),
                // A key after all.
                _ => return Err(GiveUp),
            }
        }
        while end > 0 && line[end - 1] == b' ' {
            end -= 1;
        }
        let end = from + end;
        let node = self.scalar(&self.text[from..end], ScalarStyle::Plain, from);
        self.at = end;
        Ok(Some(node))
    }

    /// A scalar in quotes; `None` if it has escapes or line breaks.
    pub(super) fn quoted(&mut self) -> Option<Node> {
        let from = self.at;
        let quote = self.bytes[from];
        let end = self.quote_end(quote)?;
        let style =
            if quote == b'"' { ScalarStyle::DoubleQuoted } else { ScalarStyle::SingleQuoted };
        let node = self.scalar(&self.text[from + 1..end], style, from);
        self.at = end + 1;
        Some(node)
    }

    /// The closing quote of what is opened here, if nothing but text stands before it.
    fn quote_end(&self, quote: u8) -> Option<usize> {
        let from = self.at + 1;
        let rest = &self.bytes[from..];
        let found = if quote == b'"' {
            find_any([b'"', b'\\', b'\n'], rest)
        } else {
            find_any([b'\'', b'\n'], rest)
        };
        let end = from + found?;
        let doubled = quote == b'\'' && self.bytes.get(end + 1) == Some(&quote);
        (self.bytes[end] == quote && !doubled).then_some(end)
    }

    pub(super) fn scalar(&mut self, text: &str, style: ScalarStyle, from: usize) -> Node {
        let kind = match style {
            ScalarStyle::Plain => resolve(text, self.flavour),
            _ => ScalarType::Str,
        };
        let before = &self.text[self.line_start..from];
        let column = if before.is_ascii() { before.len() } else { before.chars().count() };
        let place = Place { line: self.line + 1, column: small(column) + 1 };
        Node::from(Scalar::new(self.scratch.texts.of(text), kind, style)).at_place(place)
    }

    /// A text behind `|` in a block collection at a column; `None` if its first line is empty or its
    /// indentation is given.
    pub(super) fn literal(&mut self, column: i64) -> Quick<Option<Node>> {
        let start = self.mark();
        self.at += 1;
        let chomp = match self.bytes.get(self.at) {
            Some(&chomp @ (b'-' | b'+')) => {
                self.at += 1;
                chomp
            }
            _ => b' ',
        };
        self.skip_spaces();
        if self.bytes.get(self.at) != Some(&b'\n') {
            return Ok(None);
        }
        self.next_line();
        let first = self.at;
        self.skip_spaces();
        let indent = self.at - first;
        let shallow = i64::try_from(indent).is_ok_and(|indent| indent <= column.max(0));
        if shallow || matches!(self.bytes.get(self.at), None | Some(b'\n' | b'\t')) {
            return Ok(None);
        }
        self.at = first;
        let mut text = String::with_capacity(self.literal_size(indent));
        // How much of the text there is without the line breaks at its end.
        let mut solid = 0;
        let mut breaks = 0;
        while let Some(blank) = self.literal_line(indent)? {
            let end = self.line_end();
            if !blank {
                text.push_str(&self.text[self.at..end]);
                solid = text.len();
                breaks = 0;
            }
            self.at = end;
            if end < self.bytes.len() {
                text.push('\n');
                breaks += 1;
                self.next_line();
            }
        }
        match chomp {
            b'-' => text.truncate(solid),
            b'+' => {}
            _ => text.truncate(solid + usize::from(breaks > 0)),
        }
        let scalar = Scalar::new(text, ScalarType::Str, ScalarStyle::Literal);
        Ok(Some(Node::from(scalar).at_place(start.place())))
    }

    /// A scalar of any style over any number of lines, in a block collection at a column.
    pub(super) fn long_scalar(&mut self, column: i64) -> Quick<Node> {
        let mark = self.mark();
        let indent = i32::try_from(column).map_err(|_| GiveUp)?;
        let scanner = self.scanner.get_or_insert_with(|| Scanner::new(self.text));
        let (token, after) = scanner.scalar_at(mark, indent).map_err(|_| GiveUp)?;
        let TokenKind::Scalar(text, style) = token.kind else { return Err(GiveUp) };
        self.at = after.at as usize;
        self.line = after.line;
        self.line_start =
            self.bytes[..self.at].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
        let kind = match style {
            ScalarStyle::Plain => resolve(&text, self.flavour),
            _ => ScalarType::Str,
        };
        let text = match text {
            Cow::Borrowed(text) => Text::from(text),
            Cow::Owned(text) => Text::from(text),
        };
        let place = token.start.place();
        self.skip_to_content()?;
        // A block scalar ends before the line in which the next token stands.
        let block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
        let same_line = !block && self.at < self.bytes.len() && self.line == token.end.line;
        if same_line || self.next_column() > column {
            return Err(GiveUp);
        }
        Ok(Node::from(Scalar::new(text, kind, style)).at_place(place))
    }

    /// Whether the line is empty, having gone on to what it holds; `None` if it is not of the text.
    fn literal_line(&mut self, indent: usize) -> Quick<Option<bool>> {
        let line = &self.bytes[self.at..];
        let spaces = line.iter().take(indent).take_while(|&&byte| byte == b' ').count();
        match line.get(spaces) {
            None => Ok(None),
            Some(b'\n') => {
                self.at += spaces;
                Ok(Some(true))
            }
            Some(b'\t') if spaces < indent => Err(GiveUp),
            Some(_) if spaces < indent => Ok(None),
            Some(_) => {
                self.at += spaces;
                Ok(Some(false))
            }
        }
    }

    /// How much a literal text that begins here may hold at most.
    fn literal_size(&self, indent: usize) -> usize {
        let mut at = self.at;
        let mut size = 0;
        while let Some(more) = find(b'\n', &self.bytes[at..]) {
            let line = &self.bytes[at..at + more];
            if !line.iter().take(indent).all(|&byte| byte == b' ') {
                return size;
            }
            size += line.len().saturating_sub(indent) + 1;
            at += more + 1;
        }
        size + self.bytes.len() - at
    }
}

/// What may begin a plain key, and stand in it.
fn may_start_key(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'/' | b'$')
}
