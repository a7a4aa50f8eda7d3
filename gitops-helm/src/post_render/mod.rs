//! Programs of the caller that change manifests before anybody sees them.
//!
//! Follows helm pkg/action/action.go: Helm 4 hands over the documents with the name of their file in
//! an annotation and sorts what comes back; Helm 3 hands over the sorted stream without hooks, and
//! takes what comes back as it is. Differs from Helm 4 in: documents keep the form in which they were
//! written.

mod mark;

use std::{collections::BTreeMap, error::Error, fmt};

use gitops_core::quoted;

use crate::{
    Compat, Hook, KindOrder, Manifest, RenderError, SortedManifests, Warning, sort_manifests,
    split_manifests,
};

/// Changes the manifests of a release after they were rendered.
///
/// ```
/// use gitops_helm::PostRenderer;
///
/// #[derive(Debug)]
/// struct Rename;
///
/// impl PostRenderer for Rename {
///     fn run(
///         &self,
///         manifests: &str,
///     ) -> Result<String, Box<dyn std::error::Error + Send + Sync>> {
///         Ok(manifests.replace("kind: Deployment", "kind: DaemonSet"))
///     }
/// }
/// # assert_eq!(Rename.run("kind: Deployment\n").unwrap(), "kind: DaemonSet\n");
/// ```
pub trait PostRenderer: fmt::Debug + Send + Sync {
    /// Takes a stream of YAML documents and gives the one that is used instead. With Helm 4's rules
    /// an annotation `postrenderer.helm.sh/postrender-filename` names the template of each; what
    /// comes back without it is taken for a new file.
    ///
    /// # Errors
    /// Why there is none; rendering fails with it.
    fn run(&self, manifests: &str) -> Result<String, Box<dyn Error + Send + Sync>>;
}

/// What a post-renderer gets to see. Helm 3 knows only [`NoHooks`](Self::NoHooks).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PostRenderStrategy {
    /// Hooks and everything else as one stream.
    #[default]
    Combined,
    /// Hooks as one stream, then everything else as another one.
    Separate,
    /// Everything but hooks.
    NoHooks,
}

/// What rendering and post-rendering gave.
pub(crate) struct PostRendered {
    pub(crate) sorted: SortedManifests,
    /// With Helm 3's rules, what came back.
    pub(crate) stream: Option<String>,
}

type Files = BTreeMap<String, String>;

/// Sorts rendered files with a post-renderer in between. `before` is what Helm 3 puts before the
/// manifests: those of `crds/`.
pub(crate) fn post_render(
    files: &Files,
    renderer: &dyn PostRenderer,
    strategy: PostRenderStrategy,
    compat: Compat,
    warnings: &mut Vec<Warning>,
) -> Result<PostRendered, RenderError> {
    if compat == Compat::Helm3 {
        let mut sorted = sort(files, compat, warnings)?;
        let stream = call(renderer, "files", &sorted.stream())?;
        sorted.manifests = manifests_of(&stream, compat, warnings)?;
        return Ok(PostRendered { sorted, stream: Some(stream) });
    }
    let files = match strategy {
        PostRenderStrategy::Combined => group(renderer, files, "files", "", compat)?,
        PostRenderStrategy::Separate | PostRenderStrategy::NoHooks => {
            let sorted = sort(files, compat, &mut Vec::new())?;
            let mut hooks = Files::new();
            for Hook { path, manifest, .. } in &sorted.hooks {
                join(&mut hooks, path, manifest);
            }
            let mut others = Files::new();
            for Manifest { path, content, .. } in &sorted.manifests {
                join(&mut others, path, content);
            }
            if strategy == PostRenderStrategy::Separate && !hooks.is_empty() {
                hooks = group(renderer, &hooks, "hooks", "hooks", compat)?;
            }
            if !others.is_empty() {
                others = group(renderer, &others, "manifests", "manifests", compat)?;
            }
            for (path, text) in others {
                join(&mut hooks, &path, &text);
            }
            hooks
        }
    };
    Ok(PostRendered { sorted: sort(&files, compat, warnings)?, stream: None })
}

fn sort(
    files: &Files,
    compat: Compat,
    warnings: &mut Vec<Warning>,
) -> Result<SortedManifests, RenderError> {
    let files = files.iter().map(|(path, text)| (path.as_str(), text.as_str()));
    Ok(sort_manifests(files, KindOrder::Install, compat, warnings)?)
}

fn join(files: &mut Files, path: &str, text: &str) {
    match files.get_mut(path) {
        Some(known) => known.extend(["\n---\n", text]),
        None => {
            files.insert(path.to_owned(), text.to_owned());
        }
    }
}

fn call(
    renderer: &dyn PostRenderer,
    what: &'static str,
    text: &str,
) -> Result<String, RenderError> {
    renderer.run(text).map_err(|source| RenderError::PostRender { what, source })
}

/// Marks the documents of files, lets them be changed, and sorts them back into files.
fn group(
    renderer: &dyn PostRenderer,
    files: &Files,
    what: &'static str,
    prefix: &str,
    compat: Compat,
) -> Result<Files, RenderError> {
    let unread = |path: &str, error: gitops_yaml::Error| RenderError::PostRender {
        what,
        source: format!("parsing {path}: {error}").into(),
    };
    let mut stream = String::new();
    for (path, text) in files {
        if path.rsplit('/').next().is_some_and(|name| name.starts_with('_')) {
            continue;
        }
        for document in split_manifests(text, compat) {
            let marked = mark::add(document, path).map_err(|error| unread(path, error))?;
            if let Some(marked) = marked {
                stream.push_str(if stream.is_empty() { "" } else { "---\n" });
                stream.push_str(&marked);
            }
        }
    }
    let changed = call(renderer, what, &stream)?;
    let mut found = Files::new();
    let documents = split_manifests(&changed, compat);
    let documents = documents.into_iter().filter(|document| !mark::is_blank(document));
    for (index, document) in documents.enumerate() {
        let taken = mark::take(document).map_err(|error| unread(&quoted(what), error))?;
        let path = taken.path.unwrap_or_else(|| match prefix {
            "" => format!("generated-by-postrender-{index}.yaml"),
            prefix => format!("generated-by-postrender-{prefix}-{index}.yaml"),
        });
        match found.get_mut(&path) {
            Some(known) => known.extend(["---\n", &taken.document]),
            None => {
                found.insert(path, taken.document);
            }
        }
    }
    Ok(found)
}

/// The documents of a stream that is not sorted again.
fn manifests_of(
    stream: &str,
    compat: Compat,
    warnings: &mut Vec<Warning>,
) -> Result<Vec<Manifest>, RenderError> {
    let mut manifests = Vec::new();
    for document in split_manifests(stream, compat) {
        let source = document.lines().find_map(|line| line.strip_prefix("# Source: "));
        let files = [(source.unwrap_or_default(), document)];
        let sorted = sort_manifests(files, KindOrder::Install, compat, warnings)?;
        manifests.extend(sorted.manifests);
    }
    Ok(manifests)
}
