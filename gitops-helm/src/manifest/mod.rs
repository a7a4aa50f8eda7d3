//! Rendered text into manifests and hooks, in the order in which they are installed.

mod head;
mod hooks;
mod kind_order;
mod split;

use std::borrow::Cow;

use gitops_core::{Class, Classify};

use crate::{Compat, Warning, decode::DocumentError};

pub use head::Head;
pub use hooks::{Hook, HookEvent};
pub use kind_order::KindOrder;
pub use split::split_manifests;

/// An object of a release, or a document that is none: comments are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The path of its template: `chart/templates/a.yaml`.
    pub path: String,
    /// Its text.
    pub content: String,
    /// What it says of itself.
    pub head: Head,
}

/// What the templates of a release gave, sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SortedManifests {
    /// The hooks, by kind.
    pub hooks: Vec<Hook>,
    /// Everything else, by kind.
    pub manifests: Vec<Manifest>,
}

/// A document that cannot be read. The chain of causes, joined by `: `, is Helm's text.
#[derive(Debug, thiserror::Error)]
#[error("YAML parse error on {path}")]
pub struct ManifestError {
    /// The path of its template.
    pub path: String,
    /// Why.
    #[source]
    pub source: DocumentError,
}

impl Classify for ManifestError {
    fn class(&self) -> Class {
        Class::Invalid
    }
}

/// Splits the rendered templates into documents and sorts those by kind; of equal kinds, by the
/// path of their template and their place in it. Partials, whose name begins with `_`, are left
/// out; so should the caller do with notes.
///
/// Follows helm `pkg/release/v1/util/manifest_sorter.go`.
///
/// # Errors
/// [`ManifestError`] for the first document that is no YAML, or no object.
pub fn sort_manifests<'f>(
    files: impl IntoIterator<Item = (&'f str, &'f str)>,
    order: KindOrder,
    compat: Compat,
    warnings: &mut Vec<Warning>,
) -> Result<SortedManifests, ManifestError> {
    let files = files.into_iter().map(|(path, text)| (path, Cow::Borrowed(text))).collect();
    sort(files, order, compat, warnings)
}

