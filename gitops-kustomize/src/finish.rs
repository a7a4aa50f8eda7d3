//! The last steps of a build, which see all resources together.

use gitops_yaml::{Content, Node, Scalar, ScalarStyle, ScalarType};

use crate::{
    accumulator::Accumulator,
    build::Build,
    config::{FieldSpec, TransformerConfig},
    error::{Error, ErrorKind, Result},
    file::Kustomization,
    generate::name_hash,
    manifests::{Manifest, ManifestText, Manifests, Source},
    read::check_metadata,
    resource::{Gvk, Origin, Resource, rewrite_pairs},
    set::ResourceSet,
    trace::{Cause, History},
    transform::{AddPairs, name_refs, variables},
};

const LOCAL_CONFIG: &str = "config.kubernetes.io/local-config";
pub(crate) const ORIGIN: &str = "config.kubernetes.io/origin";
pub(crate) const TRANSFORMATIONS: &str = "alpha.config.kubernetes.io/transformations";
const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// What the label says; tools that look for kustomize's find it.
const MANAGER: &str = "kustomize-v5.8.2";

/// Annotations in which kustomize keeps its books; none of them leaves a build.
const BOOKKEEPING: [&str; 19] = [
    "internal.config.kubernetes.io/previousKinds",
    "internal.config.kubernetes.io/previousNames",
    "internal.config.kubernetes.io/prefixes",
    "internal.config.kubernetes.io/suffixes",
    "internal.config.kubernetes.io/previousNamespaces",
    "internal.config.kubernetes.io/allowNameChange",
    "internal.config.kubernetes.io/allowKindChange",
    "internal.config.kubernetes.io/refBy",
    "internal.config.kubernetes.io/generatorBehavior",
    "internal.config.kubernetes.io/needsHashSuffix",
    "internal.config.kubernetes.io/path",
    "internal.config.kubernetes.io/index",
    "internal.config.kubernetes.io/seqindent",
    "internal.config.kubernetes.io/id",
    "internal.config.kubernetes.io/annotations-migration-resource-id",
    "config.kubernetes.io/path",
    "config.kubernetes.io/index",
    "config.k8s.io/id",
    "internal.config.kubernetes.io/helm-generated",
];

/// Ends the names of generated objects with the hash of their content.
pub(crate) fn add_hashes(set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
    let schema = &build.schema;
    for (index, resource) in set.iter_mut().enumerate() {
        build.check_at(index)?;
        if resource.needs_hash {
            let hash = if has_folds(resource.node()) {
                let mut printed = resource.node().clone();
                widen_folds(&mut printed);
                name_hash(&printed)?
            } else {
                name_hash(resource.node())?
            };
            let name = format!("{}-{hash}", resource.id().name);
            resource.remember_id();
            resource.set_name(&name, schema);
        }
    }
    Ok(())
}

/// Renames what refers to renamed objects.
pub(crate) fn fix_names(
    set: &mut ResourceSet,
    config: &TransformerConfig,
    build: &Build<'_>,
) -> Result<()> {
    name_refs::fix(set, config, build)
}

/// Replaces variables by their values.
pub(crate) fn resolve_variables(
    accumulated: &mut Accumulator,
    build: &mut Build<'_>,
) -> Result<()> {
    variables::resolve(accumulated, build)
        .map_err(|error| error.with_hint("variables are deprecated; use replacements"))
}

/// Drops objects that are for local use only.
pub(crate) fn drop_local(set: &mut ResourceSet) -> Result<()> {
    let mut any = false;
    for resource in set.iter() {
        check_metadata(resource.node()).map_err(|error| resource.locate(error))?;
        any |= is_local(resource);
    }
    if any {
        set.retain(|resource| !is_local(resource));
    }
    Ok(())
}

fn is_local(resource: &Resource) -> bool {
    resource.annotation(LOCAL_CONFIG).is_some_and(|value| value != "false")
}

/// The resources as they leave the build.
pub(crate) fn manifests(
    set: ResourceSet,
    file: &Kustomization,
    build: &Build<'_>,
) -> Result<Manifests> {
    let mut items = Vec::with_capacity(set.len());
    each(set, file, build, |node, source, history| {
        let manifest = Manifest::new(node, source)?.with_history(history);
        let size = manifest.as_yaml().len();
        items.push(manifest);
        Ok(size)
    })?;
    Ok(Manifests::from_items(items))
}

