//! How failures of `gitops helm` are told.

use std::{error::Error, fmt};

use gitops_helm::{Diagnostic, EngineError, RenderError};
use serde_json::{Value, json};

use crate::command::report::{ErrorFormat, resolved};

/// A chart that could not be rendered, with what Helm says below it.
#[derive(Debug)]
pub(super) struct NotRendered {
    pub(super) error: RenderError,
    pub(super) advice: &'static str,
}

impl fmt::Display for NotRendered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", gitops_core::one_line(&self.error), self.advice)
    }
}

// The text has all causes.
impl Error for NotRendered {}

/// Writes a failure to stderr.
pub(super) fn tell(error: &anyhow::Error, format: ErrorFormat) {
    let render = error.chain().find_map(|cause| {
        cause
            .downcast_ref::<NotRendered>()
            .map(|failure| &failure.error)
            .or_else(|| cause.downcast_ref::<RenderError>())
    });
    let template = match render {
        Some(RenderError::Template(error)) => Some(error),
        _ => None,
    };
    match resolved(format) {
        ErrorFormat::Json => anstream::eprintln!("{}", as_json(error, render, template)),
        ErrorFormat::Full if template.is_some_and(|error| has_place(error.diagnostic())) => {
            let diagnostic = template.map(EngineError::diagnostic);
            anstream::eprintln!("Error: {}", diagnostic.cloned().unwrap_or_default());
        }
        _ => anstream::eprintln!("Error: {error:#}"),
    }
}

fn has_place(diagnostic: &Diagnostic) -> bool {
    diagnostic.place.is_some()
}

/// `code`, `message` (Helm's), `file`, `line`, `column`, `snippet`, `chain`, `hint`.
fn as_json(
    error: &anyhow::Error,
    render: Option<&RenderError>,
    template: Option<&EngineError>,
) -> Value {
    let code = match render {
        Some(RenderError::Template(_)) => "template",
        Some(RenderError::Manifest(_)) => "manifest",
        Some(RenderError::PostRender { .. }) => "post-render",
        Some(RenderError::Schema(_)) => "schema",
        Some(RenderError::Values(_) | RenderError::Dependencies(_)) => "values",
        Some(RenderError::KubeVersion { .. }) => "kube-version",
        _ => "io",
    };
    let none = Value::Null;
    let mut json = match template {
        Some(error) => error.diagnostic().to_json(),
        None => json!({ "file": none, "line": none, "column": none, "chain": [], "hint": none }),
    };
    if let Some(RenderError::Manifest(manifest)) = render {
        json["file"] = json!(manifest.path);
    }
    json["code"] = json!(code);
    json["message"] = json!(match render {
        Some(error) => gitops_core::one_line(error),
        None => format!("{error:#}"),
    });
    json["snippet"] = json!(template.and_then(|error| error.diagnostic().snippet.as_ref()));
    json
}
