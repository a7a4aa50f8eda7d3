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
    Space,
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

#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'s> {
    pub(crate) kind: TokenKind,
    /// The byte at which it starts.
    pub(crate) at: u32,
    /// The text as it stands in the template; of an error, whose message the lexer holds, none.
    pub(crate) text: &'s str,
}

impl Token<'_> {
    /// Where it stands.
    pub(crate) fn span(&self) -> Span {
        Span { at: self.at, length: u32::try_from(self.text.len()).unwrap_or(u32::MAX) }
    }
}

impl fmt::Display for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            TokenKind::End => f.write_str("EOF"),
            kind if kind >= TokenKind::Block => write!(f, "<{}>", self.text),
            _ if self.text.len() > 10 => {
                let cut: String = self.text.chars().take(10).collect();
                write!(f, "{}...", crate::quote::quoted(&cut))
            }
            _ => f.write_str(&crate::quote::quoted(self.text)),
        }
    }
}
