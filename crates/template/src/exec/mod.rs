//! Runs templates. Follows `text/template/exec.go`: what a value is to Go, where an error is said to
//! be, and in which words. Bounded by [`Limits`](crate::Limits).

mod call;
mod evaluate;
mod operand;
mod traced;
mod walk;

pub(crate) use crate::stack::deeper;
pub(crate) use operand::Operand;

use std::borrow::Cow;

use crate::{
    CallError, Context, Error, ErrorKind, Frame, Text, Value,
    ast::{Arena, Id, NodeRef, Texts, Tree},
    engine::Runnable,
    quote::quoted,
};

/// Helm's bound for one name.
const MOST_INCLUDES: u32 = 1000;

/// One template that runs.
struct State<'s, 't, 'r> {
    context: &'s mut Context<'r>,
    arena: &'t Arena,
    tree: &'t Tree,
    /// The node that was looked at last: where an error is.
    at: NodeRef<'t>,
    /// Where its variables begin among those of the run.
    first: usize,
    /// What the functions that are about to be called get, the innermost last.
    arguments: Vec<Value>,
    out: &'s mut String,
}

impl<'t> State<'_, 't, '_> {
    fn fail(&self, message: impl Into<String>) -> Error {
        Error::exec(ErrorKind::Exec, message).within(self.frame(None))
    }

    /// Where the state is.
    fn frame(&self, doing: Option<String>) -> Frame {
        let (line, column) = self.tree.source.position(self.at.at(self.arena));
        Frame {
            template: self.tree.source.name.clone(),
            line,
            column,
            executing: self.tree.name.clone(),
            context: self.printed(self.at),
            doing,
        }
    }

    /// A node in an error.
    fn printed(&self, node: NodeRef<'_>) -> String {
        node.printed(self.arena, &self.tree.source.text).to_string()
    }

    #[inline]
    fn take(&mut self, steps: u64, bytes: usize) -> Result<(), Error> {
        self.context.take(steps, bytes as u64).map_err(|error| {
            if error.frames().is_empty() { error.within(self.frame(None)) } else { error }
        })
    }

    /// The value of a variable.
    fn variable_of(&self, name: Id<Text>) -> Option<&Operand> {
        let mut own = self.context.variables[self.first..].iter().rev();
        own.find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn variable_mut(&mut self, name: Id<Text>) -> Option<&mut Operand> {
        let mut own = self.context.variables[self.first..].iter_mut().rev();
        own.find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn look(&mut self, node: NodeRef<'t>) {
        self.at = node;
    }
}

/// Runs a tree with its own variables and appends what it writes.
pub(crate) fn run(
    context: &mut Context<'_>,
    template: &Runnable,
    dot: Operand,
    out: &mut String,
) -> Result<(), Error> {
    let (arena, tree) = (template.arena(), template.tree());
    let Some(first) = arena.statements[tree.body].first() else { return Ok(()) };
    if context.depth >= context.options.limits.depth {
        let depth = context.options.limits.depth;
        return Err(Error::exec(
            ErrorKind::Limit,
            format!("exceeded maximum template depth ({depth})"),
        ));
    }
    context.depth += 1;
    if let Some(trace) = &mut context.trace {
        trace.run();
    }
    let result = deeper(|| {
        let at = NodeRef::Statement(first);
        let first = context.variables.len();
        context.variables.push((Texts::DOLLAR, dot.clone()));
        let arguments = context.arguments.pop().unwrap_or_default();
        let mut state = State { context, arena, tree, at, first, arguments, out };
        let result = state.walk(&dot, tree.body);
        let State { mut arguments, .. } = state;
        arguments.clear();
        context.arguments.push(arguments);
        context.variables.truncate(first);
        result
    });
    context.depth -= 1;
    if let Some(trace) = &mut context.trace {
        trace.ran();
    }
    result.map(|_| ())
}

/// Helm's `include`.
pub(crate) fn include(
    context: &mut Context<'_>,
    name: &str,
    dot: Value,
    out: &mut String,
) -> Result<(), CallError> {
    let Some((template, number)) = context.templates.numbered(name) else {
        return Err(CallError::new(format!(
            "template: no template {} associated with template \"gotpl\"",
            quoted(name)
        )));
    };
    if context.included.len() <= number {
        context.included.resize(number + 1, 0);
    }
    if context.included[number] > MOST_INCLUDES {
        return Err(CallError::new(format!(
            "rendering template has a nested reference name: {name}: unable to execute template"
        )));
    }
    context.included[number] += 1;
    let run = |context: &mut Context<'_>, out: &mut String| {
        run(context, &template, Operand::plain(dot), out)
    };
    let result = context.apart(out, run);
    context.included[number] -= 1;
    result.map_err(CallError::template)
}

/// Helm's `tpl`: a template of its own that sees all others; what it defines only it sees.
pub(crate) fn expand(
    context: &mut Context<'_>,
    source: &str,
    dot: Value,
    out: &mut String,
) -> Result<(), CallError> {
    let parsed = context.parsed(source).map_err(|error| {
        CallError::nested(format!("cannot parse template {}", quoted(source)), error)
    })?;
    let outer = parsed.defines.then(|| context.templates.under(&parsed));
    let run = |context: &mut Context<'_>, out: &mut String| {
        run(context, &parsed.main, Operand::plain(dot), out)
    };
    let before = out.len();
    let result = context.apart(out, run);
    if let Cow::Owned(stripped) = without_missing(&out[before..]) {
        out.replace_range(before.., &stripped);
    }
    if let Some(outer) = outer {
        context.templates.restore(outer);
    }
    result.map_err(|error| {
        CallError::nested(
            format!("error during tpl function execution for {}", quoted(source)),
            error,
        )
    })
}

/// A text without what Go prints for missing values: Helm takes it out of all that it renders.
pub fn strip_missing(text: String) -> String {
    match without_missing(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(stripped) => stripped,
    }
}

fn without_missing(text: &str) -> Cow<'_, str> {
    const MISSING: &str = "<no value>";
    let found = memchr::memmem::find(text.as_bytes(), MISSING.as_bytes());
    if found.is_some() { text.replace(MISSING, "").into() } else { text.into() }
}
