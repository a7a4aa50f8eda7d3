//! Paths to fields, as people write them.

use std::{fmt, str::FromStr};

use crate::{
    error::{Error, ErrorKind},
    node::{Mapping, Node, Text},
};

/// A path to a field: `spec.containers[name=app].image`, `args[0]`.
///
/// Parts are separated by dots; a dot of a key is written `\.`, or the key in brackets and quotes:
/// `metadata.annotations["example.com/a"]`. An element of a list is named by its index or by a field
/// that it has; a dot before the bracket, as kustomize writes it, means nothing.
///
/// ```
/// use gitops_yaml::FieldPath;
///
/// let node = gitops_yaml::read("spec: {containers: [{name: a, image: b}]}")?;
/// let path: FieldPath = "spec.containers[name=a].image".parse()?;
/// assert_eq!(path.find(&node).and_then(|image| image.as_str()), Some("b"));
/// assert_eq!(path.to_string(), "spec.containers[name=a].image");
/// # Ok::<(), gitops_yaml::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FieldPath {
    steps: Vec<PathStep>,
}

/// One step of a [`FieldPath`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PathStep {
    /// A key of a mapping.
    Key(Text),
    /// An element of a sequence, counted from 0.
    Index(usize),
    /// The first mapping of a sequence in which a field has a value: `[name=app]`.
    Element(Text, Text),
}

/// Longer paths are refused.
const LONGEST: usize = 4096;

impl FieldPath {
    /// The steps in order.
    pub fn steps(&self) -> &[PathStep] {
        &self.steps
    }

    /// The value at the path, if there is one.
    pub fn find<'n>(&self, node: &'n Node) -> Option<&'n Node> {
        self.steps.iter().try_fold(node, |node, step| match step {
            PathStep::Key(key) => node.get(key),
            PathStep::Index(index) => node.as_sequence()?.get(*index),
            PathStep::Element(key, value) => {
                node.as_sequence()?.iter().find(|item| has(item, key, value))
            }
        })
    }

    /// The value at the path, to change it.
    pub fn find_mut<'n>(&self, node: &'n mut Node) -> Option<&'n mut Node> {
        self.steps.iter().try_fold(node, |node, step| match step {
            PathStep::Key(key) => node.get_mut(key),
            PathStep::Index(index) => node.as_sequence_mut()?.get_mut(*index),
            PathStep::Element(key, value) => {
                node.as_sequence_mut()?.iter_mut().find(|item| has(item, key, value))
            }
        })
    }

    /// The value at the path, which is made first if it is not there: mappings for keys, an element
    /// with its field for `[key=value]`. A new value is `null`.
    ///
    /// # Errors
    /// When something else stands in the way, or an index leads beyond the end of a list.
    pub fn find_or_insert<'n>(&self, node: &'n mut Node) -> Result<&'n mut Node, Error> {
        self.steps.iter().enumerate().try_fold(node, |node, (at, step)| {
            Self::step_or_insert(node, step).ok_or_else(|| {
                let so_far = Self { steps: self.steps[..=at].to_vec() };
                Error::new(ErrorKind::Path, format!("{so_far} is not there and cannot be made"))
            })
        })
    }

    fn step_or_insert<'n>(node: &'n mut Node, step: &PathStep) -> Option<&'n mut Node> {
        match step {
            PathStep::Key(key) => {
                if node.is_null() {
                    node.make_mapping();
                }
                Some(node.as_mapping_mut()?.get_or_insert_with(key, Node::null))
            }
            PathStep::Index(index) => node.as_sequence_mut()?.get_mut(*index),
            PathStep::Element(key, value) => {
                if node.is_null() {
                    *node = Node::from(Vec::new());
                }
                let items = node.as_sequence_mut()?;
                let found = items.iter().position(|item| has(item, key, value));
                let index = found.unwrap_or_else(|| {
                    items.push(Mapping::from_iter([(key, value.as_str())]).into());
                    items.len() - 1
                });
                items.get_mut(index)
            }
        }
    }
}

fn has(item: &Node, key: &str, value: &str) -> bool {
    item.get(key).and_then(Node::text) == Some(value)
}

impl FromStr for FieldPath {
    type Err = Error;

