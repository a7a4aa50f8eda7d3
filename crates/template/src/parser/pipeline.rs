//! What stands in an action: pipelines, commands and words.

use memchr::memchr;
use smallvec::SmallVec;

use super::{DEEPEST, Parser, number};
use crate::{
    Error, Text,
    ast::{Command, Expression, ExpressionKind, Fields, Id, NodeRef, Number, Pipeline, Span},
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
        let at = self.token.at;
        let mut variables = SmallVec::<[Id<Text>; 2]>::new();
        let (mut first, assigns) = match self.token.kind {
            TokenKind::Variable => self.declarations(context, &mut variables)?,
            _ => (None, false),
        };
        let variables = self.arena.declared.add_all(&variables);
        let start = self.scratch.commands.len();
        while first.is_some() || self.token.kind != end {
            if first.is_none() && !begins_term(self.token.kind) {
                return Err(self.unexpected(context));
            }
            let command = self.command(first.take())?;
            self.scratch.commands.push(command);
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

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`: the variable that is the first term instead, and
    /// whether they are assigned to.
    fn declarations(
        &mut self,
        context: &str,
        variables: &mut SmallVec<[Id<Text>; 2]>,
    ) -> Result<(Option<Token>, bool), Error> {
        while self.token.kind == TokenKind::Variable {
            let variable = self.token;
            self.next();
            match self.token.kind {
                TokenKind::Assign | TokenKind::Declare => {
                    variables.push(self.declare(variable));
                    let assigns = self.token.kind == TokenKind::Assign;
                    self.next();
                    return Ok((None, assigns));
                }
                TokenKind::Char if self.text(self.token) == "," => {
                    variables.push(self.declare(variable));
                    if context != "range" || variables.len() >= 2 {
                        return Err(self.error(format!("too many declarations in {context}")));
                    }
                    self.next();
                    match self.token.kind {
                        TokenKind::Variable | TokenKind::RightDelim | TokenKind::RightParen => {}
                        _ => return Err(self.error("range can only initialize variables")),
                    }
                }
                _ => return Ok((Some(variable), false)),
            }
        }
        Ok((None, false))
    }

    fn declare(&mut self, token: Token) -> Id<Text> {
        let name = self.arena.texts.add(self.text(token));
        self.scratch.variables.declare(name);
        name
    }

    /// A command up to what ends the pipeline, or behind its `|`. Its first term may have been read.
    fn command(&mut self, mut first: Option<Token>) -> Result<Command, Error> {
        let at = first.unwrap_or(self.token).at;
        let start = self.scratch.words.len();
        loop {
            let term = match first.take() {
                Some(variable) => self.variable(variable)?,
                None => self.term()?,
            };
            let word = self.operand(term)?;
            self.scratch.words.push(word);
            match self.token.kind {
                TokenKind::RightDelim | TokenKind::RightParen => break,
                TokenKind::Pipe => {
                    self.next();
                    break;
                }
                kind if self.token.spaced && begins_term(kind) => {}
                _ => return Err(self.unexpected("operand")),
            }
        }
        Ok(Command { at, words: self.arena.words.take(&mut self.scratch.words, start) })
    }

    /// A term with the fields that are asked of it.
    fn operand(&mut self, term: Expression) -> Result<Expression, Error> {
        let fields = self.token;
        if fields.kind != TokenKind::Field || fields.spaced {
            return Ok(term);
        }
        self.next();
        let at = fields.at;
        let fields = Fields(fields.span());
        let kind = match term.kind {
            ExpressionKind::Variable { name, .. } => ExpressionKind::Variable { name, fields },
            ref kind if is_constant(kind) => {
                let text = NodeRef::Expression(&term).printed(self.arena, &self.source.text);
                let text = quoted(&text.to_string());
                return Err(self.error(format!("unexpected . after term {text}")));
            }
            _ => ExpressionKind::Chain { base: self.arena.words.add(term), fields },
        };
        Ok(Expression { at, kind })
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

    /// A variable, whose token was read.
    fn variable(&mut self, token: Token) -> Result<Expression, Error> {
        let text = self.text(token);
        let name = self.arena.texts.find(text);
        let Some(name) = name.filter(|name| self.scratch.variables.knows(*name)) else {
            return Err(self.error(format!("undefined variable {}", quoted(text))));
        };
        Ok(Expression {
            at: token.at,
            kind: ExpressionKind::Variable { name, fields: Fields::NONE },
        })
    }

    /// What the token begins.
    fn term(&mut self) -> Result<Expression, Error> {
        let token = self.token;
        let mut at = token.at;
        let kind = match token.kind {
            TokenKind::Identifier => {
                let Some(function) = self.functions.get(self.text(token)) else {
                    let name = quoted(self.text(token));
                    return Err(self.error(format!("function {name} not defined")));
                };
                ExpressionKind::Function(function)
            }
            TokenKind::Field => {
                // Go takes the place of the second one for that of all.
                if token.first != token.end {
                    at = token.first;
                }
                ExpressionKind::Field(Fields(token.span()))
            }
            TokenKind::Dot => ExpressionKind::Dot,
            TokenKind::Nil => ExpressionKind::Nil,
            TokenKind::Variable => self.variable(token)?.kind,
            TokenKind::Bool => ExpressionKind::Bool(self.text(token) == "true"),
            TokenKind::CharConstant | TokenKind::Complex | TokenKind::Number => {
                ExpressionKind::Number(self.number(token)?)
            }
            TokenKind::LeftParen => {
                if self.parens >= DEEPEST {
                    return Err(self.error("max expression depth exceeded"));
                }
                self.parens += 1;
                self.next();
                let pipeline =
                    deeper(|| self.pipeline("parenthesized pipeline", TokenKind::RightParen))?;
                self.parens -= 1;
                // Go takes the place of the pipeline within the parentheses.
                at = pipeline.at;
                ExpressionKind::Pipeline(self.arena.pipelines.add(pipeline))
            }
            _ => self.literal(token)?,
        };
        self.next();
        Ok(Expression { at, kind })
    }

    /// A string in quotes of either kind.
    fn literal(&mut self, token: Token) -> Result<ExpressionKind, Error> {
        let Span { at, length } = token.span();
        let text = self.text(token);
        if stands_for_itself(token, text) {
            return Ok(ExpressionKind::Raw(Span { at: at + 1, length: length - 2 }));
        }
        let text = if token.kind == TokenKind::RawString || token.escapes {
            self.unquote(text)?
        } else {
            text[1..text.len() - 1].into()
        };
        Ok(ExpressionKind::String { length, text: self.arena.texts.add(&text) })
    }
}

/// Whether a term can begin with such a token.
fn begins_term(kind: TokenKind) -> bool {
    matches!(
        kind,
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
            | TokenKind::LeftParen
    )
}

/// Whether a literal is better taken from the source each time: charts print long texts as raw ones, which
/// are used once, and of a short text a copy costs less than to know it again.
fn stands_for_itself(token: Token, literal: &str) -> bool {
    const SHORT: usize = 15 + 2;
    match token.kind {
        TokenKind::RawString => memchr(b'\r', literal.as_bytes()).is_none(),
        _ => literal.len() <= SHORT && !token.escapes,
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
