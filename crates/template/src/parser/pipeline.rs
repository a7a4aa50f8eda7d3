//! What stands in an action: pipelines, commands and words.

use memchr::memchr;
use smallvec::SmallVec;

use super::{DEEPEST, Parser, number};
use crate::{
    Error, Text,
    ast::{Command, Expression, ExpressionKind, Fields, Id, List, NodeRef, Number, Pipeline, Span},
    quote::quoted,
    stack::deeper,
    token::{Token, TokenKind},
};

impl Parser<'_, '_> {
    /// A pipeline as a node.
    pub(super) fn numbered(
        &mut self,
        context: &str,
        end: TokenKind,
    ) -> Result<Id<Pipeline>, Error> {
        let pipeline = self.pipeline(context, end)?;
        Ok(self.arena.pipelines.add(pipeline))
    }

    pub(super) fn pipeline(&mut self, context: &str, end: TokenKind) -> Result<Pipeline, Error> {
        let at = self.peek_non_space().1;
        let (variables, assigns) = self.declarations(context)?;
        let start = self.scratch.commands.len();
        loop {
            let token = self.next_non_space();
            match token.kind {
                kind if kind == end => break,
                TokenKind::Bool
                | TokenKind::CharConstant
                | TokenKind::Complex
                | TokenKind::Dot
                | TokenKind::Field
                | TokenKind::Identifier
                | TokenKind::Number
                | TokenKind::Nil
                | TokenKind::RawString
                | TokenKind::String
                | TokenKind::Variable
                | TokenKind::LeftParen => {
                    self.back(token);
                    let command = self.command()?;
                    self.scratch.commands.push(command);
                }
                _ => return Err(self.unexpected(token, context)),
            }
        }
        let commands = self.arena.commands.take(&mut self.scratch.commands, start);
        self.check(&self.arena.commands[commands], context)?;
        Ok(Pipeline { at, assigns, variables, commands })
    }

