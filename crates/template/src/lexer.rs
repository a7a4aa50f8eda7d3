//! Text to tokens. Follows `text/template/parse/lex.go`: the same tokens, positions and messages.

use std::sync::LazyLock;

use memchr::{memchr, memmem};

use crate::{
    quote::unicode_name,
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
        Self { source, at: 0, message: String::new(), parens: 0, words }
    }

    fn rest(&self) -> &'s [u8] {
        &self.source.as_bytes()[self.at..]
    }

    /// The token between two places, which moves the lexer to its end.
    fn token(&mut self, kind: TokenKind, from: usize, to: usize) -> Token {
        self.at = to;
        Token::new(kind, from, to)
    }

    fn error(&mut self, from: usize, message: impl Into<String>) -> Token {
        self.message = message.into();
        Token::new(TokenKind::Error, from, from)
    }

    /// What the token of an error is about. There is no token after it.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// The next token outside of actions: text, a left delimiter, or the end.
    pub(crate) fn text(&mut self) -> Token {
        loop {
            let start = self.at;
            let rest = self.rest();
            if !rest.starts_with(LEFT) {
                let Some(length) = delimiter(rest) else {
                    let kind = if rest.is_empty() { TokenKind::End } else { TokenKind::Text };
                    return self.token(kind, start, self.source.len());
                };
                self.at += length;
                let text = &rest[..length];
                let trims = starts_trim(&rest[length + LEFT.len()..]);
                let kept = if trims { trimmed(text) } else { length };
                if kept > 0 {
                    return Token::new(TokenKind::Text, start, start + kept);
                }
            }
            if let Some(token) = self.left_delimiter() {
                return token;
            }
        }
    }

    /// The left delimiter that comes next, if no comment does.
    fn left_delimiter(&mut self) -> Option<Token> {
        let start = self.at;
        let after = &self.rest()[LEFT.len()..];
        // A marker is a minus with the space that follows it.
        let marker = if starts_trim(after) { 2 } else { 0 };
        if after[marker..].starts_with(LEFT_COMMENT) {
            return self.comment(start + LEFT.len() + marker + LEFT_COMMENT.len());
        }
        self.at += LEFT.len() + marker;
        self.parens = 0;
        Some(Token::new(TokenKind::LeftDelim, start, start + LEFT.len()))
    }

    /// Passes by a comment, whose text begins there.
    fn comment(&mut self, from: usize) -> Option<Token> {
        let rest = &self.source.as_bytes()[from..];
        let Some(length) = memmem::find(rest, RIGHT_COMMENT) else {
            return Some(self.error(self.at, "unclosed comment"));
        };
        let after = from + length + RIGHT_COMMENT.len();
        match self.source.as_bytes()[after..] {
            [b'}', b'}', ..] => self.at = after + RIGHT.len(),
            [space, b'-', b'}', b'}', ..] if is_space(space) => {
                self.at = after + 2 + RIGHT.len();
                self.skip_spaces();
            }
            _ => return Some(self.error(self.at, "comment ends before closing delimiter")),
        }
        None
    }

    fn skip_spaces(&mut self) {
        self.at += self.rest().iter().take_while(|byte| is_space(**byte)).count();
    }

    /// The next token within `{{` and `}}`.
    pub(crate) fn word(&mut self) -> Token {
        let before = self.at;
        self.skip_spaces();
        let spaced = self.at > before;
        Token { spaced, ..self.unspaced(spaced) }
    }

    fn unspaced(&mut self, spaced: bool) -> Token {
        let start = self.at;
        let rest = self.rest();
        let Some((&first, after)) = rest.split_first() else {
            return self.error(start, "unclosed action");
        };
        let second = after.first().copied();
        match first {
            b'}' if second == Some(b'}') => self.right_delimiter(start, start + RIGHT.len()),
            b'-' if spaced && after.starts_with(RIGHT) => {
                let token = self.right_delimiter(start - 1, start + 1 + RIGHT.len());
                self.skip_spaces();
                token
            }
            b'=' => self.token(TokenKind::Assign, start, start + 1),
            b':' if second == Some(b'=') => self.token(TokenKind::Declare, start, start + 2),
            b':' => self.error(start, "expected :="),
            b'|' => self.token(TokenKind::Pipe, start, start + 1),
            b'"' => self.quoted(b'"', TokenKind::String, "unterminated quoted string"),
            b'\'' => self.quoted(b'\'', TokenKind::CharConstant, "unterminated character constant"),
            b'`' => self.raw_string(),
            b'$' => self.name(TokenKind::Variable, start + 1),
            // Quirk: at the end of the text it is a number that lacks its digits.
            b'.' if second.is_some_and(|byte| !byte.is_ascii_digit()) => self.fields(),
            b'.' | b'+' | b'-' | b'0'..=b'9' => self.number(),
            b'(' => {
                self.parens += 1;
                self.token(TokenKind::LeftParen, start, start + 1)
            }
            b')' => match self.parens.checked_sub(1) {
                Some(parens) => {
                    self.parens = parens;
                    self.token(TokenKind::RightParen, start, start + 1)
                }
                None => self.error(start, "unexpected right paren"),
            },
            b'_' | b'a'..=b'z' | b'A'..=b'Z' => self.name(TokenKind::Identifier, start),
            b'!'..=b'~' => self.token(TokenKind::Char, start, start + 1),
            _ => match self.source[start..].chars().next() {
                Some(first) if is_alphanumeric(first) => self.name(TokenKind::Identifier, start),
                first => {
                    let name = first.map_or_else(String::new, unicode_name);
                    self.error(start, format!("unrecognized character in action: {name}"))
                }
            },
        }
    }

    /// The right delimiter, which begins with its trim marker, if it has one.
    fn right_delimiter(&mut self, start: usize, end: usize) -> Token {
        if self.parens > 0 {
            return self.error(start, "unclosed left paren");
        }
        self.token(TokenKind::RightDelim, end - RIGHT.len(), end)
    }

    fn quoted(&mut self, quote: u8, kind: TokenKind, unterminated: &str) -> Token {
        let start = self.at;
        let inner = &self.rest()[1..];
        let mut at = 0;
        let mut escapes = false;
        while let Some(byte) = inner.get(at) {
            match byte {
                b'\n' => break,
                b'\\' => {
                    escapes = true;
                    // A line ends even behind a backslash.
                    at += usize::from(inner.get(at + 1).is_some_and(|next| *next != b'\n'));
                }
                _ if *byte == quote => {
                    return Token { escapes, ..self.token(kind, start, start + at + 2) };
                }
                _ => {}
            }
            at += 1;
        }
        self.error(start, unterminated)
    }

    fn raw_string(&mut self) -> Token {
        let start = self.at;
        match memchr(b'`', &self.rest()[1..]) {
            Some(length) => self.token(TokenKind::RawString, start, start + length + 2),
            None => self.error(start, "unterminated raw quoted string"),
        }
    }

    /// An identifier, a keyword, `$` or `$variable`, whose letters start at `from`.
    fn name(&mut self, kind: TokenKind, from: usize) -> Token {
        let start = self.at;
        let end = from + name_length(self.source, from);
        if !self.terminates(end) {
            return self.bad_character(end);
        }
        let kind = match kind {
            TokenKind::Identifier => self.keyword(&self.source.as_bytes()[start..end]),
            _ => kind,
        };
        self.token(kind, start, end)
    }

    /// `.`, or `.a.b`, up to what is no field.
    fn fields(&mut self) -> Token {
        let start = self.at;
        let first = start + 1 + name_length(self.source, start + 1);
        if !self.terminates(first) {
            return self.bad_character(first);
        }
        if first == start + 1 {
            return self.token(TokenKind::Dot, start, first);
        }
        let mut end = first;
        while let [b'.', letter, ..] = self.source.as_bytes()[end..]
            && !letter.is_ascii_digit()
        {
            let next = end + 1 + name_length(self.source, end + 1);
            if next == end + 1 || !self.terminates(next) {
                break;
            }
            end = next;
        }
        Token { first: offset(first), ..self.token(TokenKind::Field, start, end) }
    }

    fn bad_character(&mut self, at: usize) -> Token {
        let bad = self.source[at..].chars().next().map_or_else(String::new, unicode_name);
        self.error(self.at, format!("bad character {bad}"))
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

    /// Whether what stands at `end` may follow a name.
    fn terminates(&self, end: usize) -> bool {
        matches!(
            self.source.as_bytes()[end..],
            [] | [b' ' | b'\t' | b'\r' | b'\n' | b'.' | b',' | b'|' | b':' | b')' | b'(', ..]
                | [b'}', b'}', ..]
        )
    }

    fn number(&mut self) -> Token {
        let start = self.at;
        let (first, ok) = scan_number(&self.source[self.at..]);
        let mut end = start + first;
        let mut kind = TokenKind::Number;
        let mut fine = ok;
        if ok && self.source[end..].starts_with(['+', '-']) {
            let (second, ok) = scan_number(&self.source[end..]);
            end += second;
            fine = ok && self.source[..end].ends_with('i');
            kind = TokenKind::Complex;
        }
        if fine {
            return self.token(kind, start, end);
        }
        let text = &self.source[start..end];
        self.error(start, format!("bad number syntax: {}", crate::quote::quoted(text)))
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

/// How many bytes of a text are letters and digits from there on.
fn name_length(text: &str, from: usize) -> usize {
    let bytes = &text.as_bytes()[from..];
    let other = bytes.iter().position(|byte| !WORD[usize::from(*byte)]);
    match other {
        None => bytes.len(),
        Some(at) if bytes[at].is_ascii() => at,
        Some(at) => {
            let rest = &text[from + at..];
            at + rest.find(|char| !is_alphanumeric(char)).unwrap_or(rest.len())
        }
    }
}

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
    let mut digits: &[u8] = b"0123456789_";
    let (mut decimal, mut hexadecimal) = (true, false);
    if bytes.get(at) == Some(&b'0') {
        at += 1;
        let (set, skip): (&[u8], usize) = match bytes.get(at) {
            Some(b'x' | b'X') => {
                (decimal, hexadecimal) = (false, true);
                (b"0123456789abcdefABCDEF_", 1)
            }
            Some(b'o' | b'O') => {
                decimal = false;
                (b"01234567_", 1)
            }
            Some(b'b' | b'B') => {
                decimal = false;
                (b"01_", 1)
            }
            _ => (digits, 0),
        };
        digits = set;
        at += skip;
    }
    let run = |at: usize, set: &[u8]| {
        at + bytes[at..].iter().take_while(|byte| set.contains(byte)).count()
    };
    at = run(at, digits);
    if bytes.get(at) == Some(&b'.') {
        at = run(at + 1, digits);
    }
    let exponent = match bytes.get(at) {
        Some(b'e' | b'E') => decimal,
        Some(b'p' | b'P') => hexadecimal,
        _ => false,
    };
    if exponent {
        at += 1;
        at += usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
        at = run(at, b"0123456789_");
    }
    at += usize::from(bytes.get(at) == Some(&b'i'));
    match text[at..].chars().next() {
        Some(next) if is_alphanumeric(next) => (at + next.len_utf8(), false),
        _ => (at, true),
    }
}
