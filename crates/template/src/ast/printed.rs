//! Nodes as Go prints them, for errors quote them.

use std::fmt;

use super::{
    Arena, Branch, Command, Expression, ExpressionKind, Id, Invocation, List, NodeRef, Pipeline,
    Span, Statement,
};
use crate::quote::quoted;

impl<'t> NodeRef<'t> {
    /// The node as it prints, with the arena and the source of its tree.
    pub(crate) fn printed(self, arena: &'t Arena, source: &'t str) -> Printed<'t> {
        Printed { node: self, arena, source, bodies: true }
    }

    /// The same without the bodies of blocks.
    pub(crate) fn head(self, arena: &'t Arena, source: &'t str) -> Printed<'t> {
        Printed { node: self, arena, source, bodies: false }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Printed<'t> {
    node: NodeRef<'t>,
    arena: &'t Arena,
    source: &'t str,
    bodies: bool,
}

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { arena, source, bodies, .. } = *self;
        let mut printer = Printer { f, arena, source, bodies };
        match self.node {
            NodeRef::Statement(node) => printer.statement(node),
            NodeRef::Pipeline(node) => printer.pipeline(node),
            NodeRef::Command(node) => printer.command(node),
            NodeRef::Expression(node) => printer.expression(node),
        }
    }
}

struct Printer<'p, 'f> {
    f: &'p mut fmt::Formatter<'f>,
    arena: &'p Arena,
    source: &'p str,
    bodies: bool,
}

impl Printer<'_, '_> {
    fn text(&mut self, text: &str) -> fmt::Result {
        self.f.write_str(text)
    }

    fn span(&mut self, span: Span) -> fmt::Result {
        self.f.write_str(span.of(self.source))
    }

    fn statement(&mut self, statement: &Statement) -> fmt::Result {
        match statement {
            Statement::Text(text) => self.span(*text),
            Statement::Action(pipeline) => {
                self.text("{{")?;
                self.numbered(*pipeline)?;
                self.text("}}")
            }
            Statement::If(branch) => self.branch("if", *branch),
            Statement::With(branch) => self.branch("with", *branch),
            Statement::Range(branch) => self.branch("range", *branch),
            Statement::Template(invocation) => {
                self.invocation(&self.arena.invocations[*invocation])
            }
            Statement::Break { .. } => self.text("{{break}}"),
            Statement::Continue { .. } => self.text("{{continue}}"),
        }
    }

    fn branch(&mut self, word: &str, branch: Id<Branch>) -> fmt::Result {
        let branch = &self.arena.branches[branch];
        write!(self.f, "{{{{{word} ")?;
        self.numbered(branch.pipeline)?;
        self.text("}}")?;
        if !self.bodies {
            return Ok(());
        }
        self.list(branch.body)?;
        if let Some(otherwise) = branch.otherwise {
            self.text("{{else}}")?;
            self.list(otherwise)?;
        }
        self.text("{{end}}")
    }

    fn invocation(&mut self, invocation: &Invocation) -> fmt::Result {
        write!(self.f, "{{{{template {}", quoted(&self.arena.texts[invocation.name]))?;
        if let Some(pipeline) = invocation.pipeline {
            self.text(" ")?;
            self.numbered(pipeline)?;
        }
        self.text("}}")
    }

    fn list(&mut self, list: List<Statement>) -> fmt::Result {
        let statements = &self.arena.statements[list];
        statements.iter().try_for_each(|statement| self.statement(statement))
    }

    fn numbered(&mut self, pipeline: Id<Pipeline>) -> fmt::Result {
        self.pipeline(&self.arena.pipelines[pipeline])
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> fmt::Result {
        let arena = self.arena;
        for (number, variable) in arena.declared[pipeline.variables].iter().enumerate() {
            self.text(if number > 0 { ", " } else { "" })?;
            self.text(&arena.texts[*variable])?;
        }
        if !pipeline.variables.is_empty() {
            self.text(if pipeline.assigns { " = " } else { " := " })?;
        }
        for (number, command) in arena.commands[pipeline.commands].iter().enumerate() {
            self.text(if number > 0 { " | " } else { "" })?;
            self.command(command)?;
        }
        Ok(())
    }

    fn command(&mut self, command: &Command) -> fmt::Result {
        for (number, word) in self.arena.words[command.words].iter().enumerate() {
            self.text(if number > 0 { " " } else { "" })?;
            self.inner(word)?;
        }
        Ok(())
    }

    /// A word of something else; only there has a pipeline parentheses.
    fn inner(&mut self, word: &Expression) -> fmt::Result {
        let ExpressionKind::Pipeline(pipeline) = &word.kind else { return self.expression(word) };
        self.text("(")?;
        self.numbered(*pipeline)?;
        self.text(")")
    }

    fn expression(&mut self, expression: &Expression) -> fmt::Result {
        match &expression.kind {
            ExpressionKind::Dot => self.text("."),
            ExpressionKind::Nil => self.text("nil"),
            ExpressionKind::Bool(value) => write!(self.f, "{value}"),
            ExpressionKind::Number(number) => {
                let number = &self.arena.numbers[*number];
                self.text(&self.arena.texts[number.literal])
            }
            ExpressionKind::String { length, .. } => {
                self.span(Span { at: expression.at, length: *length })
            }
            ExpressionKind::Raw(text) => {
                self.span(Span { at: text.at - 1, length: text.length + 2 })
            }
            ExpressionKind::Field(fields) => self.span(fields.0),
            ExpressionKind::Variable { name, fields } => {
                self.text(&self.arena.texts[*name])?;
                self.span(fields.0)
            }
            ExpressionKind::Function(function) => self.text(function.name()),
            ExpressionKind::Chain { base, fields } => {
                self.inner(&self.arena.words[*base])?;
                self.span(fields.0)
            }
            ExpressionKind::Pipeline(pipeline) => self.numbered(*pipeline),
        }
    }
}
