//! From tokens to events.
//!
//! A machine of states with a stack of its own: nesting costs memory and never the call stack.
// One idea: a state machine reads best in one piece.

use std::borrow::Cow;

use super::scan::{Fault, Mark, Scanner, Token, TokenKind};
use crate::node::ScalarStyle;

/// What stands in a stream, in order.
#[derive(Debug)]
pub(super) enum Event<'s> {
    DocumentStart,
    DocumentEnd,
    StreamEnd,
    Alias(&'s str),
    Scalar(Scalar<'s>, Properties<'s>),
    SequenceStart { flow: bool, properties: Properties<'s> },
    SequenceEnd,
    MappingStart { flow: bool, properties: Properties<'s> },
    MappingEnd,
}

/// A leaf.
#[derive(Debug)]
pub(super) struct Scalar<'s> {
    pub(super) text: Cow<'s, str>,
    pub(super) style: ScalarStyle,
    /// Whether its type follows from its text.
    pub(super) implicit: bool,
}

/// What may stand before a node.
#[derive(Debug, Default)]
pub(super) struct Properties<'s> {
    pub(super) anchor: Option<&'s str>,
    /// In full: `tag:yaml.org,2002:int`.
    pub(super) tag: Option<Cow<'s, str>>,
}

/// An event and its place.
pub(super) type Placed<'s> = (Event<'s>, Mark, Mark);

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    FirstDocument,
    Document,
    DocumentContent,
    DocumentEnd,
    BlockNode,
    BlockSequenceFirst,
    BlockSequenceEntry,
    IndentlessSequenceEntry,
    BlockMappingFirst,
    BlockMappingKey,
    BlockMappingValue,
    FlowSequenceFirst,
    FlowSequenceEntry,
    FlowPairKey,
    FlowPairValue,
    FlowPairEnd,
    FlowMappingFirst,
    FlowMappingKey,
    FlowMappingValue,
    FlowMappingEmptyValue,
    End,
}

/// Reads events on demand.
#[derive(Debug)]
pub(super) struct Parser<'s> {
    scanner: Scanner<'s>,
    state: State,
    states: Vec<State>,
    /// Where the open collections began.
    marks: Vec<Mark>,
    handles: Vec<(&'s str, Cow<'s, str>)>,
}

type Parse<T> = Result<T, Fault>;

impl<'s> Parser<'s> {
    pub(super) fn new(text: &'s str) -> Self {
        Self {
            scanner: Scanner::new(text),
            state: State::FirstDocument,
            states: Vec::new(),
            marks: Vec::new(),
            handles: Vec::new(),
        }
    }

    /// Goes to a mark at which a document begins.
    pub(super) fn restart_at(&mut self, mark: Mark) {
        self.scanner.restart_at(mark);
        self.state = State::FirstDocument;
        self.states.clear();
        self.marks.clear();
    }

    /// Where the next document begins with its `---`, if that is known to come next.
    pub(super) fn next_document(&self) -> Option<Mark> {
        self.scanner.next_document().filter(|_| self.state == State::Document)
    }

