//! Text to tokens. Follows `text/template/parse/lex.go`: the same tokens, positions and messages.

use memchr::{memchr, memmem};

use crate::{
    quote::unicode_name,
    token::{Token, TokenKind},
};

const LEFT: &[u8] = b"{{";
const RIGHT: &[u8] = b"}}";
const LEFT_COMMENT: &str = "/*";
const RIGHT_COMMENT: &str = "*/";

/// What `{{-` and `-}}` take away.
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

#[derive(Debug)]
pub(crate) struct Lexer<'s> {
    source: &'s str,
    left: memmem::Finder<'static>,
    at: usize,
    /// What is wrong where the token of an error is.
    message: String,
    inside: bool,
    parens: u32,
    ended: bool,
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
        Self {
            source,
            left: memmem::Finder::new(LEFT),
            at: 0,
            message: String::new(),
            inside: false,
            parens: 0,
            ended: false,
            words,
        }
    }

    /// The next token that is no space within an action.
    pub(crate) fn next_non_space(&mut self) -> Token {
        if self.inside && !self.ended {
            self.at += self.spaces();
        }
        self.next()
    }

    /// The next token; after an error or the end, the end again and again.
    pub(crate) fn next(&mut self) -> Token {
        loop {
            if self.ended {
                return self.token(TokenKind::End, self.at, self.at);
            }
            let token = if self.inside { Some(self.action()) } else { self.text() };
            if let Some(token) = token {
                self.ended = matches!(token.kind, TokenKind::Error | TokenKind::End);
                return token;
            }
        }
    }

    fn rest(&self) -> &'s [u8] {
        &self.source.as_bytes()[self.at..]
    }

    /// The token between two places, which moves the lexer to its end.
    fn token(&mut self, kind: TokenKind, from: usize, to: usize) -> Token {
        self.at = to;
        Token { kind, at: offset(from), end: offset(to) }
    }

    fn error(&mut self, from: usize, message: impl Into<String>) -> Token {
        self.message = message.into();
        Token { kind: TokenKind::Error, at: offset(from), end: offset(from) }
    }

    /// What the token of an error is about.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Text up to a left delimiter, or the delimiter itself. `None` if there is nothing to tell.
    // What searches for the delimiter needs many registers, which tokens of actions must not pay for.
    #[inline(never)]
    fn text(&mut self) -> Option<Token> {
        let rest = self.rest();
        if rest.starts_with(LEFT) {
            return self.left_delimiter();
        }
        // Most texts are short, and have no brace before the delimiter.
        let found = match memchr(LEFT[0], rest) {
            Some(brace) if rest.get(brace + 1) != Some(&LEFT[1]) => {
                self.left.find(&rest[brace..]).map(|length| brace + length)
            }
            found => found,
        };
        let Some(length) = found else {
            let kind = if rest.is_empty() { TokenKind::End } else { TokenKind::Text };
            return Some(self.token(kind, self.at, self.source.len()));
        };
        let delimiter = self.at + length;
        let text = &self.source[self.at..delimiter];
        let kept = if starts_trim(&self.source.as_bytes()[delimiter + LEFT.len()..]) {
            text.trim_end_matches(SPACES).len()
        } else {
            length
        };
        let token = (kept > 0).then(|| self.token(TokenKind::Text, self.at, self.at + kept));
        self.at = delimiter;
        token
    }

    fn left_delimiter(&mut self) -> Option<Token> {
        let start = self.at;
        let mut inner = start + LEFT.len();
        let trims = starts_trim(&self.source.as_bytes()[inner..]);
        // A marker is a minus with the space that follows it.
        let after_marker = if trims { inner + 2 } else { inner };
        if self.source[after_marker..].starts_with(LEFT_COMMENT) {
            return self.comment(start, after_marker);
        }
        if trims {
            inner += 2;
        }
        let token = self.token(TokenKind::LeftDelim, start, start + LEFT.len());
        self.at = inner;
        self.inside = true;
        self.parens = 0;
        Some(token)
    }

    fn comment(&mut self, start: usize, from: usize) -> Option<Token> {
        let from = from + LEFT_COMMENT.len();
        let Some(length) = self.source[from..].find(RIGHT_COMMENT) else {
            return Some(self.error(start, "unclosed comment"));
        };
        let after = from + length + RIGHT_COMMENT.len();
        match right_delimiter(&self.source.as_bytes()[after..]) {
            Some((length, trims)) => {
                self.at = after + length;
                if trims {
                    self.skip_spaces();
                }
                None
            }
            None => Some(self.error(start, "comment ends before closing delimiter")),
        }
    }

    fn skip_spaces(&mut self) {
        self.at += self.rest().iter().take_while(|byte| is_space(**byte)).count();
    }

    /// One token within `{{` and `}}`.
    fn action(&mut self) -> Token {
        let start = self.at;
        let rest = self.rest();
        let Some((&first, after)) = rest.split_first() else {
            return self.error(start, "unclosed action");
        };
        let second = after.first().copied();
        match first {
            b' ' | b'\t' | b'\r' | b'\n' => match right_delimiter(rest) {
                Some((length, _)) => self.right_delimiter(start + length, true),
                None => {
                    let spaces = self.spaces();
                    self.token(TokenKind::Space, start, start + spaces)
                }
            },
            b'}' if rest.starts_with(RIGHT) => self.right_delimiter(start + RIGHT.len(), false),
            b'=' => self.token(TokenKind::Assign, start, start + 1),
            b':' if second == Some(b'=') => self.token(TokenKind::Declare, start, start + 2),
            b':' => self.error(start, "expected :="),
            b'|' => self.token(TokenKind::Pipe, start, start + 1),
            b'"' => self.quoted(b'"', TokenKind::String, "unterminated quoted string"),
            b'\'' => self.quoted(b'\'', TokenKind::CharConstant, "unterminated character constant"),
            b'`' => self.raw_string(),
            b'$' => self.name(TokenKind::Variable, start + 1),
            // Quirk: at the end of the text it is a number that lacks its digits.
            b'.' if second.is_some_and(|byte| !byte.is_ascii_digit()) => {
                self.name(TokenKind::Field, start + 1)
            }
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

    fn right_delimiter(&mut self, end: usize, trims: bool) -> Token {
        if self.parens > 0 {
            return self.error(self.at, "unclosed left paren");
        }
        let token = self.token(TokenKind::RightDelim, end - RIGHT.len(), end);
        if trims {
            self.skip_spaces();
        }
        self.inside = false;
        token
    }

    /// How many spaces come next. The last one belongs to a trim marker that follows.
    fn spaces(&self) -> usize {
        let rest = self.rest();
        let length = rest.iter().take_while(|byte| is_space(**byte)).count();
        length - usize::from(length > 0 && rest[length..].starts_with(b"-}}"))
    }

    fn quoted(&mut self, quote: u8, kind: TokenKind, unterminated: &str) -> Token {
        let start = self.at;
        let mut escaped = false;
        for (index, byte) in self.rest()[1..].iter().enumerate() {
            match byte {
                b'\n' => break,
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                _ if *byte == quote => return self.token(kind, start, start + index + 2),
                _ => {}
            }
        }
        self.error(start, unterminated)
    }

    fn raw_string(&mut self) -> Token {
        let start = self.at;
        match self.source[start + 1..].find('`') {
            Some(length) => self.token(TokenKind::RawString, start, start + length + 2),
            None => self.error(start, "unterminated raw quoted string"),
        }
    }

    /// An identifier, a keyword, `.`, `.field`, `$` or `$variable`, whose letters start at `from`.
    fn name(&mut self, kind: TokenKind, from: usize) -> Token {
        let start = self.at;
        let length = name_length(self.source, from);
        let end = from + length;
        if length == 0 && kind == TokenKind::Field && self.terminates(end) {
            return self.token(TokenKind::Dot, start, end);
        }
        if !self.terminates(end) {
            let bad = self.source[end..].chars().next().map_or_else(String::new, unicode_name);
            return self.error(start, format!("bad character {bad}"));
        }
        let kind = match kind {
            TokenKind::Identifier => self.keyword(&self.source.as_bytes()[start..end]),
            _ => kind,
        };
        self.token(kind, start, end)
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

/// The length of a right delimiter with its trim marker, and whether it has one.
fn right_delimiter(rest: &[u8]) -> Option<(usize, bool)> {
    match rest {
        [b'}', b'}', ..] => Some((RIGHT.len(), false)),
        [space, b'-', b'}', b'}', ..] if is_space(*space) => Some((2 + RIGHT.len(), true)),
        _ => None,
    }
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

#[expect(clippy::cast_possible_truncation, reason = "a template is far smaller than 4 GiB")]
fn offset(at: usize) -> u32 {
    at as u32
}
