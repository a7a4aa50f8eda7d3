//! Paths into objects as replacements and variables write them: `spec.containers.[name=app].image`.
//!
//! Follows kyaml's `yaml/match.go` and `utils/pathsplitter.go`.

use gitops_yaml::{Content, Flavour, Mapping, Node, Scalar, ScalarStyle, ScalarType, resolve};
use regex::Regex;

use super::selector::LONGEST_PATTERN;
use crate::{
    config::split,
    error::{Error, ErrorKind, Result},
    words::{list, nearest},
};

/// Splits at dots. `[name=a.b]` stays together with its brackets, `[a.b]` without them.
pub(super) fn split_path(path: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = split(path, '.').into_iter();
    while let Some(part) = rest.next() {
        if !part.starts_with('[') || part.ends_with(']') {
            // A single bracketed part keeps its brackets, as in the original.
            parts.push(part);
            continue;
        }
        let mut bracketed = part;
        for more in rest.by_ref() {
            bracketed.push('.');
            bracketed.push_str(&more);
            if more.ends_with(']') {
                break;
            }
        }
        if bracketed.contains('=') {
            parts.push(bracketed);
        } else {
            parts.push(bracketed.trim_matches(['[', ']']).to_owned());
        }
    }
    parts
}

/// What one part of a path means.
enum Part<'p> {
    Field(&'p str),
    Index(usize),
    Every,
    /// `[key=value]`; the key is empty for `[=value]`.
    Element(&'p str, &'p str),
}

fn part_of(part: &str) -> Result<Part<'_>> {
    if part == "*" {
        return Ok(Part::Every);
    }
    if let Ok(index) = part.parse::<usize>() {
        return Ok(Part::Index(index));
    }
    match part.strip_prefix('[').and_then(|part| part.strip_suffix(']')) {
        Some(inside) => match inside.split_once('=') {
            Some((key, value)) => Ok(Part::Element(key, value)),
            None => Err(Error::new(
                ErrorKind::Field,
                "list path element must contain fieldName=fieldValue for element to match",
            )),
        },
        None => Ok(Part::Field(part)),
    }
}

fn wrong_kind(node: &Node, wanted: &str) -> Error {
    let kind = match node.content() {
        Content::Mapping(_) => "MappingNode",
        Content::Sequence(_) => "SequenceNode",
        Content::Scalar(_) => "ScalarNode",
    };
    Error::new(ErrorKind::Field, format!("wrong Node Kind for expected: {wanted} was {kind}"))
}

/// The value at a path in a source: the first element that matches counts.
pub(super) fn look_up<'n>(node: &'n Node, path: &[String]) -> Result<Option<&'n Node>> {
    let mut node = node;
    for part in path.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        if node.is_null() {
            return Ok(None);
        }
        let next = match part {
            "-" => node.as_sequence().ok_or_else(|| wrong_kind(node, "SequenceNode"))?.last(),
            _ => match part_of(part)? {
                Part::Every => {
                    return Err(Error::new(
                        ErrorKind::Field,
                        "wildcard is not supported in PathGetter",
                    ));
                }
                Part::Index(index) => {
                    node.as_sequence().ok_or_else(|| wrong_kind(node, "SequenceNode"))?.get(index)
                }
                Part::Element(key, value) => {
                    node.as_sequence().ok_or_else(|| wrong_kind(node, "SequenceNode"))?.iter().find(
                        |item| {
                            let field = if key.is_empty() { Some(*item) } else { item.get(key) };
                            field.and_then(Node::text) == Some(value)
                        },
                    )
                }
                Part::Field(name) => {
                    node.as_mapping().ok_or_else(|| wrong_kind(node, "MappingNode"))?.get(name)
                }
            },
        };
        match next {
            Some(next) => node = next,
            None => return Ok(None),
        }
    }
    Ok(Some(node))
}

