//! Calls: how many arguments, of which types.

use smallvec::SmallVec;

use super::{Operand, State, deeper, evaluate::Given};
use crate::{
    CallError, Context, Error, ErrorKind, Value,
    ast::{Expression, ExpressionKind, NodeRef},
    funcs::dates::{DURATION, nanoseconds},
    function::{Action, Arguments, Failure, Function, Writer},
    value::{IntKind, Method, Type},
};

type Operands = SmallVec<[Operand; 3]>;

/// What a function or method takes.
#[derive(Clone, Copy)]
struct Signature<'n> {
    name: &'n str,
    params: &'static [Type],
    variadic: bool,
}

impl Signature<'_> {
    /// The type of the argument at `index`.
    fn param(&self, index: usize) -> &'static Type {
        self.params.get(index).or(self.params.last()).unwrap_or(&Type::Any)
    }
}

/// No value of a template is a function; Go names what was called as it was written.
fn not_callable(named: Option<String>, called: &Operand) -> CallError {
    let value = &called.value;
    if value.is_nil() {
        return "call of nil".into();
    }
    let named = named.unwrap_or_else(|| match value {
        Value::Str(text) => text.to_string(),
        other => format!("<{} Value>", other.type_of()),
    });
    format!("non-function {named} of type {}", value.type_of()).into()
}

impl<'t> State<'_, 't, '_> {
    pub(super) fn function(
        &mut self,
        dot: &Operand,
        function: &'static Function,
        node: NodeRef<'t>,
        given: Given<'t>,
    ) -> Result<Operand, Error> {
        let Function { name, params, variadic, action } = *function;
        let signature = Signature { name, params, variadic };
        match action {
            Action::Call(body) => {
                let from = self.values(dot, signature, given)?;
                let result = body(self.context, Arguments(&self.arguments[from..]));
                self.called(name, node, from, result)
            }
            Action::Write(body) => {
                let from = self.values(dot, signature, given)?;
                let arguments = Arguments(&self.arguments[from..]);
                let result = self.context.text(|context, out| body(context, arguments, out));
                self.called(name, node, from, result.map(Value::Str))
            }
            Action::Callee => {
                let named = given.words.get(1).map(|word| self.printed(NodeRef::Expression(word)));
                let operands = self.operands(dot, signature, given)?;
                let error = not_callable(named, &operands[0]);
                Err(self.failed(name, node, error))
            }
            Action::Reflect(body) => {
                let operands = self.operands(dot, signature, given)?;
                body(&operands).map_err(|error| self.failed(name, node, error))
            }
            Action::And | Action::Or => {
                self.logic(dot, signature, matches!(action, Action::Or), given)
            }
        }
    }

    /// Calls a function that writes its text, for what is printed as it is.
    pub(super) fn write(
        &mut self,
        dot: &Operand,
        &Function { name, params, variadic, .. }: &'static Function,
        body: Writer,
        node: NodeRef<'t>,
        given: Given<'t>,
    ) -> Result<(), Error> {
        let from = self.values(dot, Signature { name, params, variadic }, given)?;
        let result = body(self.context, Arguments(&self.arguments[from..]), self.out);
        self.arguments.truncate(from);
        result.map_err(|error| self.failed(name, node, error))
    }

