//! What stands in an action: pipelines, commands and words.

use std::borrow::Cow;

use super::{DEEPEST, Parser, number};
use crate::{
    Error, Text,
    ast::{Command, Expression, ExpressionKind, Pipeline, Variable},
    quote::quoted,
    stack::deeper,
    token::TokenKind,
};

impl Parser<'_> {
    pub(super) fn pipeline(&mut self, context: &str, end: TokenKind) -> Result<Pipeline, Error> {
        let at = self.peek_non_space().1;
        let mut pipeline =
            Pipeline { at, assigns: false, variables: Vec::new(), commands: Vec::new() };
        self.declarations(&mut pipeline, context)?;
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
                    pipeline.commands.push(command);
                }
                _ => return Err(self.unexpected(&token, context)),
            }
        }
        self.check(&pipeline, context)?;
        Ok(pipeline)
    }

    fn check(&self, pipeline: &Pipeline, context: &str) -> Result<(), Error> {
        if pipeline.commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        for (number, command) in pipeline.commands.iter().enumerate().skip(1) {
            if is_constant(&command.words[0].kind) {
                return Err(
                    self.error(format!("non executable command in pipeline stage {}", number + 1))
                );
            }
        }
        Ok(())
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`.
    fn declarations(&mut self, pipeline: &mut Pipeline, context: &str) -> Result<(), Error> {
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
                    pipeline.assigns = next.kind == TokenKind::Assign;
                    let variable = self.declare(&variable.text);
                    pipeline.variables.push(variable);
                    return Ok(());
                }
                TokenKind::Char if next.text == "," => {
                    let variable = self.declare(&variable.text);
                    pipeline.variables.push(variable);
                    if context != "range" || pipeline.variables.len() >= 2 {
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
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn declare(&mut self, name: &str) -> Variable {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(Cow::Owned(name.to_owned())).or_insert(next);
        self.variables.push(number);
        Variable { number, name: name.into() }
    }

    fn command(&mut self) -> Result<Command, Error> {
        let at = self.peek_non_space().1;
        let mut words = Vec::new();
        loop {
            self.peek_non_space();
            if let Some(word) = self.operand()? {
                words.push(word);
            }
            let token = self.next();
            match token.kind {
                TokenKind::Space => continue,
                TokenKind::RightDelim | TokenKind::RightParen => self.back(token),
                TokenKind::Pipe => {}
                _ => return Err(self.unexpected(&token, "operand")),
            }
            break;
        }
        if words.is_empty() {
            return Err(self.error("empty command"));
        }
        Ok(Command { at, words })
    }

    /// A term with the fields that are asked of it.
    fn operand(&mut self) -> Result<Option<Expression>, Error> {
        let Some(mut term) = self.term()? else { return Ok(None) };
        if self.peek() != TokenKind::Field {
            return Ok(Some(term));
        }
        let at = self.peek_non_space().1;
        let mut chain = Vec::new();
        while self.peek() == TokenKind::Field {
            chain.push(Text::from(&self.next().text[1..]));
        }
        let joined = |own: &[Text]| own.iter().cloned().chain(chain.iter().cloned()).collect();
        term = match term.kind {
            ExpressionKind::Field(fields) => {
                Expression { at, kind: ExpressionKind::Field(joined(&fields)) }
            }
            ExpressionKind::Variable { variable, fields } => {
                let fields = joined(&fields);
                Expression { at, kind: ExpressionKind::Variable { variable, fields } }
            }
            kind if is_constant(&kind) => {
                let text = quoted(&Expression { at, kind }.to_string());
                return Err(self.error(format!("unexpected . after term {text}")));
            }
            kind => {
                let base = Box::new(Expression { at: term.at, kind });
                Expression { at, kind: ExpressionKind::Chain { base, fields: chain } }
            }
        };
        Ok(Some(term))
    }

    fn term(&mut self) -> Result<Option<Expression>, Error> {
        let token = self.next_non_space();
        let kind = match token.kind {
            TokenKind::Identifier => {
                let Some(function) = self.functions.get(&token.text) else {
                    let name = quoted(&token.text);
                    return Err(self.error(format!("function {name} not defined")));
                };
                ExpressionKind::Function { name: Text::from(&*token.text), function }
            }
            TokenKind::Dot => ExpressionKind::Dot,
            TokenKind::Nil => ExpressionKind::Nil,
            TokenKind::Variable => {
                let number = self.numbers.get(&*token.text).copied();
                match number.filter(|number| self.variables.contains(number)) {
                    Some(number) => ExpressionKind::Variable {
                        variable: Variable { number, name: Text::from(&*token.text) },
                        fields: Box::default(),
                    },
                    None => {
                        let name = quoted(&token.text);
                        return Err(self.error(format!("undefined variable {name}")));
                    }
                }
            }
            TokenKind::Field => ExpressionKind::Field(Box::new([Text::from(&token.text[1..])])),
            TokenKind::Bool => ExpressionKind::Bool(token.text == "true"),
            TokenKind::CharConstant | TokenKind::Complex | TokenKind::Number => {
                let number = number::parse(&token.text, token.kind);
                ExpressionKind::Number(Box::new(number.map_err(|message| self.error(message))?))
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
                return Ok(Some(Expression {
                    at,
                    kind: ExpressionKind::Pipeline(Box::new(pipeline)),
                }));
            }
            TokenKind::String | TokenKind::RawString => {
                let text = self.unquote(&token.text)?.into();
                ExpressionKind::String { literal: Text::from(&*token.text), text }
            }
            _ => {
                self.back(token);
                return Ok(None);
            }
        };
        Ok(Some(Expression { at: token.at, kind }))
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
    )
}
