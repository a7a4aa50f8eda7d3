//! Flow collections within a line.

use super::{GiveUp, Quick, Reader};
use crate::node::{Content, Entry, Node, ScalarStyle, Sequence};

impl Reader<'_, '_> {
    /// The collection that is opened here.
    pub(super) fn flow(&mut self, depth: usize) -> Quick<Node> {
        if depth >= self.deepest {
            return Err(GiveUp);
        }
        if self.bytes[self.at] == b'[' {
            self.flow_sequence(depth)
        } else {
            self.flow_mapping(depth)
        }
    }

    fn flow_sequence(&mut self, depth: usize) -> Quick<Node> {
        let start = self.mark();
        self.at += 1;
        let base = self.scratch.items.len();
        self.skip_spaces();
        if self.bytes.get(self.at) == Some(&b']') {
            self.at += 1;
        } else {
            loop {
                let item = self.flow_value(depth)?;
                self.scratch.items.push(item);
                if self.flow_end(b']')? {
                    break;
                }
            }
        }
        let items = Sequence::from_items(self.scratch.items.drain(base..));
        Ok(Node::from(Content::Sequence(items)).at_place(start.place()).in_flow(true))
    }

    fn flow_mapping(&mut self, depth: usize) -> Quick<Node> {
        let start = self.mark();
        self.at += 1;
        let base = self.scratch.entries.len();
        self.skip_spaces();
        if self.bytes.get(self.at) == Some(&b'}') {
            self.at += 1;
        } else {
            loop {
                let key = self.flow_scalar()?;
                let quoted = key.as_scalar().is_some_and(|key| key.style() != ScalarStyle::Plain);
                if self.bytes.get(self.at) != Some(&b':') || !(quoted || self.is_blank(self.at + 1))
                {
                    return Err(GiveUp);
                }
                self.at += 1;
                self.skip_spaces();
                let value = self.flow_value(depth)?;
                self.scratch.entries.push(Entry { key, value });
                if self.flow_end(b'}')? {
                    break;
                }
            }
        }
        let node = Node::from(self.mapping_of(base)?);
        Ok(node.at_place(start.place()).in_flow(true))
    }

    /// Takes a `,` and what white space follows, or the closing bracket: then true.
    fn flow_end(&mut self, bracket: u8) -> Quick<bool> {
        self.skip_spaces();
        match self.bytes.get(self.at) {
            Some(&byte) if byte == bracket => {
                self.at += 1;
                Ok(true)
            }
            Some(b',') => {
                self.at += 1;
                self.skip_spaces();
                Ok(false)
            }
            _ => Err(GiveUp),
        }
    }

    fn flow_value(&mut self, depth: usize) -> Quick<Node> {
        match self.bytes.get(self.at) {
            Some(b'[' | b'{') => self.flow(depth + 1),
            _ => self.flow_scalar(),
        }
    }

    /// A scalar in quotes, or a single word.
    fn flow_scalar(&mut self) -> Quick<Node> {
        let from = self.at;
        match self.bytes.get(from) {
            Some(b'"' | b'\'') => return self.quoted().ok_or(GiveUp),
            Some(&first) if is_word(first) => {}
            _ => return Err(GiveUp),
        }
        let mut end = from;
        while let Some(&byte) = self.bytes.get(end) {
            let joins = byte == b':' && self.bytes.get(end + 1).is_some_and(|&next| is_word(next));
            if !is_word(byte) && byte != b'-' && !joins {
                break;
            }
            end += 1;
        }
        let node = self.scalar(&self.text[from..end], ScalarStyle::Plain, from);
        self.at = end;
        // Words may go on behind a space or with a `:`.
        let after = self.bytes[end..].iter().find(|&&byte| byte != b' ');
        match after {
            Some(b',' | b']' | b'}') => Ok(node),
            Some(b':') if self.bytes[end] == b':' => Ok(node),
            _ => Err(GiveUp),
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'/' | b'=' | b'+' | b'~' | b'$')
}