    fn from_str(path: &str) -> Result<Self, Error> {
        let wrong = |why: &str| {
            let shown = gitops_core::truncate(path, 200);
            Error::new(ErrorKind::Path, format!("field path {shown:?}: {why}"))
        };
        if path.len() > LONGEST {
            return Err(wrong("is too long"));
        }
        let mut steps = Vec::new();
        let mut rest = path;
        while !rest.is_empty() {
            if let Some(inside) = rest.strip_prefix('[') {
                let (step, after) = bracketed(inside).ok_or_else(|| {
                    wrong("expected an index, key=value or a quoted key in brackets")
                })?;
                steps.push(step);
                rest = after;
            } else {
                let (key, after) = plain_key(rest);
                if key.is_empty() {
                    return Err(wrong("a part is empty"));
                }
                steps.push(PathStep::Key(key.into()));
                rest = after;
            }
            if let Some(after) = rest.strip_prefix('.') {
                if after.is_empty() {
                    return Err(wrong("a part is empty"));
                }
                rest = after;
            } else if !rest.is_empty() && !rest.starts_with('[') {
                return Err(wrong("expected '.' or '[' behind a bracket"));
            }
        }
        Ok(Self { steps })
    }
}

/// A key up to a dot or a bracket, without its backslashes.
fn plain_key(text: &str) -> (String, &str) {
    let mut key = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => key.extend(chars.next().map(|(_, escaped)| escaped)),
            '.' | '[' => return (key, &text[at..]),
            c => key.push(c),
        }
    }
    (key, "")
}

/// What stands in brackets, and what follows them.
fn bracketed(text: &str) -> Option<(PathStep, &str)> {
    if let Some(quoted) = text.strip_prefix('"') {
        let (key, after) = quoted.split_once("\"]")?;
        return Some((PathStep::Key(key.into()), after));
    }
    let (inside, after) = text.split_once(']')?;
    let step = match inside.split_once('=') {
        Some((key, value)) => PathStep::Element(key.into(), value.into()),
        None => PathStep::Index(inside.parse().ok()?),
    };
    Some((step, after))
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.steps.iter().enumerate() {
            match step {
                PathStep::Key(key) if key.contains(['.', '[', '\\']) || key.is_empty() => {
                    write!(f, "[\"{key}\"]")?;
                }
                PathStep::Key(key) if index == 0 => f.write_str(key)?,
                PathStep::Key(key) => write!(f, ".{key}")?,
                PathStep::Index(at) => write!(f, "[{at}]")?,
                PathStep::Element(key, value) => write!(f, "[{key}={value}]")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{read, to_yaml};

    #[test]
    fn paths_read_and_print() {
        for (path, printed) in [
            ("a", "a"),
            ("a.b[0].c", "a.b[0].c"),
            ("a.[name=x.y].c", "a[name=x.y].c"),
            (r"a.b\.c/d", "a[\"b.c/d\"]"),
            ("a[\"b.c\"].d", "a[\"b.c\"].d"),
            ("[1][2]", "[1][2]"),
            ("", ""),
        ] {
            let parsed: FieldPath = path.parse().unwrap();
            assert_eq!(parsed.to_string(), printed);
            assert_eq!(printed.parse::<FieldPath>().unwrap(), parsed);
        }
        for path in
            [".", "a.", ".a", "a..b", "a[", "a[x]", "a[0]b", "a[-1]", "a[99999999999999999999]"]
        {
            assert_eq!(path.parse::<FieldPath>().unwrap_err().kind(), ErrorKind::Path, "{path}");
        }
        assert!("a".repeat(5000).parse::<FieldPath>().is_err());
    }

    #[test]
    fn values_are_found_and_made() {
        let mut node = read("{a: [{name: x, v: 1}], b: c}").unwrap();
        let at = |path: &str| path.parse::<FieldPath>().unwrap();
        *at("a[name=x].v").find_mut(&mut node).unwrap() = Node::number(2_i64);
        *at("a[name=y].w.z").find_or_insert(&mut node).unwrap() = "new".into();
        assert_eq!(
            to_yaml(&node).unwrap(),
            "a:\n- name: x\n  v: 2\n- name: \"y\"\n  w:\n    z: new\nb: c\n"
        );
        assert!(at("a[7]").find(&node).is_none() && at("b.c").find(&node).is_none());
        let error = at("b.c.d").find_or_insert(&mut node).unwrap_err();
        assert_eq!(error.to_string(), "b.c is not there and cannot be made");
    }
}
