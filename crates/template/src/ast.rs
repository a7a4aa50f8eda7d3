//! Parsed templates. Trees are what a large chart keeps most of, so they are small: what stands in the
//! source is a [`Span`] of it, and lists have no room to grow. How nodes print is in [`printed`].

mod printed;

use std::sync::Arc;

use bytestring::ByteString;

use crate::{Function, Text};

/// A part of the source, in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) at: u32,
    pub(crate) length: u32,
}

impl Span {
    pub(crate) fn of(self, source: &str) -> &str {
        let at = self.at as usize;
        source.get(at..at + self.length as usize).unwrap_or_default()
    }
}

/// A parsed file or text, or one `define` of it.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Its name: that of the file, or of the `define`.
    pub(crate) name: Arc<str>,
    /// Where it stands.
    pub(crate) source: Arc<Source>,
    pub(crate) body: Box<[Statement]>,
}

impl Tree {
    /// Whether it has nothing but white space, definitions and comments.
    pub(crate) fn is_blank(&self) -> bool {
        self.body.iter().all(|statement| {
            matches!(statement, Statement::Text(text) if self.source.of(*text).trim().is_empty())
        })
    }
}

/// The text of a file with its name.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) text: ByteString,
}

impl Source {
    /// A part of the text.
    pub(crate) fn of(&self, span: Span) -> &str {
        span.of(&self.text)
    }

    /// The line of a byte from 1, and the bytes before it in that line.
    pub(crate) fn position(&self, at: u32) -> (u32, u32) {
        let before = &self.text[..(at as usize).min(self.text.len())];
        let lines = before.bytes().filter(|byte| *byte == b'\n').count();
        let column = before.len() - before.rfind('\n').map_or(0, |newline| newline + 1);
        let small = |number| u32::try_from(number).unwrap_or(u32::MAX);
        (small(lines + 1), small(column))
    }
}

#[derive(Debug)]
pub(crate) enum Statement {
    Text(Span),
    Action(Pipeline),
    If(Box<Branch>),
    With(Box<Branch>),
    Range(Box<Branch>),
    Template(Box<Invocation>),
    Break { at: u32 },
    Continue { at: u32 },
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) at: u32,
    pub(crate) pipeline: Pipeline,
    pub(crate) body: Box<[Statement]>,
    pub(crate) otherwise: Option<Box<[Statement]>>,
}

/// `template` and `block`.
#[derive(Debug)]
pub(crate) struct Invocation {
    pub(crate) at: u32,
    pub(crate) name: Arc<str>,
    pub(crate) pipeline: Option<Pipeline>,
}

#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) at: u32,
    pub(crate) assigns: bool,
    pub(crate) variables: Box<[Variable]>,
    pub(crate) commands: Box<[Command]>,
}

/// A variable by the number that the parser gave its name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Variable {
    pub(crate) number: u32,
    /// With the dollar sign.
    pub(crate) name: Span,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) at: u32,
    pub(crate) words: Box<[Expression]>,
}

#[derive(Debug)]
pub(crate) struct Expression {
    pub(crate) at: u32,
    pub(crate) kind: ExpressionKind,
}

#[derive(Debug)]
pub(crate) enum ExpressionKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Box<Number>),
    /// The literal is at the expression's place, and has this length there.
    String {
        length: u32,
        text: Text,
    },
    Field(Box<[Text]>),
    Variable {
        variable: Variable,
        fields: Box<[Text]>,
    },
    Function(&'static Function),
    Chain {
        base: Box<Expression>,
        fields: Box<[Text]>,
    },
    Pipeline(Box<Pipeline>),
}

/// A number can be several types, by what it is used for.
#[derive(Debug)]
pub(crate) struct Number {
    pub(crate) literal: Span,
    pub(crate) int: Option<i64>,
    pub(crate) uint: Option<u64>,
    pub(crate) float: Option<f64>,
    pub(crate) complex: Option<(f64, f64)>,
}

/// What an error is about: its place and its text.
#[derive(Clone, Copy, Debug)]
pub(crate) enum NodeRef<'t> {
    Statement(&'t Statement),
    Pipeline(&'t Pipeline),
    Command(&'t Command),
    Expression(&'t Expression),
}

impl NodeRef<'_> {
    pub(crate) fn at(self) -> u32 {
        match self {
            Self::Statement(statement) => match statement {
                // Go has no place of texts.
                Statement::Text(_) => 0,
                Statement::Action(pipeline) => pipeline.at,
                Statement::If(branch) | Statement::With(branch) | Statement::Range(branch) => {
                    branch.at
                }
                Statement::Template(invocation) => invocation.at,
                Statement::Break { at } | Statement::Continue { at } => *at,
            },
            Self::Pipeline(pipeline) => pipeline.at,
            Self::Command(command) => command.at,
            Self::Expression(expression) => expression.at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_stay_small() {
        let sizes = [size_of::<Statement>(), size_of::<Command>(), size_of::<Expression>()];
        assert!(sizes.iter().zip([48, 24, 40]).all(|(size, most)| *size <= most), "{sizes:?}");
    }
}
