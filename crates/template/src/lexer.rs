//! Text to tokens. Follows `text/template/parse/lex.go`: the same tokens, positions and messages.

use std::sync::LazyLock;

use memchr::{memchr, memchr3, memmem};

use crate::{
    quote::{quoted, unicode_name},
    token::{Token, TokenKind, offset},
};

const LEFT: &[u8] = b"{{";
const RIGHT: &[u8] = b"}}";
const LEFT_COMMENT: &[u8] = b"/*";
const RIGHT_COMMENT: &[u8] = b"*/";

/// What `{{-` and `-}}` take away.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

/// Reads a text from its start: [`Lexer::text`] up to an action, [`Lexer::word`] within it.
#[derive(Debug)]
pub(crate) struct Lexer<'s> {
    source: &'s str,
    /// The token that was read last.
    pub(crate) token: Token,
    at: usize,
    /// What is wrong where the token of an error is.
    message: String,
    parens: u32,
    words: Keywords,
}

/// Whether `break` and `continue` are keywords; they are not where functions have their names.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keywords {
    pub(crate) break_ok: bool,
    pub(crate) continue_ok: bool,
}

impl<'s> Lexer<'s> {
    pub(crate) fn new(source: &'s str, words: Keywords) -> Self {
        Self { source, token: Token::START, at: 0, message: String::new(), parens: 0, words }
    }