/// How far a path leads into an object, and what is there instead: for hints.
pub(super) fn way(object: &Node, path: &[String]) -> String {
    let mut node = object;
    let mut reached = String::new();
    for part in path.iter().map(|part| part.trim()).filter(|part| !part.is_empty()) {
        let place = if reached.is_empty() { "the object" } else { reached.as_str() };
        let next = match (node.content(), part_of(part)) {
            (Content::Sequence(_), Ok(Part::Every)) => node.as_sequence().and_then(<[_]>::first),
            (_, Ok(_)) => look_up(node, std::slice::from_ref(&part.to_owned())).ok().flatten(),
            (_, Err(_)) => None,
        };
        let Some(next) = next else {
            return match node.content() {
                Content::Mapping(mapping) => {
                    let keys: Vec<&str> = mapping.keys().collect();
                    match nearest(part, keys.iter().copied()) {
                        Some(near) => format!("did you mean {near:?} instead of {part:?}?"),
                        None => format!("{place} has no {part:?}; it has {}", list(&keys)),
                    }
                }
                Content::Sequence(_) => {
                    let items = node.as_sequence().unwrap_or_default();
                    let names: Vec<&str> = items
                        .iter()
                        .filter_map(|item| item.get("name").and_then(Node::text))
                        .collect();
                    if names.is_empty() {
                        format!("{place} is a list of {}; {part:?} is none of them", items.len())
                    } else {
                        format!(
                            "{place} is a list of {}; write [name={}] or an index",
                            list(&names),
                            names[0],
                        )
                    }
                }
                Content::Scalar(_) if node.is_null() => format!("{place} is null"),
                Content::Scalar(_) => format!("{place} is a single value"),
            };
        };
        node = next;
        reached = if reached.is_empty() { part.to_owned() } else { format!("{reached}.{part}") };
    }
    format!("{reached} is there, but empty or of another kind")
}

/// Calls `act` on every field that the path leads to. With `create`, a missing one is made of the
/// kind of that value.
#[expect(clippy::too_many_lines, reason = "one arm for each kind of part")]
pub(super) fn visit(
    node: &mut Node,
    path: &[String],
    create: Option<&Node>,
    act: &mut dyn FnMut(&mut Node) -> Result<()>,
) -> Result<()> {
    let Some((part, rest)) = path.split_first() else { return act(node) };
    match part_of(part)? {
        Part::Every => {
            if node.is_null() {
                return Ok(());
            }
            let Some(items) = node.as_sequence_mut() else {
                return Err(wrong_kind(node, "SequenceNode"));
            };
            items.iter_mut().try_for_each(|item| visit(item, rest, create, act))
        }
        Part::Index(index) => {
            let Some(items) = node.as_sequence_mut() else {
                return Err(wrong_kind(node, "SequenceNode"));
            };
            if items.len() == index
                && let Some(value) = create
            {
                items.push(made(rest, value));
            }
            let length = items.len();
            match items.get_mut(index) {
                Some(item) => visit(item, rest, create, act),
                None => Err(Error::new(
                    ErrorKind::Reference,
                    format!("index {index} specified but only {length} elements found"),
                )),
            }
        }
        Part::Element(key, pattern) => {
            if node.is_null() {
                return Ok(());
            }
            let Some(items) = node.as_sequence_mut() else {
                return Err(wrong_kind(node, "SequenceNode"));
            };
            let wanted = ElementPattern::new(pattern)?;
            let mut reached = 0;
            let mut count = |node: &mut Node| {
                reached += 1;
                act(node)
            };
            for item in items.iter_mut() {
                let field = if key.is_empty() { Some(&*item) } else { item.get(key) };
                if field.and_then(printed).is_some_and(|text| wanted.matches(&text)) {
                    // Quirk: an element that is a value itself ends the path.
                    if key.is_empty() {
                        count(item)?;
                    } else {
                        visit(item, rest, create, &mut count)?;
                    }
                }
            }
            let Some(value) = create.filter(|_| reached == 0) else { return Ok(()) };
            let made = if key.is_empty() {
                untagged(pattern)
            } else {
                Node::from([(key, untagged(pattern))].into_iter().collect::<Mapping>())
            };
            items.push(made);
            let item = items.last_mut().expect("pushed in the line above");
            if key.is_empty() { act(item) } else { visit(item, rest, Some(value), act) }
        }
        Part::Field(name) => {
            if node.is_null() && create.is_none() {
                return Ok(());
            }
            let Some(mapping) = node.as_mapping_mut() else {
                return Err(wrong_kind(node, "MappingNode"));
            };
            match (mapping.contains_key(name), create) {
                (false, None) => return Ok(()),
                (false, Some(value)) => {
                    mapping.insert(name, made(rest, value));
                }
                (true, _) => {}
            }
            let Some(field) = mapping.get_mut(name) else { return Ok(()) };
            if field.as_scalar().is_some() && !rest.is_empty() && !field.is_null() {
                return visit_text(field, rest);
            }
            visit(field, rest, create, act)
        }
    }
}

