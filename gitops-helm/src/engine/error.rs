//! Errors of templates in Helm's words.

use std::fmt;

use gitops_core::{Class, Classify};
use gitops_template::{Error, ErrorKind, Frame};

use super::report::Diagnostic;
use crate::Compat;

/// A template that cannot be parsed or run. `{}` is Helm's text, which says all that the template
/// engine's own error does; [`EngineError::template_error`] has that with its places as data.
#[derive(Debug)]
pub struct EngineError(Box<Repr>);

#[derive(Debug)]
struct Repr {
    text: String,
    error: Error,
    diagnostic: Diagnostic,
}

impl EngineError {
    pub(super) fn parse(error: Error, diagnostic: Diagnostic) -> Self {
        let whole = error.to_string();
        // The place, and the last part of a chain.
        let parts: Vec<&str> = whole.split(": ").collect();
        let location = parts.get(1).copied().unwrap_or_default();
        let message = parts.last().copied().unwrap_or_default();
        let text = format!("parse error at ({location}): {message}");
        Self(Box::new(Repr { text, error, diagnostic }))
    }

    pub(super) fn exec(error: Error, path: &str, compat: Compat, diagnostic: Diagnostic) -> Self {
        let text = exec_text(&error, path, compat);
        Self(Box::new(Repr { text, error, diagnostic }))
    }

    /// Where it failed, what led there and what may help; `{:#}` prints it below Helm's text.
    pub fn diagnostic(&self) -> &Diagnostic {
        &self.0.diagnostic
    }

    /// The template engine's error, with its places as data.
    pub fn template_error(&self) -> &Error {
        &self.0.error
    }
}

fn exec_text(error: &Error, path: &str, compat: Compat) -> String {
    let whole = error.to_string();
    let Some(outermost) = error.frames().first() else { return whole };
    if error.kind() == ErrorKind::Failed {
        let Frame { template, line, column, .. } = outermost;
        let message = error.message();
        return format!("execution error at ({template}:{line}:{column}): {message}");
    }
    if whole.splitn(3, ": ").count() != 3 {
        return format!("execution error in ({path}): {whole}");
    }
    match compat {
        Compat::Helm3 => whole,
        Compat::Helm4 => trace(error, &whole).unwrap_or(whole),
    }
}

/// Helm 4's lines for each template of the way; nothing if it cannot make sense of one.
fn trace(error: &Error, whole: &str) -> Option<String> {
    let mut lines: Vec<[String; 3]> = Vec::new();
    let mut rest = whole;
    let frames = error.frames();
    for (number, frame) in frames.iter().enumerate() {
        let line = parse(rest)?;
        if lines.last() != Some(&line) {
            lines.push(line);
        }
        let inner = number + 1 < frames.len();
        let called = frame.doing.as_deref();
        // Go unwraps to what the function returned, and Helm gives up on a text that is not one
        // of a template.
        if let Some(called) = called {
            if inner && called.contains(": ") {
                return None;
            }
            if !inner {
                let message = error.message();
                let line = error.parse_location().is_none().then(|| parse(message)).flatten()?;
                lines.push(line);
            }
        }
        rest = &rest[text_of(frame).len()..];
    }
    let mut out = String::new();
    for [location, executed, message] in &lines {
        for (text, after) in [(location, "\n  "), (executed, "\n    "), (message, "\n")] {
            if !text.is_empty() {
                out.push_str(text);
                out.push_str(after);
            }
        }
    }
    Some(out.trim().to_owned())
}

/// A frame's part of the whole text.
fn text_of(frame: &Frame) -> String {
    let Frame { template, line, column, executing, context, doing, .. } = frame;
    let doing = doing.as_ref().map_or_else(String::new, |doing| format!("{doing}: "));
    format!(
        "template: {template}:{line}:{column}: executing \"{executing}\" at <{context}>: {doing}"
    )
}

/// Where, what and why, from a text of `text/template`.
fn parse(text: &str) -> Option<[String; 3]> {
    let rest = text.strip_prefix("template: ")?;
    if rest.starts_with("no template ") {
        return Some([String::new(), String::new(), text.to_owned()]);
    }
    let cut = |message: &str| message.split(" template:").next().unwrap_or_default().to_owned();
    if let Some((location, after)) = rest.split_once(": executing ") {
        let executing = || {
            let (function, after) = after.strip_prefix('"')?.split_once('"')?;
            let (at, message) = after.strip_prefix(" at <")?.split_once(">: ")?;
            let executed = format!("executing \"{function}\" at <{at}>:");
            Some([location.to_owned(), executed, cut(message)])
        };
        if let Some(found) = executing() {
            return Some(found);
        }
    }
    let (location, message) = rest.rsplit_once(": ")?;
    Some([location.to_owned(), String::new(), cut(message)])
}

impl fmt::Display for EngineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)?;
        if f.alternate() { self.0.diagnostic.details(f) } else { Ok(()) }
    }
}

impl std::error::Error for EngineError {}

impl Classify for EngineError {
    fn class(&self) -> Class {
        self.0.error.class()
    }
}