/// The text of the resources as they leave the build.
pub(crate) fn text(
    set: ResourceSet,
    file: &Kustomization,
    build: &Build<'_>,
) -> Result<ManifestText> {
    let mut text = ManifestText::new(set.len(), build.options.limits.output);
    each(set, file, build, |node, _, _| text.push(node).map(|()| 0))?;
    Ok(text)
}

/// Hands over the resources as they leave the build; `take` returns how much text of one is held.
fn each(
    set: ResourceSet,
    file: &Kustomization,
    build: &Build<'_>,
    mut take: impl FnMut(Node, Option<Source>, Option<Box<History>>) -> Result<usize>,
) -> Result<()> {
    let managed =
        build.options.enable_managed_by_label || file.has_metadata_option("managedByLabel");
    let managed = managed.then(|| {
        let labels = FieldSpec::new(Gvk::default(), "metadata/labels", true);
        AddPairs::new([(MANAGED_BY.to_owned(), MANAGER.to_owned())].into(), vec![labels])
    });
    let origins = file.has_metadata_option("originAnnotations");
    let transformations = file.has_metadata_option("transformerAnnotations");
    let mut size = 0;
    for mut resource in set.into_vec() {
        build.scope.check()?;
        if let Some(managed) = &managed {
            managed.apply(&mut resource)?;
        }
        clean(resource.node_mut(), origins && transformations);
        widen_folds(resource.node_mut());
        if origins && let Some(origin) = resource.origin.as_ref().map(|origin| origin.to_yaml()) {
            resource.set_annotation(ORIGIN, &origin);
        }
        if transformations && !resource.transformations.is_empty() {
            let text =
                Origin::list_to_yaml(resource.transformations.iter().map(|origin| &**origin));
            resource.set_annotation(TRANSFORMATIONS, &text);
        }
        if build.options.trace {
            resource
                .trace(|| Cause::by("output").noting("what the build itself adds and rewrites"));
        }
        let history = resource.history.take();
        let source = resource
            .read_at
            .clone()
            .map(|read_at| Source { file: read_at.file, line: read_at.line });
        size +=
            take(resource.into_node(), source.clone(), history).map_err(|error| match source {
                Some(source) => {
                    let line = error.line().unwrap_or(source.line);
                    error.in_file(&*source.file).at_line(line, 1)
                }
                None => error,
            })?;
        let limit = build.options.limits.output;
        if size > limit {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("the output is larger than {limit} bytes"),
            ));
        }
    }
    Ok(())
}

/// Takes bookkeeping off an object that was read with it.
///
/// Quirk: the original rewrites the annotations, so that all become strings, and an empty mapping of
/// them goes, unless both origins and transformations are asked for.
fn clean(node: &mut Node, keeps_empty: bool) {
    let Some(annotations) = node.at_mut(["metadata", "annotations"]) else { return };
    if let Some(annotations) = annotations.as_mapping_mut().filter(|pairs| !pairs.is_empty()) {
        annotations.retain(|entry| {
            let key = entry.key.text().unwrap_or_default();
            !BOOKKEEPING.contains(&key) && key != ORIGIN && key != TRANSFORMATIONS
        });
    } else if keeps_empty {
        return;
    }
    rewrite_pairs(node, "annotations");
}

fn has_folds(node: &Node) -> bool {
    match node.content() {
        Content::Mapping(mapping) => mapping.values().any(has_folds),
        Content::Sequence(_) => node.as_sequence().unwrap_or_default().iter().any(has_folds),
        Content::Scalar(scalar) => scalar.style() == ScalarStyle::Folded,
    }
}