    /// Calls a method of a value.
    pub(super) fn method(
        &mut self,
        dot: &Operand,
        name: &str,
        method: Method,
        node: NodeRef<'t>,
        given: Given<'t>,
        call: impl FnOnce(&[Value], &mut Context<'_>) -> Result<Value, CallError>,
    ) -> Result<Operand, Error> {
        let signature = Signature { name, params: method.params, variadic: method.variadic };
        let from = self.values(dot, signature, given)?;
        let result = call(&self.arguments[from..], self.context);
        self.called(name, node, from, result)
    }

    /// What a call gave that had the arguments from there on.
    #[inline]
    fn called(
        &mut self,
        name: &str,
        node: NodeRef<'t>,
        from: usize,
        result: Result<Value, CallError>,
    ) -> Result<Operand, Error> {
        self.arguments.truncate(from);
        result.map(Operand::plain).map_err(|error| self.failed(name, node, error))
    }

    /// Where and how a call failed.
    fn failed(&mut self, name: &str, node: NodeRef<'t>, error: CallError) -> Error {
        // Go looks at what a method returns before it looks at the call.
        if !matches!(*error.0, Failure::Refused(_)) {
            self.look(node);
        }
        let doing = |nested: Option<String>| {
            Some(match nested {
                Some(nested) => format!("error calling {name}: {nested}"),
                None => format!("error calling {name}"),
            })
        };
        match *error.0 {
            Failure::Message(message) => {
                Error::exec(ErrorKind::Exec, message).within(self.frame(doing(None)))
            }
            Failure::Failed(message) => {
                Error::exec(ErrorKind::Failed, message).within(self.frame(doing(None)))
            }
            Failure::Refused(message) => self.fail(message),
            Failure::Template(error, nested) => error.within(self.frame(doing(nested))),
            Failure::Stop(error) if error.frames().is_empty() => error.within(self.frame(None)),
            Failure::Stop(error) => error,
        }
    }

    /// `and` and `or`, which leave what they need not know unevaluated.
    fn logic(
        &mut self,
        dot: &Operand,
        signature: Signature<'_>,
        until: bool,
        given: Given<'t>,
    ) -> Result<Operand, Error> {
        self.count(signature, &given)?;
        let mut value = Operand::INVALID;
        for word in given.words.iter().skip(1) {
            value = self.argument(dot, Some(&Type::Reflect), word)?;
            if value.value.is_true() == until {
                return Ok(value);
            }
        }
        Ok(given.last.unwrap_or(value))
    }

    #[inline]
    fn count(&self, signature: Signature<'_>, given: &Given<'_>) -> Result<(), Error> {
        let Signature { params, variadic, .. } = signature;
        let words = given.words.len().saturating_sub(1);
        let got = words + usize::from(given.last.is_some());
        let fits = if variadic { got + 1 >= params.len() } else { got == params.len() };
        if fits { Ok(()) } else { self.miscounted(signature, words, got) }
    }

    #[cold]
    fn miscounted(&self, signature: Signature<'_>, words: usize, got: usize) -> Result<(), Error> {
        let Signature { name, params, variadic } = signature;
        if variadic {
            let least = params.len() - 1;
            if got < least {
                return Err(self.fail(format!(
                    "wrong number of args for {name}: want at least {least} got {words}"
                )));
            }
        } else if got != params.len() {
            let want = params.len();
            return Err(
                self.fail(format!("wrong number of args for {name}: want {want} got {got}"))
            );
        }
        Ok(())
    }

    /// Evaluates arguments; those of the call are from there on.
    fn values(
        &mut self,
        dot: &Operand,
        signature: Signature<'_>,
        given: Given<'t>,
    ) -> Result<usize, Error> {
        self.count(signature, &given)?;
        let from = self.arguments.len();
        for (index, word) in given.words.get(1..).unwrap_or_default().iter().enumerate() {
            let value = self.argument(dot, Some(signature.param(index)), word)?.value;
            self.arguments.push(value);
        }
        if let Some(last) = given.last {
            let of = signature.param(self.arguments.len() - from);
            let value = self.validate(last, Some(of))?.value;
            self.arguments.push(value);
        }
        Ok(from)
    }

    fn operands(
        &mut self,
        dot: &Operand,
        signature: Signature<'_>,
        given: Given<'t>,
    ) -> Result<Operands, Error> {
        self.count(signature, &given)?;
        let mut operands = Operands::new();
        for (index, word) in given.words.iter().skip(1).enumerate() {
            operands.push(self.argument(dot, Some(signature.param(index)), word)?);
        }
        if let Some(last) = given.last {
            let of = signature.param(operands.len());
            operands.push(self.validate(last, Some(of))?);
        }
        Ok(operands)
    }

    /// One argument as a parameter of the given type takes it; of no type for the base of a chain.
    pub(super) fn argument(
        &mut self,
        dot: &Operand,
        of: Option<&Type>,
        word: &'t Expression,
    ) -> Result<Operand, Error> {
        self.look(NodeRef::Expression(word));
        if let Some(found) = self.found(dot, word) {
            return self.validate(found, of);
        }
        let value = match &word.kind {
            ExpressionKind::Dot => dot.clone(),
            ExpressionKind::String { text, .. }
                if matches!(of, Some(Type::Any | Type::Reflect | Type::String)) =>
            {
                return Ok(Operand::plain(Value::Str(self.arena.texts[*text].clone())));
            }
            ExpressionKind::Nil => {
                let of = of.copied().unwrap_or(Type::Any);
                if !of.can_be_nil() {
                    return Err(self.fail(format!("cannot assign nil to {of}")));
                }
                return Ok(match of {
                    Type::Any => Operand::boxed(Value::Nil),
                    _ => Operand::plain(of.nil()),
                });
            }
            ExpressionKind::Field(_) | ExpressionKind::Chain { .. } => {
                self.fields_of(dot, word, Given::NOTHING)?
            }
            ExpressionKind::Variable { .. } => self.variable(dot, word, Given::NOTHING)?,
            ExpressionKind::Pipeline(pipeline) => deeper(|| self.pipeline(dot, *pipeline))?,
            ExpressionKind::Function(function) => {
                self.function(dot, function, NodeRef::Expression(word), Given::NOTHING)?
            }
            _ => return self.literal(dot, of.copied().unwrap_or(Type::Any), word),
        };
        self.validate(value, of)
    }

    /// A literal where a type is asked for.
    fn literal(&mut self, dot: &Operand, of: Type, word: &'t Expression) -> Result<Operand, Error> {
        let number = match &word.kind {
            ExpressionKind::Number(number) => Some(&self.arena.numbers[*number]),
            _ => None,
        };
        let expected = match (of, &word.kind) {
            (Type::Any | Type::Reflect, _) => return self.constant(dot, word),
            (Type::Bool, ExpressionKind::Bool(_))
            | (Type::String, ExpressionKind::String { .. } | ExpressionKind::Raw(_)) => {
                return self.constant(dot, word);
            }
            (Type::Bool, _) => "bool",
            (Type::String, _) => "string",
            (Type::Float64, _) => match number.and_then(|number| number.float) {
                Some(float) => return Ok(Operand::plain(Value::Float(float))),
                None => "float",
            },
            (Type::Complex128, _) => match number.and_then(|number| number.complex) {
                Some(parts) => return Ok(Operand::plain(Value::Complex(Box::new(parts)))),
                None => "complex",
            },
            (Type::Int(kind), _) if kind.is_unsigned() => match number.and_then(|n| n.uint) {
                Some(uint) => return Ok(Operand::plain(Value::Int(kind, uint.cast_signed()))),
                None => "unsigned integer",
            },
            (Type::Int(kind), _) => match number.and_then(|number| number.int) {
                Some(int) => return Ok(Operand::plain(Value::Int(kind, narrowed(kind, int)))),
                None => "integer",
            },
            (Type::Named(DURATION), _) => match number.and_then(|number| number.int) {
                Some(int) => return Ok(Operand::plain(nanoseconds(int))),
                None => "integer",
            },
            _ => {
                let word = self.printed(NodeRef::Expression(word));
                return Err(self.fail(format!("can't handle {word} for arg of type {of}")));
            }
        };
        let word = self.printed(NodeRef::Expression(word));
        Err(self.fail(format!("expected {expected}; found {word}")))
    }

    /// Go's `validateType`.
    #[inline]
    fn validate(&self, operand: Operand, of: Option<&Type>) -> Result<Operand, Error> {
        match (of, &operand.value) {
            (None, _) => Ok(operand),
            (Some(Type::Any | Type::Reflect), _) if operand.is_valid() => Ok(operand),
            (Some(Type::String), Value::Str(_)) => Ok(operand.unboxed()),
            (Some(of), _) => self.fitted(operand, *of),
        }
    }

    fn fitted(&self, operand: Operand, of: Type) -> Result<Operand, Error> {
        if !operand.is_valid() {
            return match of {
                Type::Any => Ok(Operand::boxed(Value::Nil)),
                Type::Reflect => Ok(operand),
                _ if of.can_be_nil() => Ok(Operand::plain(of.nil())),
                _ => Err(self.fail(format!("invalid value; expected {of}"))),
            };
        }
        if matches!(of, Type::Any | Type::Reflect) {
            return Ok(operand);
        }
        if of.accepts(operand.value.type_of()) && !operand.value.is_nil() {
            let value = match (operand.value, of) {
                // What a function gets has the type of its parameter.
                (Value::Map(map), Type::Map(kind)) if map.kind() != kind => {
                    Value::Map(map.with_kind(kind))
                }
                (value, _) => value,
            };
            return Ok(Operand::plain(value));
        }
        let got = if operand.value.is_nil() { Type::Any } else { operand.value.type_of() };
        Err(self.fail(format!("wrong type for value; expected {of}; got {got}")))
    }
}

/// An integer constant in a smaller type, as Go's `SetInt` cuts it.
#[expect(clippy::cast_possible_truncation, reason = "that is what Go does")]
fn narrowed(kind: IntKind, value: i64) -> i64 {
    match kind {
        IntKind::Int8 => i64::from(value as i8),
        IntKind::Int16 => i64::from(value as i16),
        IntKind::Int32 => i64::from(value as i32),
        _ => value,
    }
}