    /// The next event; after the end of the stream, that end again.
    pub(super) fn next(&mut self) -> Parse<Placed<'s>> {
        match self.state {
            State::FirstDocument => self.document_start(true),
            State::Document => self.document_start(false),
            State::DocumentContent => self.document_content(),
            State::DocumentEnd => self.document_end(),
            State::BlockNode => self.node(true, false),
            State::BlockSequenceFirst => {
                self.open()?;
                self.block_sequence_entry()
            }
            State::BlockSequenceEntry => self.block_sequence_entry(),
            State::IndentlessSequenceEntry => self.indentless_sequence_entry(),
            State::BlockMappingFirst => {
                self.open()?;
                self.block_mapping_key()
            }
            State::BlockMappingKey => self.block_mapping_key(),
            State::BlockMappingValue => self.block_mapping_value(),
            State::FlowSequenceFirst => {
                self.open()?;
                self.flow_sequence_entry(true)
            }
            State::FlowSequenceEntry => self.flow_sequence_entry(false),
            State::FlowPairKey => self.flow_pair_key(),
            State::FlowPairValue => self.flow_pair_value(),
            State::FlowPairEnd => {
                self.state = State::FlowSequenceEntry;
                let mark = self.scanner.peek()?.start;
                Ok((Event::MappingEnd, mark, mark))
            }
            State::FlowMappingFirst => {
                self.open()?;
                self.flow_mapping_key(true)
            }
            State::FlowMappingKey => self.flow_mapping_key(false),
            State::FlowMappingValue => self.flow_mapping_value(false),
            State::FlowMappingEmptyValue => self.flow_mapping_value(true),
            State::End => {
                let mark = self.scanner.peek()?.start;
                Ok((Event::StreamEnd, mark, mark))
            }
        }
    }

    fn document_start(&mut self, first: bool) -> Parse<Placed<'s>> {
        if !first {
            while self.at(&TokenKind::DocumentEnd)? {
                self.scanner.next()?;
            }
        }
        let token = self.scanner.peek()?;
        let (start, end) = (token.start, token.end);
        match &token.kind {
            TokenKind::StreamEnd => {
                self.state = State::End;
                Ok((Event::StreamEnd, start, end))
            }
            // A document without `---`; go-yaml accepts it behind another one only after `...`,
            // which was skipped above without a trace.
            kind if first && !is_document_head(kind) => {
                self.handles.clear();
                self.states.push(State::DocumentEnd);
                self.state = State::BlockNode;
                Ok((Event::DocumentStart, start, start))
            }
            _ => {
                self.directives()?;
                let token = self.scanner.peek()?;
                if token.kind != TokenKind::DocumentStart {
                    return Err(fault("did not find expected <document start>", token.start, None));
                }
                let end = token.end;
                self.scanner.next()?;
                self.states.push(State::DocumentEnd);
                self.state = State::DocumentContent;
                Ok((Event::DocumentStart, start, end))
            }
        }
    }

    fn directives(&mut self) -> Parse<()> {
        self.handles.clear();
        let mut version = false;
        loop {
            let token = self.scanner.peek()?;
            let start = token.start;
            match token.kind {
                TokenKind::Version(major, minor) => {
                    if version {
                        return Err(fault("found duplicate %YAML directive", start, None));
                    }
                    if (major, minor) != (1, 1) {
                        return Err(fault("found incompatible YAML document", start, None));
                    }
                    version = true;
                    self.scanner.next()?;
                }
                TokenKind::TagDirective { .. } => {
                    let token = self.scanner.next()?;
                    let TokenKind::TagDirective { handle, prefix } = token.kind else {
                        unreachable!("peeked above")
                    };
                    if self.handles.iter().any(|(known, _)| *known == handle) {
                        return Err(fault("found duplicate %TAG directive", start, None));
                    }
                    self.handles.push((handle, prefix));
                }
                _ => return Ok(()),
            }
        }
    }

    fn document_content(&mut self) -> Parse<Placed<'s>> {
        let token = self.scanner.peek()?;
        let ends = is_document_head(&token.kind)
            || matches!(token.kind, TokenKind::DocumentEnd | TokenKind::StreamEnd);
        if ends {
            let mark = token.start;
            self.pop_state();
            return Ok(empty(mark));
        }
        self.node(true, false)
    }

    fn document_end(&mut self) -> Parse<Placed<'s>> {
        let token = self.scanner.peek()?;
        let (start, mut end) = (token.start, token.start);
        if token.kind == TokenKind::DocumentEnd {
            end = token.end;
            self.scanner.next()?;
        }
        self.state = State::Document;
        Ok((Event::DocumentEnd, start, end))
    }

    /// A node with its properties.
    fn node(&mut self, block: bool, indentless: bool) -> Parse<Placed<'s>> {
        if matches!(self.scanner.peek()?.kind, TokenKind::Alias(_)) {
            let token = self.scanner.next()?;
            let TokenKind::Alias(name) = token.kind else { unreachable!("peeked above") };
            self.pop_state();
            return Ok((Event::Alias(name), token.start, token.end));
        }
        let begin = self.scanner.peek()?.start;
        let (properties, properties_end) = self.properties(begin)?;
        let token = self.scanner.peek()?;
        let end = token.end;
        match token.kind {
            TokenKind::BlockEntry if indentless => {
                self.state = State::IndentlessSequenceEntry;
                Ok((Event::SequenceStart { flow: false, properties }, begin, end))
            }
            TokenKind::Scalar(..) => self.scalar(begin, properties),
            TokenKind::FlowSequenceStart => {
                self.state = State::FlowSequenceFirst;
                Ok((Event::SequenceStart { flow: true, properties }, begin, end))
            }
            TokenKind::FlowMappingStart => {
                self.state = State::FlowMappingFirst;
                Ok((Event::MappingStart { flow: true, properties }, begin, end))
            }
            TokenKind::BlockSequenceStart if block => {
                self.state = State::BlockSequenceFirst;
                Ok((Event::SequenceStart { flow: false, properties }, begin, end))
            }
            TokenKind::BlockMappingStart if block => {
                self.state = State::BlockMappingFirst;
                Ok((Event::MappingStart { flow: false, properties }, begin, end))
            }
            _ if properties.anchor.is_some() || properties.tag.is_some() => {
                self.pop_state();
                let scalar = Scalar {
                    text: Cow::Borrowed(""),
                    style: ScalarStyle::Plain,
                    implicit: properties.tag.is_none(),
                };
                Ok((Event::Scalar(scalar, properties), begin, properties_end))
            }
            _ => Err(fault("did not find expected node content", token.start, Some(begin))),
        }
    }

    fn scalar(&mut self, begin: Mark, properties: Properties<'s>) -> Parse<Placed<'s>> {
        let token = self.scanner.next()?;
        let TokenKind::Scalar(text, style) = token.kind else {
            unreachable!("peeked by the caller")
        };
        self.pop_state();
        let implicit = properties.tag.is_none() && style == ScalarStyle::Plain;
        Ok((Event::Scalar(Scalar { text, style, implicit }, properties), begin, token.end))
    }

    /// An anchor and a tag in any order.
    fn properties(&mut self, begin: Mark) -> Parse<(Properties<'s>, Mark)> {
        let mut properties = Properties::default();
        let mut end = begin;
        loop {
            let token = self.scanner.peek()?;
            match token.kind {
                TokenKind::Anchor(name) if properties.anchor.is_none() => {
                    properties.anchor = Some(name);
                    end = token.end;
                    self.scanner.next()?;
                }
                TokenKind::Tag { .. } if properties.tag.is_none() => {
                    let Token { kind, start, end: tag_end } = self.scanner.next()?;
                    let TokenKind::Tag { handle, suffix } = kind else {
                        unreachable!("peeked above")
                    };
                    end = tag_end;
                    properties.tag = Some(self.full_tag(handle, suffix, begin, start)?);
                }
                _ => return Ok((properties, end)),
            }
        }
    }

    fn full_tag(
        &self,
        handle: &'s str,
        suffix: Cow<'s, str>,
        begin: Mark,
        at: Mark,
    ) -> Parse<Cow<'s, str>> {
        if handle.is_empty() {
            return Ok(suffix);
        }
        let declared = self.handles.iter().find(|(known, _)| *known == handle);
        let prefix = match (declared, handle) {
            (Some((_, prefix)), _) => prefix,
            (None, "!") => "!",
            (None, "!!") => "tag:yaml.org,2002:",
            _ => return Err(fault("found undefined tag handle", at, Some(begin))),
        };
        Ok(Cow::Owned(format!("{prefix}{suffix}")))
    }

    fn block_sequence_entry(&mut self) -> Parse<Placed<'s>> {
        let token = self.scanner.peek()?;
        match token.kind {
            TokenKind::BlockEntry => {
                let mark = token.end;
                self.scanner.next()?;
                if self.at_any(&[TokenKind::BlockEntry, TokenKind::BlockEnd])? {
                    self.state = State::BlockSequenceEntry;
                    return Ok(empty(mark));
                }
                self.states.push(State::BlockSequenceEntry);
                self.node(true, false)
            }
            TokenKind::BlockEnd => self.close(Event::SequenceEnd),
            _ => {
                let start = token.start;
                Err(fault("did not find expected '-' indicator", start, self.marks.pop()))
            }
        }
    }

    /// A sequence at the column of the key that holds it has no end of its own.
    fn indentless_sequence_entry(&mut self) -> Parse<Placed<'s>> {
        let token = self.scanner.peek()?;
        if token.kind != TokenKind::BlockEntry {
            let mark = token.start;
            self.pop_state();
            return Ok((Event::SequenceEnd, mark, mark));
        }
        let mark = token.end;
        self.scanner.next()?;
        use TokenKind::{BlockEnd, BlockEntry, Key, Value};
        if self.at_any(&[BlockEntry, Key, Value, BlockEnd])? {
            self.state = State::IndentlessSequenceEntry;
            return Ok(empty(mark));
        }
        self.states.push(State::IndentlessSequenceEntry);
        self.node(true, false)
    }

    fn block_mapping_key(&mut self) -> Parse<Placed<'s>> {
        let token = self.scanner.peek()?;
        match token.kind {
            TokenKind::Key => {
                let mark = token.end;
                self.scanner.next()?;
                if self.at_any(&[TokenKind::Key, TokenKind::Value, TokenKind::BlockEnd])? {
                    self.state = State::BlockMappingValue;
                    return Ok(empty(mark));
                }
                self.states.push(State::BlockMappingValue);
                self.node(true, true)
            }
            TokenKind::BlockEnd => self.close(Event::MappingEnd),
            _ => {
                let start = token.start;
                Err(fault("did not find expected key", start, self.marks.pop()))
            }
        }
    }

    fn block_mapping_value(&mut self) -> Parse<Placed<'s>> {
        let token = self.scanner.peek()?;
        if token.kind != TokenKind::Value {
            let mark = token.start;
            self.state = State::BlockMappingKey;
            return Ok(empty(mark));
        }
        let mark = token.end;
        self.scanner.next()?;
        if self.at_any(&[TokenKind::Key, TokenKind::Value, TokenKind::BlockEnd])? {
            self.state = State::BlockMappingKey;
            return Ok(empty(mark));
        }
        self.states.push(State::BlockMappingKey);
        self.node(true, true)
    }

    fn flow_sequence_entry(&mut self, first: bool) -> Parse<Placed<'s>> {
        if !self.at(&TokenKind::FlowSequenceEnd)? {
            if !first {
                self.separator("did not find expected ',' or ']'")?;
            }
            let token = self.scanner.peek()?;
            if token.kind == TokenKind::Key {
                let (start, end) = (token.start, token.end);
                self.scanner.next()?;
                self.state = State::FlowPairKey;
                let properties = Properties::default();
                return Ok((Event::MappingStart { flow: true, properties }, start, end));
            }
            if token.kind != TokenKind::FlowSequenceEnd {
                self.states.push(State::FlowSequenceEntry);
                return self.node(false, false);
            }
        }
        self.close(Event::SequenceEnd)
    }

    fn separator(&mut self, problem: &'static str) -> Parse<()> {
        let token = self.scanner.peek()?;
        if token.kind == TokenKind::FlowEntry {
            self.scanner.next()?;
            return Ok(());
        }
        let start = token.start;
        Err(fault(problem, start, self.marks.pop()))
    }

    fn flow_pair_key(&mut self) -> Parse<Placed<'s>> {
        use TokenKind::{FlowEntry, FlowSequenceEnd, Value};
        if !self.at_any(&[Value, FlowEntry, FlowSequenceEnd])? {
            self.states.push(State::FlowPairValue);
            return self.node(false, false);
        }
        let token = self.scanner.peek()?;
        let mark = token.end;
        self.state = State::FlowPairValue;
        Ok(empty(mark))
    }

    fn flow_pair_value(&mut self) -> Parse<Placed<'s>> {
        if self.at(&TokenKind::Value)? {
            self.scanner.next()?;
            if !self.at_any(&[TokenKind::FlowEntry, TokenKind::FlowSequenceEnd])? {
                self.states.push(State::FlowPairEnd);
                return self.node(false, false);
            }
        }
        let mark = self.scanner.peek()?.start;
        self.state = State::FlowPairEnd;
        Ok(empty(mark))
    }

    fn flow_mapping_key(&mut self, first: bool) -> Parse<Placed<'s>> {
        if !self.at(&TokenKind::FlowMappingEnd)? {
            if !first {
                self.separator("did not find expected ',' or '}'")?;
            }
            if self.at(&TokenKind::Key)? {
                self.scanner.next()?;
                use TokenKind::{FlowEntry, FlowMappingEnd, Value};
                if !self.at_any(&[Value, FlowEntry, FlowMappingEnd])? {
                    self.states.push(State::FlowMappingValue);
                    return self.node(false, false);
                }
                let mark = self.scanner.peek()?.start;
                self.state = State::FlowMappingValue;
                return Ok(empty(mark));
            }
            if !self.at(&TokenKind::FlowMappingEnd)? {
                self.states.push(State::FlowMappingEmptyValue);
                return self.node(false, false);
            }
        }
        self.close(Event::MappingEnd)
    }

    fn flow_mapping_value(&mut self, none: bool) -> Parse<Placed<'s>> {
        let mark = self.scanner.peek()?.start;
        if !none && self.at(&TokenKind::Value)? {
            self.scanner.next()?;
            if !self.at_any(&[TokenKind::FlowEntry, TokenKind::FlowMappingEnd])? {
                self.states.push(State::FlowMappingKey);
                return self.node(false, false);
            }
        }
        self.state = State::FlowMappingKey;
        Ok(empty(mark))
    }

    /// Takes the token that starts a collection.
    fn open(&mut self) -> Parse<()> {
        let start = self.scanner.next()?.start;
        self.marks.push(start);
        Ok(())
    }

    /// Takes the token that ends a collection.
    fn close(&mut self, event: Event<'s>) -> Parse<Placed<'s>> {
        let token = self.scanner.next()?;
        self.pop_state();
        self.marks.pop();
        Ok((event, token.start, token.end))
    }

    fn pop_state(&mut self) {
        self.state = self.states.pop().unwrap_or(State::End);
    }

    fn at(&mut self, kind: &TokenKind<'_>) -> Parse<bool> {
        Ok(self.scanner.peek()?.kind == *kind)
    }

    fn at_any(&mut self, kinds: &[TokenKind<'_>]) -> Parse<bool> {
        let token = self.scanner.peek()?;
        Ok(kinds.contains(&token.kind))
    }
}

fn is_document_head(kind: &TokenKind<'_>) -> bool {
    matches!(
        kind,
        TokenKind::Version(..) | TokenKind::TagDirective { .. } | TokenKind::DocumentStart
    )
}

/// The empty scalar that stands for what is not there.
fn empty<'s>(mark: Mark) -> Placed<'s> {
    let scalar = Scalar { text: Cow::Borrowed(""), style: ScalarStyle::Plain, implicit: true };
    (Event::Scalar(scalar, Properties::default()), mark, mark)
}

fn fault(problem: &'static str, mark: Mark, context: Option<Mark>) -> Fault {
    Fault { problem, mark, context, scanner: false }
}
