//! Parsed templates. A large chart keeps thousands of nodes, so they are small and stand in the vectors
//! of an [`Arena`]: what stands in the source is a [`Span`] of it, other nodes are numbers. How nodes
//! print is in [`printed`].

mod arena;
mod printed;

use std::sync::Arc;

use bytestring::ByteString;

use crate::{Function, Text};

pub(crate) use arena::{Arena, Id, List, Table, Texts};

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
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    /// Its name: that of the file, or of the `define`.
    pub(crate) name: Text,
    /// Where it stands.
    pub(crate) source: Arc<Source>,
    pub(crate) body: List<Statement>,
}

impl Tree {
    /// Whether it has nothing but white space, definitions and comments.
    pub(crate) fn is_blank(&self, arena: &Arena) -> bool {
        arena.statements[self.body].iter().all(|statement| {
            matches!(statement, Statement::Text(text) if self.source.of(*text).trim().is_empty())
        })
    }
}

/// The text of a file with its name.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: Text,
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

#[derive(Clone, Copy, Debug)]
pub(crate) enum Statement {
    Text(Span),
    Action(Id<Pipeline>),
    If(Id<Branch>),
    With(Id<Branch>),
    Range(Id<Branch>),
    Template(Id<Invocation>),
    Break { at: u32 },
    Continue { at: u32 },
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Branch {
    pub(crate) at: u32,
    pub(crate) pipeline: Id<Pipeline>,
    pub(crate) body: List<Statement>,
    pub(crate) otherwise: Option<List<Statement>>,
}

/// `template` and `block`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Invocation {
    pub(crate) at: u32,
    pub(crate) name: Id<Text>,
    pub(crate) pipeline: Option<Id<Pipeline>>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Pipeline {
    pub(crate) at: u32,
    pub(crate) assigns: bool,
    /// The names of variables, with the dollar sign.
    pub(crate) variables: List<Id<Text>>,
    pub(crate) commands: List<Command>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Command {
    pub(crate) at: u32,
    pub(crate) words: List<Expression>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Expression {
    pub(crate) at: u32,
    pub(crate) kind: ExpressionKind,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ExpressionKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Id<Number>),
    /// The literal is at the expression's place, and has this length there.
    String {
        length: u32,
        text: Id<Text>,
    },
    /// A literal whose text stands between its quotes, of either kind.
    Raw(Span),
    Field(Fields),
    Variable {
        /// With the dollar sign.
        name: Id<Text>,
        fields: Fields,
    },
    Function(&'static Function),
    Chain {
        base: Id<Expression>,
        fields: Fields,
    },
    Pipeline(Id<Pipeline>),
}

/// `.a.b`, as it stands in the source.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields(pub(crate) Span);

impl Fields {
    pub(crate) const NONE: Self = Self(Span { at: 0, length: 0 });

    pub(crate) fn is_empty(self) -> bool {
        self.0.length == 0
    }

    /// The names.
    pub(crate) fn names(self, source: &str) -> Names<'_> {
        Names(self.0.of(source).get(1..).unwrap_or_default())
    }
}

/// Names with dots between them, at least one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'s>(&'s str);

impl<'s> Names<'s> {
    /// The first name, and those behind it.
    pub(crate) fn split(self) -> (&'s str, Option<Self>) {
        // Names are short: what finds a dot in long texts costs more.
        match self.0.bytes().position(|byte| byte == b'.') {
            Some(dot) => (&self.0[..dot], Some(Self(&self.0[dot + 1..]))),
            None => (self.0, None),
        }
    }
}

/// A number can be several types, by what it is used for.
#[derive(Debug)]
pub(crate) struct Number {
    pub(crate) literal: Id<Text>,
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
    pub(crate) fn at(self, arena: &Arena) -> u32 {
        match self {
            Self::Statement(statement) => match statement {
                // Go has no place of texts.
                Statement::Text(_) => 0,
                Statement::Action(pipeline) => arena.pipelines[*pipeline].at,
                Statement::If(branch) | Statement::With(branch) | Statement::Range(branch) => {
                    arena.branches[*branch].at
                }
                Statement::Template(invocation) => arena.invocations[*invocation].at,
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
        assert!(sizes.iter().zip([12, 12, 24]).all(|(size, most)| *size <= most), "{sizes:?}");
    }
}
