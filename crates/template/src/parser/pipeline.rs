//! What stands in an action: pipelines, commands and words.

use memchr::memchr;

use super::{DEEPEST, Parser, number};
use crate::{
    Error, Text,
    ast::{Command, Expression, ExpressionKind, Fields, Id, List, NodeRef, Number, Pipeline, Span},
    quote::quoted,
    stack::deeper,
    token::{Token, TokenKind},
};

/// How a pipeline begins.
#[derive(Default)]
struct Beginning {
    variables: List<Id<Text>>,
    assigns: bool,
    /// A variable that is the first term, and was read to see whether it is declared.
    term: Option<Token>,
}

impl Parser<'_, '_> {
    /// A pipeline up to that token.
    pub(super) fn pipeline(
        &mut self,
        context: &str,
        end: TokenKind,
    ) -> Result<Id<Pipeline>, Error> {
        let at = self.lexer.token.at;
        let Beginning { variables, assigns, term: mut first } = match self.lexer.token.kind {
            TokenKind::Variable => self.declarations(context)?,
            _ => Beginning::default(),
        };
        let start = self.scratch.commands.len();
        while first.is_some() || self.lexer.token.kind != end {
            if first.is_none() && !begins_term(self.lexer.token.kind) {
                return Err(self.unexpected(context));
            }
            self.command(first.take())?;
        }
        let commands = self.arena.commands.take(&mut self.scratch.commands, start);
        self.check(&self.arena.commands[commands], context)?;
        Ok(self.arena.pipelines.add(Pipeline { at, assigns, variables, commands }))
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

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`.
    #[inline(never)]
    fn declarations(&mut self, context: &str) -> Result<Beginning, Error> {
        let start = self.arena.declared.count();
        let mut assigns = false;
        let mut term = None;
        while self.lexer.token.kind == TokenKind::Variable {
            let variable = self.lexer.token;
            self.next();
            match self.lexer.token.kind {
                TokenKind::Assign | TokenKind::Declare => {
                    self.declare(variable);
                    assigns = self.lexer.token.kind == TokenKind::Assign;
                    self.next();
                    break;
                }
                TokenKind::Char if self.written(self.lexer.token) == "," => {
                    self.declare(variable);
                    let known = self.arena.declared.count() - start;
                    if context != "range" || known >= 2 {
                        return Err(self.error(format!("too many declarations in {context}")));
                    }
                    self.next();
                    match self.lexer.token.kind {
                        TokenKind::Variable | TokenKind::RightDelim | TokenKind::RightParen => {}
                        _ => return Err(self.error("range can only initialize variables")),
                    }
                }
                _ => {
                    term = Some(variable);
                    break;
                }
            }
        }
        Ok(Beginning { variables: self.arena.declared.since(start), assigns, term })
    }

    fn declare(&mut self, token: Token) {
        let name = self.arena.texts.add(self.written(token));
        self.scratch.variables.declare(name);
        self.arena.declared.add(name);
    }

    /// A command up to what ends the pipeline, or behind its `|`. Its first term may have been read.
    fn command(&mut self, first: Option<Token>) -> Result<(), Error> {
        let at = first.unwrap_or(self.lexer.token).at;
        let start = self.scratch.words.len();
        match first {
            Some(variable) => self.variable(variable)?,
            None => self.term()?,
        }
        loop {
            if self.lexer.token.kind == TokenKind::Field && !self.lexer.token.spaced {
                self.fields()?;
            }
            match self.lexer.token.kind {
                TokenKind::RightDelim | TokenKind::RightParen => break,
                TokenKind::Pipe => {
                    self.next();
                    break;
                }
                kind if self.lexer.token.spaced && begins_term(kind) => self.term()?,
                _ => return Err(self.unexpected("operand")),
            }
        }
        let words = self.arena.words.take(&mut self.scratch.words, start);
        self.scratch.commands.push(Command { at, words });
        Ok(())
    }

    /// The fields that are asked of the term before them.
    fn fields(&mut self) -> Result<(), Error> {
        let Some(term) = self.scratch.words.pop() else { return Ok(()) };
        let fields = self.lexer.token;
        if is_constant(&term.kind) {
            let text = NodeRef::Expression(&term).printed(self.arena, &self.source.text);
            let text = quoted(&text.to_string());
            // Go has read what follows, even if it is space; a space of a marker it takes for the marker.
            let rest = &self.source.text[fields.end as usize..];
            let at = fields.end + u32::from(rest.starts_with("\n-}}"));
            return Err(self.error_at(at, format!("unexpected . after term {text}")));
        }
        self.next();
        let (at, fields) = (fields.at, Fields(fields.span()));
        let kind = match term.kind {
            ExpressionKind::Variable { name, .. } => ExpressionKind::Variable { name, fields },
            _ => ExpressionKind::Chain { base: self.arena.words.add(term), fields },
        };
        self.word(at, kind);
        Ok(())
    }

    fn word(&mut self, at: u32, kind: ExpressionKind) {
        self.scratch.words.push(Expression { at, kind });
    }

    fn number(&mut self, token: Token) -> Result<Id<Number>, Error> {
        let literal = self.written(token);
        // The same few numbers stand in all templates.
        if let Some(known) = self.arena.number_of.get(literal) {
            return Ok(*known);
        }
        let text = self.arena.texts.add(literal);
        let number = number::parse(token.kind, literal, text);
        let number = self.arena.numbers.add(number.map_err(|message| self.error(message))?);
        self.arena.number_of.insert(self.arena.texts[text].clone(), number);
        Ok(number)
    }

    /// A variable, whose token was read.
    fn variable(&mut self, token: Token) -> Result<(), Error> {
        let text = self.written(token);
        let name = self.arena.texts.find(text);
        let Some(name) = name.filter(|name| self.scratch.variables.knows(*name)) else {
            return Err(self.error(format!("undefined variable {}", quoted(text))));
        };
        self.word(token.at, ExpressionKind::Variable { name, fields: Fields::NONE });
        Ok(())
    }

    /// What the token begins.
    fn term(&mut self) -> Result<(), Error> {
        let token = self.lexer.token;
        let mut at = token.at;
        let kind = match token.kind {
            TokenKind::Identifier => {
                let Some(function) = self.functions.get(self.written(token)) else {
                    let name = quoted(self.written(token));
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
            TokenKind::Variable => {
                self.variable(token)?;
                self.next();
                return Ok(());
            }
            TokenKind::Bool => ExpressionKind::Bool(self.written(token) == "true"),
            TokenKind::CharConstant | TokenKind::Complex | TokenKind::Number => {
                ExpressionKind::Number(self.number(token)?)
            }
            TokenKind::LeftParen => {
                if self.parens >= DEEPEST {
                    return Err(self.error("max expression depth exceeded"));
                }
                self.parens += 1;
                self.next();
                // Go takes the place of the pipeline within the parentheses.
                at = self.lexer.token.at;
                let pipeline =
                    deeper(|| self.pipeline("parenthesized pipeline", TokenKind::RightParen))?;
                self.parens -= 1;
                ExpressionKind::Pipeline(pipeline)
            }
            _ => self.literal(token)?,
        };
        self.word(at, kind);
        self.next();
        Ok(())
    }

    /// A string in quotes of either kind.
    fn literal(&mut self, token: Token) -> Result<ExpressionKind, Error> {
        let Span { at, length } = token.span();
        let text = self.written(token);
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
