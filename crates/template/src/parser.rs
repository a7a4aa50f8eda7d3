//! Tokens to trees. Follows `text/template/parse/parse.go`: the same language, positions and
//! messages. Differs in a bound for nested blocks, and a lower one for nested parentheses.

mod number;
mod pipeline;
mod variables;

use std::{borrow::Cow, sync::Arc, vec::Drain};

use crate::{
    Error, Text,
    ast::{
        Arena, Branch, Command, Expression, Id, Invocation, List, Pipeline, Source, Statement,
        Table, Tree,
    },
    function::Functions,
    lexer::{Keywords, Lexer},
    quote::{quoted, unquote},
    stack::deeper,
    token::{Token, TokenKind},
};

use variables::Variables;

/// Parentheses, or blocks, within each other.
const DEEPEST: u32 = 1000;

/// What is known of a text while it is read; kept, for it serves the next one as well.
#[derive(Clone, Debug, Default)]
pub(crate) struct Scratch {
    variables: Variables,
    // The lists that are being read, the outer ones first: a list moves to the arena when it is whole.
    statements: Vec<Statement>,
    commands: Vec<Command>,
    words: Vec<Expression>,
    /// The file and what it defines, as far as it was read.
    trees: Vec<Tree>,
    /// Where in the trees a name stands.
    places: Table<Text, usize>,
}

impl Scratch {
    fn clear(&mut self) {
        let Self { variables, statements, commands, words, trees, places } = self;
        variables.clear();
        statements.clear();
        commands.clear();
        words.clear();
        trees.clear();
        places.clear();
    }
}

/// The file and the `define`s of a source, whose nodes are put into the arena.
pub(crate) fn parse<'a>(
    source: &Arc<Source>,
    functions: &Functions,
    scratch: &'a mut Scratch,
    arena: &mut Arena,
) -> Result<Drain<'a, Tree>, Error> {
    let words = Keywords {
        break_ok: functions.get("break").is_none(),
        continue_ok: functions.get("continue").is_none(),
    };
    scratch.clear();
    let mut parser = Parser {
        source,
        functions,
        lexer: Lexer::new(&source.text, words),
        action: None,
        scratch,
        arena,
        loops: 0,
        parens: 0,
        blocks: 0,
    };
    let body = parser.file()?;
    parser.add(source.name.clone(), body)?;
    Ok(scratch.trees.drain(..))
}

struct Parser<'s, 'a> {
    source: &'s Arc<Source>,
    functions: &'s Functions,
    /// Its token, the last that was read, is the one whose line errors name. What reads a part of an
    /// action finds its first token there, and leaves the one behind it.
    lexer: Lexer<'s>,
    /// Where the current action started; none outside of actions.
    action: Option<u32>,
    scratch: &'a mut Scratch,
    arena: &'a mut Arena,
    loops: u32,
    parens: u32,
    blocks: u32,
}

/// How a list of statements ended: the token is the delimiter, or the `if` or `with` of an `else`.
enum Ending {
    End,
    Else,
}

enum Item {
    Statement(Statement),
    Ending(Ending),
}

