//! Failures of a release as pages for people and as documents for machines.

use std::fmt;

use gitops_core::one_line;
use serde_json::Value;

use crate::{Diagnostic, ManifestError, RenderError, decode::DocumentError};

impl RenderError {
    /// A word for machines that stays as it is: `template`, `manifest`, `post-render`, `schema`,
    /// `values` or `kube-version`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Template(_) => "template",
            Self::Manifest(_) => "manifest",
            Self::PostRender { .. } => "post-render",
            Self::Schema(_) => "schema",
            Self::Values(_) | Self::Dependencies(_) => "values",
            Self::KubeVersion { .. } => "kube-version",
        }
    }

    /// Where it failed, what led there and what may help, as far as it is known.
    pub fn diagnostic(&self) -> Diagnostic {
        match self {
            Self::Template(error) => error.diagnostic().clone(),
            Self::Manifest(error) => manifest(error),
            other => Diagnostic { message: one_line(other), ..Diagnostic::default() },
        }
    }

    /// One JSON object, a [`gitops_core::ErrorDocument`] whose message is Helm's.
    pub fn to_json(&self) -> Value {
        let document = self.diagnostic().document(self.code(), one_line(self));
        serde_json::to_value(document).unwrap_or_default()
    }

    /// Helm's text, and below it what is known of the place.
    pub fn page(&self) -> impl fmt::Display {
        let (text, diagnostic) = (one_line(self), self.diagnostic());
        fmt::from_fn(move |f| {
            f.write_str(text.trim_end())?;
            diagnostic.details(f)
        })
    }
}

/// A template whose place in the file is not known, but that of what it gave.
fn manifest(error: &ManifestError) -> Diagnostic {
    let mut diagnostic = Diagnostic::of_file(one_line(error), &error.path);
    if let DocumentError::Yaml(source) = &error.source
        && let (Some(line), Some(text)) = (source.line(), source.snippet())
    {
        let text = text.trim_end();
        diagnostic.hint =
            Some(format!("line {line} of the document that the template gave is: {text}"));
    }
    diagnostic
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Compat, KindOrder, sort_manifests};

    #[test]
    fn a_broken_document_is_shown() {
        let files = [("c/templates/a.yaml", "kind: A\n---\nkind: B\na: b: c\n")];
        let sorted = sort_manifests(files, KindOrder::Install, Compat::Helm4, &mut Vec::new());
        let error = RenderError::from(sorted.unwrap_err());
        assert_eq!(
            error.page().to_string(),
            "YAML parse error on c/templates/a.yaml: error converting YAML to JSON: yaml: line 2: \
             mapping values are not allowed in this context\n  --> c/templates/a.yaml\n  hint: line \
             2 of the document that the template gave is: a: b: c"
        );
        let json = error.to_json();
        assert_eq!((&json["code"], &json["line"]), (&"manifest".into(), &Value::Null));
        assert_eq!(json["file"], "c/templates/a.yaml");
        assert_eq!(json["warnings"], serde_json::json!([]));
    }
}
