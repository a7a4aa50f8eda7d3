//! Scalars: which style a string may have, and its bytes in that style.
//!
//! Follows libyaml's emitter as go-yaml carries it: characters beyond the basic plane count as not
//! printable. To yaml.v2 lines fold after column 80, and a tab is not printable either.

use std::fmt::{self, Write as _};

use super::Profile;

/// Lines fold at the first space after this column, to yaml.v2.
const WIDTH: usize = 80;

/// How a string is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
    Folded,
}

/// The text so far, and the column at which it ends.
#[derive(Debug)]
pub(super) struct Output<'o> {
    pub(super) text: &'o mut String,
    pub(super) column: usize,
    width: usize,
    profile: Profile,
}

/// Takes ASCII without line breaks.
impl fmt::Write for Output<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.push_ascii(text);
        Ok(())
    }
}

impl<'o> Output<'o> {
    pub(super) fn new(text: &'o mut String, profile: Profile) -> Self {
        let width = if profile == Profile::V3 { usize::MAX } else { WIDTH };
        Self { text, column: 0, width, profile }
    }

    /// Ends the line, if one was begun.
    pub(super) fn end_line(&mut self) {
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    /// Writes text without line breaks.
    pub(super) fn push(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += if text.is_ascii() { text.len() } else { text.chars().count() };
    }

    pub(super) fn push_char(&mut self, c: char) {
        self.text.push(c);
        self.column += 1;
    }

    /// Starts a line.
    pub(super) fn line(&mut self, indent: usize) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push('\n');
        }
        self.column = 0;
        self.pad(indent);
    }

    /// Goes on to a column in the same line.
    pub(super) fn pad(&mut self, column: usize) {
        const SPACES: &str = "                                                                ";
        while self.column < column {
            let step = (column - self.column).min(SPACES.len());
            self.text.push_str(&SPACES[..step]);
            self.column += step;
        }
    }

    /// Writes ASCII without line breaks.
    pub(super) fn push_ascii(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.len();
    }

    /// A string in the style that comes nearest to `wanted`. `indent` is that of further lines; a
    /// key has none.
    pub(super) fn scalar(&mut self, text: &str, wanted: Style, indent: Option<usize>) {
        if wanted == Style::Plain && Self::is_simple(text) {
            return match indent {
                None => self.push_ascii(text),
                Some(indent) => self.simple(text, indent),
            };
        }
        self.scalar_within(text, wanted, indent, false);
    }

    /// As [`Self::scalar`]; in flow collections more characters mean something.
    pub(super) fn scalar_within(
        &mut self,
        text: &str,
        wanted: Style,
        indent: Option<usize>,
        in_flow: bool,
    ) {
        let shape = Shape::of(text, self.profile);
        match shape.style(wanted, indent.is_none(), in_flow) {
            Style::Plain => self.plain(text, indent),
            Style::SingleQuoted => self.single_quoted(text, indent),
            Style::DoubleQuoted => self.double_quoted(text, indent),
            Style::Literal => self.literal(text, indent.unwrap_or_default()),
            Style::Folded => self.folded_block(text, indent.unwrap_or_default()),
        }
    }

    /// Whether a plain text is written as it is, but for folds: nearly all are.
    pub(super) fn is_simple(text: &str) -> bool {
        Bytes::of(text).are_plain(text)
    }

    /// A plain text that [is simple](Self::is_simple).
    pub(super) fn simple(&mut self, text: &str, indent: usize) {
        if self.column.saturating_add(text.len()) <= self.width {
            return self.push_ascii(text);
        }
        self.fold_ascii(text, indent);
    }

    /// As [`Self::folded`], for ASCII without quotes and breaks.
    fn fold_ascii(&mut self, text: &str, indent: usize) {
        let bytes = text.as_bytes();
        let (mut written, mut at) = (0, 0);
        loop {
            // The first byte that may stand behind the last column.
            let behind = at.max(written + (self.width + 1).saturating_sub(self.column));
            let space = bytes.get(behind..).and_then(|rest| crate::bytes::find(b' ', rest));
            let Some(space) = space.map(|more| behind + more) else {
                return self.push_ascii(&text[written..]);
            };
            let alone = bytes[space - 1] != b' ' && bytes.get(space + 1) != Some(&b' ');
            at = space + 1;
            if alone {
                self.push_ascii(&text[written..space]);
                self.line(indent);
                written = at;
            }
        }
    }

    fn plain(&mut self, text: &str, indent: Option<usize>) {
        self.folded(text, indent, false);
    }

    fn single_quoted(&mut self, text: &str, indent: Option<usize>) {
        self.push_char('\'');
        self.folded(text, indent, true);
        self.push_char('\'');
    }

    /// A single space after the last column becomes a line break.
    fn folded(&mut self, text: &str, indent: Option<usize>, quoted: bool) {
        let fits = self.column.saturating_add(text.len()) <= self.width;
        if (fits || indent.is_none()) && !text.contains(['\'', '\n', '\u{2028}', '\u{2029}']) {
            return self.push(text);
        }
        let indent = indent.unwrap_or(usize::MAX);
        let (mut after_space, mut after_break) = (false, false);
        for (at, c) in text.char_indices() {
            let rest = &text[at + c.len_utf8()..];
            if c == ' ' {
                let inside = !quoted || (at > 0 && !rest.is_empty());
                let alone = !after_space && !rest.starts_with(' ');
                if indent != usize::MAX && alone && inside && self.column > self.width {
                    self.line(indent);
                } else {
                    self.push_char(c);
                }
                after_space = true;
                continue;
            }
            if is_break(c) {
                if !after_break && c == '\n' {
                    self.text.push(c);
                }
                self.text.push(c);
                self.column = 0;
                after_break = true;
                continue;
            }
            if after_break && indent != usize::MAX {
                self.pad(indent);
            }
            if quoted && c == '\'' {
                self.push_char('\'');
            }
            self.push_char(c);
            (after_space, after_break) = (false, false);
        }
    }

    fn double_quoted(&mut self, text: &str, indent: Option<usize>) {
        // Quirk: behind a byte order mark libyaml takes every character for one.
        let marked = text.starts_with('\u{feff}');
        self.push_char('"');
        let mut after_space = false;
        for (at, c) in text.char_indices() {
            let rest = &text[at + c.len_utf8()..];
            if c == ' ' && !marked {
                match indent {
                    Some(indent)
                        if !after_space
                            && self.column > self.width
                            && at > 0
                            && !rest.is_empty() =>
                    {
                        self.line(indent);
                        if rest.starts_with(' ') {
                            self.push_char('\\');
                        }
                    }
                    _ => self.push_char(c),
                }
                after_space = true;
                continue;
            }
            if marked || !is_printable(c) || is_break(c) || matches!(c, '"' | '\\') {
                self.escape(c);
            } else {
                self.push_char(c);
            }
            after_space = false;
        }
        self.push_char('"');
    }

    fn escape(&mut self, c: char) {
        let short = match c {
            '\0' => '0',
            '\u{7}' => 'a',
            '\u{8}' => 'b',
            '\t' => 't',
            '\n' => 'n',
            '\u{b}' => 'v',
            '\u{c}' => 'f',
            '\r' => 'r',
            '\u{1b}' => 'e',
            '"' => '"',
            '\\' => '\\',
            '\u{85}' => 'N',
            '\u{a0}' => '_',
            '\u{2028}' => 'L',
            '\u{2029}' => 'P',
            _ => {
                let code = u32::from(c);
                let start = self.text.len();
                let _ = match code {
                    0..=0xff => write!(self.text, "\\x{code:02X}"),
                    0x100..=0xffff => write!(self.text, "\\u{code:04X}"),
                    _ => write!(self.text, "\\U{code:08X}"),
                };
                self.column += self.text.len() - start;
                return;
            }
        };
        self.push_char('\\');
        self.push_char(short);
    }
}