impl<'s> Parser<'s, '_> {
    fn error(&self, message: impl Into<String>) -> Error {
        self.error_at(self.lexer.token.at, message)
    }

    fn error_at(&self, at: u32, message: impl Into<String>) -> Error {
        Error::parse(self.source.name.clone(), self.line(at), message)
    }

    /// The line of a byte, from 1.
    fn line(&self, at: u32) -> u32 {
        self.source.position(at).0
    }

    /// Reads the next token of an action.
    fn next(&mut self) {
        self.lexer.word();
    }

    /// How the token is written.
    fn written(&self, token: Token) -> &'s str {
        token.span().of(&self.source.text)
    }

    /// That the token is the right delimiter of a clause.
    fn close(&self, context: &str) -> Result<(), Error> {
        if self.lexer.token.kind == TokenKind::RightDelim {
            Ok(())
        } else {
            Err(self.unexpected(context))
        }
    }

    /// The token does not belong here.
    #[cold]
    fn unexpected(&self, context: &str) -> Error {
        let token = self.lexer.token;
        if token.kind != TokenKind::Error {
            return self
                .error(format!("unexpected {} in {context}", token.shown(&self.source.text)));
        }
        let mut message = self.lexer.message().to_owned();
        let started = self.action.map(|action| self.line(action));
        if let Some(started) = started.filter(|started| *started != self.line(token.at)) {
            if !message.ends_with(" action") {
                message.push_str(" in action");
            }
            message.extend([" started at ", &self.source.name, ":", &started.to_string()]);
        }
        self.error(message)
    }

    /// The whole file, with definitions only here.
    fn file(&mut self) -> Result<List<Statement>, Error> {
        let start = self.scratch.statements.len();
        loop {
            let item = match self.lexer.text() {
                TokenKind::End => return Ok(self.taken(start)),
                TokenKind::LeftDelim => {
                    let action = self.lexer.token.at;
                    self.next();
                    if self.lexer.token.kind == TokenKind::Define {
                        self.definition()?;
                        continue;
                    }
                    self.action(action)?
                }
                _ => Item::Statement(self.plain()?),
            };
            match item {
                Item::Statement(statement) => self.scratch.statements.push(statement),
                Item::Ending(ending) => {
                    let word = match ending {
                        Ending::End => "end",
                        Ending::Else => "else",
                    };
                    return Err(self.error(format!("unexpected {{{{{word}}}}}")));
                }
            }
        }
    }

    /// The end of the list of statements that is being read, from there on.
    fn taken(&mut self, from: usize) -> List<Statement> {
        self.arena.statements.take(&mut self.scratch.statements, from)
    }

    fn definition(&mut self) -> Result<(), Error> {
        const CONTEXT: &str = "define clause";
        self.next();
        let name = self.name(CONTEXT)?;
        self.close(CONTEXT)?;
        let body = self.own_body(CONTEXT, None)?;
        self.add(self.arena.texts[name].clone(), body)
    }

    /// A body with variables of its own, up to its end. Quirk: for a `block`, Go tells the line where
    /// its clause ends instead of that of a wrong `else`.
    fn own_body(&mut self, context: &str, clause: Option<u32>) -> Result<List<Statement>, Error> {
        let outer = self.scratch.variables.begin();
        let loops = std::mem::take(&mut self.loops);
        let action = self.action.take();
        let (body, ending) = self.list()?;
        if let Ending::Else = ending {
            let at = clause.unwrap_or(self.lexer.token.at);
            return Err(self.error_at(at, format!("unexpected {{{{else}}}} in {context}")));
        }
        self.scratch.variables.end(outer);
        (self.loops, self.action) = (loops, action);
        Ok(body)
    }

    /// A second definition replaces one that is blank, and is dropped if it is blank itself.
    fn add(&mut self, name: Text, body: List<Statement>) -> Result<(), Error> {
        let tree = Tree { name, source: Arc::clone(self.source), body };
        let Scratch { trees, places, .. } = &mut *self.scratch;
        let Some(&place) = places.get(&tree.name) else {
            places.insert(tree.name.clone(), trees.len());
            trees.push(tree);
            return Ok(());
        };
        let old = &mut trees[place];
        if old.is_blank(self.arena) {
            *old = tree;
        } else if !tree.is_blank(self.arena) {
            let name = quoted(&tree.name);
            return Err(self.error(format!("template: multiple definition of template {name}")));
        }
        Ok(())
    }

    fn list(&mut self) -> Result<(List<Statement>, Ending), Error> {
        self.blocks += 1;
        if self.blocks > DEEPEST {
            return Err(self.error(format!("over {DEEPEST} blocks within each other")));
        }
        let start = self.scratch.statements.len();
        loop {
            let item = match self.lexer.text() {
                TokenKind::LeftDelim => {
                    let action = self.lexer.token.at;
                    self.next();
                    self.action(action)?
                }
                TokenKind::End => return Err(self.error("unexpected EOF")),
                _ => Item::Statement(self.plain()?),
            };
            match item {
                Item::Statement(statement) => self.scratch.statements.push(statement),
                Item::Ending(ending) => {
                    self.blocks -= 1;
                    return Ok((self.taken(start), ending));
                }
            }
        }
    }

    /// What stands between actions.
    fn plain(&self) -> Result<Statement, Error> {
        match self.lexer.token.kind {
            TokenKind::Text => Ok(Statement::Text(self.lexer.token.span())),
            _ => Err(self.unexpected("input")),
        }
    }

    /// What an action is, which started there.
    fn action(&mut self, started: u32) -> Result<Item, Error> {
        self.action = Some(started);
        let at = self.lexer.token.at;
        let statement = match self.lexer.token.kind {
            TokenKind::Block => self.block()?,
            TokenKind::Break => {
                self.jump("break")?;
                Statement::Break { at }
            }
            TokenKind::Continue => {
                self.jump("continue")?;
                Statement::Continue { at }
            }
            TokenKind::Else => {
                self.next();
                // `else if` leaves its `if` to the block.
                if !matches!(self.lexer.token.kind, TokenKind::If | TokenKind::With) {
                    self.close("else")?;
                }
                self.action = None;
                return Ok(Item::Ending(Ending::Else));
            }
            TokenKind::Close => {
                self.next();
                self.close("end")?;
                self.action = None;
                return Ok(Item::Ending(Ending::End));
            }
            TokenKind::If => Statement::If(deeper(|| self.control("if", TokenKind::If))?),
            TokenKind::Range => {
                Statement::Range(deeper(|| self.control("range", TokenKind::Error))?)
            }
            TokenKind::With => Statement::With(deeper(|| self.control("with", TokenKind::With))?),
            TokenKind::Template => self.template()?,
            _ => Statement::Action(self.pipeline("command", TokenKind::RightDelim)?),
        };
        self.action = None;
        Ok(Item::Statement(statement))
    }

    fn jump(&mut self, word: &str) -> Result<(), Error> {
        let context = format!("{{{{{word}}}}}");
        self.next();
        self.close(&context)?;
        if self.loops == 0 {
            return Err(self.error(format!("{context} outside {{{{range}}}}")));
        }
        Ok(())
    }

    /// A block up to its end. `again` is the keyword that may follow its `else`.
    fn control(&mut self, context: &str, again: TokenKind) -> Result<Id<Branch>, Error> {
        let known = self.scratch.variables.count();
        self.next();
        let at = self.lexer.token.at;
        let pipeline = self.pipeline(context, TokenKind::RightDelim)?;
        let is_loop = context == "range";
        self.loops += u32::from(is_loop);
        let (body, ending) = self.list()?;
        self.loops -= u32::from(is_loop);
        let otherwise = match ending {
            Ending::End => None,
            Ending::Else if self.lexer.token.kind == again => {
                self.blocks += 1;
                if self.blocks > DEEPEST {
                    return Err(self.error(format!("over {DEEPEST} blocks within each other")));
                }
                let branch = deeper(|| self.control(context, again))?;
                self.blocks -= 1;
                let statement = if again == TokenKind::If {
                    Statement::If(branch)
                } else {
                    Statement::With(branch)
                };
                self.scratch.statements.push(statement);
                Some(self.taken(self.scratch.statements.len() - 1))
            }
            Ending::Else if self.lexer.token.kind != TokenKind::RightDelim => {
                return Err(self.unexpected("input"));
            }
            Ending::Else => {
                let (otherwise, ending) = self.list()?;
                if let Ending::Else = ending {
                    return Err(self.error("expected end; found {{else}}"));
                }
                Some(otherwise)
            }
        };
        self.scratch.variables.truncate(known);
        Ok(self.arena.branches.add(Branch { at, pipeline, body, otherwise }))
    }

    fn block(&mut self) -> Result<Statement, Error> {
        const CONTEXT: &str = "block clause";
        self.next();
        let at = self.lexer.token.at;
        let name = self.name(CONTEXT)?;
        let pipeline = self.pipeline(CONTEXT, TokenKind::RightDelim)?;
        let clause = self.lexer.token.at;
        let body = self.own_body(CONTEXT, Some(clause))?;
        self.add(self.arena.texts[name].clone(), body)?;
        Ok(self.invocation(at, name, Some(pipeline)))
    }

    fn template(&mut self) -> Result<Statement, Error> {
        const CONTEXT: &str = "template clause";
        self.next();
        let at = self.lexer.token.at;
        let name = self.name(CONTEXT)?;
        let pipeline = match self.lexer.token.kind {
            TokenKind::RightDelim => None,
            _ => Some(self.pipeline(CONTEXT, TokenKind::RightDelim)?),
        };
        Ok(self.invocation(at, name, pipeline))
    }

    fn invocation(&mut self, at: u32, name: Id<Text>, pipeline: Option<Id<Pipeline>>) -> Statement {
        Statement::Template(self.arena.invocations.add(Invocation { at, name, pipeline }))
    }

    /// The name of a template, which is the token.
    fn name(&mut self, context: &str) -> Result<Id<Text>, Error> {
        match self.lexer.token.kind {
            TokenKind::String | TokenKind::RawString => {
                let name = self.unquote(self.written(self.lexer.token))?;
                let name = self.arena.texts.add(&name);
                self.next();
                Ok(name)
            }
            _ => Err(self.unexpected(context)),
        }
    }

    fn unquote<'t>(&self, literal: &'t str) -> Result<Cow<'t, str>, Error> {
        unquote(literal).ok_or_else(|| self.error("invalid syntax"))
    }
}
