//! `images`: names, tags and digests of image references.

use std::{
    collections::{BTreeSet, HashMap},
    sync::atomic::{AtomicBool, Ordering},
};

use gitops_yaml::{Content, Node, Text};
use regex::Regex;

use super::{Transform, selector::LONGEST_PATTERN};
use crate::{
    build::Build,
    config::{Creates, FieldSpec, Specs},
    error::{Error, ErrorKind, Result},
    file::Image,
    resource::{Resource, set_untagged, wrong_kind},
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
    specs: Specs,
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
    pub(crate) fn new(image: Image, specs: Specs) -> Self {
        let pattern = Pattern::new(&image.name);
        Self { image, specs, pattern, matched: AtomicBool::new(false) }
    }

    fn update(&self, node: &mut Node) -> Result<()> {
        let Some(reference) = node.text() else {
            return Err(wrong_kind(node, "ScalarNode"));
        };
        if let Some(changed) = self.change(reference) {
            self.matched.store(true, Ordering::Relaxed);
            set_untagged(node, &changed);
        }
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

    /// What a reference becomes; `None` if it is not one of the image.
    fn change(&self, reference: &str) -> Option<String> {
        self.pattern.matches(reference).then(|| self.changed(reference))
    }
}

/// Calls `act` on the references of an object: those of containers, then those that specifications
/// lead to.
fn visit(
    resource: &mut Resource,
    specs: &[FieldSpec],
    act: &mut dyn FnMut(&mut Node) -> Result<()>,
) -> Result<()> {
    search(resource.node_mut(), act).map_err(|error| {
        let is_secret = resource.id().gvk.kind == "Secret";
        resource.locate(if is_secret { error.without_contents() } else { error })
    })?;
    specs.iter().try_for_each(|spec| {
        spec.apply(resource, Creates::Nothing, &mut |node| {
            if node.is_null() { Ok(()) } else { act(node) }
        })
    })
}

fn search(node: &mut Node, act: &mut dyn FnMut(&mut Node) -> Result<()>) -> Result<()> {
    match node.content_mut() {
        Content::Mapping(mapping) => {
            for (key, value) in mapping.iter_mut() {
                if value.as_scalar().is_some() {
                    continue;
                }
                let containers = matches!(key, "containers" | "initContainers");
                search(value, act)?;
                if containers && let Some(items) = value.as_sequence_mut() {
                    for item in items {
                        if !item.is_mapping() && !item.is_null() {
                            return Err(wrong_kind(item, "MappingNode"));
                        }
                        if let Some(image) = item.get_mut("image").filter(|image| !image.is_null())
                        {
                            act(image)?;
                        }
                    }
                }
            }
            Ok(())
        }
        Content::Sequence(items) => items.iter_mut().try_for_each(|item| search(item, act)),
        Content::Scalar(_) => Ok(()),
    }
}

/// Changes references to several images, one after the other, in a single walk.
#[derive(Debug)]
pub(crate) struct ImageList {
    entries: Vec<Images>,
    specs: Specs,
}

/// What becomes of a reference.
enum Outcome {
    /// It is none of the images.
    Stays,
    Becomes(Text),
    /// That depends on how often a walk passes the field.
    Depends,
}

impl ImageList {
    pub(crate) fn new(images: &[Image], specs: &Specs) -> Self {
        // The list knows where the entries look.
        let entries = images.iter().map(|image| Images::new(image.clone(), Specs::default()));
        Self { entries: entries.collect(), specs: specs.clone() }
    }

    /// What becomes of a reference that every entry sees once or more often.
    fn outcome(&self, reference: &str) -> Outcome {
        let mut text: Option<String> = None;
        for entry in &self.entries {
            let Some(next) = entry.change(text.as_deref().unwrap_or(reference)) else { continue };
            entry.matched.store(true, Ordering::Relaxed);
            if entry.change(&next).is_some_and(|again| again != next) {
                return Outcome::Depends;
            }
            text = Some(next);
        }
        let Some(text) = text else { return Outcome::Stays };
        let mut again = text.clone();
        for entry in &self.entries {
            again = entry.change(&again).unwrap_or(again);
        }
        if again == text { Outcome::Becomes(text.into()) } else { Outcome::Depends }
    }

    fn apply(&self, resource: &mut Resource, known: &mut HashMap<Text, Outcome>) -> Result<()> {
        let mut any = false;
        let looked = visit(resource, &self.specs, &mut |node| {
            let depends = || Error::new(ErrorKind::Field, "the entries have to be taken in turn");
            let Some(Content::Scalar(scalar)) = Some(node.content()) else {
                return Err(depends());
            };
            let reference = scalar.text();
            let outcome = match known.get(reference) {
                Some(outcome) => outcome,
                None => known.entry(reference.into()).or_insert_with(|| self.outcome(reference)),
            };
            any |= matches!(outcome, Outcome::Becomes(_));
            if matches!(outcome, Outcome::Depends) { Err(depends()) } else { Ok(()) }
        });
        if looked.is_err() {
            return self.entries.iter().try_for_each(|entry| {
                visit(resource, &self.specs, &mut |node| entry.update(node))
            });
        }
        if !any {
            return Ok(());
        }
        visit(resource, &self.specs, &mut |node| {
            // What it became is not known, and stays.
            if let Some(Outcome::Becomes(text)) = known.get(node.text().unwrap_or_default()) {
                set_untagged(node, text);
            }
            Ok(())
        })
    }
}

impl Transform for ImageList {
    fn idle(&self, set: &ResourceSet) -> Vec<(usize, String)> {
        let entries = self.entries.iter().enumerate();
        entries
            .flat_map(|(at, entry)| entry.idle(set).into_iter().map(move |(_, why)| (at, why)))
            .collect()
    }

    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        let mut known = HashMap::new();
        for (index, resource) in set.contents_mut().enumerate() {
            build.check_at(index)?;
            if resource.id().gvk.kind != "CustomResourceDefinition" {
                self.apply(resource, &mut known)?;
            }
        }
        Ok(())
    }
}

