//! The annotation that names a document's file while somebody else has it.

use gitops_yaml::{Error, Flavour, Node, Spans, to_yaml};

const MARK: &str = "postrenderer.helm.sh/postrender-filename";

/// A document that came back.
pub(super) struct Taken {
    /// What the annotation said.
    pub(super) path: Option<String>,
    /// The document without it.
    pub(super) document: String,
}

/// Whether there is nothing but comments and space.
pub(super) fn is_blank(document: &str) -> bool {
    document.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#'))
}

/// The document with the annotation, otherwise as it was written; nothing if it is no object.
pub(super) fn add(document: &str, path: &str) -> Result<Option<String>, Error> {
    if is_blank(document) {
        return Ok(None);
    }
    let node = gitops_yaml::read_first(document, Flavour::V2)?;
    if !node.is_mapping() {
        return Ok(None);
    }
    let mut text = document.trim_end().to_owned();
    text.push('\n');
    let value = format!("'{}'", path.replace('\'', "''"));
    let annotations = node.at(["metadata", "annotations"]).filter(|node| !node.is_empty());
    let metadata = node.get("metadata").filter(|node| !node.is_empty());
    let inserted = match (annotations, metadata) {
        (Some(annotations), _) => insert(&text, annotations, "", &format!("{MARK}: {value}")),
        (None, Some(metadata)) if node.at(["metadata", "annotations"]).is_none() => {
            insert(&text, metadata, "annotations", &format!("{MARK}: {value}"))
        }
        _ => None,
    };
    let is_marked = |text: &String| {
        let read = gitops_yaml::read_first(text, Flavour::V2);
        read.is_ok_and(|node| marked(&node).as_deref() == Some(path))
    };
    if let Some(text) = inserted.filter(is_marked) {
        return Ok(Some(text));
    }
    // Where text cannot be put in between, the document is written anew.
    let mut node = node;
    let mapping = node.make_mapping().mapping_or_insert("metadata");
    mapping.mapping_or_insert("annotations").insert(MARK, Node::string(path));
    to_yaml(&node).map(Some)
}

/// Puts an entry at the end of a mapping, below a new key if one is given.
fn insert(text: &str, mapping: &Node, below: &str, entry: &str) -> Option<String> {
    let spans = Spans::of(text);
    if mapping.is_flow() {
        let close = spans.span(mapping)?.end.checked_sub(1)?;
        let (front, back) = text.split_at_checked(close)?;
        let entry = match below {
            "" => entry.to_owned(),
            below => format!("{below}: {{{entry}}}"),
        };
        return Some(format!("{}, {entry}{back}", front.trim_end()));
    }
    let indent = " ".repeat(mapping.place().column().checked_sub(1)? as usize);
    let end = end_of(mapping, &spans)?;
    let line = text[end..].find('\n').map_or(text.len(), |length| end + length + 1);
    let (front, back) = text.split_at_checked(line)?;
    Some(match below {
        "" => format!("{front}{indent}{entry}\n{back}"),
        below => format!("{front}{indent}{below}:\n{indent}  {entry}\n{back}"),
    })
}

/// The end of the last value in a mapping.
fn end_of(mapping: &Node, spans: &Spans) -> Option<usize> {
    let mut end = None;
    let mut rest = vec![mapping];
    while let Some(node) = rest.pop() {
        if let Some(mapping) = node.as_mapping().filter(|_| !node.is_flow()) {
            let entries = mapping.entries().iter();
            rest.extend(entries.flat_map(|entry| [&entry.key, &entry.value]));
        } else if let Some(items) = node.as_sequence().filter(|_| !node.is_flow()) {
            rest.extend(items);
        } else if let Some(span) = spans.span(node) {
            // The last byte, not what follows a block scalar.
            end = end.max(Some(span.end.saturating_sub(1).max(span.start)));
        }
    }
    end
}

fn marked(node: &Node) -> Option<String> {
    node.at(["metadata", "annotations", MARK]).and_then(Node::text).map(str::to_owned)
}

