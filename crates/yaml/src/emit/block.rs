//! Texts behind `|` and `>`.

use super::scalar::{Output, is_blank, is_break};

impl Output<'_> {
    pub(super) fn literal(&mut self, text: &str, indent: usize) {
        self.push_char('|');
        self.block_hints(text);
        // Other line breaks than this one are rare, and never ASCII or would have been escaped.
        let lines: &mut dyn Iterator<Item = &str> = if text.is_ascii() {
            &mut text.split_inclusive('\n')
        } else {
            &mut text.split_inclusive(is_break)
        };
        for line in lines {
            if !line.starts_with(is_break) {
                self.pad(indent);
            }
            self.text.push_str(line);
            self.column = usize::from(!line.ends_with(is_break));
        }
        if self.column > 0 {
            self.text.push('\n');
        }
        self.column = 0;
    }

    /// Quirk: a break is doubled also before lines that are indented further, and not at all in a text
    /// that begins with a space.
    pub(super) fn folded_block(&mut self, text: &str, indent: usize) {
        self.push_char('>');
        self.block_hints(text);
        let doubles = !text.trim_start_matches(is_break).starts_with(is_blank);
        let mut indented = true;
        for line in text.split_inclusive(is_break) {
            let content = line.trim_end_matches(is_break);
            if !content.is_empty() {
                self.pad(indent);
                indented = content.starts_with([' ', '\t']);
                self.text.push_str(content);
            }
            if !content.is_empty() && !indented && line.ends_with('\n') && doubles {
                self.text.push('\n');
            }
            self.text.push_str(&line[content.len()..]);
            self.column = usize::from(!line.ends_with(is_break));
        }
        if self.column > 0 {
            self.text.push('\n');
        }
        self.column = 0;
    }

    /// What stands behind `|` and `>`.
    fn block_hints(&mut self, text: &str) {
        if text.starts_with([' ', '\n', '\u{2028}', '\u{2029}']) {
            self.push_char('2');
        }
        let body = text.strip_suffix(is_break);
        match body {
            None => self.push_char('-'),
            Some(body) if body.is_empty() || body.ends_with(is_break) => self.push_char('+'),
            Some(_) => {}
        }
        self.text.push('\n');
        self.column = 0;
    }
}