impl Transform for Images {
    fn idle(&self, set: &ResourceSet) -> Vec<(usize, String)> {
        if self.matched.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let mut names = BTreeSet::new();
        set.iter().for_each(|resource| collect(resource.node(), &mut names));
        let near = match nearest(&self.image.name, names.iter().copied()) {
            Some(near) => format!("did you mean {near:?}?"),
            None if names.is_empty() => "there are no images here".to_owned(),
            None => format!("images are: {}", list(&names.into_iter().collect::<Vec<_>>())),
        };
        vec![(0, format!("image {:?} matches nothing; {near}", self.image.name))]
    }

    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        for (index, resource) in set.contents_mut().enumerate() {
            build.check_at(index)?;
            if resource.id().gvk.kind == "CustomResourceDefinition" {
                continue;
            }
            visit(resource, &self.specs, &mut |node| self.update(node))?;
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

    /// One walk gives what a walk for each entry gives: renames in a circle and suffixes too, in fields
    /// that are passed once, twice and more often.
    #[test]
    fn one_walk_is_as_good_as_many() {
        let image = |(name, new_name, tag, suffix): (&str, &str, &str, &str)| Image {
            name: name.into(),
            new_name: new_name.into(),
            new_tag: tag.into(),
            tag_suffix: suffix.into(),
            ..Image::default()
        };
        let entries = [
            ("a", "b", "", ""),
            ("b", "a", "", ""),
            ("b", "", "2", ""),
            ("a", "", "", "-x"),
            ("a", "", "1 0", ""),
            ("a.2", "c", "", ""),
            ("c", "c", "3", ""),
        ];
        let specs: Vec<FieldSpec> = ["spec/containers[]/image", "spec/image", "spec/image"]
            .iter()
            .map(|path| FieldSpec::new(crate::resource::Gvk::default(), path, false))
            .collect();
        let specs = Specs::from(specs);
        let schema = gitops_yaml::Schema::builtin();
        let mut changed = 0;
        for (first, second, third) in (0..343).map(|n| (n % 7, n / 7 % 7, n / 49)) {
            let images = [first, second, third].map(|at| image(entries[at]));
            for reference in ["a", "a:1", "a:2", "b:1", "c", "other", "a:1@sha256:ab"] {
                let text = format!(
                    "kind: Pod\nmetadata: {{name: x}}\nspec: {{image: '{reference}', containers: [{{image: '{reference}'}}], initContainers: [{{image: '{reference}'}}]}}\n"
                );
                let read = || Resource::new(gitops_yaml::read(&text).unwrap(), &schema);
                let (mut joined, mut single) = (read(), read());
                ImageList::new(&images, &specs).apply(&mut joined, &mut HashMap::new()).unwrap();
                for image in &images {
                    let image = Images::new(image.clone(), specs.clone());
                    visit(&mut single, &specs, &mut |node| image.update(node)).unwrap();
                }
                let printed = |resource: &Resource| gitops_yaml::to_yaml(resource.node()).unwrap();
                assert_eq!(printed(&joined), printed(&single), "{images:?} {reference}");
                changed += usize::from(single.node() != read().node());
            }
        }
        assert!(changed > 500, "{changed} references were changed");
    }

    #[test]
    fn a_broken_name_matches_nothing() {
        let images = Images::new(
            Image { name: "[".into(), new_tag: "1".into(), ..Image::default() },
            Specs::default(),
        );
        let mut node = Node::string("[:2");
        images.update(&mut node).unwrap();
        assert_eq!(node.text(), Some("[:2"));
    }
}
