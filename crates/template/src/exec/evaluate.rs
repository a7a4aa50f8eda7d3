//! Pipelines, commands and fields.

use super::{Operand, State, deeper};
use crate::{
    Error, Map, Text, Value,
    ast::{Command, Expression, ExpressionKind, Fields, Id, Names, NodeRef, Number, Pipeline},
    engine::MissingKey,
    function::{Action, Function},
    quote::quoted,
    value::named,
};

/// The words of a command, its own first, and what the pipeline hands to it.
#[derive(Debug)]
pub(super) struct Given<'t> {
    pub(super) words: &'t [Expression],
    pub(super) last: Option<Operand>,
}

impl Given<'_> {
    pub(super) const NOTHING: Given<'static> = Given { words: &[], last: None };

    fn has_arguments(&self) -> bool {
        self.words.len() > 1 || self.last.is_some()
    }
}

impl<'t> State<'_, 't, '_> {
    pub(super) fn pipeline(
        &mut self,
        dot: &Operand,
        pipeline: Id<Pipeline>,
    ) -> Result<Operand, Error> {
        let pipeline = &self.arena.pipelines[pipeline];
        self.look(NodeRef::Pipeline(pipeline));
        let commands = &self.arena.commands[pipeline.commands];
        if let ([command], true) = (commands, pipeline.variables.is_empty()) {
            return Ok(self.command(dot, command, None)?.unboxed());
        }
        let value = self.commands(dot, commands)?.unwrap_or_default();
        for &variable in &self.arena.declared[pipeline.variables] {
            if pipeline.assigns {
                self.assign(variable, value.clone())?;
            } else {
                self.context.variables.push((variable, value.clone()));
            }
            self.assigned(variable);
        }
        Ok(value)
    }

    /// Evaluates a pipeline that is printed; gives nothing if its text is written already, by its last
    /// function or because it is a literal.
    pub(super) fn printed_pipeline(
        &mut self,
        dot: &Operand,
        pipeline: Id<Pipeline>,
    ) -> Result<Option<Operand>, Error> {
        let commands = &self.arena.commands[self.arena.pipelines[pipeline].commands];
        let Some((command, before)) = commands.split_last() else {
            return self.pipeline(dot, pipeline).map(Some);
        };
        match &self.arena.words[command.words] {
            words @ [
                first @ Expression {
                    kind:
                        ExpressionKind::Function(
                            function @ Function { action: Action::Write(body), .. },
                        ),
                    ..
                },
                ..,
            ] => {
                self.look(NodeRef::Pipeline(&self.arena.pipelines[pipeline]));
                let last = self.commands(dot, before)?;
                self.take(1, 0)?;
                self.look(NodeRef::Expression(first));
                self.write(dot, function, *body, NodeRef::Command(command), Given { words, last })?;
                Ok(None)
            }
            [Expression { kind: ExpressionKind::Raw(text), .. }] if before.is_empty() => {
                self.take(1, 0)?;
                self.out.push_str(self.tree.source.of(*text));
                Ok(None)
            }
            _ => self.pipeline(dot, pipeline).map(Some),
        }
    }

    fn commands(
        &mut self,
        dot: &Operand,
        commands: &'t [Command],
    ) -> Result<Option<Operand>, Error> {
        let mut value = None;
        for command in commands {
            value = Some(self.command(dot, command, value)?.unboxed());
        }
        Ok(value)
    }

    fn command(
        &mut self,
        dot: &Operand,
        command: &'t Command,
        last: Option<Operand>,
    ) -> Result<Operand, Error> {
        self.take(1, 0)?;
        let words = &self.arena.words[command.words];
        let first = &words[0];
        let given = Given { words, last };
        if !given.has_arguments() {
            self.look(NodeRef::Expression(first));
            if let Some(found) = self.found(dot, first) {
                return Ok(found);
            }
        }
        match &first.kind {
            ExpressionKind::Field(_) | ExpressionKind::Chain { .. } => {
                self.fields_of(dot, first, given)
            }
            ExpressionKind::Variable { .. } => self.variable(dot, first, given),
            ExpressionKind::Function(function) => {
                self.look(NodeRef::Expression(first));
                self.function(dot, function, NodeRef::Command(command), given)
            }
            ExpressionKind::Pipeline(pipeline) => {
                self.not_a_function(&given)?;
                deeper(|| self.pipeline(dot, *pipeline))
            }
            _ => {
                self.look(NodeRef::Expression(first));
                self.not_a_function(&given)?;
                if matches!(first.kind, ExpressionKind::Nil) {
                    return Err(self.fail("nil is not a command"));
                }
                self.constant(dot, first)
            }
        }
    }

