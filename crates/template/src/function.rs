//! Functions that templates call.

use std::fmt;

use crate::{
    Context, Error,
    ast::Table,
    exec::Operand,
    value::{List, Map, Type, Value},
};

/// What a function does with arguments that fit its parameters.
pub type Body = fn(&mut Context<'_>, Arguments<'_>) -> Result<Value, CallError>;

/// The same of a function that appends its text to another.
pub(crate) type Writer = fn(&mut Context<'_>, Arguments<'_>, &mut String) -> Result<(), CallError>;

/// A function with a name and a signature. Arguments are checked and converted by Go's rules before
/// the function is called, with Go's words where they do not fit.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    pub(crate) name: &'static str,
    pub(crate) params: &'static [Type],
    pub(crate) variadic: bool,
    pub(crate) action: Action,
}

/// How a function is run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
    Call(Body),
    /// Gives a string, which needs no memory of its own where it is printed.
    Write(Writer),
    /// One of Go's own, which see a missing value and what stands behind an interface.
    Reflect(fn(&[Operand]) -> Result<Operand, CallError>),
    /// `call`, which finds nothing to call.
    Callee,
    /// Ends with the first argument that is false.
    And,
    /// Ends with the first argument that is true.
    Or,
}

impl Function {
    /// A function with a fixed number of arguments.
    pub const fn new(name: &'static str, params: &'static [Type], body: Body) -> Self {
        Self { name, params, variadic: false, action: Action::Call(body) }
    }

    /// A function whose last parameter takes any number of arguments, also none.
    pub const fn variadic(name: &'static str, params: &'static [Type], body: Body) -> Self {
        Self { name, params, variadic: true, action: Action::Call(body) }
    }

    /// A function that gives a string.
    pub(crate) const fn writing(name: &'static str, params: &'static [Type], body: Writer) -> Self {
        Self { name, params, variadic: false, action: Action::Write(body) }
    }

    /// The same, with a last parameter as that of [`Function::variadic`].
    pub(crate) const fn variadic_writing(
        name: &'static str,
        params: &'static [Type],
        body: Writer,
    ) -> Self {
        Self { name, params, variadic: true, action: Action::Write(body) }
    }

    pub(crate) const fn reflect(
        name: &'static str,
        variadic: bool,
        params: &'static [Type],
        action: Action,
    ) -> Self {
        Self { name, params, variadic, action }
    }

    /// The same function under another name.
    #[must_use]
    pub const fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// The name by which templates call it.
    pub fn name(&self) -> &'static str {
        self.name
    }
}

/// The functions that templates may call, by name.
#[derive(Clone, Debug, Default)]
pub struct Functions(Table<&'static str, &'static Function>);

impl Functions {
    /// Go's own: `and`, `call`, `eq`, `ge`, `gt`, `html`, `index`, `js`, `le`, `len`, `lt`, `ne`,
    /// `not`, `or`, `print`, `printf`, `println`, `slice`, `urlquery`.
    pub fn builtin() -> Self {
        Self::default().with(crate::funcs::builtin::BUILTIN)
    }

    /// These and others; the others win.
    #[must_use]
    pub fn with(mut self, others: impl IntoIterator<Item = &'static Function>) -> Self {
        self.0.extend(others.into_iter().map(|function| (function.name, function)));
        self
    }

    /// The function of that name.
    pub fn get(&self, name: &str) -> Option<&'static Function> {
        self.0.get(name).copied()
    }
}

/// The arguments of one call. They have the types of the parameters, so a reader for another type is
/// a mistake of the function, and panics.
#[derive(Clone, Copy, Debug)]
pub struct Arguments<'a>(pub(crate) &'a [Value]);

impl<'a> Arguments<'a> {
    /// All of them.
    pub fn all(self) -> &'a [Value] {
        self.0
    }

    /// Those from `from` on: what a variadic parameter took.
    pub fn rest(self, from: usize) -> &'a [Value] {
        self.0.get(from..).unwrap_or_default()
    }

    /// The argument of a parameter of type `interface {}`.
    pub fn any(self, index: usize) -> &'a Value {
        &self.0[index]
    }

    /// The argument of a `string` parameter.
    ///
    /// # Panics
    /// When the parameter has another type.
    pub fn text(self, index: usize) -> &'a str {
        self.0[index].as_str().expect("the parameter is a string")
    }

    /// The argument of an integer parameter.
    pub fn int(self, index: usize) -> i64 {
        match self.0[index] {
            Value::Int(_, value) => value,
            _ => unreachable!("the parameter is an integer"),
        }
    }

    /// The argument of a `float64` parameter.
    pub fn float(self, index: usize) -> f64 {
        match self.0[index] {
            Value::Float(value) => value,
            _ => unreachable!("the parameter is a float64"),
        }
    }

    /// The argument of a `bool` parameter.
    pub fn bool(self, index: usize) -> bool {
        match self.0[index] {
            Value::Bool(value) => value,
            _ => unreachable!("the parameter is a bool"),
        }
    }

    /// The argument of a map parameter; it may be a nil map.
    pub fn map(self, index: usize) -> &'a Map {
        match &self.0[index] {
            Value::Map(map) => map,
            _ => unreachable!("the parameter is a map"),
        }
    }

    /// The argument of a slice parameter; it may be a nil slice.
    pub fn list(self, index: usize) -> &'a List {
        match &self.0[index] {
            Value::List(list) => list,
            _ => unreachable!("the parameter is a slice"),
        }
    }
}

/// Why a call failed.
pub struct CallError(pub(crate) Box<Failure>);

pub(crate) enum Failure {
    /// What Go's function would have returned or panicked with.
    Message(String),
    /// A failure that the template asked for.
    Failed(String),
    /// What Go says of a method before it calls it.
    Refused(String),
    /// An error in another template that the function ran, and what it was about to do.
    Template(Error, Option<String>),
    /// The run is over: a limit is reached, or it was cancelled.
    Stop(Error),
}

impl CallError {
    /// Whether the run is over, so that no function may go on after it.
    pub(crate) fn is_final(&self) -> bool {
        matches!(*self.0, Failure::Stop(_))
    }

    /// A failure with the text of Go's error.
    pub fn new(message: impl Into<String>) -> Self {
        Self(Box::new(Failure::Message(message.into())))
    }

    /// A method that Go calls from no template, for what it returns.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self(Box::new(Failure::Refused(message.into())))
    }

    pub(crate) fn template(error: Error) -> Self {
        if error.is_final() {
            return Self(Box::new(Failure::Stop(error)));
        }
        Self(Box::new(Failure::Template(error, None)))
    }

    pub(crate) fn nested(doing: String, error: Error) -> Self {
        if error.is_final() {
            return Self(Box::new(Failure::Stop(error)));
        }
        Self(Box::new(Failure::Template(error, Some(doing))))
    }

    /// The failure that a template asked for, with `fail` or `required`.
    pub fn failed(message: impl Into<String>) -> Self {
        Self(Box::new(Failure::Failed(message.into())))
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.0 {
            Failure::Message(message) | Failure::Failed(message) | Failure::Refused(message) => {
                f.write_str(message)
            }
            Failure::Template(error, _) | Failure::Stop(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl fmt::Debug for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<String> for CallError {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

impl From<&str> for CallError {
    fn from(message: &str) -> Self {
        Self::new(message)
    }
}
