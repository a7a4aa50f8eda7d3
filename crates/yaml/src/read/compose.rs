//! From events to nodes: anchors, aliases, merge keys, types and limits.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;
use libyaml_safer::{
    Event, EventData, MappingStyle, Mark, Parser, ScalarStyle as Style, SequenceStyle,
};

use super::{Duplicates, ReadOptions};
use crate::{
    error::{Error, ErrorKind},
    node::{Content, Entry, Mapping, Node, Place, Scalar, ScalarStyle, ScalarType, Sequence, Text},
    resolve::{Flavour, number, resolve},
};

/// Reads one document after the other. Works with a stack of its own, so that deep nesting costs
/// memory and never the call stack.
pub(super) struct Composer<'s> {
    parser: Parser<&'s [u8]>,
    text: &'s str,
    /// Where the text ended before a line break was added to it.
    open_end: Option<u64>,
    options: &'s ReadOptions,
    anchors: HashMap<String, Anchor>,
    expanded: usize,
}

/// What comes next in a stream.
pub(super) enum Next {
    Document(Node),
    /// A document without content.
    Empty,
    End,
}

/// What an anchor stands for.
enum Anchor {
    /// Its node is being read.
    Open,
    Known {
        node: Node,
        size: usize,
    },
}

/// A collection that is being read.
struct Frame {
    start: Mark,
    anchor: Option<String>,
    tag: Option<Box<str>>,
    body: Body,
}

enum Body {
    Sequence {
        items: Vec<Node>,
        flow: bool,
    },
    Mapping {
        entries: Vec<Entry>,
        key: Option<Node>,
        flow: bool,
    },
}

impl<'s> Composer<'s> {
    /// `text` ends with a line break, or is followed by one that `open_end` is the place of.
    pub(super) fn new(text: &'s str, open_end: Option<usize>, options: &'s ReadOptions) -> Self {
        let mut parser = Parser::new();
        parser.set_encoding(libyaml_safer::Encoding::Utf8);
        parser.set_input(text.as_bytes());
        Self {
            parser,
            text,
            open_end: open_end.map(|at| at as u64),
            options,
            anchors: HashMap::new(),
            expanded: 0,
        }
    }

    /// The next document.
    pub(super) fn next_document(&mut self) -> Result<Next, Error> {
        loop {
            match self.next_event()?.data {
                EventData::StreamStart { .. } | EventData::DocumentEnd { .. } => {}
                EventData::StreamEnd => return Ok(Next::End),
                EventData::DocumentStart { .. } => break,
                _ => return Err(Error::new(ErrorKind::Syntax, "yaml: unexpected event")),
            }
        }
        self.anchors.clear();
        let node = self.node()?;
        let nothing = node
            .as_scalar()
            .is_some_and(|scalar| scalar.kind() == ScalarType::Null && scalar.text().is_empty());
        Ok(if nothing {
            Next::Empty
        } else {
            Next::Document(node)
        })
    }

    fn node(&mut self) -> Result<Node, Error> {
        let mut stack: Vec<Frame> = Vec::new();
        loop {
            let Event {
                data,
                start_mark,
                end_mark,
                ..
            } = self.next_event()?;
            let done = match data {
                EventData::Scalar {
                    anchor,
                    tag,
                    value,
                    plain_implicit,
                    style,
                    ..
                } => {
                    let place = place(start_mark, end_mark);
                    let value = self.without_added_break(value, style, end_mark);
                    let tag = tag
                        .as_deref()
                        .filter(|_| !plain_implicit || style != Style::Plain);
                    let node = self.scalar(value, tag, style, place)?;
                    self.remember(anchor, &node);
                    node
                }
                EventData::Alias { anchor } => self.alias(&anchor, start_mark)?,
                EventData::SequenceStart {
                    anchor, tag, style, ..
                } => {
                    let flow = style == SequenceStyle::Flow;
                    let body = Body::Sequence {
                        items: Vec::new(),
                        flow,
                    };
                    self.open(&mut stack, start_mark, anchor, tag, body)?;
                    continue;
                }
                EventData::MappingStart {
                    anchor, tag, style, ..
                } => {
                    let flow = style == MappingStyle::Flow;
                    let body = Body::Mapping {
                        entries: Vec::new(),
                        key: None,
                        flow,
                    };
                    self.open(&mut stack, start_mark, anchor, tag, body)?;
                    continue;
                }
                EventData::SequenceEnd | EventData::MappingEnd => {
                    let frame = stack.pop().expect("the parser balances its events");
                    self.close(frame, end_mark)?
                }
                _ => return Err(Error::new(ErrorKind::Syntax, "yaml: unexpected event")),
            };
            match stack.last_mut() {
                None => return Ok(done),
                Some(frame) => frame.put(done),
            }
        }
    }

    /// A block scalar at the end of a text without a last line break has none either.
    fn without_added_break(&self, mut value: String, style: Style, end: Mark) -> String {
        let block = matches!(style, Style::Literal | Style::Folded);
        if block && self.open_end.is_some_and(|at| end.index >= at) && value.ends_with('\n') {
            value.pop();
        }
        value
    }

