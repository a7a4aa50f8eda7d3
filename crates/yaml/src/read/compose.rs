//! From events to nodes: anchors, aliases, merge keys, types and limits.

use std::collections::{HashMap, HashSet};

use base64::Engine as _;

use super::{
    Duplicates, ReadOptions,
    parse::{self, Event, Parser, Placed, Properties},
    scan::Mark,
};
use crate::{
    error::{Error, ErrorKind},
    node::{Content, Entry, Mapping, Node, Place, Scalar, ScalarType, Sequence, Text},
    resolve::{Flavour, number, resolve},
};

/// Reads one document after the other. Works with a stack of its own, so that deep nesting costs
/// memory and never the call stack.
pub(super) struct Composer<'s> {
    parser: Parser<'s>,
    text: &'s str,
    options: &'s ReadOptions,
    anchors: HashMap<&'s str, Anchor>,
    /// How much aliases have added, and how much anchors keep for them.
    expanded: usize,
    kept: usize,
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
    Known(Node, Weight),
    /// More than all aliases together may add.
    TooLarge,
}

/// What a node adds to the document when an alias repeats it.
#[derive(Clone, Copy, Debug, Default)]
struct Weight {
    /// In nodes; long texts count as several.
    size: usize,
    /// How deep it nests.
    height: usize,
}

impl Weight {
    /// This many bytes of text weigh as much as a node.
    const TEXT: usize = 256;

    fn leaf(text: &str) -> Self {
        Self { size: 1 + text.len() / Self::TEXT, height: 0 }
    }

    /// A collection weighs as much as what it holds, and itself.
    fn add(&mut self, part: Self) {
        self.size = self.size.saturating_add(part.size);
        self.height = self.height.max(part.height + 1);
    }
}

/// A collection that is being read.
struct Frame<'s> {
    start: Mark,
    anchor: Option<&'s str>,
    tag: Option<Box<str>>,
    weight: Weight,
    body: Body,
}

enum Body {
    Sequence { items: Vec<Node>, flow: bool },
    Mapping { entries: Vec<Entry>, key: Option<Node>, flow: bool },
}

impl<'s> Composer<'s> {
    pub(super) fn new(text: &'s str, options: &'s ReadOptions) -> Self {
        Self {
            parser: Parser::new(text),
            text,
            options,
            anchors: HashMap::new(),
            expanded: 0,
            kept: 0,
        }
    }

    /// The next document.
    pub(super) fn next_document(&mut self) -> Result<Next, Error> {
        loop {
            match self.next_event()?.0 {
                Event::StreamEnd => return Ok(Next::End),
                Event::DocumentStart => break,
                _ => {}
            }
        }
        self.anchors.clear();
        self.kept = 0;
        let node = self.node()?;
        // go-yaml decodes a document only after it saw its end.
        self.next_event()?;
        let nothing = node
            .as_scalar()
            .is_some_and(|scalar| scalar.kind() == ScalarType::Null && scalar.text().is_empty());
        Ok(if nothing { Next::Empty } else { Next::Document(node) })
    }

    fn node(&mut self) -> Result<Node, Error> {
        let mut stack: Vec<Frame<'s>> = Vec::new();
        loop {
            let (event, start, end) = self.next_event()?;
            let done = match event {
                Event::Scalar(scalar, properties) => {
                    let node = self.scalar(scalar, properties.tag.as_deref(), place(start, end))?;
                    let weight = Weight::leaf(node.text().unwrap_or_default());
                    self.remember(properties.anchor, &node, weight);
                    (node, weight)
                }
                Event::Alias(anchor) => self.alias(anchor, start, stack.len())?,
                Event::SequenceStart { flow, properties } => {
                    let items = Vec::new();
                    self.open(&mut stack, start, properties, Body::Sequence { items, flow })?;
                    continue;
                }
                Event::MappingStart { flow, properties } => {
                    let (entries, key) = (Vec::new(), None);
                    let body = Body::Mapping { entries, key, flow };
                    self.open(&mut stack, start, properties, body)?;
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let frame = stack.pop().expect("the parser balances its events");
                    self.close(frame, end)?
                }
                Event::DocumentStart | Event::DocumentEnd | Event::StreamEnd => {
                    unreachable!("the parser gives a node in each document")
                }
            };
            match stack.last_mut() {
                None => return Ok(done.0),
                Some(frame) => frame.put(done),
            }
        }
    }