/// What a text allows.
#[expect(clippy::struct_excessive_bools, reason = "each is an answer about the same text")]
#[derive(Debug)]
struct Shape {
    empty: bool,
    multiline: bool,
    plain: bool,
    /// Whether it may be plain in flow collections too.
    flow_plain: bool,
    single_quoted: bool,
    literal: bool,
}

impl Shape {
    fn of(text: &str, profile: Profile) -> Self {
        let (Some(first), Some(last)) = (text.chars().next(), text.chars().next_back()) else {
            return Self {
                empty: true,
                multiline: false,
                plain: true,
                flow_plain: false,
                single_quoted: true,
                literal: false,
            };
        };
        let scan = Scan::of(text);
        let outer = |c: char| c == ' ' || is_break(c);
        // To yaml.v3 a tab may stand in a literal, and nowhere else.
        let clean = !scan.space_break && !scan.special && !scan.tab;
        let literal = !scan.space_break
            && !scan.special
            && (!scan.tab || profile == Profile::V3)
            && last != ' ';
        let plain = clean
            && !scan.indicators
            && !scan.breaks
            && !scan.break_space
            && !outer(first)
            && !outer(last);
        Self {
            empty: false,
            multiline: scan.breaks,
            plain,
            flow_plain: plain && !text.contains([',', '?', '[', ']', '{', '}', ':']),
            single_quoted: clean && !scan.break_space,
            literal,
        }
    }

    fn style(&self, wanted: Style, is_key: bool, in_flow: bool) -> Style {
        let mut style = if is_key && self.multiline { Style::DoubleQuoted } else { wanted };
        let plain = if in_flow { self.flow_plain } else { self.plain };
        if style == Style::Plain && (!plain || (self.empty && is_key)) {
            style = Style::SingleQuoted;
        }
        if style == Style::SingleQuoted && !self.single_quoted {
            style = Style::DoubleQuoted;
        }
        let block = matches!(style, Style::Literal | Style::Folded);
        if block && (!self.literal || is_key || in_flow) {
            style = Style::DoubleQuoted;
        }
        style
    }
}