    fn open(
        &mut self,
        stack: &mut Vec<Frame>,
        start: Mark,
        anchor: Option<String>,
        tag: Option<String>,
        body: Body,
    ) -> Result<(), Error> {
        if stack.len() >= self.options.max_depth {
            let message = format!("yaml: exceeded max depth of {}", self.options.max_depth);
            return Err(self.error(ErrorKind::Limit, message, start));
        }
        if let Some(anchor) = &anchor {
            self.anchors.insert(anchor.clone(), Anchor::Open);
        }
        let own = |tag: &String| !tag.starts_with("tag:yaml.org,2002:") && tag != "!";
        let tag = tag.filter(own).map(Into::into);
        stack.push(Frame {
            start,
            anchor,
            tag,
            body,
        });
        Ok(())
    }

    fn close(&mut self, frame: Frame, end: Mark) -> Result<Node, Error> {
        let place = place(frame.start, end);
        let content = match frame.body {
            Body::Sequence { items, flow } => Content::Sequence(Sequence { items, flow }),
            Body::Mapping { entries, flow, .. } => {
                let mut mapping = self.mapping(entries)?;
                mapping.set_flow(flow);
                Content::Mapping(mapping)
            }
        };
        let node = Node::from(content).at_place(place).with_tag(frame.tag);
        self.remember(frame.anchor, &node);
        Ok(node)
    }

    fn remember(&mut self, anchor: Option<String>, node: &Node) {
        if let Some(anchor) = anchor {
            let known = Anchor::Known {
                node: node.clone(),
                size: node.count(),
            };
            self.anchors.insert(anchor, known);
        }
    }

    fn alias(&mut self, name: &str, at: Mark) -> Result<Node, Error> {
        let node = match self.anchors.get(name) {
            None => {
                let message = format!("yaml: unknown anchor '{name}' referenced");
                return Err(self.error(ErrorKind::Anchor, message, at));
            }
            Some(Anchor::Open) => {
                let message = format!("yaml: anchor '{name}' value contains itself");
                return Err(self.error(ErrorKind::Anchor, message, at));
            }
            Some(Anchor::Known { node, size }) => {
                self.expanded = self.expanded.saturating_add(*size);
                (self.expanded <= self.options.max_expansion).then(|| node.clone())
            }
        };
        node.ok_or_else(|| {
            let message = "yaml: document contains excessive aliasing".to_owned();
            self.error(ErrorKind::Limit, message, at)
        })
    }

    /// Merges `<<` and looks for keys that stand twice.
    fn mapping(&self, entries: Vec<Entry>) -> Result<Mapping, Error> {
        let is_merge = |entry: &Entry| {
            entry
                .key
                .as_scalar()
                .is_some_and(|key| key.kind() == ScalarType::Merge)
        };
        let merges = entries.iter().any(is_merge);
        let mut mapping = Mapping::with_capacity(entries.len());
        let mut known = Keys::new(entries.len());
        let mut sources = Vec::new();
        for entry in entries {
            if merges && is_merge(&entry) {
                sources.push(entry.value);
            } else if known.insert(&entry.key, &mapping) {
                mapping.push(entry.key, entry.value);
            } else {
                self.duplicate(&mut mapping, entry)?;
            }
        }
        for value in sources {
            self.merge(&mut mapping, value)?;
        }
        Ok(mapping)
    }

    fn duplicate(&self, mapping: &mut Mapping, entry: Entry) -> Result<(), Error> {
        let text = entry.key.text().unwrap_or_default();
        match self.options.duplicates {
            Duplicates::First => {}
            Duplicates::Last => {
                if let Some(value) = mapping.get_mut(text) {
                    *value = entry.value;
                }
            }
            Duplicates::Refuse => {
                let first = mapping
                    .entry(text)
                    .map_or(0, |entry| entry.key.place().line());
                let place = entry.key.place();
                let line = place.line();
                let message = format!(
                    "yaml: unmarshal errors:\n  line {line}: mapping key {text:?} already defined at line {first}"
                );
                let error = Error::new(ErrorKind::DuplicateKey, message);
                return Err(error.at(line, place.column()).with_source(self.text));
            }
        }
        Ok(())
    }

    /// The keys of a `<<` go behind those that stand there; of several, the first one wins.
    fn merge(&self, mapping: &mut Mapping, value: Node) -> Result<(), Error> {
        let place = value.place();
        let wrong = || {
            let message = "yaml: map merge requires map or sequence of maps as the value";
            let error = Error::new(ErrorKind::Type, message);
            error
                .at(place.line(), place.column())
                .with_source(self.text)
        };
        let sources = match value.into_content() {
            Content::Mapping(source) => vec![source],
            Content::Sequence(sequence) => sequence
                .items
                .into_iter()
                .map(|item| match item.into_content() {
                    Content::Mapping(source) => Ok(source),
                    _ => Err(wrong()),
                })
                .collect::<Result<_, _>>()?,
            Content::Scalar(_) => return Err(wrong()),
        };
        let mut seen = Keys::of(mapping);
        for entry in sources.into_iter().flatten() {
            if seen.insert(&entry.key, mapping) {
                mapping.push(entry.key, entry.value);
            }
        }
        Ok(())
    }