/// The same, where an owned text becomes the manifest that is all it holds.
pub(crate) fn sort(
    mut files: Vec<(&str, Cow<'_, str>)>,
    order: KindOrder,
    compat: Compat,
    warnings: &mut Vec<Warning>,
) -> Result<SortedManifests, ManifestError> {
    files.sort_unstable_by_key(|(path, _)| *path);
    let mut sorted = SortedManifests::default();
    for (path, mut text) in files {
        let base = path.rsplit('/').next().unwrap_or(path);
        if base.starts_with('_') || text.trim().is_empty() {
            continue;
        }
        let documents = split::ranges(&text, compat);
        let single = documents.len() == 1;
        for range in documents {
            let document = &text[range.clone()];
            let head = Head::read(document, compat)
                .map_err(|source| ManifestError { path: path.to_owned(), source })?;
            let Some(events) = head.annotation(hooks::HOOK) else {
                let content = match &mut text {
                    Cow::Owned(text) if single => {
                        text.truncate(range.end);
                        text.drain(..range.start);
                        std::mem::take(text)
                    }
                    text => text[range].to_owned(),
                };
                sorted.manifests.push(Manifest { path: path.to_owned(), content, head });
                continue;
            };
            match HookEvent::parse_list(events) {
                Some(events) => sorted.hooks.push(Hook::new(path, document, &head, events)),
                None => warnings.push(Warning::UnknownHook(events.to_owned())),
            }
        }
    }
    sorted.manifests.sort_by(|a, b| order.compare(&a.head.kind, &b.head.kind, compat));
    sorted.hooks.sort_by(|a, b| order.compare(&a.kind, &b.kind, compat));
    Ok(sorted)
}

impl SortedManifests {
    /// The manifests as one stream, each with the path of its template, as a release record holds
    /// them and `helm template` prints them.
    pub fn stream(&self) -> String {
        stream(&self.manifests)
    }
}

pub(crate) fn stream(manifests: &[Manifest]) -> String {
    let mut stream = String::new();
    for Manifest { path, content, .. } in manifests {
        push_document(&mut stream, path, content);
    }
    stream
}

impl Hook {
    /// The hook as a document with the path of its template, as `helm template` prints it.
    pub fn document(&self) -> String {
        let mut document = String::new();
        push_document(&mut document, &self.path, &self.manifest);
        document
    }
}

fn push_document(stream: &mut String, path: &str, content: &str) {
    let parts = ["---\n# Source: ", path, "\n", content, "\n"];
    stream.reserve(parts.iter().map(|part| part.len()).sum());
    stream.extend(parts);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sort(files: &[(&str, &str)], compat: Compat) -> Result<SortedManifests, String> {
        let files = files.iter().copied();
        sort_manifests(files, KindOrder::Install, compat, &mut Vec::new())
            .map_err(|error| gitops_core::one_line(&error))
    }

    #[test]
    fn objects_and_hooks_are_sorted_by_kind() {
        let files = [
            ("c/templates/b.yaml", "kind: Service\n---\nkind: Zebra\n---\nkind: Ant\n"),
            ("c/templates/_p.tpl", "kind: ["),
            ("c/templates/a.yaml", "# only a comment\n---\nkind: ConfigMap\nmetadata: {name: 1}"),
            (
                "c/templates/h.yaml",
                "kind: Job\nmetadata:\n  annotations:\n    helm.sh/hook: pre-install, test-success\n    \
                 helm.sh/hook-weight: \"-5\"\n    helm.sh/hook-delete-policy: Hook-Failed\n",
            ),
        ];
        let sorted = sort(&files, Compat::Helm4).unwrap();
        let kinds: Vec<_> = sorted.manifests.iter().map(|m| m.head.kind.as_str()).collect();
        assert_eq!(kinds, ["ConfigMap", "Service", "", "Ant", "Zebra"]);
        assert_eq!(sorted.manifests[0].head.name, "1");
        let hook = &sorted.hooks[0];
        assert_eq!(hook.events, [HookEvent::PreInstall, HookEvent::Test]);
        assert_eq!(
            (hook.weight, hook.delete_policies.as_slice()),
            (-5, &["hook-failed".to_owned()][..])
        );
    }

    #[test]
    fn webhooks_have_a_place_of_their_own_since_helm_4() {
        let files = [("a", "kind: ValidatingWebhookConfiguration\n---\nkind: AAA\n")];
        let first = |compat| sort(&files, compat).unwrap().manifests[0].head.kind.clone();
        assert_eq!(first(Compat::Helm4), "ValidatingWebhookConfiguration");
        assert_eq!(first(Compat::Helm3), "AAA");
    }

    #[test]
    fn errors_are_in_helms_words() {
        let error = |text: &str, compat| sort(&[("c/templates/x.yaml", text)], compat).unwrap_err();
        assert_eq!(
            error("- a\n", Compat::Helm4),
            "YAML parse error on c/templates/x.yaml: error unmarshaling JSON: while decoding JSON: \
             json: cannot unmarshal array into Go value of type util.SimpleHead"
        );
        assert_eq!(
            error("a: b: c\n", Compat::Helm3),
            "YAML parse error on c/templates/x.yaml: error converting YAML to JSON: yaml: \
             mapping values are not allowed in this context"
        );
        assert_eq!(
            error("metadata: {name: [a]}\n", Compat::Helm3),
            "YAML parse error on c/templates/x.yaml: error unmarshaling JSON: while decoding JSON: \
             json: cannot unmarshal array into Go struct field .metadata.name of type string"
        );
        assert!(error("kind: a\nx: .nan\n", Compat::Helm4).contains("NaN"));
        assert!(error("kind: a\nx: {? [a] : b}\n", Compat::Helm4).contains("converting YAML"));
    }

    #[test]
    fn streams_name_the_template() {
        let sorted = sort(&[("c/t.yaml", "a: 1\n\n---\nb: 2\n")], Compat::Helm4).unwrap();
        assert_eq!(
            sorted.stream(),
            "---\n# Source: c/t.yaml\na: 1\n\n\n---\n# Source: c/t.yaml\nb: 2\n\n"
        );
    }
}