    fn not_a_function(&self, given: &Given<'_>) -> Result<(), Error> {
        if given.has_arguments() {
            let word = self.printed(NodeRef::Expression(&given.words[0]));
            return Err(self.fail(format!("can't give argument to non-function {word}")));
        }
        Ok(())
    }

    /// A word that stands for itself.
    pub(super) fn constant(
        &mut self,
        dot: &Operand,
        word: &'t Expression,
    ) -> Result<Operand, Error> {
        Ok(match &word.kind {
            ExpressionKind::Dot => dot.clone(),
            ExpressionKind::Bool(value) => Operand::plain(Value::Bool(*value)),
            ExpressionKind::String { text, .. } => {
                Operand::plain(Value::Str(self.arena.texts[*text].clone()))
            }
            ExpressionKind::Raw(text) => {
                Operand::plain(Value::Str(Text::from(self.tree.source.of(*text))))
            }
            ExpressionKind::Number(number) => {
                self.look(NodeRef::Expression(word));
                self.number(&self.arena.numbers[*number])?
            }
            _ => {
                let word = self.printed(NodeRef::Expression(word));
                return Err(self.fail(format!("can't evaluate command {}", quoted(&word))));
            }
        })
    }

    /// A number of no given type: Go's ideal constant.
    fn number(&self, number: &Number) -> Result<Operand, Error> {
        let literal = &self.arena.texts[number.literal];
        if let (Some(int), true) = (number.int, literal.bytes().all(|byte| byte.is_ascii_digit())) {
            return Ok(Operand::plain(Value::int(int)));
        }
        let hexadecimal = literal.len() > 2
            && literal.starts_with('0')
            && matches!(literal.as_bytes()[1], b'x' | b'X')
            && !literal.contains(['p', 'P']);
        let looks_float = !hexadecimal
            && !literal.starts_with('\'')
            && literal.contains(['.', 'e', 'E', 'p', 'P']);
        Ok(Operand::plain(match number {
            Number { complex: Some(parts), .. } => Value::Complex(Box::new(*parts)),
            Number { float: Some(float), .. } if looks_float => Value::Float(*float),
            Number { int: Some(int), .. } => Value::int(*int),
            Number { uint: Some(_), .. } => {
                return Err(self.fail(format!("{literal} overflows int")));
            }
            _ => return Ok(Operand::INVALID),
        }))
    }

    pub(super) fn variable(
        &mut self,
        dot: &Operand,
        word: &'t Expression,
        given: Given<'t>,
    ) -> Result<Operand, Error> {
        self.look(NodeRef::Expression(word));
        let ExpressionKind::Variable { name, fields } = word.kind else {
            return self.constant(dot, word);
        };
        let Some(value) = self.variable_of(name) else {
            let name = &self.arena.texts[name];
            return Err(self.fail(format!("undefined variable: {name}")));
        };
        let value = value.clone();
        self.used(name);
        if fields.is_empty() {
            self.not_a_function(&given)?;
            return Ok(value);
        }
        self.chain(dot, Some(value), fields, word, given)
    }

    /// `.a.b`, or fields of what stands in parentheses.
    pub(super) fn fields_of(
        &mut self,
        dot: &Operand,
        word: &'t Expression,
        given: Given<'t>,
    ) -> Result<Operand, Error> {
        self.look(NodeRef::Expression(word));
        match &word.kind {
            ExpressionKind::Field(fields) => self.chain(dot, None, *fields, word, given),
            ExpressionKind::Chain { base, fields } => {
                let base = &self.arena.words[*base];
                if matches!(base.kind, ExpressionKind::Nil) {
                    let word = self.printed(NodeRef::Expression(word));
                    return Err(self.fail(format!("indirection through explicit nil in {word}")));
                }
                let base = self.argument(dot, None, base)?;
                self.chain(dot, Some(base), *fields, word, given)
            }
            _ => self.constant(dot, word),
        }
    }