    fn scalar(
        &self,
        mut value: String,
        tag: Option<&str>,
        style: Style,
        place: Place,
    ) -> Result<Node, Error> {
        let style = match style {
            Style::SingleQuoted => ScalarStyle::SingleQuoted,
            Style::DoubleQuoted => ScalarStyle::DoubleQuoted,
            Style::Literal => ScalarStyle::Literal,
            Style::Folded => ScalarStyle::Folded,
            _ => ScalarStyle::Plain,
        };
        let untagged = || match style {
            ScalarStyle::Plain => resolve(&value, self.options.flavour),
            _ => ScalarType::Str,
        };
        let (kind, foreign) = match tag {
            None => (untagged(), None),
            Some(tag) => match tag.strip_prefix("tag:yaml.org,2002:") {
                Some("binary") => {
                    value = self.binary(&value, place)?;
                    (ScalarType::Str, None)
                }
                Some(name) => (self.tagged(name, &value, place)?, None),
                None if tag == "!" => (ScalarType::Str, None),
                None => (untagged(), Some(tag.into())),
            },
        };
        Ok(Node::from(Scalar::new(Text::from(value), kind, style))
            .at_place(place)
            .with_tag(foreign))
    }

    /// The text that `!!binary` holds.
    fn binary(&self, value: &str, place: Place) -> Result<String, Error> {
        let packed: String = value.split_ascii_whitespace().collect();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(packed)
            .ok();
        bytes
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(|| {
                let message = "yaml: !!binary value contains invalid base64 data";
                let error = Error::new(ErrorKind::Type, message);
                error
                    .at(place.line(), place.column())
                    .with_source(self.text)
            })
    }

    /// The type of a scalar that names it, such as `!!int`.
    fn tagged(&self, name: &str, value: &str, place: Place) -> Result<ScalarType, Error> {
        let found = resolve(value, self.options.flavour);
        let wanted = match name {
            "null" => ScalarType::Null,
            "bool" => ScalarType::Bool,
            "int" => ScalarType::Int,
            "float" => {
                if found == ScalarType::Int && number(value).is_some() {
                    return Ok(ScalarType::Float);
                }
                ScalarType::Float
            }
            "timestamp" if self.options.flavour == Flavour::V3 => ScalarType::Timestamp,
            "merge" => ScalarType::Merge,
            _ => return Ok(ScalarType::Str),
        };
        if found == wanted {
            return Ok(found);
        }
        let message = format!(
            "yaml: cannot decode !!{} `{}` as a !!{name}",
            found.tag(),
            gitops_core::truncate(value, 60)
        );
        let error = Error::new(ErrorKind::Type, message).at(place.line(), place.column());
        Err(error.with_source(self.text))
    }

    fn next_event(&mut self) -> Result<Event, Error> {
        self.parser.parse().map_err(|error| {
            // In go-yaml's words: the line of the context where there is one.
            let scanner = error.kind() == libyaml_safer::ErrorKind::Scanner;
            let line = |mark: Option<Mark>| mark.filter(|mark| mark.line != 0);
            let shown = line(error.context_mark()).or_else(|| line(error.problem_mark()));
            let prefix = shown.map(|mark| format!("line {}: ", mark.line + u64::from(scanner)));
            let message = format!("yaml: {}{}", prefix.unwrap_or_default(), error.problem());
            let mark = error.problem_mark().unwrap_or_default();
            self.error(ErrorKind::Syntax, message, mark)
        })
    }

    fn error(&self, kind: ErrorKind, message: String, mark: Mark) -> Error {
        Error::new(kind, message)
            .at(small(mark.line + 1), small(mark.column + 1))
            .with_source(self.text)
    }
}

impl Frame {
    fn put(&mut self, node: Node) {
        match &mut self.body {
            Body::Sequence { items, .. } => items.push(node),
            Body::Mapping { entries, key, .. } => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push(Entry { key, value: node }),
            },
        }
    }
}

/// The keys of a mapping. Small mappings, which are nearly all, are searched as they are.
enum Keys {
    Few,
    Many(HashSet<Text>),
}

impl Keys {
    fn new(entries: usize) -> Self {
        if entries <= 16 {
            Self::Few
        } else {
            Self::Many(HashSet::with_capacity(entries))
        }
    }

    fn of(mapping: &Mapping) -> Self {
        Self::Many(mapping.keys().map(Text::from).collect())
    }

    /// False when the key is there already. A key that is no scalar is never taken for another.
    fn insert(&mut self, key: &Node, mapping: &Mapping) -> bool {
        let Some(text) = key.text() else { return true };
        match self {
            Self::Few => !mapping.contains_key(text),
            Self::Many(seen) => seen.insert(Text::from(text)),
        }
    }
}

fn place(start: Mark, end: Mark) -> Place {
    Place {
        line: small(start.line + 1),
        column: small(start.column + 1),
        start: small(start.index),
        end: small(end.index),
    }
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}
