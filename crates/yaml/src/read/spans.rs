//! The bytes that nodes stand for.

use std::{collections::HashMap, ops::Range};

use super::parse::{Event, Parser};
use crate::node::{Content, Node, Place};

/// Where in a text the nodes stand that were read from it, in bytes.
///
/// Nodes know their lines and columns only, so that trees stay small.
///
/// ```
/// let text = "image: {tag: 'v1'}";
/// let node = gitops_yaml::read(text)?;
/// let tag = node.at(["image", "tag"]).expect("a tag");
/// let span = gitops_yaml::Spans::of(text).span(tag).expect("it stands there");
/// assert_eq!(&text[span], "'v1'");
/// # Ok::<(), gitops_yaml::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Spans {
    known: HashMap<(Place, Kind), Range<usize>>,
}

/// What begins at a place. A mapping in block style may begin with a key that is one in flow style.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Kind {
    Scalar,
    Mapping { flow: bool },
    Sequence { flow: bool },
}

impl Spans {
    /// The spans of a text; those that stand before it stops being YAML.
    pub fn of(text: &str) -> Self {
        let mut known = HashMap::new();
        let mut open = Vec::new();
        let mut parser = Parser::new(text);
        while let Ok((event, start, end)) = parser.next() {
            let (kind, start) = match event {
                Event::StreamEnd => break,
                Event::DocumentStart | Event::DocumentEnd | Event::Alias(_) => continue,
                Event::Scalar(..) => (Kind::Scalar, start),
                Event::SequenceStart { flow, .. } => {
                    open.push((Kind::Sequence { flow }, start));
                    continue;
                }
                Event::MappingStart { flow, .. } => {
                    open.push((Kind::Mapping { flow }, start));
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                    Some(opened) => opened,
                    None => break,
                },
            };
            known.entry((start.place(), kind)).or_insert(start.at as usize..end.at as usize);
        }
        Self { known }
    }

    /// The bytes of the text that hold the value, with its anchor, tag and quotes. What stands under an
    /// alias stands at its anchor. `None` for what does not stand in the text.
    pub fn span(&self, node: &Node) -> Option<Range<usize>> {
        let kind = match node.content() {
            Content::Scalar(_) => Kind::Scalar,
            Content::Mapping(_) => Kind::Mapping { flow: node.is_flow() },
            Content::Sequence(_) => Kind::Sequence { flow: node.is_flow() },
        };
        self.known.get(&(node.place(), kind)).cloned()
    }
}
