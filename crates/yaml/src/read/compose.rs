//! From events to nodes: anchors, aliases, merge keys, types and limits.

use std::{collections::HashMap, ops::Range};

use base64::Engine as _;

use super::{
    ReadOptions,
    faults::Faults,
    mapping::Read,
    parse::{self, Event, Parser, Placed, Properties},
    quick::{self, Scratch},
    scan::Mark,
};
use crate::{
    error::{Error, ErrorKind},
    node::{Content, Entry, Node, Place, Scalar, ScalarStyle, ScalarType, Sequence, Text},
    resolve::{Flavour, number, resolve},
};

/// Reads one document after the other. Works with a stack of its own, so that deep nesting costs
/// memory and never the call stack.
pub(super) struct Composer<'s> {
    parser: Parser<'s>,
    text: &'s str,
    pub(super) options: &'s ReadOptions,
    pub(super) faults: Faults,
    anchors: HashMap<&'s str, Anchor>,
    /// How much aliases have added, and how much anchors keep for them.
    expanded: usize,
    kept: usize,
    /// Where the next document may be read the short way.
    short_way: Option<Mark>,
    may_be_short: bool,
    scratch: Scratch,
}

/// So much of a value stands in an error.
const LONGEST_SHOWN: usize = 1024;

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
        weight: Weight,
        complaints: Range<usize>,
    },
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
    /// How many complaints there were before it.
    complaints: usize,
    body: Body,
}

enum Body {
    Sequence { items: Vec<Node>, flow: bool },
    Mapping { read: Read, key: Option<Node>, flow: bool },
}

impl<'s> Composer<'s> {
    pub(super) fn new(text: &'s str, options: &'s ReadOptions) -> Self {
        // The short way knows one line break.
        let other_breaks = crate::bytes::find(b'\r', text.as_bytes()).is_some()
            || (!text.is_ascii() && text.contains(['\u{85}', '\u{2028}', '\u{2029}']));
        Self {
            short_way: (!other_breaks).then(Mark::default),
            may_be_short: !other_breaks,
            scratch: Scratch::default(),
            parser: Parser::new(text),
            text,
            options,
            faults: Faults::default(),
            anchors: HashMap::new(),
            expanded: 0,
            kept: 0,
        }
    }

    /// Only the long way, to compare with.
    #[cfg(test)]
    pub(super) fn the_long_way(mut self) -> Self {
        (self.short_way, self.may_be_short) = (None, false);
        self
    }

    /// The next document.
    pub(super) fn next_document(&mut self) -> Result<Next, Error> {
        if let Some(start) = self.short_way {
            let options = self.options;
            match quick::document(
                self.text,
                start,
                options.flavour,
                options.max_depth,
                &mut self.scratch,
            ) {
                Ok(None) => return Ok(Next::End),
                Ok(Some(quick::Document { node, next })) => {
                    self.short_way = Some(next);
                    return Ok(node.map_or(Next::Empty, Next::Document));
                }
                Err(quick::GiveUp) => {
                    self.parser.restart_at(start);
                    self.short_way = None;
                }
            }
        }
        let next = self.long_document()?;
        if self.may_be_short {
            self.short_way = self.parser.next_document();
        }
        Ok(next)
    }

