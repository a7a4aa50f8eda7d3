//! How failures of `gitops helm` are told.

use std::{error::Error, fmt};

use gitops_core::ErrorDocument;
use gitops_helm::RenderError;
use serde_json::json;

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
    match (resolved(format), render) {
        (ErrorFormat::Json, Some(error)) => anstream::eprintln!("{}", error.to_json()),
        (ErrorFormat::Json, None) => {
            let message = format!("{error:#}");
            let document = ErrorDocument { code: "io", message, ..ErrorDocument::default() };
            anstream::eprintln!("{}", json!(document));
        }
        (ErrorFormat::Full, Some(error)) => anstream::eprintln!("Error: {}", error.page()),
        _ => anstream::eprintln!("Error: {error:#}"),
    }
}
