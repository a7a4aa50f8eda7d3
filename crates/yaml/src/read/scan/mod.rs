//! From text to tokens.
//!
//! Follows the algorithm of libyaml, whose dialect go-yaml reads: whether a token starts a mapping's
//! key shows only when a `:` follows, so tokens wait in a queue while the first of them may still
//! be a key. All work is linear: candidates for keys are kept in the order in which they expire.

mod block;
mod chars;
mod flow;
mod plain;
mod tag;

use std::{borrow::Cow, collections::VecDeque};

use crate::node::{Place, ScalarStyle};

/// A key and its `:` stand on one line, at most this many characters apart.
const LONGEST_SIMPLE_KEY: usize = 1024;

/// A place in the text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    /// In bytes.
    pub(super) at: u32,
    /// Counted from 0.
    pub(super) line: u32,
    /// In characters, counted from 0.
    pub(super) column: u32,
}

impl Mark {
    pub(super) fn place(self) -> Place {
        Place { line: self.line + 1, column: self.column + 1 }
    }
}

/// What is wrong, in go-yaml's words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) problem: &'static str,
    /// Where it was noticed.
    pub(super) mark: Mark,
    /// Where the thing began that is wrong.
    pub(super) context: Option<Mark>,
    /// The scanner's lines are counted otherwise than the parser's in go-yaml's messages.
    pub(super) scanner: bool,
}

/// A piece of the text and where it stands.
#[derive(Debug)]
pub(super) struct Token<'s> {
    pub(super) kind: TokenKind<'s>,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

#[derive(Debug, PartialEq)]
pub(super) enum TokenKind<'s> {
    StreamEnd,
    Version(u32, u32),
    TagDirective { handle: &'s str, prefix: Cow<'s, str> },
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'s str),
    Anchor(&'s str),
    Tag { handle: &'s str, suffix: Cow<'s, str> },
    Scalar(Cow<'s, str>, ScalarStyle),
}

/// A token that turns out to be a key if a `:` follows.
#[derive(Clone, Copy, Debug)]
struct SimpleKey {
    level: usize,
    required: bool,
    /// The number of its first token, counted from the start of the stream.
    token: usize,
    mark: Mark,
    /// Quirk: go-yaml hands out the tokens of a flow collection that holds no candidate of its own,
    /// and finds out too late that it was a key.
    missed: bool,
}

/// A flow collection that is open.
#[derive(Clone, Copy, Debug)]
struct Flow {
    /// The number of its first token.
    token: usize,
    /// Whether something within it may have been a key.
    keyed: bool,
}

/// Reads tokens on demand.
#[derive(Debug)]
pub(super) struct Scanner<'s> {
    text: &'s str,
    bytes: &'s [u8],
    mark: Mark,
    tokens: VecDeque<Token<'s>>,
    /// How many tokens were handed out.
    taken: usize,
    /// The column of the block collection that is open; -1 outside of any.
    indent: i32,
    indents: Vec<i32>,
    /// How many flow collections are open.
    level: usize,
    flows: Vec<Flow>,
    key_allowed: bool,
    /// Ordered by age; at most one for each level.
    keys: VecDeque<SimpleKey>,
    ended: bool,
}

type Scan<T> = Result<T, Fault>;

