//! What the original writes down in annotations, in objects that come with it.

use gitops_yaml::{Node, Text};
use thin_vec::ThinVec;

/// A former identity.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Former {
    pub(super) kind: Text,
    pub(super) name: Text,
    /// The effective namespace of that time.
    pub(super) namespace: Text,
}

/// The elements of one of the original's books, for objects that come with them.
pub(super) fn claimed<'n>(node: &'n Node, book: &str) -> impl Iterator<Item = &'n str> {
    let annotations = node.at(["metadata", "annotations"]).and_then(Node::as_mapping);
    let book = annotations.and_then(|annotations| {
        let name = |key: &str| key.strip_prefix("internal.config.kubernetes.io/") == Some(book);
        annotations.iter().find(|(key, _)| name(key)).and_then(|(_, value)| value.text())
    });
    book.into_iter().flat_map(|text| text.split(','))
}

pub(super) fn claimed_names(node: &Node) -> ThinVec<Former> {
    let kinds = claimed(node, "previousKinds").map(Text::from);
    let names = claimed(node, "previousNames").map(Text::from);
    let namespaces = claimed(node, "previousNamespaces").map(Text::from);
    let all = kinds.zip(names).zip(namespaces);
    all.map(|((kind, name), namespace)| Former { kind, name, namespace }).collect()
}
