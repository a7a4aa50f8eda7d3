//! Scalars without quotes.

use std::borrow::Cow;

use super::{Scan, Scanner, TokenKind, chars::may_break};
use crate::node::ScalarStyle;

impl Scanner<'_> {
    /// A scalar on one line, which nearly all are, is a slice of the text.
    pub(super) fn scan_plain(&mut self) -> Scan<()> {
        let start = self.mark;
        let indent = self.indent + 1;
        let mut end = self.mark;
        let mut folded: Option<String> = None;
        // Line breaks since the last word; the first of them may become a space.
        let mut breaks = String::new();
        let mut leading_blanks = false;
        loop {
            if self.at_document_indicator() || self.peek_byte() == Some(b'#') {
                break;
            }
            let from = self.mark.at as usize;
            let to = self.plain_run_end();
            if to > from {
                if leading_blanks {
                    let text = folded.get_or_insert_with(|| {
                        self.text[start.at as usize..end.at as usize].to_owned()
                    });
                    fold(text, &breaks);
                    breaks.clear();
                    leading_blanks = false;
                    text.push_str(&self.text[from..to]);
                } else if let Some(text) = &mut folded {
                    text.push_str(&self.text[end.at as usize..to]);
                }
                self.skip_to(to);
                end = self.mark;
            }
            if !self.at_blank() && !self.at_break() {
                break;
            }
            while self.at_blank() || self.at_break() {
                if self.at_break() {
                    self.read_break(&mut breaks);
                    leading_blanks = true;
                } else {
                    let tab = self.peek_byte() == Some(b'\t');
                    if leading_blanks && self.column() < indent && tab {
                        return Err(self
                            .fault_from(start, "found a tab character that violates indentation"));
                    }
                    self.skip_ascii(1);
                }
            }
            if self.level == 0 && self.column() < indent {
                break;
            }
        }
        if leading_blanks {
            self.key_allowed = true;
        }
        let text = match folded {
            Some(text) => Cow::Owned(text),
            None => Cow::Borrowed(&self.text[start.at as usize..end.at as usize]),
        };
        let kind = TokenKind::Scalar(text, ScalarStyle::Plain);
        self.tokens.push_back(super::Token { kind, start, end });
        Ok(())
    }

    /// Where the characters end that belong to the scalar without a doubt.
    fn plain_run_end(&self) -> usize {
        let flow = self.level > 0;
        let mut at = self.mark.at as usize;
        let ahead = |at: usize| self.blank_or_end(at - self.mark.at as usize);
        while let Some(&byte) = self.bytes.get(at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => break,
                b':' if ahead(at + 1) => break,
                b',' | b'?' | b'[' | b']' | b'{' | b'}' if flow => break,
                _ if may_break(byte) && ahead(at) => break,
                _ => at += 1,
            }
        }
        at
    }
}

/// Appends what line breaks between two words mean: one is a space, of several the first is lost.
/// Separators of lines and paragraphs stay.
pub(super) fn fold(text: &mut String, breaks: &str) {
    match breaks.strip_prefix('\n') {
        Some("") => text.push(' '),
        Some(more) => text.push_str(more),
        None => text.push_str(breaks),
    }
}