/// A path that goes on in a scalar is followed in the document that the scalar holds; the value is
/// then set in a copy, which the original forgets.
fn visit_text(field: &Node, rest: &[String]) -> Result<()> {
    let mut document = gitops_yaml::read(field.text().unwrap_or_default())?;
    let mut found = false;
    visit(&mut document, rest, None, &mut |_| {
        found = true;
        Ok(())
    })?;
    if found { Ok(()) } else { Err(Error::new(ErrorKind::Reference, "no such field in the text")) }
}

/// An empty value for a missing field, as the next part of the path needs it.
fn made(rest: &[String], value: &Node) -> Node {
    match rest.first().map(String::as_str) {
        None if value.is_mapping() => Node::from(Mapping::new()),
        None if value.is_sequence() => Node::from(Vec::new()),
        None => Node::from(Scalar::new("", ScalarType::Null, UNTYPED)),
        Some(part)
            if part.starts_with('[') && part.ends_with(']') || part.parse::<usize>().is_ok() =>
        {
            Node::from(Vec::new())
        }
        Some(_) => Node::from(Mapping::new()),
    }
}

/// The style of a null that is to be filled: the text of its value decides on the type.
pub(super) const UNTYPED: ScalarStyle = ScalarStyle::DoubleQuoted;

fn untagged(text: &str) -> Node {
    let mut node = Node::from(Scalar::new(text, resolve(text, Flavour::V3), ScalarStyle::Plain));
    node.mark_untyped();
    node
}

/// A scalar as it is matched against a pattern: as it was written, quotes included.
fn printed(node: &Node) -> Option<String> {
    let scalar = node.as_scalar()?;
    Some(match scalar.style() {
        ScalarStyle::DoubleQuoted => format!("{:?}", scalar.text()),
        ScalarStyle::SingleQuoted => format!("'{}'", scalar.text().replace('\'', "''")),
        _ => scalar.text().to_owned(),
    })
}

/// What the value of `[key=value]` matches: it is a regular expression that any part may match, and
/// nearly always a word.
enum ElementPattern<'p> {
    Word(&'p str),
    Regex(Regex),
}

impl<'p> ElementPattern<'p> {
    fn new(pattern: &'p str) -> Result<Self> {
        let literal = |b: u8| b.is_ascii_alphanumeric() || b"-_/:".contains(&b);
        if pattern.bytes().all(literal) {
            return Ok(Self::Word(pattern));
        }
        let fail =
            |why: String| Error::new(ErrorKind::Field, format!("error parsing regexp: {why}"));
        if pattern.len() > LONGEST_PATTERN {
            return Err(fail(format!("longer than {LONGEST_PATTERN} bytes")));
        }
        Regex::new(pattern).map(Self::Regex).map_err(|error| fail(error.to_string()))
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Word(word) => text.contains(word),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths() {
        assert_eq!(split_path("a.[name=b.c].d"), ["a", "[name=b.c]", "d"]);
        assert_eq!(
            split_path("metadata.annotations.[a.b/c]"),
            ["metadata", "annotations", "a.b/c"]
        );
        assert_eq!(split_path("a\\.b.c"), ["a.b", "c"]);
    }
}
