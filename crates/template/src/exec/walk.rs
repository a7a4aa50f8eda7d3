//! Statements.

use super::{Operand, State, deeper, run};
use crate::{
    Error, ErrorKind, Text, Value,
    ast::{Branch, ExpressionKind, Id, Invocation, List, NodeRef, Pipeline, Span, Statement},
    format::{self, TooLarge},
    quote::quoted,
};

/// How a list of statements ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

impl<'t> State<'_, 't, '_> {
    pub(super) fn walk(&mut self, dot: &Operand, body: List<Statement>) -> Result<Flow, Error> {
        for statement in &self.arena.statements[body] {
            if let Statement::Text(span) = statement {
                self.text(statement, *span)?;
                continue;
            }
            match self.statement(dot, statement)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    #[inline]
    fn text(&mut self, statement: &'t Statement, span: Span) -> Result<(), Error> {
        self.look(NodeRef::Statement(statement));
        let text = self.tree.source.of(span);
        self.take(1, text.len())?;
        self.out.push_str(text);
        if let Some(trace) = &mut self.context.trace {
            trace.text(self.tree, span.at, self.out.len());
        }
        Ok(())
    }

    fn statement(&mut self, dot: &Operand, statement: &'t Statement) -> Result<Flow, Error> {
        self.look(NodeRef::Statement(statement));
        match statement {
            Statement::Text(span) => self.text(statement, *span)?,
            Statement::Action(pipeline) => self.action(dot, statement, *pipeline)?,
            Statement::If(branch) => {
                return deeper(|| self.condition(dot, statement, *branch, false));
            }
            Statement::With(branch) => {
                return deeper(|| self.condition(dot, statement, *branch, true));
            }
            Statement::Range(branch) => return deeper(|| self.range(dot, statement, *branch)),
            Statement::Template(invocation) => self.template(dot, statement, *invocation)?,
            Statement::Break { .. } => return Ok(Flow::Break),
            Statement::Continue { .. } => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn action(
        &mut self,
        dot: &Operand,
        statement: &'t Statement,
        pipeline: Id<Pipeline>,
    ) -> Result<(), Error> {
        self.begin();
        let id = pipeline;
        let pipeline = &self.arena.pipelines[id];
        if !pipeline.variables.is_empty() {
            self.pipeline(dot, id)?;
            self.wrote(statement);
            return Ok(());
        }
        let before = self.out.len();
        let value = self.printed_pipeline(dot, id)?;
        self.look(NodeRef::Statement(statement));
        let Some(value) = value else {
            self.wrote(statement);
            return self.take(1, self.out.len() - before);
        };
        let own = match &value.value {
            // What a function returns has no address, and so no methods of one.
            Value::Object(object) if !self.returns(pipeline) => object.printed(),
            _ if !value.is_valid() => Some("<no value>".to_owned()),
            _ => None,
        };
        let printed = match own {
            Some(text) => {
                self.out.push_str(&text);
                Ok(())
            }
            None => format::print(self.out, &value.value),
        };
        if let Err(TooLarge) = printed {
            let message = "a value prints too much";
            return Err(Error::exec(ErrorKind::Limit, message).within(self.frame(None)));
        }
        self.wrote(statement);
        self.take(1, self.out.len() - before)
    }

    fn condition(
        &mut self,
        dot: &Operand,
        statement: &'t Statement,
        branch: Id<Branch>,
        with: bool,
    ) -> Result<Flow, Error> {
        let branch = &self.arena.branches[branch];
        let mark = self.context.variables.len();
        self.begin();
        let value = self.pipeline(dot, branch.pipeline)?;
        self.enter(statement);
        let flow = if value.value.is_true() {
            self.walk(if with { &value } else { dot }, branch.body)?
        } else if let Some(otherwise) = branch.otherwise {
            self.walk(dot, otherwise)?
        } else {
            Flow::Next
        };
        self.leave();
        self.context.variables.truncate(mark);
        Ok(flow)
    }

    fn range(
        &mut self,
        dot: &Operand,
        statement: &'t Statement,
        branch: Id<Branch>,
    ) -> Result<Flow, Error> {
        let branch = &self.arena.branches[branch];
        self.look(NodeRef::Statement(statement));
        let before = self.context.variables.len();
        self.begin();
        let over = self.pipeline(dot, branch.pipeline)?;
        self.enter(statement);
        let mark = self.context.variables.len();
        let ran = self.iterate(&over, branch, mark)?;
        let flow = match (branch.otherwise, ran) {
            (Some(otherwise), false) => self.walk(dot, otherwise)?,
            _ => Flow::Next,
        };
        self.leave();
        self.context.variables.truncate(before);
        Ok(flow)
    }

    /// Runs the body for each element; whether there was one.
    fn iterate(&mut self, over: &Operand, branch: &'t Branch, mark: usize) -> Result<bool, Error> {
        if let Value::Int(kind, end) = over.value {
            if self.declared(branch).len() > 1 {
                let value = over.text();
                return Err(
                    self.fail(format!("can't use {value} to iterate over more than one variable"))
                );
            }
            for number in 0..end.max(0) {
                let element = Operand::plain(Value::Int(kind, number));
                if !self.once(branch, mark, Operand::INVALID, element)? {
                    break;
                }
            }
            return Ok(end > 0);
        }
        if let Some(list) = over.value.as_list() {
            let of = list.kind().element();
            for (number, item) in list.items().iter().enumerate() {
                let index = Operand::plain(Value::int(i64::try_from(number).unwrap_or(i64::MAX)));
                if !self.once(branch, mark, index, Operand::element(item.clone(), of))? {
                    break;
                }
            }
            return Ok(!list.is_empty());
        }
        if let Some(map) = over.value.as_map() {
            let of = map.kind().element();
            let entries = map.snapshot();
            let some = !entries.is_empty();
            for (key, item) in entries {
                let key = Operand::plain(Value::Str(key));
                if !self.once(branch, mark, key, Operand::element(item, of))? {
                    break;
                }
            }
            return Ok(some);
        }
        if over.value.is_nil() {
            return Ok(false);
        }
        let value =
            if over.is_valid() { format::text_behind_pointer(&over.value) } else { over.text() };
        Err(self.fail(format!("range can't iterate over {value}")))
    }

    /// One turn of a range; whether it goes on.
    fn once(
        &mut self,
        branch: &'t Branch,
        mark: usize,
        index: Operand,
        element: Operand,
    ) -> Result<bool, Error> {
        self.take(1, 0)?;
        let assigns = self.arena.pipelines[branch.pipeline].assigns;
        match (self.declared(branch), assigns) {
            ([], _) => {}
            ([only], true) => self.assign(*only, element.clone())?,
            ([first, second, ..], true) => {
                self.assign(*first, index)?;
                self.assign(*second, element.clone())?;
            }
            ([_], false) => self.context.variables[mark - 1].1 = element.clone(),
            ([_, _, ..], false) => {
                self.context.variables[mark - 1].1 = element.clone();
                self.context.variables[mark - 2].1 = index;
            }
        }
        let flow = self.walk(&element, branch.body)?;
        self.context.variables.truncate(mark);
        Ok(flow != Flow::Break)
    }

    fn declared(&self, branch: &Branch) -> &'t [Id<Text>] {
        &self.arena.declared[self.arena.pipelines[branch.pipeline].variables]
    }

    pub(super) fn assign(&mut self, name: Id<Text>, value: Operand) -> Result<(), Error> {
        match self.variable_mut(name) {
            Some(variable) => {
                *variable = value;
                Ok(())
            }
            None => {
                let name = &self.arena.texts[name];
                Err(self.fail(format!("undefined variable: {name}")))
            }
        }
    }

    fn template(
        &mut self,
        dot: &Operand,
        statement: &'t Statement,
        invocation: Id<Invocation>,
    ) -> Result<(), Error> {
        let Invocation { name, pipeline, .. } = self.arena.invocations[invocation];
        let name = &self.arena.texts[name];
        let Some(template) = self.context.templates.get(name) else {
            return Err(self.fail(format!("template {} not defined", quoted(name))));
        };
        let deepest = self.context.options.limits.depth;
        if self.context.depth >= deepest {
            let message = format!("exceeded maximum template depth ({deepest})");
            return Err(Error::exec(ErrorKind::Limit, message).within(self.frame(None)));
        }
        self.begin();
        let dot = match pipeline {
            Some(pipeline) => self.pipeline(dot, pipeline)?,
            None => Operand::INVALID,
        };
        self.enter(statement);
        let result = run(self.context, &template, dot, self.out);
        self.leave();
        result
    }
    /// Whether a function makes the value of a pipeline. Those of the language itself hand on what they
    /// are given.
    fn returns(&self, pipeline: &Pipeline) -> bool {
        let last = self.arena.commands[pipeline.commands].last();
        let first = last.and_then(|command| self.arena.words[command.words].first());
        first.is_some_and(|word| match &word.kind {
            ExpressionKind::Function(function) => {
                !matches!(function.name(), "and" | "or" | "index")
            }
            _ => false,
        })
    }
}