#[expect(clippy::struct_excessive_bools, reason = "each is an answer about the same text")]
#[derive(Debug, Default)]
struct Scan {
    /// Something that means more than itself in a plain scalar.
    indicators: bool,
    breaks: bool,
    /// A character that only an escape can show.
    special: bool,
    tab: bool,
    /// A space before a line break.
    space_break: bool,
    /// A space after a line break.
    break_space: bool,
}

impl Scan {
    fn of(text: &str) -> Self {
        let mut scan = Self {
            indicators: text.starts_with("---") || text.starts_with("..."),
            ..Self::default()
        };
        let mut before = None;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            // Most characters mean nothing anywhere.
            if c.is_ascii_alphanumeric() {
                before = Some(c);
                continue;
            }
            let ends_word = chars.peek().is_none_or(|&next| is_blank(next));
            scan.indicators |= match c {
                '#' | ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"'
                | '%' | '@' | '`'
                    if before.is_none() =>
                {
                    true
                }
                '?' | '-' => before.is_none() && ends_word,
                ':' => ends_word,
                '#' => before.is_some_and(is_blank),
                _ => false,
            };
            scan.special |= c != '\t' && !is_printable(c);
            scan.tab |= c == '\t';
            if c == ' ' {
                scan.break_space |= before.is_some_and(is_break);
            } else if is_break(c) {
                scan.breaks = true;
                scan.space_break |= before == Some(' ');
            }
            before = Some(c);
        }
        scan
    }
}

/// What kinds of bytes a text has, found in one pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes(u8);

impl Bytes {
    /// `:` and `#`, which mean something beside white space.
    const MARK: u8 = 1;
    const BREAK: u8 = 2;
    /// Control characters, and all beyond ASCII.
    const OTHER: u8 = 4;

    const KINDS: [u8; 256] = {
        let mut kinds = [0; 256];
        let mut byte = 0;
        while byte < 256 {
            kinds[byte] = match byte {
                0x0a => Self::BREAK,
                0x3a | 0x23 => Self::MARK,
                0x20..=0x7e => 0,
                _ => Self::OTHER,
            };
            byte += 1;
        }
        kinds
    };

    pub(super) fn of(text: &str) -> Self {
        Self(text.bytes().fold(0, |kinds, byte| kinds | Self::KINDS[usize::from(byte)]))
    }

    /// Whether the text surely needs no quotes for what its characters mean.
    fn are_plain(self, text: &str) -> bool {
        let ends =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'_' | b'$' | b'(');
        self.0 == 0
            && text.as_bytes().first().is_some_and(ends)
            && text.as_bytes().last().is_some_and(|&byte| byte != b' ')
    }
}

pub(super) fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

pub(super) fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t') || is_break(c)
}

fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{fffd}') && c != '\u{feff}'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str, wanted: Style) -> String {
        let mut written = String::new();
        Output::new(&mut written, Profile::Sigs).scalar(text, wanted, Some(2));
        written
    }

    #[test]
    fn styles() {
        for (text, wanted, expected) in [
            ("plain text", Style::Plain, "plain text"),
            ("a: b", Style::Plain, "'a: b'"),
            ("a:b", Style::Plain, "a:b"),
            ("it's", Style::Plain, "it's"),
            ("'x'", Style::Plain, "'''x'''"),
            ("- x", Style::Plain, "'- x'"),
            ("-x", Style::Plain, "-x"),
            ("x #y", Style::Plain, "'x #y'"),
            ("tab\there", Style::Plain, "\"tab\\there\""),
            (" lead", Style::Plain, "' lead'"),
            ("😀", Style::Plain, "\"\\U0001F600\""),
            ("a\nb\n", Style::Literal, "|\n  a\n  b\n"),
            ("a\nb", Style::Literal, "|-\n  a\n  b\n"),
            ("a\n\n", Style::Literal, "|+\n  a\n\n"),
            ("\na", Style::Literal, "|2-\n\n  a\n"),
            ("a \nb", Style::Literal, "\"a \\nb\""),
            ("", Style::DoubleQuoted, "\"\""),
        ] {
            assert_eq!(written(text, wanted), expected, "{text:?}");
        }
    }

    #[test]
    fn long_lines_fold_at_a_space() {
        let word = "x".repeat(81);
        assert_eq!(written(&format!("{word} y z"), Style::Plain), format!("{word}\n  y z"));
        assert_eq!(written(&format!("{word}  y"), Style::Plain), format!("{word}  y"));
        assert_eq!(written(&format!("{word} y"), Style::DoubleQuoted), format!("\"{word}\n  y\""));
        let mut key = String::new();
        Output::new(&mut key, Profile::Sigs).scalar(&format!("{word} y"), Style::Plain, None);
        assert_eq!(key, format!("{word} y"));
    }
}
