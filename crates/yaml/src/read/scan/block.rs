//! Scalars behind `|` and `>`.

use std::borrow::Cow;

use super::{Mark, Scan, Scanner, TokenKind};
use crate::node::ScalarStyle;

/// What happens to the line breaks at the end.
#[derive(Clone, Copy, PartialEq)]
enum Chomp {
    Strip,
    Clip,
    Keep,
}

impl Scanner<'_> {
    pub(super) fn scan_block_scalar(&mut self, literal: bool) -> Scan<()> {
        let start = self.mark;
        self.skip_ascii(1);
        let (chomp, increment) = self.block_header(start)?;
        let mut indent = increment.map(|more| self.indent.max(0) + more);
        let mut end = self.mark;
        let mut breaks = String::new();
        self.block_breaks(&mut indent, &mut breaks, start, &mut end)?;
        let indent = indent.unwrap_or(1);

        let mut text = String::new();
        let mut last_break = String::new();
        let mut after_blank = false;
        while self.column() == indent && self.peek_byte().is_some() {
            let blank = self.at_blank();
            if !literal && last_break.starts_with('\n') && !after_blank && !blank {
                if breaks.is_empty() {
                    text.push(' ');
                }
            } else {
                text.push_str(&last_break);
            }
            last_break.clear();
            text.push_str(&breaks);
            breaks.clear();
            after_blank = blank;
            let from = self.mark.at as usize;
            let to = self.line_end();
            text.push_str(&self.text[from..to]);
            self.skip_to(to);
            end = self.mark;
            self.read_break(&mut last_break);
            self.block_breaks(&mut Some(indent), &mut breaks, start, &mut end)?;
        }
        if chomp != Chomp::Strip {
            text.push_str(&last_break);
        }
        if chomp == Chomp::Keep {
            text.push_str(&breaks);
        }
        let style = if literal { ScalarStyle::Literal } else { ScalarStyle::Folded };
        let kind = TokenKind::Scalar(Cow::Owned(text), style);
        self.tokens.push_back(super::Token { kind, start, end });
        Ok(())
    }

    /// `+`, `-` and a digit in any order, and a comment.
    fn block_header(&mut self, start: Mark) -> Scan<(Chomp, Option<i32>)> {
        let mut chomp = None;
        let mut increment = None;
        loop {
            match self.peek_byte() {
                Some(b'+') if chomp.is_none() => chomp = Some(Chomp::Keep),
                Some(b'-') if chomp.is_none() => chomp = Some(Chomp::Strip),
                Some(b'0') if increment.is_none() => {
                    return Err(self.fault_from(start, "found an indentation indicator equal to 0"));
                }
                Some(digit @ b'1'..=b'9') if increment.is_none() => {
                    increment = Some(i32::from(digit - b'0'));
                }
                _ => break,
            }
            self.skip_ascii(1);
        }
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
        Ok((chomp.unwrap_or(Chomp::Clip), increment))
    }

    /// Empty lines; the first line that is not empty decides the indentation if nothing else did.
    fn block_breaks(
        &mut self,
        indent: &mut Option<i32>,
        breaks: &mut String,
        start: Mark,
        end: &mut Mark,
    ) -> Scan<()> {
        let mut widest = 0;
        *end = self.mark;
        loop {
            let short = |scanner: &Self| indent.is_none_or(|indent| scanner.column() < indent);
            while short(self) && self.peek_byte() == Some(b' ') {
                self.skip_ascii(1);
            }
            widest = widest.max(self.column());
            if short(self) && self.peek_byte() == Some(b'\t') {
                return Err(self.fault_from(
                    start,
                    "found a tab character where an indentation space is expected",
                ));
            }
            if !self.at_break() {
                break;
            }
            self.read_break(breaks);
            *end = self.mark;
        }
        indent.get_or_insert(widest.max(self.indent + 1).max(1));
        Ok(())
    }
}