    fn check(&self, commands: &[Command], context: &str) -> Result<(), Error> {
        if commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        for (number, command) in commands.iter().enumerate().skip(1) {
            if is_constant(&self.arena.words[command.words][0].kind) {
                return Err(
                    self.error(format!("non executable command in pipeline stage {}", number + 1))
                );
            }
        }
        Ok(())
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`; and whether they are assigned to.
    fn declarations(&mut self, context: &str) -> Result<(List<Id<Text>>, bool), Error> {
        let mut variables = SmallVec::<[Id<Text>; 2]>::new();
        while self.peek_non_space().0 == TokenKind::Variable {
            let variable = self.next_non_space();
            let after = self.next();
            let (space, next) = if after.kind == TokenKind::Space {
                (Some(after), self.next_non_space())
            } else {
                (None, after)
            };
            match next.kind {
                TokenKind::Assign | TokenKind::Declare => {
                    variables.push(self.declare(variable));
                    let assigns = next.kind == TokenKind::Assign;
                    return Ok((self.arena.declared.add_all(&variables), assigns));
                }
                TokenKind::Char if self.text(next) == "," => {
                    variables.push(self.declare(variable));
                    if context != "range" || variables.len() >= 2 {
                        return Err(self.error(format!("too many declarations in {context}")));
                    }
                    match self.peek_non_space().0 {
                        TokenKind::Variable | TokenKind::RightDelim | TokenKind::RightParen => {}
                        _ => return Err(self.error("range can only initialize variables")),
                    }
                }
                _ => {
                    self.back(next);
                    if let Some(space) = space {
                        self.back(space);
                    }
                    self.back(variable);
                    break;
                }
            }
        }
        Ok((self.arena.declared.add_all(&variables), false))
    }

    fn declare(&mut self, token: Token) -> Id<Text> {
        let name = self.arena.texts.add(self.text(token));
        self.scratch.variables.declare(name);
        name
    }

    fn command(&mut self) -> Result<Command, Error> {
        let at = self.peek_non_space().1;
        let start = self.scratch.words.len();
        loop {
            let ends = [TokenKind::RightDelim, TokenKind::RightParen, TokenKind::Pipe];
            if !ends.contains(&self.peek_non_space().0)
                && let Some(word) = self.operand()?
            {
                self.scratch.words.push(word);
            }
            let token = self.next();
            match token.kind {
                TokenKind::Space => continue,
                TokenKind::RightDelim | TokenKind::RightParen => self.back(token),
                TokenKind::Pipe => {}
                _ => return Err(self.unexpected(token, "operand")),
            }
            break;
        }
        if self.scratch.words.len() == start {
            return Err(self.error("empty command"));
        }
        Ok(Command { at, words: self.arena.words.take(&mut self.scratch.words, start) })
    }

    /// A term with the fields that are asked of it.
    fn operand(&mut self) -> Result<Option<Expression>, Error> {
        let Some(term) = self.term()? else { return Ok(None) };
        if self.peek() != TokenKind::Field {
            return Ok(Some(term));
        }
        let at = self.peek_non_space().1;
        let mut end = at;
        while self.peek() == TokenKind::Field {
            let Span { at, length } = self.next().span();
            end = at + length;
        }
        let from = |start| Fields(Span { at: start, length: end - start });
        let kind = match term.kind {
            ExpressionKind::Field(Fields(first)) => ExpressionKind::Field(from(first.at)),
            ExpressionKind::Variable { name, .. } => {
                ExpressionKind::Variable { name, fields: from(at) }
            }
            ref kind if is_constant(kind) => {
                let text = NodeRef::Expression(&term).printed(self.arena, &self.source.text);
                let text = quoted(&text.to_string());
                return Err(self.error(format!("unexpected . after term {text}")));
            }
            _ => ExpressionKind::Chain { base: self.arena.words.add(term), fields: from(at) },
        };
        Ok(Some(Expression { at, kind }))
    }

    fn number(&mut self, token: Token) -> Result<Id<Number>, Error> {
        let literal = self.text(token);
        let text = self.arena.texts.add(literal);
        // The same few numbers stand in all templates.
        if let Some(known) = self.arena.number_of.get(&text) {
            return Ok(*known);
        }
        let number = number::parse(token.kind, literal, text);
        let number = self.arena.numbers.add(number.map_err(|message| self.error(message))?);
        self.arena.number_of.insert(text, number);
        Ok(number)
    }

    fn term(&mut self) -> Result<Option<Expression>, Error> {
        let token = self.next_non_space();
        let kind = match token.kind {
            TokenKind::Identifier => {
                let Some(function) = self.functions.get(self.text(token)) else {
                    let name = quoted(self.text(token));
                    return Err(self.error(format!("function {name} not defined")));
                };
                ExpressionKind::Function(function)
            }
            TokenKind::Dot => ExpressionKind::Dot,
            TokenKind::Nil => ExpressionKind::Nil,
            TokenKind::Variable => {
                let name = self.arena.texts.find(self.text(token));
                let Some(name) = name.filter(|name| self.scratch.variables.knows(*name)) else {
                    let name = quoted(self.text(token));
                    return Err(self.error(format!("undefined variable {name}")));
                };
                ExpressionKind::Variable { name, fields: Fields::NONE }
            }
            TokenKind::Field => ExpressionKind::Field(Fields(token.span())),
            TokenKind::Bool => ExpressionKind::Bool(self.text(token) == "true"),
            TokenKind::CharConstant | TokenKind::Complex | TokenKind::Number => {
                ExpressionKind::Number(self.number(token)?)
            }
            TokenKind::LeftParen => {
                if self.parens >= DEEPEST {
                    return Err(self.error("max expression depth exceeded"));
                }
                self.parens += 1;
                let pipeline =
                    deeper(|| self.pipeline("parenthesized pipeline", TokenKind::RightParen))?;
                self.parens -= 1;
                // Go takes the place of the pipeline within the parentheses.
                let at = pipeline.at;
                let kind = ExpressionKind::Pipeline(self.arena.pipelines.add(pipeline));
                return Ok(Some(Expression { at, kind }));
            }
            TokenKind::String | TokenKind::RawString if stands_for_itself(self.text(token)) => {
                let Span { at, length } = token.span();
                ExpressionKind::Raw(Span { at: at + 1, length: length - 2 })
            }
            TokenKind::String | TokenKind::RawString => {
                let text = self.unquote(self.text(token))?;
                let text = self.arena.texts.add(&text);
                ExpressionKind::String { length: token.span().length, text }
            }
            _ => {
                self.back(token);
                return Ok(None);
            }
        };
        Ok(Some(Expression { at: token.at, kind }))
    }
}

/// Whether a literal is better taken from the source each time: charts print long texts as raw ones, which
/// are used once, and of a short text a copy costs less than to know it again.
fn stands_for_itself(literal: &str) -> bool {
    const SHORT: usize = 15 + 2;
    let bytes = literal.as_bytes();
    match bytes {
        [b'`', ..] => memchr(b'\r', bytes).is_none(),
        _ => bytes.len() <= SHORT && !bytes.contains(&b'\\'),
    }
}

fn is_constant(kind: &ExpressionKind) -> bool {
    matches!(
        kind,
        ExpressionKind::Bool(_)
            | ExpressionKind::Dot
            | ExpressionKind::Nil
            | ExpressionKind::Number(_)
            | ExpressionKind::String { .. }
            | ExpressionKind::Raw(_)
    )
}
