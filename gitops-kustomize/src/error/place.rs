//! From a part of a configuration to the line that it stands at. Only failures come here.

use gitops_yaml::{Content, Node, ScalarStyle};

/// One step into a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Field(&'static str),
    Index(usize),
}

/// The node that a trail, given from the inside out, leads to. A field that is not there stands for
/// the mapping that lacks it; an element that is not there was never in the file.
pub(super) fn follow<'n>(document: &'n Node, trail: &[Part]) -> Option<&'n Node> {
    let mut node = document;
    let mut steps = trail.iter().rev().peekable();
    while let Some(part) = steps.next() {
        node = match *part {
            // What stands under the older name comes behind the rest.
            Part::Field(name @ ("resources" | "images")) => {
                let older = if name == "resources" { "bases" } else { "imageTags" };
                match (field(node, name), field(node, older), steps.peek()) {
                    (own, Some(older), Some(Part::Index(index))) => {
                        let count = own.and_then(Node::as_sequence).map_or(0, <[Node]>::len);
                        if *index < count {
                            own?
                        } else {
                            steps.next();
                            older.as_sequence()?.get(index - count)?
                        }
                    }
                    (Some(own), _, _) => own,
                    _ => return Some(node),
                }
            }
            Part::Field(name) => match field(node, name) {
                Some(field) => field,
                None => return Some(node),
            },
            // A list that is written as one element is one.
            Part::Index(0) if !node.is_sequence() => node,
            Part::Index(index) => node.as_sequence()?.get(index)?,
        };
    }
    Some(node)
}

/// Field names match in any case, and the last of equal ones counts, as in Go's decoder.
fn field<'n>(node: &'n Node, name: &str) -> Option<&'n Node> {
    let entries = node.as_mapping()?.entries();
    let is_named = |key: &str| key.eq_ignore_ascii_case(name);
    entries.iter().rev().find(|entry| entry.key.text().is_some_and(is_named)).map(|e| &e.value)
}

/// Line and column of a node, or of a place within the text that it holds as a block; `text` is the
/// file.
pub(super) fn of(node: &Node, inner: (u32, u32), text: &str) -> (u32, u32) {
    let place = node.place();
    let here = (place.line(), place.column());
    let Content::Scalar(scalar) = node.content() else { return here };
    if inner.0 == 0 || !matches!(scalar.style(), ScalarStyle::Literal | ScalarStyle::Folded) {
        return here;
    }
    let line = place.line() + inner.0;
    // All lines of a block are indented as its first one is.
    let first = text.lines().skip(place.line() as usize).find(|line| !line.trim().is_empty());
    let indent = first.map_or(0, |line| line.len() - line.trim_start_matches(' ').len());
    let column = inner.1.max(1) + u32::try_from(indent).unwrap_or(0);
    // The end of the block may lie on a line that is shorter than its indentation, or on none.
    let width = text.lines().nth(line as usize - 1).map_or(0, |line| line.chars().count());
    (line, column.min(u32::try_from(width).unwrap_or(u32::MAX).saturating_add(1)))
}

/// Whether a line belongs to a document of a Secret, or to the generator of one.
pub(super) fn may_be_secret(text: &str, line: u32) -> bool {
    let (mut secret, mut generator) = (false, false);
    for (index, content) in text.lines().enumerate() {
        let number = index + 1;
        if content.starts_with("---") {
            if number > line as usize {
                break;
            }
            (secret, generator) = (false, false);
        }
        if !content.starts_with([' ', '-', '#']) && !content.is_empty() {
            generator = content.to_ascii_lowercase().contains("secretgenerator");
        }
        secret |= content.contains("kind") && content.contains("Secret");
        if generator && number == line as usize {
            return true;
        }
    }
    secret
}

/// The line without what may be a password in an address.
pub(super) fn masked(line: &str) -> String {
    let mut shown = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("://") {
        shown.push_str(before);
        shown.push_str("://");
        let end = after.find(|c: char| c == '/' || c.is_whitespace()).unwrap_or(after.len());
        rest = match after[..end].rfind('@') {
            Some(at) => {
                shown.push_str("***");
                &after[at..]
            }
            None => after,
        };
    }
    shown.push_str(rest);
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line_of(text: &str, trail: &[Part], inner: (u32, u32)) -> Option<(u32, u32)> {
        let document = gitops_yaml::read(text).unwrap();
        follow(&document, trail).map(|node| of(node, inner, text))
    }

    #[test]
    fn follows_trails() {
        let text = "bases: [x]\nResources:\n- a\n- b\npatches:\n- path: p\n";
        let at = |trail: &[Part]| line_of(text, trail, (0, 0));
        assert_eq!(at(&[Part::Index(1), Part::Field("resources")]), Some((4, 3)));
        assert_eq!(at(&[Part::Index(2), Part::Field("resources")]), Some((1, 9)));
        assert_eq!(at(&[Part::Index(3), Part::Field("resources")]), None);
        let path = [Part::Field("path"), Part::Index(0), Part::Field("patches")];
        assert_eq!(at(&path), Some((6, 9)));
        assert_eq!(
            at(&[Part::Field("target"), Part::Index(0), Part::Field("patches")]),
            Some((6, 3))
        );
    }

    #[test]
    fn lines_of_a_block_count_in_the_file() {
        let text = "patches:\n- patch: |-\n    kind: A\n    b: [\n  target: {}\n";
        let trail = [Part::Field("patch"), Part::Index(0), Part::Field("patches")];
        assert_eq!(line_of(text, &trail, (2, 4)), Some((4, 8)));
        assert_eq!(line_of(text, &trail, (0, 0)), Some((2, 10)));
        let text = "patch: |\n    a\n\nb: c\n";
        assert_eq!(line_of(text, &trail[..1], (2, 1)), Some((3, 1)));
        assert_eq!(line_of("patch: 'a'", &[Part::Field("patch")], (1, 1)), Some((1, 8)));
    }

    #[test]
    fn passwords_in_addresses_are_masked() {
        let line = "- https://u:p@h/o?x=https://t@h [ssh://git@h:22/a] b@c";
        assert_eq!(masked(line), "- https://***@h/o?x=https://***@h [ssh://***@h:22/a] b@c");
    }

    #[test]
    fn secrets_are_known() {
        let text = "kind: ConfigMap\na: b\n---\napiVersion: v1\nkind: Secret\nstringData:\n  p: x\n---\nkind: Service\n";
        let secret: Vec<u32> = (1..=9).filter(|line| may_be_secret(text, *line)).collect();
        assert_eq!(secret, [3, 4, 5, 6, 7]);
        let text = "secretGenerator:\n- literals: [a=b]\nresources: [a]\n";
        assert!(may_be_secret(text, 2) && !may_be_secret(text, 3));
        assert!(may_be_secret("{apiVersion: v1, kind: Secret}", 1));
    }
}