    fn rest(&self) -> &'s [u8] {
        &self.source.as_bytes()[self.at..]
    }

    /// The token ends there, where the next one begins.
    fn ends(&mut self, end: usize, kind: TokenKind) -> TokenKind {
        self.at = end;
        self.token.end = offset(end);
        kind
    }

    /// What is wrong from the start of the token on.
    #[cold]
    fn error(&mut self, message: impl Into<String>) -> TokenKind {
        self.message = message.into();
        self.token.end = self.token.at;
        TokenKind::Error
    }

    /// What the token of an error is about. There is no token after it.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Reads the next token outside of actions: text, a left delimiter, or the end.
    // What searches needs many registers, for which those who call it would pay.
    #[inline(never)]
    pub(crate) fn text(&mut self) -> TokenKind {
        self.token.kind = self.plain();
        self.token.kind
    }

    fn plain(&mut self) -> TokenKind {
        loop {
            let rest = self.rest();
            self.token.at = offset(self.at);
            if !rest.starts_with(LEFT) {
                let Some(length) = delimiter(rest) else {
                    let kind = if rest.is_empty() { TokenKind::End } else { TokenKind::Text };
                    return self.ends(self.source.len(), kind);
                };
                let start = self.at;
                self.at += length;
                let trims = starts_trim(&rest[length + LEFT.len()..]);
                let kept = if trims { trimmed(&rest[..length]) } else { length };
                if kept > 0 {
                    self.token.end = offset(start + kept);
                    return TokenKind::Text;
                }
                self.token.at = offset(self.at);
            }
            if let Some(kind) = self.left_delimiter() {
                return kind;
            }
        }
    }

    /// The left delimiter that comes next, if no comment does.
    fn left_delimiter(&mut self) -> Option<TokenKind> {
        let inner = self.at + LEFT.len();
        let after = &self.source.as_bytes()[inner..];
        // A marker is a minus with the space that follows it.
        let marker = if starts_trim(after) { 2 } else { 0 };
        if after[marker..].starts_with(LEFT_COMMENT) {
            return self.comment(inner + marker + LEFT_COMMENT.len());
        }
        self.parens = 0;
        Some(self.ends(inner + marker, TokenKind::LeftDelim))
    }

    /// Passes by a comment, whose text begins there.
    fn comment(&mut self, from: usize) -> Option<TokenKind> {
        let rest = &self.source.as_bytes()[from..];
        let Some(length) = memmem::find(rest, RIGHT_COMMENT) else {
            return Some(self.error("unclosed comment"));
        };
        let after = from + length + RIGHT_COMMENT.len();
        match self.source.as_bytes()[after..] {
            [b'}', b'}', ..] => self.at = after + RIGHT.len(),
            [space, b'-', b'}', b'}', ..] if is_space(space) => {
                self.at = after + 2 + RIGHT.len();
                self.skip_spaces();
            }
            _ => return Some(self.error("comment ends before closing delimiter")),
        }
        None
    }

    fn skip_spaces(&mut self) {
        while self.byte(self.at).is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn byte(&self, at: usize) -> Option<u8> {
        self.source.as_bytes().get(at).copied()
    }

    /// Reads the next token within `{{` and `}}`.
    // Its many ways are there once, and each part of an action calls it.
    #[inline(never)]
    pub(crate) fn word(&mut self) {
        let before = self.at;
        self.skip_spaces();
        self.token.spaced = self.at > before;
        self.token.at = offset(self.at);
        self.token.kind = self.unspaced();
    }

    fn unspaced(&mut self) -> TokenKind {
        let start = self.at;
        let Some(first) = self.byte(start) else { return self.error("unclosed action") };
        let second = self.byte(start + 1);
        match first {
            b'}' if second == Some(b'}') => self.right_delimiter(start),
            b'-' if self.token.spaced && self.rest().starts_with(b"-}}") => {
                // The marker begins with the space.
                self.token.at -= 1;
                let kind = self.right_delimiter(start + 1);
                self.skip_spaces();
                kind
            }
            b'=' => self.ends(start + 1, TokenKind::Assign),
            b':' if second == Some(b'=') => self.ends(start + 2, TokenKind::Declare),
            b':' => self.error("expected :="),
            b'|' => self.ends(start + 1, TokenKind::Pipe),
            b'"' => self.quoted(b'"', TokenKind::String, "unterminated quoted string"),
            b'\'' => self.quoted(b'\'', TokenKind::CharConstant, "unterminated character constant"),
            b'`' => self.raw_string(),
            b'$' => self.name(TokenKind::Variable, start + 1),
            // Quirk: at the end of the text it is a number that lacks its digits.
            b'.' if second.is_some_and(|byte| !byte.is_ascii_digit()) => self.fields(),
            b'.' | b'+' | b'-' | b'0'..=b'9' => self.number(),
            b'(' => {
                self.parens += 1;
                self.ends(start + 1, TokenKind::LeftParen)
            }
            b')' => match self.parens.checked_sub(1) {
                Some(parens) => {
                    self.parens = parens;
                    self.ends(start + 1, TokenKind::RightParen)
                }
                None => self.error("unexpected right paren"),
            },
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => self.name(TokenKind::Identifier, start),
            b'!'..=b'~' => self.ends(start + 1, TokenKind::Char),
            _ => match self.source[start..].chars().next() {
                Some(first) if is_alphanumeric(first) => self.name(TokenKind::Identifier, start),
                first => {
                    let name = first.map_or_else(String::new, unicode_name);
                    self.error(format!("unrecognized character in action: {name}"))
                }
            },
        }
    }

    /// The right delimiter, whose braces begin there.
    fn right_delimiter(&mut self, braces: usize) -> TokenKind {
        if self.parens > 0 {
            return self.error("unclosed left paren");
        }
        self.token.at = offset(braces);
        self.ends(braces + RIGHT.len(), TokenKind::RightDelim)
    }

    fn quoted(&mut self, quote: u8, kind: TokenKind, unterminated: &str) -> TokenKind {
        let bytes = self.source.as_bytes();
        let mut at = self.at + 1;
        self.token.escapes = false;
        while let Some(next) = memchr3(quote, b'\\', b'\n', &bytes[at..]) {
            at += next + 1;
            match bytes[at - 1] {
                b'\n' => break,
                b'\\' => {
                    self.token.escapes = true;
                    // A line ends even behind a backslash.
                    at += usize::from(bytes.get(at).is_some_and(|next| *next != b'\n'));
                }
                _ => return self.ends(at, kind),
            }
        }
        self.error(unterminated)
    }

    fn raw_string(&mut self) -> TokenKind {
        match memchr(b'`', &self.rest()[1..]) {
            Some(length) => self.ends(self.at + length + 2, TokenKind::RawString),
            None => self.error("unterminated raw quoted string"),
        }
    }

    /// An identifier, a keyword, `$` or `$variable`, whose letters start at `from`.
    fn name(&mut self, kind: TokenKind, from: usize) -> TokenKind {
        let Some(end) = self.name_end(from) else { return self.error_in_name(from) };
        let kind = match kind {
            TokenKind::Identifier => self.keyword(&self.source.as_bytes()[from..end]),
            _ => kind,
        };
        self.ends(end, kind)
    }

    /// `.`, or `.a.b`, up to what is no field.
    fn fields(&mut self) -> TokenKind {
        let start = self.at + 1;
        let Some(mut end) = self.name_end(start) else { return self.error_in_name(start) };
        if end == start {
            return self.ends(end, TokenKind::Dot);
        }
        self.token.first = offset(end);
        while self.byte(end) == Some(b'.')
            && self.byte(end + 1).is_some_and(|byte| !byte.is_ascii_digit())
            && let Some(next) = self.name_end(end + 1)
            && next != end + 1
        {
            end = next;
        }
        self.ends(end, TokenKind::Field)
    }

    #[cold]
    fn error_in_name(&mut self, from: usize) -> TokenKind {
        let rest = self.source[from..].trim_start_matches(is_alphanumeric);
        let bad = rest.chars().next().map_or_else(String::new, unicode_name);
        self.error(format!("bad character {bad}"))
    }

    /// Where the letters and digits end that begin there, if what follows may follow a name.
    #[inline]
    fn name_end(&self, from: usize) -> Option<usize> {
        let mut end = from;
        while self.byte(end).is_some_and(|byte| WORD[usize::from(byte)]) {
            end += 1;
        }
        match self.byte(end) {
            None | Some(b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(') => {
                Some(end)
            }
            Some(b'}') => (self.byte(end + 1) == Some(b'}')).then_some(end),
            Some(byte) if byte.is_ascii() => None,
            Some(_) => self.wide_name_end(end),
        }
    }

    /// The same from a character on that is none of ASCII.
    #[cold]
    fn wide_name_end(&self, from: usize) -> Option<usize> {
        let rest = self.source[from..].trim_start_matches(is_alphanumeric);
        let end = self.source.len() - rest.len();
        if end == from { None } else { self.name_end(end) }
    }

    fn keyword(&self, word: &[u8]) -> TokenKind {
        match word {
            b"block" => TokenKind::Block,
            b"break" if self.words.break_ok => TokenKind::Break,
            b"continue" if self.words.continue_ok => TokenKind::Continue,
            b"define" => TokenKind::Define,
            b"else" => TokenKind::Else,
            b"end" => TokenKind::Close,
            b"if" => TokenKind::If,
            b"nil" => TokenKind::Nil,
            b"range" => TokenKind::Range,
            b"template" => TokenKind::Template,
            b"with" => TokenKind::With,
            b"true" | b"false" => TokenKind::Bool,
            _ => TokenKind::Identifier,
        }
    }

    fn number(&mut self) -> TokenKind {
        let start = self.at;
        let (first, ok) = scan_number(&self.source[start..]);
        let end = start + first;
        if !ok {
            return self.bad_number(end);
        }
        if !matches!(self.source.as_bytes()[end..], [b'+' | b'-', ..]) {
            return self.ends(end, TokenKind::Number);
        }
        let (second, ok) = scan_number(&self.source[end..]);
        let end = end + second;
        if ok && self.source[..end].ends_with('i') {
            self.ends(end, TokenKind::Complex)
        } else {
            self.bad_number(end)
        }
    }

    #[cold]
    fn bad_number(&mut self, end: usize) -> TokenKind {
        let text = quoted(&self.source[self.at..end]);
        self.error(format!("bad number syntax: {text}"))
    }
}

/// Whether the text after `{{` is a minus and a space.
fn starts_trim(after: &[u8]) -> bool {
    matches!(after, [b'-', space, ..] if is_space(*space))
}

/// Where the next left delimiter is.
fn delimiter(text: &[u8]) -> Option<usize> {
    static DELIMITER: LazyLock<memmem::Finder<'static>> =
        LazyLock::new(|| memmem::Finder::new(LEFT));
    // Most texts are short, and have no brace before the delimiter.
    match memchr(LEFT[0], text) {
        Some(brace) if text.get(brace + 1) != Some(&LEFT[1]) => {
            DELIMITER.find(&text[brace..]).map(|length| brace + length)
        }
        found => found,
    }
}

/// The length of a text without the spaces at its end.
fn trimmed(text: &[u8]) -> usize {
    text.iter().rposition(|byte| !is_space(*byte)).map_or(0, |last| last + 1)
}

/// The letters and digits of ASCII.
static WORD: [bool; 256] = {
    let mut word = [false; 256];
    let mut byte = 0_u8;
    while byte < 128 {
        word[byte as usize] = byte.is_ascii_alphanumeric() || byte == b'_';
        byte += 1;
    }
    word
};

pub(crate) fn is_alphanumeric(char: char) -> bool {
    match char {
        '_' | 'a'..='z' | 'A'..='Z' | '0'..='9' => true,
        '\0'..='\x7f' => false,
        _ => char.is_alphabetic() || is_digit(char),
    }
}

/// Whether Unicode says that it is a decimal digit; Rust's `is_numeric` knows other numbers too. The
/// digits of a script stand together, from its zero on; these are the scripts in daily use.
fn is_digit(char: char) -> bool {
    const ZEROS: [u32; 12] = [
        0x0660, 0x06F0, 0x07C0, 0x0966, 0x09E6, 0x0A66, 0x0AE6, 0x0B66, 0x0BE6, 0x0E50, 0x0ED0,
        0xFF10,
    ];
    let code = u32::from(char);
    ZEROS.iter().any(|zero| (*zero..zero + 10).contains(&code))
}

/// The length of what Go's lexer takes for one number, and whether it is one.
fn scan_number(text: &str) -> (usize, bool) {
    let bytes = text.as_bytes();
    let mut at = usize::from(matches!(bytes.first(), Some(b'+' | b'-')));
    let mut radix = 10;
    if bytes.get(at) == Some(&b'0') {
        at += 1;
        radix = match bytes.get(at) {
            Some(b'x' | b'X') => 16,
            Some(b'o' | b'O') => 8,
            Some(b'b' | b'B') => 2,
            _ => 10,
        };
        at += usize::from(radix != 10);
    }
    let run = |at: usize, radix: u32| {
        let digit = |byte: &u8| *byte == b'_' || char::from(*byte).is_digit(radix);
        at + bytes[at..].iter().take_while(|byte| digit(byte)).count()
    };
    at = run(at, radix);
    if bytes.get(at) == Some(&b'.') {
        at = run(at + 1, radix);
    }
    let exponent = match bytes.get(at) {
        Some(b'e' | b'E') => radix == 10,
        Some(b'p' | b'P') => radix == 16,
        _ => false,
    };
    if exponent {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        at = run(at, 10);
    }
    at += usize::from(bytes.get(at) == Some(&b'i'));
    match text[at..].chars().next() {
        Some(next) if is_alphanumeric(next) => (at + next.len_utf8(), false),
        _ => (at, true),
    }
}
