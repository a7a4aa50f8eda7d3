//! Nodes as Go prints them, for errors quote them.

use std::fmt;

use super::{
    Branch, Command, Expression, ExpressionKind, Invocation, NodeRef, Pipeline, Span, Statement,
};
use crate::{Text, quote::quoted};

impl<'t> NodeRef<'t> {
    /// The node as it prints, with the source of its tree.
    pub(crate) fn printed(self, source: &'t str) -> Printed<'t> {
        Printed { node: self, source, bodies: true }
    }

    /// The same without the bodies of blocks.
    pub(crate) fn head(self, source: &'t str) -> Printed<'t> {
        Printed { node: self, source, bodies: false }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Printed<'t> {
    node: NodeRef<'t>,
    source: &'t str,
    bodies: bool,
}

impl fmt::Display for Printed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut printer = Printer { f, source: self.source, bodies: self.bodies };
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
                self.pipeline(pipeline)?;
                self.text("}}")
            }
            Statement::If(branch) => self.branch("if", branch),
            Statement::With(branch) => self.branch("with", branch),
            Statement::Range(branch) => self.branch("range", branch),
            Statement::Template(invocation) => self.invocation(invocation),
            Statement::Break { .. } => self.text("{{break}}"),
            Statement::Continue { .. } => self.text("{{continue}}"),
        }
    }

    fn branch(&mut self, word: &str, branch: &Branch) -> fmt::Result {
        write!(self.f, "{{{{{word} ")?;
        self.pipeline(&branch.pipeline)?;
        self.text("}}")?;
        if !self.bodies {
            return Ok(());
        }
        self.list(&branch.body)?;
        if let Some(otherwise) = &branch.otherwise {
            self.text("{{else}}")?;
            self.list(otherwise)?;
        }
        self.text("{{end}}")
    }

    fn invocation(&mut self, invocation: &Invocation) -> fmt::Result {
        write!(self.f, "{{{{template {}", quoted(&invocation.name))?;
        if let Some(pipeline) = &invocation.pipeline {
            self.text(" ")?;
            self.pipeline(pipeline)?;
        }
        self.text("}}")
    }

    fn list(&mut self, statements: &[Statement]) -> fmt::Result {
        statements.iter().try_for_each(|statement| self.statement(statement))
    }

    fn pipeline(&mut self, pipeline: &Pipeline) -> fmt::Result {
        for (number, variable) in pipeline.variables.iter().enumerate() {
            self.text(if number > 0 { ", " } else { "" })?;
            self.span(variable.name)?;
        }
        if !pipeline.variables.is_empty() {
            self.text(if pipeline.assigns { " = " } else { " := " })?;
        }
        for (number, command) in pipeline.commands.iter().enumerate() {
            self.text(if number > 0 { " | " } else { "" })?;
            self.command(command)?;
        }
        Ok(())
    }

    fn command(&mut self, command: &Command) -> fmt::Result {
        for (number, word) in command.words.iter().enumerate() {
            self.text(if number > 0 { " " } else { "" })?;
            self.inner(word)?;
        }
        Ok(())
    }

    /// A word of something else; only there has a pipeline parentheses.
    fn inner(&mut self, word: &Expression) -> fmt::Result {
        let ExpressionKind::Pipeline(pipeline) = &word.kind else { return self.expression(word) };
        self.text("(")?;
        self.pipeline(pipeline)?;
        self.text(")")
    }

    fn expression(&mut self, expression: &Expression) -> fmt::Result {
        match &expression.kind {
            ExpressionKind::Dot => self.text("."),
            ExpressionKind::Nil => self.text("nil"),
            ExpressionKind::Bool(value) => write!(self.f, "{value}"),
            ExpressionKind::Number(number) => self.span(number.literal),
            ExpressionKind::String { length, .. } => {
                self.span(Span { at: expression.at, length: *length })
            }
            ExpressionKind::Field(fields) => self.chain(fields),
            ExpressionKind::Variable { variable, fields } => {
                self.span(variable.name)?;
                self.chain(fields)
            }
            ExpressionKind::Function(function) => self.text(function.name()),
            ExpressionKind::Chain { base, fields } => {
                self.inner(base)?;
                self.chain(fields)
            }
            ExpressionKind::Pipeline(pipeline) => self.pipeline(pipeline),
        }
    }

    fn chain(&mut self, fields: &[Text]) -> fmt::Result {
        fields.iter().try_for_each(|field| write!(self.f, ".{field}"))
    }
}
