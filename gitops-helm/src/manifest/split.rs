//! From a rendered template to its documents.
//!
//! Follows helm pkg/release/v1/util/manifest.go, which cuts at `---` at the beginning of a line
//! and looks at no syntax.

use std::ops::Range;

use gitops_yaml::split_documents;
use memchr::memmem;

use crate::Compat;

/// The documents of a rendered template. Helm 4 leaves the space at their ends, Helm 3 takes it
/// away.
pub fn split_manifests(text: &str, compat: Compat) -> Vec<&str> {
    if compat == Compat::Helm3 {
        return split_documents(text);
    }
    let line = memmem::Finder::new("\n---");
    // The next line that begins with the separator; the text itself begins within a line.
    let separator = |text: &str| line.find(text.as_bytes()).map(|index| index + 1);
    let mut documents = Vec::new();
    let mut rest = text.trim_start();
    let mut end = if rest.starts_with(SEPARATOR) { Some(0) } else { separator(rest) };
    loop {
        let document = end.map_or(rest, |end| &rest[..end]).trim_start();
        if !document.is_empty() {
            documents.push(document);
        }
        let Some(found) = end else { return documents };
        rest = rest[found + SEPARATOR.len()..].trim_start_matches([' ', '\t']);
        end = separator(rest);
    }
}

/// Where those documents stand in the text.
pub(super) fn ranges(text: &str, compat: Compat) -> Vec<Range<usize>> {
    let start = text.as_ptr().addr();
    let range = |document: &str| {
        let from = document.as_ptr().addr() - start;
        from..from + document.len()
    };
    split_manifests(text, compat).into_iter().map(range).collect()
}

const SEPARATOR: &str = "---";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_are_cut_at_lines() {
        for (text, four, three) in [
            ("a\n---\nb\n", vec!["a\n", "b\n"], vec!["a", "b"]),
            ("---\n---\na\n\n", vec!["a\n\n"], vec!["---\na"]),
            ("--- a\n---b\n", vec!["a\n", "b\n"], vec!["a", "b"]),
            ("\n \n---\n\n  a: 1\n---  \n", vec!["a: 1\n"], vec!["a: 1"]),
            ("a\n ---\nb", vec!["a\n ---\nb"], vec!["a\n ---\nb"]),
            ("----\na", vec!["-\na"], vec!["-\na"]),
            ("------\na", vec!["---\na"], vec!["---\na"]),
            ("", vec![], vec![]),
        ] {
            assert_eq!(split_manifests(text, Compat::Helm4), four, "{text:?}");
            assert_eq!(split_manifests(text, Compat::Helm3), three, "{text:?}");
        }
    }
}
