//! An entry of patches as messages show it.

use gitops_yaml::{Mapping, Node};

use crate::file::{Patch, Selector};

/// The entry as the original prints it in its messages: with its text under the name `text`.
pub(super) fn describe(patch: &Patch, text: &'static str) -> String {
    let mut config = Mapping::new();
    let mut options = Mapping::new();
    for (key, set) in
        [("allowNameChange", patch.allow_name_change), ("allowKindChange", patch.allow_kind_change)]
    {
        if set {
            options.insert(key, true);
        }
    }
    if !options.is_empty() {
        config.insert("options", options);
    }
    for (key, value) in [(text, shown(patch)), ("path", patch.path.as_str())] {
        if !value.is_empty() {
            config.insert(key, value);
        }
    }
    if let Some(target) = &patch.target {
        config.insert("target", describe_selector(target));
    }
    gitops_yaml::to_yaml(&Node::from(config)).unwrap_or_default()
}

/// The text of a patch, unless it may hold what a Secret holds.
pub(super) fn shown(patch: &Patch) -> &str {
    let secret = patch.patch.contains("Secret")
        || patch.target.as_ref().is_some_and(|target| target.gvk.kind == "Secret");
    if secret && !patch.patch.is_empty() { "***" } else { &patch.patch }
}

fn describe_selector(selector: &Selector) -> Mapping {
    let Selector { gvk, name, namespace, annotation_selector, label_selector } = selector;
    [
        ("annotationSelector", annotation_selector.as_str()),
        ("group", &gvk.group),
        ("kind", &gvk.kind),
        ("labelSelector", label_selector),
        ("name", name),
        ("namespace", namespace),
        ("version", &gvk.version),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .collect()
}
