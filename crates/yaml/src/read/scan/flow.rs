//! Scalars in quotes.

use std::borrow::Cow;

use super::{Mark, Scan, Scanner, TokenKind, plain::fold};
use crate::node::ScalarStyle;

impl Scanner<'_> {
    pub(super) fn scan_quoted(&mut self, quote: u8) -> Scan<()> {
        let start = self.mark;
        self.skip_ascii(1);
        let style = match quote {
            b'"' => ScalarStyle::DoubleQuoted,
            _ => ScalarStyle::SingleQuoted,
        };
        // Most have neither escapes nor line breaks.
        let from = self.mark.at as usize;
        let run = self.quoted_run(quote, true);
        if self.bytes.get(run) == Some(&quote)
            && !(quote == b'\'' && self.bytes.get(run + 1) == Some(&quote))
        {
            let text = &self.text[from..run];
            self.skip_to(run);
            self.skip_ascii(1);
            self.push(TokenKind::Scalar(Cow::Borrowed(text), style), start);
            return Ok(());
        }
        let mut text = String::new();
        let mut breaks = String::new();
        loop {
            if self.at_document_indicator() {
                return Err(self.fault_from(start, "found unexpected document indicator"));
            }
            if self.peek_byte().is_none() {
                return Err(self.fault_from(start, "found unexpected end of stream"));
            }
            let escaped = self.quoted_word(quote, start, &mut text)?;
            let mut leading_blanks = escaped;
            if self.peek_byte() == Some(quote) {
                break;
            }
            let spaces = self.mark.at as usize;
            let mut spaces_end = spaces;
            while self.at_blank() || self.at_break() {
                if self.at_break() {
                    self.read_break(&mut breaks);
                    leading_blanks = true;
                } else {
                    self.skip_ascii(1);
                    if !leading_blanks {
                        spaces_end = self.mark.at as usize;
                    }
                }
            }
            if escaped {
                text.push_str(&breaks);
                breaks.clear();
            } else if leading_blanks {
                fold(&mut text, &breaks);
                breaks.clear();
            } else {
                text.push_str(&self.text[spaces..spaces_end]);
            }
        }
        self.skip_ascii(1);
        self.push(TokenKind::Scalar(Cow::Owned(text), style), start);
        Ok(())
    }

    /// Where the next quote, escape, or white space (or, over spaces, line break) stands.
    fn quoted_run(&self, quote: u8, over_spaces: bool) -> usize {
        let mut at = self.mark.at as usize;
        while let Some(&byte) = self.bytes.get(at) {
            match byte {
                b' ' | b'\t' if over_spaces => at += 1,
                b' ' | b'\t' | b'\n' | b'\r' => break,
                b'\\' if quote == b'"' => break,
                _ if byte == quote => break,
                0xc2 | 0xe2 if super::chars::break_len(&self.bytes[at..]) > 0 => break,
                _ => at += 1,
            }
        }
        at
    }

    /// Reads up to white space or the closing quote. True when it ended with an escaped line
    /// break.
    fn quoted_word(&mut self, quote: u8, start: Mark, text: &mut String) -> Scan<bool> {
        loop {
            let from = self.mark.at as usize;
            let run = self.quoted_run(quote, false);
            text.push_str(&self.text[from..run]);
            self.skip_to(run);
            match (self.peek_byte(), self.byte_at(1)) {
                (Some(b'\''), Some(b'\'')) if quote == b'\'' => {
                    text.push('\'');
                    self.skip_ascii(2);
                }
                (Some(b'\\'), Some(_)) if super::chars::break_len(&self.rest()[1..]) > 0 => {
                    self.skip_ascii(1);
                    self.skip_break();
                    return Ok(true);
                }
                (Some(b'\\'), _) => self.escape(start, text)?,
                _ => return Ok(false),
            }
        }
    }

    fn escape(&mut self, start: Mark, text: &mut String) -> Scan<()> {
        let digits = match self.byte_at(1) {
            Some(b'x') => 2,
            Some(b'u') => 4,
            Some(b'U') => 8,
            Some(byte) => {
                let Some(plain) = short_escape(byte) else {
                    return Err(self.fault_from(start, "found unknown escape character"));
                };
                text.push(plain);
                self.skip_ascii(2);
                return Ok(());
            }
            None => return Err(self.fault_from(start, "found unknown escape character")),
        };
        self.skip_ascii(2);
        let hex = self.rest().get(..digits).filter(|hex| hex.iter().all(u8::is_ascii_hexdigit));
        let Some(hex) = hex else {
            return Err(self.fault_from(start, "did not find expected hexdecimal number"));
        };
        let code = hex.iter().fold(0_u32, |code, &digit| {
            (code << 4) | char::from(digit).to_digit(16).unwrap_or_default()
        });
        let Some(character) = char::from_u32(code) else {
            return Err(self.fault_from(start, "found invalid Unicode character escape code"));
        };
        text.push(character);
        self.skip_ascii(super::chars::small(digits));
        Ok(())
    }
}

fn short_escape(byte: u8) -> Option<char> {
    Some(match byte {
        b'0' => '\0',
        b'a' => '\u{7}',
        b'b' => '\u{8}',
        b't' | b'\t' => '\t',
        b'n' => '\n',
        b'v' => '\u{b}',
        b'f' => '\u{c}',
        b'r' => '\r',
        b'e' => '\u{1b}',
        b' ' => ' ',
        b'"' => '"',
        b'\'' => '\'',
        b'\\' => '\\',
        b'N' => '\u{85}',
        b'_' => '\u{a0}',
        b'L' => '\u{2028}',
        b'P' => '\u{2029}',
        _ => return None,
    })
}
