//! What the lexer tells the parser.

use std::fmt;

use crate::ast::Span;

/// The kinds in Go's order: keywords come last and print in angle brackets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum TokenKind {
    Error,
    Bool,
    Char,
    CharConstant,
    Complex,
    Assign,
    Declare,
    End,
    Field,
    Identifier,
    LeftDelim,
    LeftParen,
    Number,
    Pipe,
    RawString,
    RightDelim,
    RightParen,
    String,
    Text,
    Variable,
    // Keywords.
    Block,
    Break,
    Continue,
    Dot,
    Define,
    Else,
    Close,
    If,
    Nil,
    Range,
    Template,
    With,
}

/// A word of an action, or what stands between actions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token {
    pub(crate) kind: TokenKind,
    /// Whether space stands before it, in an action.
    pub(crate) spaced: bool,
    /// Of a literal in quotes, whether it has backslashes.
    pub(crate) escapes: bool,
    /// The byte at which it starts.
    pub(crate) at: u32,
    /// Of fields, the byte behind the first one.
    pub(crate) first: u32,
    /// The byte behind it; of an error, whose message the lexer holds, its start.
    pub(crate) end: u32,
}

impl Token {
    /// Before anything was read.
    pub(crate) const START: Self =
        Self { kind: TokenKind::End, spaced: false, escapes: false, at: 0, first: 0, end: 0 };

    /// Where it stands.
    pub(crate) fn span(self) -> Span {
        Span { at: self.at, length: self.end - self.at }
    }

    /// The token in an error.
    pub(crate) fn shown(self, source: &str) -> impl fmt::Display {
        let end = if self.kind == TokenKind::Field { self.first } else { self.end };
        let text = Self { end, ..self }.span().of(source);
        fmt::from_fn(move |f| match self.kind {
            TokenKind::End => f.write_str("EOF"),
            kind if kind >= TokenKind::Block => write!(f, "<{text}>"),
            _ if text.len() > 10 => {
                let cut: String = text.chars().take(10).collect();
                write!(f, "{}...", crate::quote::quoted(&cut))
            }
            _ => f.write_str(&crate::quote::quoted(text)),
        })
    }
}

/// A byte's place as tokens and nodes keep it.
#[expect(clippy::cast_possible_truncation, reason = "a template is far smaller than 4 GiB")]
pub(crate) fn offset(at: usize) -> u32 {
    at as u32
}