    /// A variable, or where fields lead to that are keys of maps within each other: the usual case, in
    /// which nothing on the way need be held. Others, and what fails, are for those who know all cases.
    #[inline]
    pub(super) fn found(&self, dot: &Operand, word: &Expression) -> Option<Operand> {
        let (base, fields) = match word.kind {
            ExpressionKind::Field(fields) => (dot, fields),
            ExpressionKind::Variable { name, fields } => (self.variable_of(name)?, fields),
            _ => return None,
        };
        match &base.value {
            _ if self.context.trace.is_some() => None,
            _ if fields.is_empty() => Some(base.clone()),
            Value::Map(map) => {
                let names = fields.names(&self.tree.source.text);
                key_of_keys(map, names, self.context.options.missing)
            }
            _ => None,
        }
    }

    /// Fields of a base, or of the dot.
    fn chain(
        &mut self,
        dot: &Operand,
        mut base: Option<Operand>,
        fields: Fields,
        node: &'t Expression,
        given: Given<'t>,
    ) -> Result<Operand, Error> {
        let mut names = fields.names(&self.tree.source.text);
        loop {
            let (name, rest) = names.split();
            let receiver = base.as_ref().unwrap_or(dot);
            match rest {
                None => return self.field(dot, receiver, name, node, given),
                Some(rest) => {
                    base = Some(self.field(dot, receiver, name, node, Given::NOTHING)?);
                    names = rest;
                }
            }
        }
    }

    /// A method, a field or a key. Only the last of a chain is given arguments.
    fn field(
        &mut self,
        dot: &Operand,
        receiver: &Operand,
        name: &str,
        node: &'t Expression,
        given: Given<'t>,
    ) -> Result<Operand, Error> {
        match &receiver.value {
            Value::Nil if receiver.boxed => {
                return Err(self.fail(format!("nil pointer evaluating interface {{}}.{name}")));
            }
            Value::Nil => {
                if self.context.options.missing == MissingKey::Error {
                    return Err(self.fail(format!("nil data; no entry for key {}", quoted(name))));
                }
                return Ok(Operand::INVALID);
            }
            Value::Map(map) => {
                if let Some(method) = named::method(map, name) {
                    let map = map.clone();
                    return self.method(
                        dot,
                        name,
                        method,
                        NodeRef::Expression(node),
                        given,
                        |values, _| named::call(&map, name, values),
                    );
                }
                return self.key(map, name, &given);
            }
            Value::Object(object) => {
                if let Some(method) = object.method(name) {
                    let object = std::rc::Rc::clone(object);
                    return self.method(
                        dot,
                        name,
                        method,
                        NodeRef::Expression(node),
                        given,
                        |values, context| object.call(name, values, context),
                    );
                }
                if let Some(value) = object.field(name) {
                    if given.has_arguments() {
                        return Err(self.fail(format!(
                            "{name} has arguments but cannot be invoked as function"
                        )));
                    }
                    return Ok(Operand::plain(value));
                }
                if let Some(map) = object.map() {
                    return self.key(&map, name, &given);
                }
                if object.fields().iter().any(|field| field.name == name) {
                    let of = object.type_name();
                    return Err(
                        self.fail(format!("{name} is an unexported field of struct type {of}"))
                    );
                }
            }
            _ => {}
        }
        let of = receiver.type_of();
        Err(self.fail(format!("can't evaluate field {name} in type {of}")))
    }

    /// A key of a map, which takes no arguments.
    fn key(&mut self, map: &Map, name: &str, given: &Given<'_>) -> Result<Operand, Error> {
        if given.has_arguments() {
            return Err(self.fail(format!("{name} is not a method but has arguments")));
        }
        self.read(map, name);
        let of = map.kind().element();
        match map.get(name) {
            Some(value) => Ok(Operand::element(value, of)),
            None => self.missing(name, of),
        }
    }

    fn missing(&self, name: &str, of: crate::value::Type) -> Result<Operand, Error> {
        match self.context.options.missing {
            MissingKey::Invalid => Ok(Operand::INVALID),
            MissingKey::Zero => Ok(Operand::zero(of)),
            MissingKey::Error => {
                Err(self.fail(format!("map has no entry for key {}", quoted(name))))
            }
        }
    }
}

fn key_of_keys(map: &Map, names: Names<'_>, missing: MissingKey) -> Option<Operand> {
    let (name, rest) = names.split();
    if named::method(map, name).is_some() {
        return None;
    }
    match (map.borrow()?.get(name), rest) {
        (Some(Value::Map(inner)), Some(rest)) => key_of_keys(inner, rest, missing),
        (Some(value), None) => Some(Operand::element(value.clone(), map.kind().element())),
        (None, None) if missing == MissingKey::Zero => Some(Operand::zero(map.kind().element())),
        _ => None,
    }
}
