//! Moving through the text, and the classes of its characters.

use super::{Mark, Scanner};

/// What may stand in an anchor's name.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')
}

/// The number of bytes of the line break at the front: YAML 1.1 knows five of them.
pub(super) fn break_len(bytes: &[u8]) -> usize {
    match bytes {
        [b'\r', b'\n', ..] | [0xc2, 0x85, ..] => 2,
        [b'\r' | b'\n', ..] => 1,
        [0xe2, 0x80, 0xa8 | 0xa9, ..] => 3,
        _ => 0,
    }
}

/// Whether a byte may be the first of a line break.
pub(super) fn may_break(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r' | 0xc2 | 0xe2)
}

/// Whether a byte is not the first of its character.
fn continues(byte: u8) -> bool {
    byte & 0xc0 == 0x80
}

impl<'s> Scanner<'s> {
    pub(super) fn rest(&self) -> &'s [u8] {
        &self.bytes[self.mark.at as usize..]
    }

    /// `None` at the end of the text.
    pub(super) fn peek_byte(&self) -> Option<u8> {
        self.bytes.get(self.mark.at as usize).copied()
    }

    pub(super) fn byte_at(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.mark.at as usize + ahead).copied()
    }

    pub(super) fn at_break(&self) -> bool {
        self.peek_byte().is_some_and(may_break) && break_len(self.rest()) > 0
    }

    pub(super) fn at_blank(&self) -> bool {
        matches!(self.peek_byte(), Some(b' ' | b'\t'))
    }

    pub(super) fn at_break_or_end(&self) -> bool {
        self.peek_byte().is_none() || self.at_break()
    }

    /// Whether a space, a tab, a line break or the end stands so many bytes ahead.
    pub(super) fn blank_or_end(&self, ahead: usize) -> bool {
        match self.byte_at(ahead) {
            None | Some(b' ' | b'\t' | b'\n' | b'\r') => true,
            Some(byte) => {
                may_break(byte) && break_len(&self.bytes[self.mark.at as usize + ahead..]) > 0
            }
        }
    }

    /// Whether `---` or `...` stands here, alone.
    pub(super) fn at_document_indicator(&self) -> bool {
        self.mark.column == 0
            && matches!(self.rest(), [b'-', b'-', b'-', ..] | [b'.', b'.', b'.', ..])
            && self.blank_or_end(3)
    }

    /// Goes on by bytes that are a character each, and no line breaks.
    pub(super) fn skip_ascii(&mut self, bytes: u32) {
        self.mark.at += bytes;
        self.mark.column += bytes;
    }

    /// Goes on to a byte of the same line.
    pub(super) fn skip_to(&mut self, end: usize) {
        let passed = &self.bytes[self.mark.at as usize..end];
        let within = passed.iter().filter(|&&byte| continues(byte)).count();
        self.mark.column += small(passed.len() - within);
        self.mark.at = small(end);
    }

    pub(super) fn skip_line_rest(&mut self) {
        let end = self.line_end();
        self.skip_to(end);
    }

    /// The byte at which this line ends.
    pub(super) fn line_end(&self) -> usize {
        let mut at = self.mark.at as usize;
        loop {
            match self.bytes[at..].iter().position(|&byte| may_break(byte)) {
                None => return self.bytes.len(),
                Some(more) => at += more,
            }
            if break_len(&self.bytes[at..]) > 0 {
                return at;
            }
            at += 1;
        }
    }

    pub(super) fn skip_break(&mut self) {
        let length = break_len(self.rest());
        self.mark = Mark { at: self.mark.at + small(length), line: self.mark.line + 1, column: 0 };
    }

    /// Takes a line break, if one stands here, as it counts in a scalar.
    pub(super) fn read_break(&mut self, out: &mut String) {
        let length = break_len(self.rest());
        match length {
            0 => return,
            3 => out.push_str(&self.text[self.mark.at as usize..][..3]),
            _ => out.push('\n'),
        }
        self.skip_break();
    }

    pub(super) fn skip_blanks(&mut self) {
        while self.at_blank() {
            self.skip_ascii(1);
        }
    }

    /// The ASCII characters of a class.
    pub(super) fn take_ascii(&mut self, class: fn(u8) -> bool) -> &'s str {
        let start = self.mark.at as usize;
        let length = self.rest().iter().take_while(|&&byte| byte.is_ascii() && class(byte)).count();
        self.skip_ascii(small(length));
        &self.text[start..start + length]
    }
}

/// Texts of 4 GiB are refused before they get here.
pub(super) fn small(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