/// Takes the annotation away, and what held nothing else.
pub(super) fn take(document: &str) -> Result<Taken, Error> {
    let mut document = document.trim_end().to_owned();
    document.push('\n');
    let mut node = gitops_yaml::read_first(&document, Flavour::V2)?;
    let Some(path) = marked(&node) else { return Ok(Taken { path: None, document }) };
    let annotations = node.at(["metadata", "annotations"]).and_then(Node::as_mapping);
    let alone = annotations.is_some_and(|annotations| annotations.len() == 1);
    let without = cut(&document, alone);
    if let Some(metadata) = node.as_mapping_mut().and_then(|node| node.get_mut("metadata"))
        && let Some(metadata) = metadata.as_mapping_mut()
    {
        if alone {
            metadata.remove("annotations");
        } else if let Some(annotations) = metadata.get_mut("annotations") {
            annotations.as_mapping_mut().map(|annotations| annotations.remove(MARK));
        }
    }
    let wanted = to_yaml(&node)?;
    let is_same = |text: &String| {
        let read = gitops_yaml::read_first(text, Flavour::V2);
        read.and_then(|node| to_yaml(&node)).is_ok_and(|text| text == wanted)
    };
    // Where it cannot be cut out, the document is written anew.
    Ok(Taken { path: Some(path), document: without.filter(is_same).unwrap_or(wanted) })
}

/// Cuts the annotation out of the text: its line, with the one of `annotations` before it if it is
/// alone there, or its entry of a mapping in braces.
fn cut(document: &str, alone: bool) -> Option<String> {
    let at = document.find(MARK)?;
    let start = document[..at].rfind('\n').map_or(0, |newline| newline + 1);
    let end = document[at..].find('\n').map(|length| at + length + 1)?;
    if document[start..at].trim_matches([' ', '"', '\'']).is_empty() {
        let mut front = &document[..start];
        if alone {
            let line = front.trim_end().rfind('\n').map_or(0, |newline| newline + 1);
            if front[line..].trim() != "annotations:" {
                return None;
            }
            front = &front[..line];
        }
        return Some(format!("{front}{}", &document[end..]));
    }
    let close = at + document[at..].find('}')?;
    let open = if alone { document[..at].rfind("annotations:")? } else { at };
    let front = document[..open].trim_end();
    let after = if alone { close + 1 } else { close };
    Some(format!("{}{}", front.strip_suffix(',').unwrap_or(front), &document[after..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_go_in_and_out_of_the_text() {
        for (document, with) in [
            (
                "# c\nkind: A # d\nmetadata:\n  name: 'a'\n  labels: {b: \"1\"}\ndata: 0x10\n",
                "# c\nkind: A # d\nmetadata:\n  name: 'a'\n  labels: {b: \"1\"}\n  annotations:\n    \
                 postrenderer.helm.sh/postrender-filename: 'c/t.yaml'\ndata: 0x10\n",
            ),
            (
                "metadata:\n  annotations:\n    a: b\n    c: |\n      d\n  name: x\n",
                "metadata:\n  annotations:\n    a: b\n    c: |\n      d\n    \
                 postrenderer.helm.sh/postrender-filename: 'c/t.yaml'\n  name: x\n",
            ),
            (
                "metadata: {name: s}\nkind: A\n",
                "metadata: {name: s, annotations: {postrenderer.helm.sh/postrender-filename: \
                 'c/t.yaml'}}\nkind: A\n",
            ),
            (
                "metadata: {name: s, annotations: {a: b}}\n",
                "metadata: {name: s, annotations: {a: b, \
                 postrenderer.helm.sh/postrender-filename: 'c/t.yaml'}}\n",
            ),
        ] {
            let marked = add(document, "c/t.yaml").unwrap().unwrap();
            assert_eq!(marked, with);
            let taken = take(&marked).unwrap();
            assert_eq!(taken.path.as_deref(), Some("c/t.yaml"));
            assert_eq!(taken.document, document);
        }
        // Written anew: nothing to put it into.
        let marked = add("kind: A\n", "t").unwrap().unwrap();
        let taken = take(&marked).unwrap();
        assert_eq!(taken.path.as_deref(), Some("t"));
        assert!(taken.document.starts_with("kind: A\n"), "{}", taken.document);
        assert!(add("# only\n", "t").unwrap().is_none());
        assert!(add("a: [", "t").is_err());
        let other = take("kind: A\n").unwrap();
        assert_eq!((other.path, other.document.as_str()), (None, "kind: A\n"));
    }
}
