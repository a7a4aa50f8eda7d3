//! `images`: names, tags and digests of image references.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, Ordering},
};

use gitops_yaml::{Content, Node};
use regex::Regex;

use super::{Transform, selector::LONGEST_PATTERN};
use crate::{
    build::Build,
    config::{Creates, FieldSpec},
    error::{Error, ErrorKind, Result},
    file::Image,
    resource::set_untagged,
    set::ResourceSet,
    words::{list, nearest},
};

/// Changes references to one image.
///
/// Every object but a `CustomResourceDefinition` is searched twice: first for `containers` and
/// `initContainers` wherever they stand, then by field specification.
#[derive(Debug)]
pub(crate) struct Images {
    image: Image,
    specs: Vec<FieldSpec>,
    pattern: Pattern,
    /// Whether any reference was one of the image.
    matched: AtomicBool,
}

/// Which references are meant. Quirk: the name is a part of a regular expression.
#[derive(Debug)]
enum Pattern {
    /// A name without other special characters than `.`, which matches anything. Nearly all are.
    Name(String),
    Regex(Regex),
    /// The name makes no regular expression.
    Nothing,
}

impl Pattern {
    fn new(name: &str) -> Self {
        let simple = |b: u8| b.is_ascii_alphanumeric() || b"._/:@-".contains(&b);
        if name.bytes().all(simple) {
            return Self::Name(name.to_owned());
        }
        if name.len() > LONGEST_PATTERN {
            return Self::Nothing;
        }
        Self::regex(name).map_or(Self::Nothing, Self::Regex)
    }

    fn regex(name: &str) -> Option<Regex> {
        let pattern = format!(
            "^{name}(:[a-zA-Z0-9_.{{}}-]*)?(@[a-zA-Z0-9]+([.+_-][a-zA-Z0-9]+)*:[a-zA-Z0-9_.{{}}-]*)?$"
        );
        Regex::new(&pattern).ok()
    }

    fn matches(&self, reference: &str) -> bool {
        match self {
            Self::Nothing => false,
            Self::Regex(regex) => regex.is_match(reference),
            Self::Name(name) => {
                let mut rest = reference.chars();
                name.chars().all(|wanted| match rest.next() {
                    Some(c) => c == wanted || (wanted == '.' && c != '\n'),
                    None => false,
                }) && is_tag_and_digest(rest.as_str())
            }
        }
    }
}

/// `:tag@algorithm:digest`, both parts optional.
fn is_tag_and_digest(text: &str) -> bool {
    let tag = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '{' | '}' | '-');
    let rest = text.strip_prefix(':').map_or(text, |after| after.trim_start_matches(tag));
    if rest.is_empty() {
        return true;
    }
    let Some((algorithm, digest)) = rest.strip_prefix('@').and_then(|rest| rest.split_once(':'))
    else {
        return false;
    };
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric());
    algorithm.split(['.', '+', '_', '-']).all(word) && digest.chars().all(tag)
}

impl Images {
    pub(crate) fn new(image: Image, specs: Vec<FieldSpec>) -> Self {
        let pattern = Pattern::new(&image.name);
        Self { image, specs, pattern, matched: AtomicBool::new(false) }
    }

    fn update(&self, node: &mut Node) -> Result<()> {
        let Some(reference) = node.text() else {
            return Err(Error::new(ErrorKind::Field, "wrong node kind: expected ScalarNode"));
        };
        if !self.pattern.matches(reference) {
            return Ok(());
        }
        self.matched.store(true, Ordering::Relaxed);
        let changed = self.changed(reference);
        set_untagged(node, &changed);
        Ok(())
    }

    fn changed(&self, reference: &str) -> String {
        let Image { new_name, new_tag, digest: new_digest, tag_suffix, .. } = &self.image;
        let (name, old_tag, old_digest) = split(reference);
        let name = if new_name.is_empty() { name } else { new_name };
        // A new tag or digest replaces both.
        let (tag, digest) = if !new_tag.is_empty() || !new_digest.is_empty() {
            (new_tag.clone(), new_digest.as_str())
        } else if tag_suffix.is_empty() {
            (old_tag.to_owned(), old_digest)
        } else {
            (format!("{old_tag}{tag_suffix}"), "")
        };
        let mut changed = name.to_owned();
        for (mark, part) in [(':', tag.as_str()), ('@', digest)] {
            if !part.is_empty() {
                changed.push(mark);
                changed.push_str(part);
            }
        }
        changed
    }

    fn search(&self, node: &mut Node) -> Result<()> {
        match node.content_mut() {
            Content::Mapping(mapping) => {
                for (key, value) in mapping.iter_mut() {
                    let containers = matches!(key, "containers" | "initContainers");
                    self.search(value)?;
                    if containers && let Some(items) = value.as_sequence_mut() {
                        for item in items {
                            if let Some(image) =
                                item.get_mut("image").filter(|image| !image.is_null())
                            {
                                self.update(image)?;
                            }
                        }
                    }
                }
                Ok(())
            }
            Content::Sequence(_) => {
                node.as_sequence_mut().into_iter().flatten().try_for_each(|item| self.search(item))
            }
            Content::Scalar(_) => Ok(()),
        }
    }
}