impl<'s> Scanner<'s> {
    /// The text must be shorter than 4 GiB and free of control characters.
    pub(super) fn new(text: &'s str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            mark: Mark::default(),
            tokens: VecDeque::new(),
            taken: 0,
            indent: -1,
            indents: Vec::new(),
            level: 0,
            flows: Vec::new(),
            key_allowed: true,
            keys: VecDeque::new(),
            ended: false,
        }
    }

    /// A scalar that begins at a mark, outside of flow collections and right of an indentation, and
    /// where it leaves off. Nothing may have been read with this scanner but such scalars.
    pub(super) fn scalar_at(&mut self, mark: Mark, indent: i32) -> Scan<(Token<'s>, Mark)> {
        self.mark = mark;
        self.indent = indent;
        match self.peek_byte() {
            Some(byte @ (b'|' | b'>')) => self.scan_block_scalar(byte == b'|')?,
            Some(byte @ (b'"' | b'\'')) => self.scan_quoted(byte)?,
            _ => self.scan_plain()?,
        }
        let token = self.tokens.pop_front().expect("a scalar gives one token");
        Ok((token, self.mark))
    }

    /// Goes to a mark at the start of a line, from which a document is read.
    pub(super) fn restart_at(&mut self, mark: Mark) {
        *self = Self { mark, ..Self::new(self.text) };
    }

    /// Where the next document begins with its `---`, if that is known to come next.
    pub(super) fn next_document(&self) -> Option<Mark> {
        let first = self.tokens.front().filter(|token| token.kind == TokenKind::DocumentStart);
        first.map(|token| token.start)
    }

    /// The next token, which stays.
    pub(super) fn peek(&mut self) -> Scan<&Token<'s>> {
        self.fill()?;
        Ok(self.tokens.front().expect("filled above"))
    }

    /// The next token; after the end of the stream, that end again.
    pub(super) fn next(&mut self) -> Scan<Token<'s>> {
        self.fill()?;
        self.taken += 1;
        Ok(self.tokens.pop_front().expect("filled above"))
    }

    fn fill(&mut self) -> Scan<()> {
        while self.tokens.is_empty() || self.first_may_be_key()? {
            if self.ended {
                if self.tokens.is_empty() {
                    self.push(TokenKind::StreamEnd, self.mark);
                }
                break;
            }
            self.fetch()?;
        }
        Ok(())
    }

    fn first_may_be_key(&mut self) -> Scan<bool> {
        if self.keys.is_empty() {
            return Ok(false);
        }
        self.expire_keys()?;
        let first = self.keys.iter().find(|key| !key.missed);
        Ok(first.is_some_and(|key| key.token == self.taken))
    }

    fn fetch(&mut self) -> Scan<()> {
        self.skip_to_token();
        self.unroll(self.column());
        let Some(byte) = self.peek_byte() else { return self.fetch_stream_end() };
        if self.mark.column == 0 {
            if byte == b'%' {
                return self.fetch_directive();
            }
            if self.at_document_indicator() {
                return self.fetch_document_indicator(byte);
            }
        }
        let flow = self.level > 0;
        match byte {
            b'[' => self.fetch_flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.fetch_flow_start(TokenKind::FlowMappingStart),
            b']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(TokenKind::FlowMappingEnd),
            b',' => self.fetch_flow_entry(),
            b'-' if self.blank_or_end(1) => self.fetch_block_entry(),
            b'?' if flow || self.blank_or_end(1) => self.fetch_key(),
            b':' if flow || self.blank_or_end(1) => self.fetch_value(),
            b'*' | b'&' => self.fetch_anchor(byte == b'*'),
            b'!' => {
                self.save_key()?;
                self.key_allowed = false;
                self.scan_tag()
            }
            b'|' | b'>' if !flow => {
                self.remove_key()?;
                self.key_allowed = true;
                self.scan_block_scalar(byte == b'|')
            }
            b'\'' | b'"' => {
                self.save_key()?;
                self.key_allowed = false;
                self.scan_quoted(byte)
            }
            b'\t' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => {
                Err(self.fault_from(self.mark, "found character that cannot start any token"))
            }
            // `-`, and outside of flow collections `?` and `:`, may start a plain scalar when
            // something follows.
            _ => {
                self.save_key()?;
                self.key_allowed = false;
                self.scan_plain()
            }
        }
    }

    /// Spaces, comments and line breaks. A tab may not indent what may be a key.
    fn skip_to_token(&mut self) {
        loop {
            match self.peek_byte() {
                Some(b' ') => self.skip_ascii(1),
                Some(b'\t') if self.level > 0 || !self.key_allowed => self.skip_ascii(1),
                Some(b'#') => self.skip_line_rest(),
                Some(_) if self.at_break() => {
                    self.skip_break();
                    if self.level == 0 {
                        self.key_allowed = true;
                    }
                }
                _ => return,
            }
        }
    }

    fn fetch_stream_end(&mut self) -> Scan<()> {
        if self.mark.column != 0 {
            self.mark.column = 0;
            self.mark.line += 1;
        }
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        self.ended = true;
        self.push(TokenKind::StreamEnd, self.mark);
        Ok(())
    }

    fn fetch_directive(&mut self) -> Scan<()> {
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        self.scan_directive()
    }

    fn fetch_document_indicator(&mut self, byte: u8) -> Scan<()> {
        self.unroll(-1);
        self.remove_key()?;
        self.key_allowed = false;
        let kind = if byte == b'-' { TokenKind::DocumentStart } else { TokenKind::DocumentEnd };
        self.push_ascii(kind, 3);
        Ok(())
    }

    fn fetch_flow_start(&mut self, kind: TokenKind<'s>) -> Scan<()> {
        self.save_key()?;
        self.level += 1;
        self.flows.push(Flow { token: self.taken + self.tokens.len(), keyed: false });
        self.key_allowed = true;
        self.push_ascii(kind, 1);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: TokenKind<'s>) -> Scan<()> {
        self.remove_key()?;
        self.level = self.level.saturating_sub(1);
        if let Some(flow) = self.flows.pop().filter(|flow| !flow.keyed)
            && let Some(key) = self.keys.back_mut().filter(|key| key.token == flow.token)
        {
            key.missed = true;
        }
        self.key_allowed = false;
        self.push_ascii(kind, 1);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> Scan<()> {
        self.remove_key()?;
        self.key_allowed = true;
        self.push_ascii(TokenKind::FlowEntry, 1);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Scan<()> {
        if self.level == 0 {
            if !self.key_allowed {
                return Err(self.fault_from(
                    self.mark,
                    "block sequence entries are not allowed in this context",
                ));
            }
            self.roll(self.mark, None, TokenKind::BlockSequenceStart);
        }
        self.remove_key()?;
        self.key_allowed = true;
        self.push_ascii(TokenKind::BlockEntry, 1);
        Ok(())
    }

    fn fetch_key(&mut self) -> Scan<()> {
        if self.level == 0 {
            if !self.key_allowed {
                return Err(
                    self.fault_from(self.mark, "mapping keys are not allowed in this context")
                );
            }
            self.roll(self.mark, None, TokenKind::BlockMappingStart);
        }
        self.remove_key()?;
        self.key_allowed = self.level == 0;
        self.push_ascii(TokenKind::Key, 1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Scan<()> {
        self.expire_keys()?;
        if let Some(key) = self.keys.pop_back_if(|key| key.level == self.level) {
            let token = Token { kind: TokenKind::Key, start: key.mark, end: key.mark };
            let place = key.token.checked_sub(self.taken);
            match place {
                Some(place) => self.tokens.insert(place, token),
                None => self.tokens.push_back(token),
            }
            self.roll(key.mark, place, TokenKind::BlockMappingStart);
            self.key_allowed = false;
        } else {
            if self.level == 0 {
                if !self.key_allowed {
                    return Err(self
                        .fault_from(self.mark, "mapping values are not allowed in this context"));
                }
                self.roll(self.mark, None, TokenKind::BlockMappingStart);
            }
            self.key_allowed = self.level == 0;
        }
        self.push_ascii(TokenKind::Value, 1);
        Ok(())
    }

    fn fetch_anchor(&mut self, alias: bool) -> Scan<()> {
        self.save_key()?;
        self.key_allowed = false;
        let start = self.mark;
        self.skip_ascii(1);
        let name = self.take_ascii(chars::is_word);
        let ends = self.blank_or_end(0)
            || matches!(
                self.peek_byte(),
                Some(b'?' | b':' | b',' | b']' | b'}' | b'%' | b'@' | b'`')
            );
        if name.is_empty() || !ends {
            return Err(
                self.fault_from(start, "did not find expected alphabetic or numeric character")
            );
        }
        let kind = if alias { TokenKind::Alias(name) } else { TokenKind::Anchor(name) };
        self.push(kind, start);
        Ok(())
    }

    /// Opens a block collection if the column is further right than the one that is open.
    fn roll(&mut self, mark: Mark, place: Option<usize>, kind: TokenKind<'s>) {
        let column = i32::try_from(mark.column).unwrap_or(i32::MAX);
        if self.level > 0 || self.indent >= column {
            return;
        }
        self.indents.push(self.indent);
        self.indent = column;
        let token = Token { kind, start: mark, end: mark };
        match place {
            Some(place) => self.tokens.insert(place, token),
            None => self.tokens.push_back(token),
        }
    }

    /// Closes the block collections that stand further right.
    fn unroll(&mut self, column: i32) {
        if self.level > 0 {
            return;
        }
        while self.indent > column {
            self.push(TokenKind::BlockEnd, self.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    /// Notes that the next token may be a key.
    fn save_key(&mut self) -> Scan<()> {
        if !self.key_allowed {
            return Ok(());
        }
        self.remove_key()?;
        if let Some(flow) = self.flows.last_mut() {
            flow.keyed = true;
        }
        let required = self.level == 0 && self.indent == self.column();
        let token = self.taken + self.tokens.len();
        let (level, mark) = (self.level, self.mark);
        self.keys.push_back(SimpleKey { level, required, token, mark, missed: false });
        Ok(())
    }

    /// The candidate of this level is none.
    fn remove_key(&mut self) -> Scan<()> {
        match self.keys.pop_back_if(|key| key.level == self.level) {
            Some(key) if key.required => {
                Err(self.fault_from(key.mark, "could not find expected ':'"))
            }
            _ => Ok(()),
        }
    }

    /// Candidates of former lines, or too far back, are none.
    fn expire_keys(&mut self) -> Scan<()> {
        while let Some(key) = self.keys.front().copied() {
            if key.mark.line == self.mark.line && !self.is_far(key.mark) {
                break;
            }
            if key.required {
                return Err(self.fault_from(key.mark, "could not find expected ':'"));
            }
            self.keys.pop_front();
        }
        Ok(())
    }

    fn is_far(&self, from: Mark) -> bool {
        let (from, to) = (from.at as usize, self.mark.at as usize);
        to - from > LONGEST_SIMPLE_KEY
            && self.text[from..to].chars().nth(LONGEST_SIMPLE_KEY).is_some()
    }

    fn push(&mut self, kind: TokenKind<'s>, start: Mark) {
        self.tokens.push_back(Token { kind, start, end: self.mark });
    }

    fn push_ascii(&mut self, kind: TokenKind<'s>, bytes: u32) {
        let start = self.mark;
        self.skip_ascii(bytes);
        self.push(kind, start);
    }

    fn column(&self) -> i32 {
        i32::try_from(self.mark.column).unwrap_or(i32::MAX)
    }

    fn fault_from(&self, context: Mark, problem: &'static str) -> Fault {
        Fault { problem, mark: self.mark, context: Some(context), scanner: true }
    }
}