    fn open(
        &mut self,
        stack: &mut Vec<Frame<'s>>,
        start: Mark,
        properties: Properties<'s>,
        body: Body,
    ) -> Result<(), Error> {
        if stack.len() >= self.options.max_depth {
            return Err(self.too_deep(start));
        }
        let Properties { anchor, tag } = properties;
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, Anchor::Open);
        }
        let own =
            |tag: &std::borrow::Cow<'_, str>| !tag.starts_with("tag:yaml.org,2002:") && tag != "!";
        let tag = tag.filter(own).map(Into::into);
        let weight = Weight { size: 1, height: 0 };
        stack.push(Frame { start, anchor, tag, weight, body });
        Ok(())
    }

    fn close(&mut self, frame: Frame<'s>, end: Mark) -> Result<(Node, Weight), Error> {
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
        self.remember(frame.anchor, &node, frame.weight);
        Ok((node, frame.weight))
    }

    /// Keeps a copy of an anchored node for its aliases. Anchors may nest, so the copies count.
    fn remember(&mut self, anchor: Option<&'s str>, node: &Node, weight: Weight) {
        let Some(anchor) = anchor else { return };
        let kept = self.kept.saturating_add(weight.size);
        let known = if kept <= self.options.max_expansion {
            self.kept = kept;
            Anchor::Known(node.clone(), weight)
        } else {
            Anchor::TooLarge
        };
        self.anchors.insert(anchor, known);
    }

    fn alias(&mut self, name: &str, at: Mark, depth: usize) -> Result<(Node, Weight), Error> {
        let max = self.options.max_expansion;
        match self.anchors.get(name) {
            None => {
                let message = format!("yaml: unknown anchor '{name}' referenced");
                Err(self.error(ErrorKind::Anchor, message, at))
            }
            Some(Anchor::Open) => {
                let message = format!("yaml: anchor '{name}' value contains itself");
                Err(self.error(ErrorKind::Anchor, message, at))
            }
            Some(Anchor::Known(_, weight)) if depth + weight.height > self.options.max_depth => {
                Err(self.too_deep(at))
            }
            Some(Anchor::Known(node, weight))
                if self.expanded.saturating_add(weight.size) <= max =>
            {
                self.expanded += weight.size;
                Ok((node.clone(), *weight))
            }
            Some(Anchor::Known(..) | Anchor::TooLarge) => {
                let message = "yaml: document contains excessive aliasing".to_owned();
                Err(self.error(ErrorKind::Limit, message, at))
            }
        }
    }

    fn too_deep(&self, at: Mark) -> Error {
        let message = format!("yaml: exceeded max depth of {}", self.options.max_depth);
        self.error(ErrorKind::Limit, message, at)
    }

    /// Merges `<<` and looks for keys that stand twice.
    fn mapping(&self, entries: Vec<Entry>) -> Result<Mapping, Error> {
        let is_merge = |entry: &Entry| {
            entry.key.as_scalar().is_some_and(|key| key.kind() == ScalarType::Merge)
        };
        let merges = entries.iter().any(is_merge);
        if !merges && are_distinct(&entries) {
            return Ok(Mapping::from_entries(entries));
        }
        let mut mapping = Mapping::with_capacity(entries.len());
        let mut known: HashMap<Text, usize> = HashMap::new();
        let mut sources = Vec::new();
        for entry in entries {
            if merges && is_merge(&entry) {
                sources.push(entry.value);
                continue;
            }
            let first = entry.key.text().and_then(|text| known.get(text).copied());
            if let Some(first) = first {
                self.duplicate(&mut mapping, first, entry)?;
                continue;
            }
            if let Some(text) = entry.key.text() {
                known.insert(text.into(), mapping.len());
            }
            mapping.push(entry.key, entry.value);
        }
        for value in sources {
            self.merge(&mut mapping, &mut known, value)?;
        }
        Ok(mapping)
    }

    fn duplicate(&self, mapping: &mut Mapping, first: usize, entry: Entry) -> Result<(), Error> {
        match self.options.duplicates {
            Duplicates::First => {}
            Duplicates::Last => {
                if let Some(value) = mapping.value_at_mut(first) {
                    *value = entry.value;
                }
            }
            Duplicates::Refuse => {
                let text = entry.key.text().unwrap_or_default();
                let first = mapping.entries()[first].key.place().line();
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
    fn merge(
        &self,
        mapping: &mut Mapping,
        known: &mut HashMap<Text, usize>,
        value: Node,
    ) -> Result<(), Error> {
        let place = value.place();
        let wrong = || {
            let message = "yaml: map merge requires map or sequence of maps as the value";
            let error = Error::new(ErrorKind::Type, message);
            error.at(place.line(), place.column()).with_source(self.text)
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
        for entry in sources.into_iter().flatten() {
            let Some(text) = entry.key.text() else {
                mapping.push(entry.key, entry.value);
                continue;
            };
            if !known.contains_key(text) {
                known.insert(text.into(), mapping.len());
                mapping.push(entry.key, entry.value);
            }
        }
        Ok(())
    }

    fn scalar(
        &self,
        scalar: parse::Scalar<'_>,
        tag: Option<&str>,
        place: Place,
    ) -> Result<Node, Error> {
        let parse::Scalar { text, style, implicit } = scalar;
        // A tag that go-yaml does not know leaves a string.
        let (kind, foreign) = match tag {
            None if implicit => (resolve(&text, self.options.flavour), None),
            None | Some("!") => (ScalarType::Str, None),
            Some(tag) => match tag.strip_prefix("tag:yaml.org,2002:") {
                Some("binary") => {
                    let text = self.binary(&text, place)?;
                    return Ok(
                        Node::from(Scalar::new(text, ScalarType::Str, style)).at_place(place)
                    );
                }
                Some(name) => (self.tagged(name, &text, place)?, None),
                None => (ScalarType::Str, Some(tag.into())),
            },
        };
        let text = match text {
            std::borrow::Cow::Borrowed(text) => Text::from(text),
            std::borrow::Cow::Owned(text) => Text::from(text),
        };
        Ok(Node::from(Scalar::new(text, kind, style)).at_place(place).with_tag(foreign))
    }

    /// The text that `!!binary` holds. As in Go's JSON, bytes that are no text are replaced.
    fn binary(&self, value: &str, place: Place) -> Result<String, Error> {
        let packed: String = value.split(['\n', '\r']).collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(packed).map_err(|_| {
            let message = "yaml: !!binary value contains invalid base64 data";
            let error = Error::new(ErrorKind::Type, message);
            error.at(place.line(), place.column()).with_source(self.text)
        })?;
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
        }
        Ok(text)
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
            "timestamp" => ScalarType::Timestamp,
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

    fn next_event(&mut self) -> Result<Placed<'s>, Error> {
        self.parser.next().map_err(|fault| {
            // In go-yaml's words: each version looks at one of the two places first.
            let line = |mark: Option<Mark>| mark.filter(|mark| mark.line != 0);
            let (context, problem) = (line(fault.context), line(Some(fault.mark)));
            let shown = match self.options.flavour {
                Flavour::V2 => problem.or(context),
                Flavour::V3 => context.or(problem),
            };
            let prefix =
                shown.map(|mark| format!("line {}: ", mark.line + u32::from(fault.scanner)));
            let message = format!("yaml: {}{}", prefix.unwrap_or_default(), fault.problem);
            self.error(ErrorKind::Syntax, message, fault.mark)
        })
    }

    fn error(&self, kind: ErrorKind, message: String, mark: Mark) -> Error {
        Error::new(kind, message).at(mark.line + 1, mark.column + 1).with_source(self.text)
    }
}

impl Frame<'_> {
    fn put(&mut self, (node, weight): (Node, Weight)) {
        self.weight.add(weight);
        match &mut self.body {
            Body::Sequence { items, .. } => items.push(node),
            Body::Mapping { entries, key, .. } => match key.take() {
                None => *key = Some(node),
                Some(key) => entries.push(Entry { key, value: node }),
            },
        }
    }
}

/// Whether no key stands twice. A key that is no scalar is never taken for another.
fn are_distinct(entries: &[Entry]) -> bool {
    // Nearly all mappings are so small that comparing is faster than hashing.
    if entries.len() <= 16 {
        return entries.iter().enumerate().all(|(at, entry)| {
            let text = entry.key.text();
            text.is_none() || entries[..at].iter().all(|former| former.key.text() != text)
        });
    }
    let mut seen = HashSet::with_capacity(entries.len());
    entries.iter().filter_map(|entry| entry.key.text()).all(|text| seen.insert(text))
}

fn place(start: Mark, end: Mark) -> Place {
    Place { line: start.line + 1, column: start.column + 1, start: start.at, end: end.at }
}
