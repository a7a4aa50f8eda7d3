//! Characters of a TOML document, with the line for errors.

/// Where reading stands.
#[derive(Debug)]
pub(super) struct Scan<'t> {
    pub(super) text: &'t str,
    pub(super) at: usize,
}

/// What is wrong, and in which line.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) line: usize,
    pub(super) message: String,
}

pub(super) type Read<T> = Result<T, Fault>;

impl<'t> Scan<'t> {
    pub(super) fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    pub(super) fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    /// The line of the next character.
    pub(super) fn line(&self) -> usize {
        self.text[..self.at].bytes().filter(|byte| *byte == b'\n').count() + 1
    }

    pub(super) fn take(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    pub(super) fn accept(&mut self, text: &str) -> bool {
        let fits = self.rest().starts_with(text);
        if fits {
            self.at += text.len();
        }
        fits
    }

    pub(super) fn blank(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches([' ', '\t']).len();
    }

    /// White space, line breaks and comments.
    pub(super) fn blank_lines(&mut self) {
        loop {
            let rest = self.rest().trim_start_matches([' ', '\t', '\n', '\r']);
            self.at = self.text.len() - rest.len();
            if !self.comment() {
                return;
            }
        }
    }

    /// A comment, without the line break after it.
    pub(super) fn comment(&mut self) -> bool {
        if self.peek() != Some('#') {
            return false;
        }
        self.at += self.rest().find('\n').unwrap_or(self.rest().len());
        true
    }

    /// Characters that pass a test.
    pub(super) fn while_is(&mut self, test: impl Fn(char) -> bool) -> &'t str {
        let start = self.at;
        self.at = self.text.len() - self.rest().trim_start_matches(test).len();
        &self.text[start..self.at]
    }

    /// A fault at the next character. At the end it is that of the last line that has text.
    pub(super) fn fault<T>(&self, message: impl Into<String>) -> Read<T> {
        let mut line = self.line();
        if self.at == self.text.len() && self.text.ends_with('\n') {
            line -= 1;
        }
        Err(Fault { line, message: message.into() })
    }

    /// Go has no reading of control characters.
    pub(super) fn check_characters(&self) -> Read<()> {
        let mut chars = self.text.char_indices().peekable();
        while let Some((at, c)) = chars.next() {
            let alone = c == '\r' && chars.peek().is_none_or(|(_, next)| *next != '\n');
            let control = c < ' ' && !matches!(c, '\t' | '\n' | '\r') || c == '\u{7f}';
            let here = Self { text: self.text, at };
            if alone || control {
                let code = u32::from(c);
                return here.fault(format!(
                    "TOML files cannot contain control characters: '0x{code:02x}'"
                ));
            }
            if let Some(byte) = crate::value::bytes::escaped_byte(c) {
                return here.fault(format!("invalid UTF-8 byte: 0x{byte:02x}"));
            }
        }
        Ok(())
    }
}

/// A character as Go's `%q` shows it, or the end.
pub(super) fn shown(c: Option<char>) -> String {
    // Go's sign for the end is the character 0.
    crate::quote::quoted_with(&c.unwrap_or('\0').to_string(), '\'', false)
}
