//! What stands in an action: pipelines, commands and words.

use smallvec::SmallVec;

use super::{DEEPEST, Parser, number, taken};
use crate::{
    Error, Text,
    ast::{Command, Expression, ExpressionKind, NodeRef, Pipeline, Variable},
    quote::quoted,
    stack::deeper,
    token::{Token, TokenKind},
};

impl<'s> Parser<'s> {
    pub(super) fn pipeline(&mut self, context: &str, end: TokenKind) -> Result<Pipeline, Error> {
        let at = self.peek_non_space().1;
        let (variables, assigns) = self.declarations(context)?;
        let start = self.commands.len();
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
                    self.commands.push(command);
                }
                _ => return Err(self.unexpected(&token, context)),
            }
        }
        let commands = taken(&mut self.commands, start);
        self.check(&commands, context)?;
        Ok(Pipeline { at, assigns, variables, commands })
    }

    fn check(&self, commands: &[Command], context: &str) -> Result<(), Error> {
        if commands.is_empty() {
            return Err(self.error(format!("missing value for {context}")));
        }
        for (number, command) in commands.iter().enumerate().skip(1) {
            if is_constant(&command.words[0].kind) {
                return Err(
                    self.error(format!("non executable command in pipeline stage {}", number + 1))
                );
            }
        }
        Ok(())
    }

    /// `$x :=`, `$x =`, and in a range `$i, $x :=`; and whether they are assigned to.
    fn declarations(&mut self, context: &str) -> Result<(Box<[Variable]>, bool), Error> {
        let mut variables = SmallVec::<[Variable; 2]>::new();
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
                    variables.push(self.declare(&variable));
                    let assigns = next.kind == TokenKind::Assign;
                    return Ok((variables.into_boxed_slice(), assigns));
                }
                TokenKind::Char if next.text == "," => {
                    variables.push(self.declare(&variable));
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
        Ok((variables.into_boxed_slice(), false))
    }

    fn declare(&mut self, token: &Token<'s>) -> Variable {
        let next = u32::try_from(self.numbers.len()).unwrap_or(u32::MAX);
        let number = *self.numbers.entry(token.text).or_insert(next);
        self.variables.declare(number);
        Variable { number, name: token.span() }
    }

    fn command(&mut self) -> Result<Command, Error> {
        let at = self.peek_non_space().1;
        let start = self.words.len();
        loop {
            self.peek_non_space();
            if let Some(word) = self.operand()? {
                self.words.push(word);
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
        if self.words.len() == start {
            return Err(self.error("empty command"));
        }
        Ok(Command { at, words: taken(&mut self.words, start) })
    }

    /// A term with the fields that are asked of it.
    fn operand(&mut self) -> Result<Option<Expression>, Error> {
        let Some(mut term) = self.term()? else { return Ok(None) };
        if self.peek() != TokenKind::Field {
            return Ok(Some(term));
        }
        let at = self.peek_non_space().1;
        let start = self.fields.len();
        if let ExpressionKind::Field(own) | ExpressionKind::Variable { fields: own, .. } =
            &mut term.kind
        {
            self.fields.extend(std::mem::take(own));
        }
        while self.peek() == TokenKind::Field {
            let field = Text::from(&self.next().text[1..]);
            self.fields.push(field);
        }
        let fields = taken(&mut self.fields, start);
        let kind = match term.kind {
            ExpressionKind::Field(_) => ExpressionKind::Field(fields),
            ExpressionKind::Variable { variable, .. } => {
                ExpressionKind::Variable { variable, fields }
            }
            ref kind if is_constant(kind) => {
                let text = NodeRef::Expression(&term).printed(&self.source.text).to_string();
                let text = quoted(&text);
                return Err(self.error(format!("unexpected . after term {text}")));
            }
            _ => ExpressionKind::Chain { base: Box::new(term), fields },
        };
        Ok(Some(Expression { at, kind }))
    }

    fn term(&mut self) -> Result<Option<Expression>, Error> {
        let token = self.next_non_space();
        let kind = match token.kind {
            TokenKind::Identifier => {
                let Some(function) = self.functions.get(token.text) else {
                    let name = quoted(token.text);
                    return Err(self.error(format!("function {name} not defined")));
                };
                ExpressionKind::Function(function)
            }
            TokenKind::Dot => ExpressionKind::Dot,
            TokenKind::Nil => ExpressionKind::Nil,
            TokenKind::Variable => {
                let number = self.numbers.get(token.text).copied();
                match number.filter(|number| self.variables.knows(*number)) {
                    Some(number) => ExpressionKind::Variable {
                        variable: Variable { number, name: token.span() },
                        fields: Box::default(),
                    },
                    None => {
                        let name = quoted(token.text);
                        return Err(self.error(format!("undefined variable {name}")));
                    }
                }
            }
            TokenKind::Field => ExpressionKind::Field(Box::new([Text::from(&token.text[1..])])),
            TokenKind::Bool => ExpressionKind::Bool(token.text == "true"),
            TokenKind::CharConstant | TokenKind::Complex | TokenKind::Number => {
                let number = number::parse(&token);
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
                let text = Text::from(&*self.unquote(token.text)?);
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