    fn long_document(&mut self) -> Result<Next, Error> {
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
        self.faults.take(self.text)?;
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
                    let place = start.place();
                    let tag = properties.tag.as_deref();
                    let node = self.scalar(scalar, tag, place).unwrap_or_else(|error| {
                        self.faults.fail(place, error);
                        Node::null().at_place(place)
                    });
                    let weight = Weight::leaf(node.text().unwrap_or_default());
                    self.remember(properties.anchor, &node, weight, 0..0);
                    (node, weight)
                }
                Event::Alias(anchor) => {
                    let done = self.alias(anchor, start, end, stack.len())?;
                    if let Some(frame) = stack.last_mut() {
                        frame.note_alias(start.place());
                    }
                    done
                }
                Event::SequenceStart { flow, properties } => {
                    let items = Vec::new();
                    self.open(&mut stack, start, properties, Body::Sequence { items, flow })?;
                    continue;
                }
                Event::MappingStart { flow, properties } => {
                    let body = Body::Mapping { read: Read::default(), key: None, flow };
                    self.open(&mut stack, start, properties, body)?;
                    continue;
                }
                Event::SequenceEnd | Event::MappingEnd => {
                    let frame = stack.pop().expect("the parser balances its events");
                    self.close(frame, end.place())
                }
                Event::DocumentStart | Event::DocumentEnd | Event::StreamEnd => {
                    unreachable!("the parser gives a node in each document")
                }
            };
            match stack.last_mut() {
                None => return Ok(done.0),
                Some(frame) => frame.put(done, end.place()),
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
        let complaints = self.faults.count();
        stack.push(Frame { start, anchor, tag, weight, complaints, body });
        Ok(())
    }

    fn close(&mut self, frame: Frame<'s>, end: Place) -> (Node, Weight) {
        let place = frame.start.place();
        let mut doubled = None;
        let (content, flow) = match frame.body {
            Body::Sequence { items, flow } => {
                (Content::Sequence(Sequence::from_items(items.into_iter())), flow)
            }
            Body::Mapping { read, flow, .. } => {
                doubled = self.doubled(&read.entries);
                (Content::Mapping(self.mapping(read, (place, end), frame.complaints)), flow)
            }
        };
        let mut node = Node::from(content).at_place(place).in_flow(flow).with_tag(frame.tag);
        if doubled.is_some() {
            node = node.with_doubled(doubled);
        }
        let complaints = frame.complaints..self.faults.count();
        self.remember(frame.anchor, &node, frame.weight, complaints);
        (node, frame.weight)
    }

    /// Keeps a copy of an anchored node for its aliases. Anchors may nest, so the copies count.
    fn remember(
        &mut self,
        anchor: Option<&'s str>,
        node: &Node,
        weight: Weight,
        complaints: Range<usize>,
    ) {
        let Some(anchor) = anchor else { return };
        let kept = self.kept.saturating_add(weight.size);
        let known = if kept <= self.options.max_expansion {
            self.kept = kept;
            Anchor::Known { node: node.clone(), weight, complaints }
        } else {
            Anchor::TooLarge
        };
        self.anchors.insert(anchor, known);
    }

    fn alias(
        &mut self,
        name: &str,
        at: Mark,
        end: Mark,
        depth: usize,
    ) -> Result<(Node, Weight), Error> {
        match self.anchors.get(name) {
            None => {
                let message = format!("yaml: unknown anchor '{name}' referenced");
                Err(self.error(ErrorKind::Anchor, message, at))
            }
            Some(Anchor::Open) => {
                let message = format!("yaml: anchor '{name}' value contains itself");
                let error = self.error(ErrorKind::Anchor, message, at);
                self.faults.fail(at.place(), error);
                Ok((Node::null().at_place(at.place()), Weight::leaf("")))
            }
            Some(Anchor::Known { weight, .. })
                if depth + weight.height > self.options.max_depth =>
            {
                Err(self.too_deep(at))
            }
            Some(Anchor::Known { node, weight, complaints })
                if self.expanded.saturating_add(weight.size) <= self.options.max_expansion =>
            {
                self.expanded += weight.size;
                self.faults.repeat(complaints.clone(), end.place());
                Ok((node.clone(), *weight))
            }
            Some(Anchor::Known { .. } | Anchor::TooLarge) => {
                let message = "yaml: document contains excessive aliasing".to_owned();
                Err(self.error(ErrorKind::Limit, message, at))
            }
        }
    }

    fn too_deep(&self, at: Mark) -> Error {
        let message = format!("yaml: exceeded max depth of {}", self.options.max_depth);
        self.error(ErrorKind::Limit, message, at)
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
            // yaml.v3 takes this one as if it were not there.
            Some("!") if self.options.flavour == Flavour::V3 && style == ScalarStyle::Plain => {
                (resolve(&text, Flavour::V3), None)
            }
            None | Some("!") => (ScalarType::Str, None),
            Some(tag) => match tag.strip_prefix("tag:yaml.org,2002:") {
                Some("binary") => {
                    let text = Self::binary(&text, place)?;
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
    fn binary(value: &str, place: Place) -> Result<String, Error> {
        let packed: String = value.split(['\n', '\r']).collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(packed).map_err(|_| {
            let message = "yaml: !!binary value contains invalid base64 data";
            Error::new(ErrorKind::Type, message).at(place.line(), place.column())
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
            gitops_core::truncate(value, LONGEST_SHOWN)
        );
        Err(Error::new(ErrorKind::Type, message).at(place.line(), place.column()))
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
    /// What is put next is an alias.
    fn note_alias(&mut self, place: Place) {
        if let Body::Mapping { read, key: Some(_), .. } = &mut self.body {
            read.aliased.push((read.entries.len(), place));
        }
    }

    /// Takes a node that ends at a place.
    fn put(&mut self, (node, weight): (Node, Weight), end: Place) {
        self.weight.add(weight);
        match &mut self.body {
            Body::Sequence { items, .. } => items.push(node),
            Body::Mapping { read, key, .. } => {
                read.ends.push(end);
                match key.take() {
                    None => *key = Some(node),
                    Some(key) => read.entries.push(Entry { key, value: node }),
                }
            }
        }
    }
}
