//! Runs templates. Follows `text/template/exec.go`: what a value is to Go, where an error is said to
//! be, and in which words. Bounded by [`Limits`](crate::Limits).

mod call;
mod evaluate;
mod operand;
mod traced;
mod walk;

pub(crate) use crate::stack::deeper;
pub(crate) use operand::Operand;

use std::sync::Arc;

use crate::{
    CallError, Context, Error, ErrorKind, Frame, Value,
    ast::{NodeRef, Tree},
    engine::{Layer, Parsed},
    quote::quoted,
};

/// Helm's bound for one name.
const MOST_INCLUDES: u32 = 1000;

/// One template that runs.
struct State<'s, 't, 'r> {
    context: &'s mut Context<'r>,
    tree: &'t Tree,
    /// The node that was looked at last: where an error is.
    at: NodeRef<'t>,
    /// Variables by number, the innermost last; `$` is 0.
    variables: Vec<(u32, Operand)>,
    out: &'s mut String,
}

impl<'t> State<'_, 't, '_> {
    fn fail(&self, message: impl Into<String>) -> Error {
        Error::exec(ErrorKind::Exec, message).within(self.frame(None))
    }

    /// Where the state is.
    fn frame(&self, doing: Option<String>) -> Frame {
        let (line, column) = self.tree.source.position(self.at.at());
        Frame {
            template: Arc::clone(&self.tree.source.name),
            line,
            column,
            executing: Arc::clone(&self.tree.name),
            context: self.printed(self.at),
            doing,
        }
    }

    /// A node in an error.
    fn printed(&self, node: NodeRef<'_>) -> String {
        node.printed(&self.tree.source.text).to_string()
    }

    fn take(&mut self, steps: u64, bytes: usize) -> Result<(), Error> {
        self.context.take(steps, bytes as u64).map_err(|error| {
            if error.frames().is_empty() { error.within(self.frame(None)) } else { error }
        })
    }

    fn look(&mut self, node: NodeRef<'t>) {
        self.at = node;
    }
}

/// Runs a tree with its own variables and appends what it writes.
pub(crate) fn run(
    context: &mut Context<'_>,
    tree: &Tree,
    dot: Operand,
    out: &mut String,
) -> Result<(), Error> {
    let Some(first) = tree.body.first() else { return Ok(()) };
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
        let variables = vec![(0, dot.clone())];
        let mut state = State { context, tree, at, variables, out };
        state.walk(&dot, &tree.body)
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
) -> Result<String, CallError> {
    let Some(tree) = context.templates.get(name) else {
        return Err(CallError::new(format!(
            "template: no template {} associated with template \"gotpl\"",
            quoted(name)
        )));
    };
    let count = context.included.entry(Arc::clone(&tree.name)).or_insert(0);
    if *count > MOST_INCLUDES {
        return Err(CallError::new(format!(
            "rendering template has a nested reference name: {name}: unable to execute template"
        )));
    }
    *count += 1;
    let result = context.separately(|context, out| run(context, &tree, Operand::plain(dot), out));
    if let Some(count) = context.included.get_mut(&tree.name) {
        *count -= 1;
    }
    result.map_err(CallError::template)
}

/// Helm's `tpl`: a template of its own that sees all others; what it defines only it sees.
pub(crate) fn expand(
    context: &mut Context<'_>,
    source: &str,
    dot: Value,
) -> Result<String, CallError> {
    let parsed = context.parsed(source).map_err(|error| {
        CallError::nested(format!("cannot parse template {}", quoted(source)), error)
    })?;
    let Parsed { main, definitions } = &*parsed;
    let outer = (!definitions.is_empty()).then(|| {
        let layered = context.templates.layered(Layer::of(definitions));
        std::mem::replace(&mut context.templates, layered)
    });
    let result = context.separately(|context, out| run(context, main, Operand::plain(dot), out));
    if let Some(outer) = outer {
        context.templates = outer;
    }
    let out = result.map_err(|error| {
        CallError::nested(
            format!("error during tpl function execution for {}", quoted(source)),
            error,
        )
    })?;
    Ok(strip_missing(out))
}

/// A text without what Go prints for missing values: Helm takes it out of all that it renders.
pub fn strip_missing(text: String) -> String {
    const MISSING: &str = "<no value>";
    if text.contains(MISSING) { text.replace(MISSING, "") } else { text }
}