/// Quirk: the original prints its tree and reads it back, and its printer does not write folded
/// scalars (`>`) as they are read: a line break more before lines that are indented further and at the
/// end of what keeps its breaks (`+`), one less where the text begins with a space.
pub(crate) fn widen_folds(node: &mut Node) {
    if node.is_flow() {
        // Within braces the printer uses quotes, which change no text.
        return quote_plain(node);
    }
    match node.content_mut() {
        Content::Mapping(mapping) => mapping.values_mut().for_each(widen_folds),
        Content::Sequence(_) => node.as_sequence_mut().into_iter().flatten().for_each(widen_folds),
        Content::Scalar(scalar) if scalar.style() == ScalarStyle::Folded => {
            if let Some(text) = reprinted(scalar.text()) {
                *scalar = Scalar::new(text, scalar.kind(), ScalarStyle::Folded);
            }
        }
        Content::Scalar(_) => {}
    }
}

/// Quirk: within braces the original puts a plain scalar with a colon, and one without any text, into
/// quotes, whatever it is, and reads a string back: of what is no string, that makes a difference to moments
/// and to nulls.
fn quote_plain(node: &mut Node) {
    match node.content_mut() {
        Content::Mapping(mapping) => mapping.values_mut().for_each(quote_plain),
        Content::Sequence(_) => {
            node.as_sequence_mut().into_iter().flatten().for_each(quote_plain);
        }
        Content::Scalar(scalar) => {
            let quoted = match scalar.kind() {
                ScalarType::Null => scalar.text().is_empty(),
                ScalarType::Timestamp => scalar.text().contains(':'),
                _ => false,
            };
            if quoted {
                *scalar = Scalar::new(scalar.text(), ScalarType::Str, ScalarStyle::SingleQuoted);
            }
        }
    }
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\u{2028}' | '\u{2029}')
}

/// A folded text after it was printed and read; `None` where it stays as it is.
fn reprinted(text: &str) -> Option<String> {
    if !text.contains('\n') || !is_printed_folded(text) {
        return None;
    }
    let is_blank = |line: &str| line.starts_with([' ', '\t']);
    let doubles = !is_blank(text.trim_start_matches(is_break));
    let mut out = String::with_capacity(text.len() + 4);
    // The break after the last line with something in it, and those of the empty lines since.
    let (mut last, mut breaks) = (None, String::new());
    let mut indented = false;
    for line in text.split_inclusive(is_break) {
        let end = line.chars().next_back().filter(|c| is_break(*c));
        let line = line.trim_end_matches(is_break);
        if line.is_empty() {
            breaks.extend(end);
            continue;
        }
        match last {
            Some('\n') if !indented && !is_blank(line) => {
                if breaks.is_empty() {
                    out.push(' ');
                }
            }
            last => out.extend(last),
        }
        out.push_str(&breaks);
        breaks.clear();
        indented = is_blank(line);
        out.push_str(line);
        last = end;
        if doubles && !indented && end == Some('\n') {
            breaks.push('\n');
        }
    }
    let mut end = text.chars().rev();
    if end.next().is_some_and(is_break) {
        out.extend(last);
        if end.next().is_none_or(is_break) {
            out.push_str(&breaks);
        }
    }
    (out != text).then_some(out)
}

/// Whether the printer keeps the style of a folded text; else it takes quotes, which change nothing.
fn is_printed_folded(text: &str) -> bool {
    let special = |c: char| {
        c.is_control() && !matches!(c, '\t' | '\n') || matches!(c, '\u{feff}' | '\u{fffe}'..)
    };
    let spaced = |line: &str| line.trim_end_matches(is_break).ends_with(' ');
    !text.contains(special) && !text.split_inclusive(is_break).any(spaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `onedr0p/home-ops` and `redhat-cop/gitops-catalog` of the corpus pin this.
    #[test]
    fn folds_widen_before_indented_lines() {
        assert_eq!(reprinted("f(c,\n  c.x\n)").as_deref(), Some("f(c,\n\n  c.x\n)"));
        assert_eq!(reprinted("a\nb\n"), None);
    }

    #[test]
    fn folds_change_at_their_ends() {
        assert_eq!(reprinted("  a\nb\n  c"), None);
        assert_eq!(reprinted("  a\nb\nc").as_deref(), Some("  a\nb c"));
        assert_eq!(reprinted("a\n\n").as_deref(), Some("a\n\n\n"));
        assert_eq!(reprinted("a \n\tb\n"), None);
        assert_eq!(reprinted("\n"), None);
    }
}
