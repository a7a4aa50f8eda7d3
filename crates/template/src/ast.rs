//! Parsed templates. Every node prints as Go's does, for errors quote it.

use std::{fmt, sync::Arc};

use crate::{Function, Text};

/// A parsed file or text, or one `define` of it.
#[derive(Debug)]
pub(crate) struct Tree {
    /// Its name: that of the file, or of the `define`.
    pub(crate) name: Arc<str>,
    /// Where it stands.
    pub(crate) source: Arc<Source>,
    pub(crate) body: Vec<Statement>,
}

impl Tree {
    /// Whether it has nothing but white space, definitions and comments.
    pub(crate) fn is_blank(&self) -> bool {
        self.body.iter().all(
            |statement| matches!(statement, Statement::Text { text, .. } if text.trim().is_empty()),
        )
    }
}

/// The text of a file with its name.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) name: Arc<str>,
    pub(crate) text: Text,
}

impl Source {
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
    Text { at: u32, text: Text },
    Action(Pipeline),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template { at: u32, name: Arc<str>, pipeline: Option<Pipeline> },
    Break { at: u32 },
    Continue { at: u32 },
}

#[derive(Debug)]
pub(crate) struct Branch {
    pub(crate) at: u32,
    pub(crate) pipeline: Pipeline,
    pub(crate) body: Vec<Statement>,
    pub(crate) otherwise: Option<Vec<Statement>>,
}

#[derive(Debug)]
pub(crate) struct Pipeline {
    pub(crate) at: u32,
    pub(crate) assigns: bool,
    pub(crate) variables: Vec<Variable>,
    pub(crate) commands: Vec<Command>,
}

/// A variable by the number that the parser gave its name.
#[derive(Clone, Debug)]
pub(crate) struct Variable {
    pub(crate) number: u32,
    /// With the dollar sign.
    pub(crate) name: Text,
}

#[derive(Debug)]
pub(crate) struct Command {
    pub(crate) at: u32,
    pub(crate) words: Vec<Expression>,
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
    String { literal: Text, text: Text },
    Field(Box<[Text]>),
    Variable { variable: Variable, fields: Box<[Text]> },
    Function { name: Text, function: &'static Function },
    Chain { base: Box<Expression>, fields: Vec<Text> },
    Pipeline(Box<Pipeline>),
}

/// A number can be several types, by what it is used for.
#[derive(Debug)]
pub(crate) struct Number {
    pub(crate) literal: Text,
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
                Statement::Text { .. } => 0,
                Statement::Action(pipeline) => pipeline.at,
                Statement::If(branch) | Statement::With(branch) | Statement::Range(branch) => {
                    branch.at
                }
                Statement::Template { at, .. }
                | Statement::Break { at }
                | Statement::Continue { at } => *at,
            },
            Self::Pipeline(pipeline) => pipeline.at,
            Self::Command(command) => command.at,
            Self::Expression(expression) => expression.at,
        }
    }
}

impl fmt::Display for NodeRef<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Statement(node) => fmt::Display::fmt(node, f),
            Self::Pipeline(node) => fmt::Display::fmt(node, f),
            Self::Command(node) => fmt::Display::fmt(node, f),
            Self::Expression(node) => fmt::Display::fmt(node, f),
        }
    }
}

impl fmt::Display for Statement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let branch = |f: &mut fmt::Formatter<'_>, word: &str, branch: &Branch| {
            write!(f, "{{{{{word} {}}}}}", branch.pipeline)?;
            list(f, &branch.body)?;
            if let Some(otherwise) = &branch.otherwise {
                f.write_str("{{else}}")?;
                list(f, otherwise)?;
            }
            f.write_str("{{end}}")
        };
        match self {
            Self::Text { text, .. } => f.write_str(text),
            Self::Action(pipeline) => write!(f, "{{{{{pipeline}}}}}"),
            Self::If(node) => branch(f, "if", node),
            Self::With(node) => branch(f, "with", node),
            Self::Range(node) => branch(f, "range", node),
            Self::Template { name, pipeline, .. } => {
                write!(f, "{{{{template {}", crate::quote::quoted(name))?;
                if let Some(pipeline) = pipeline {
                    write!(f, " {pipeline}")?;
                }
                f.write_str("}}")
            }
            Self::Break { .. } => f.write_str("{{break}}"),
            Self::Continue { .. } => f.write_str("{{continue}}"),
        }
    }
}

impl Statement {
    /// The statement without what stands in it.
    pub(crate) fn head(&self) -> String {
        match self {
            Self::If(branch) => format!("{{{{if {}}}}}", branch.pipeline),
            Self::With(branch) => format!("{{{{with {}}}}}", branch.pipeline),
            Self::Range(branch) => format!("{{{{range {}}}}}", branch.pipeline),
            other => other.to_string(),
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, statements: &[Statement]) -> fmt::Result {
    statements.iter().try_for_each(|statement| fmt::Display::fmt(statement, f))
}

impl fmt::Display for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, variable) in self.variables.iter().enumerate() {
            f.write_str(if number > 0 { ", " } else { "" })?;
            f.write_str(&variable.name)?;
        }
        if !self.variables.is_empty() {
            f.write_str(if self.assigns { " = " } else { " := " })?;
        }
        for (number, command) in self.commands.iter().enumerate() {
            f.write_str(if number > 0 { " | " } else { "" })?;
            fmt::Display::fmt(command, f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, word) in self.words.iter().enumerate() {
            f.write_str(if number > 0 { " " } else { "" })?;
            inner(f, word)?;
        }
        Ok(())
    }
}

impl fmt::Display for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ExpressionKind::Dot => f.write_str("."),
            ExpressionKind::Nil => f.write_str("nil"),
            ExpressionKind::Bool(value) => write!(f, "{value}"),
            ExpressionKind::Number(number) => f.write_str(&number.literal),
            ExpressionKind::String { literal, .. } => f.write_str(literal),
            ExpressionKind::Field(fields) => chain(f, fields),
            ExpressionKind::Variable { variable, fields } => {
                f.write_str(&variable.name)?;
                chain(f, fields)
            }
            ExpressionKind::Function { name, .. } => f.write_str(name),
            ExpressionKind::Chain { base, fields } => {
                inner(f, base)?;
                chain(f, fields)
            }
            ExpressionKind::Pipeline(pipeline) => fmt::Display::fmt(pipeline, f),
        }
    }
}

/// A word of something else; only there has a pipeline parentheses.
fn inner(f: &mut fmt::Formatter<'_>, word: &Expression) -> fmt::Result {
    match &word.kind {
        ExpressionKind::Pipeline(pipeline) => write!(f, "({pipeline})"),
        _ => fmt::Display::fmt(word, f),
    }
}

fn chain(f: &mut fmt::Formatter<'_>, fields: &[Text]) -> fmt::Result {
    fields.iter().try_for_each(|field| write!(f, ".{field}"))
}
