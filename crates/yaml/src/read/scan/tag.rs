//! Tags and directives.

use std::borrow::Cow;

use super::{Mark, Scan, Scanner, TokenKind, chars::is_word};

impl<'s> Scanner<'s> {
    /// `!<uri>`, `!suffix`, `!!suffix` or `!handle!suffix`.
    pub(super) fn scan_tag(&mut self) -> Scan<()> {
        let start = self.mark;
        let (handle, suffix);
        if self.byte_at(1) == Some(b'<') {
            self.skip_ascii(2);
            handle = "";
            suffix = self.scan_uri("", start)?;
            if self.peek_byte() != Some(b'>') {
                return Err(self.fault_from(start, "did not find the expected '>'"));
            }
            self.skip_ascii(1);
        } else {
            let word = self.scan_handle(false, start)?;
            if word.len() >= 2 && word.ends_with('!') {
                handle = word;
                suffix = self.scan_uri("", start)?;
            } else {
                let rest = self.scan_uri(word, start)?;
                // The tag `!` alone.
                (handle, suffix) =
                    if rest.is_empty() { ("", Cow::Borrowed("!")) } else { ("!", rest) };
            }
        }
        if !self.blank_or_end(0) {
            return Err(self.fault_from(start, "did not find expected whitespace or line break"));
        }
        self.push(TokenKind::Tag { handle, suffix }, start);
        Ok(())
    }

    pub(super) fn scan_directive(&mut self) -> Scan<()> {
        let start = self.mark;
        self.skip_ascii(1);
        let name = self.take_ascii(is_word);
        if name.is_empty() {
            return Err(self.fault_from(start, "could not find expected directive name"));
        }
        if !self.blank_or_end(0) {
            return Err(self.fault_from(start, "found unexpected non-alphabetical character"));
        }
        let kind = match name {
            "YAML" => self.version(start)?,
            "TAG" => self.tag_directive(start)?,
            _ => return Err(self.fault_from(start, "found unknown directive name")),
        };
        self.push(kind, start);
        self.skip_blanks();
        if self.peek_byte() == Some(b'#') {
            self.skip_line_rest();
        }
        if !self.at_break_or_end() {
            return Err(self.fault_from(start, "did not find expected comment or line break"));
        }
        if self.at_break() {
            self.skip_break();
        }
        Ok(())
    }

    fn version(&mut self, start: Mark) -> Scan<TokenKind<'s>> {
        self.skip_blanks();
        let major = self.version_number(start)?;
        if self.peek_byte() != Some(b'.') {
            return Err(self.fault_from(start, "did not find expected digit or '.' character"));
        }
        self.skip_ascii(1);
        let minor = self.version_number(start)?;
        Ok(TokenKind::Version(major, minor))
    }

    fn version_number(&mut self, start: Mark) -> Scan<u32> {
        let digits = self.take_ascii(|byte| byte.is_ascii_digit());
        match digits.len() {
            0 => Err(self.fault_from(start, "did not find expected version number")),
            1 | 2 => Ok(digits.parse().unwrap_or_default()),
            _ => Err(self.fault_from(start, "found extremely long version number")),
        }
    }

    fn tag_directive(&mut self, start: Mark) -> Scan<TokenKind<'s>> {
        self.skip_blanks();
        let handle = self.scan_handle(true, start)?;
        if !self.at_blank() {
            return Err(self.fault_from(start, "did not find expected whitespace"));
        }
        self.skip_blanks();
        let prefix = self.scan_uri("", start)?;
        if !self.blank_or_end(0) {
            return Err(self.fault_from(start, "did not find expected whitespace or line break"));
        }
        Ok(TokenKind::TagDirective { handle, prefix })
    }

    /// `!`, `!!` or `!word!`; for a tag also `!word`, whose word belongs to the suffix.
    fn scan_handle(&mut self, directive: bool, start: Mark) -> Scan<&'s str> {
        if self.peek_byte() != Some(b'!') {
            return Err(self.fault_from(start, "did not find expected '!'"));
        }
        let from = self.mark.at as usize;
        self.skip_ascii(1);
        self.take_ascii(is_word);
        if self.peek_byte() == Some(b'!') {
            self.skip_ascii(1);
        } else if directive && self.mark.at as usize - from > 1 {
            return Err(self.fault_from(start, "did not find expected '!'"));
        }
        Ok(&self.text[from..self.mark.at as usize])
    }

    /// The characters of a URI behind `head`, of which the first, a `!`, is not part of it.
    fn scan_uri(&mut self, head: &str, start: Mark) -> Scan<Cow<'s, str>> {
        let from = self.mark.at as usize + usize::from(!head.is_empty()) - head.len();
        let mut decoded: Option<Vec<u8>> = None;
        loop {
            let run = self.mark.at as usize;
            self.take_ascii(is_uri);
            let to = self.mark.at as usize;
            if let Some(decoded) = &mut decoded {
                decoded.extend_from_slice(&self.bytes[run..to]);
            }
            if self.peek_byte() != Some(b'%') {
                break;
            }
            let octet = match self.rest() {
                [_, high, low, ..] => std::str::from_utf8(&[*high, *low])
                    .ok()
                    .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
                    .and_then(|hex| u8::from_str_radix(hex, 16).ok()),
                _ => None,
            };
            let Some(octet) = octet else {
                return Err(self.fault_from(start, "did not find URI escaped octet"));
            };
            decoded.get_or_insert_with(|| self.bytes[from..to].to_vec()).push(octet);
            self.skip_ascii(3);
        }
        let to = self.mark.at as usize;
        if to == from && head.is_empty() {
            return Err(self.fault_from(start, "did not find expected tag URI"));
        }
        match decoded {
            None => Ok(Cow::Borrowed(&self.text[from..to])),
            Some(bytes) => String::from_utf8(bytes)
                .map(Cow::Owned)
                .map_err(|_| self.fault_from(start, "found an incorrect trailing UTF-8 octet")),
        }
    }
}

fn is_uri(byte: u8) -> bool {
    is_word(byte)
        || matches!(
            byte,
            b';' | b'/'
                | b'?'
                | b':'
                | b'@'
                | b'&'
                | b'='
                | b'+'
                | b'$'
                | b','
                | b'.'
                | b'!'
                | b'~'
                | b'*'
                | b'\''
                | b'('
                | b')'
                | b'['
                | b']'
        )
}