impl Transform for Images {
    fn idle(&self, set: &ResourceSet) -> Option<String> {
        if self.matched.load(Ordering::Relaxed) {
            return None;
        }
        let mut names = BTreeSet::new();
        set.iter().for_each(|resource| collect(resource.node(), &mut names));
        let near = match nearest(&self.image.name, names.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None if names.is_empty() => "there are no images here".to_owned(),
            None => format!("images are: {}", list(&names.into_iter().collect::<Vec<_>>())),
        };
        Some(format!("image {:?} matches nothing; {near}", self.image.name))
    }

    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        for (index, resource) in set.contents_mut().enumerate() {
            build.check_at(index)?;
            if resource.id().gvk.kind == "CustomResourceDefinition" {
                continue;
            }
            let searched = self.search(resource.node_mut());
            searched.map_err(|error| resource.locate(error))?;
            for spec in &self.specs {
                spec.apply(resource, Creates::Nothing, &mut |node| {
                    if node.is_null() { Ok(()) } else { self.update(node) }
                })?;
            }
        }
        Ok(())
    }
}

/// The names of the images of containers.
fn collect<'n>(node: &'n Node, names: &mut BTreeSet<&'n str>) {
    match node.content() {
        Content::Mapping(mapping) => {
            for (key, value) in mapping.iter() {
                collect(value, names);
                if matches!(key, "containers" | "initContainers") {
                    let images = value.as_sequence().unwrap_or_default().iter();
                    let images = images.filter_map(|item| item.get("image").and_then(Node::text));
                    names.extend(images.map(|reference| split(reference).0));
                }
            }
        }
        Content::Sequence(_) => {
            node.as_sequence().unwrap_or_default().iter().for_each(|item| collect(item, names));
        }
        Content::Scalar(_) => {}
    }
}

/// Name, tag and digest; a `:` before the first slash belongs to a port.
fn split(reference: &str) -> (&str, &str, &str) {
    let start = reference.find('/').unwrap_or(0);
    let search = &reference[start..];
    let at = search.find('@').map(|at| at + start);
    let colon = search.find(':').map(|colon| colon + start);
    match (colon, at) {
        (None, None) => (reference, "", ""),
        (Some(colon), Some(at)) if colon < at => {
            (&reference[..colon], &reference[colon + 1..at], &reference[at + 1..])
        }
        (_, Some(at)) => (&reference[..at], "", &reference[at + 1..]),
        (Some(colon), None) => (&reference[..colon], &reference[colon + 1..], ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is matched by hand is what the regular expression matches.
    #[test]
    fn names_match_as_the_regular_expression_does() {
        let tails = [
            "",
            ":",
            ":1.0",
            ":a b",
            "@",
            "@sha256:ab",
            "@sha256",
            ":1@sha256:ab",
            ":1@a+b.c:d",
            ":1@a..b:c",
            "@:x",
            "x",
            "/x",
            ":{{t}}",
            "@sha256:ab:c",
            "@a-:b",
            "\n",
            ":1\n",
            ":ä",
        ];
        for name in ["nginx", "registry.example.com/a/b", "r:5000/x", "a.b", "", "x@y"] {
            let (by_hand, regex) = (Pattern::new(name), Pattern::regex(name).unwrap());
            assert!(matches!(by_hand, Pattern::Name(_)));
            for start in [name.to_owned(), name.replace('.', "é"), name.replace('.', "\n")] {
                for tail in tails {
                    let reference = format!("{start}{tail}");
                    assert_eq!(
                        by_hand.matches(&reference),
                        regex.is_match(&reference),
                        "{name} {reference:?}"
                    );
                }
            }
        }
    }

    #[test]
    fn splits_references() {
        for (reference, parts) in [
            ("nginx", ("nginx", "", "")),
            ("nginx:1", ("nginx", "1", "")),
            ("host:5000/nginx", ("host:5000/nginx", "", "")),
            ("host:5000/nginx:1@sha256:ab", ("host:5000/nginx", "1", "sha256:ab")),
            ("nginx@sha256:ab", ("nginx", "", "sha256:ab")),
        ] {
            assert_eq!(split(reference), parts, "{reference}");
        }
    }

    #[test]
    fn a_broken_name_matches_nothing() {
        let images = Images::new(
            Image { name: "[".into(), new_tag: "1".into(), ..Image::default() },
            Vec::new(),
        );
        let mut node = Node::string("[:2");
        images.update(&mut node).unwrap();
        assert_eq!(node.text(), Some("[:2"));
    }
}
