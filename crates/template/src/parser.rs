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
        waiting: [Token { kind: TokenKind::End, at: 0, end: 0 }; 3],
        ahead: 0,
        last: 0,
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
    lexer: Lexer<'s>,
    /// Tokens that were handed back, the next one last: at most a variable, a space and what follows.
    waiting: [Token; 3],
    /// How many those are.
    ahead: usize,
    /// The start of the token that was read last, whose line errors name.
    last: u32,
    /// Where the current action started; none outside of actions.
    action: Option<u32>,
    scratch: &'a mut Scratch,
    arena: &'a mut Arena,
    loops: u32,
    parens: u32,
    blocks: u32,
}

/// How a list of statements ended.
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
        Error::parse(self.source.name.clone(), self.line(self.last), message)
    }

    /// The line of a byte, from 1.
    fn line(&self, at: u32) -> u32 {
        self.source.position(at).0
    }

    #[inline]
    fn next(&mut self) -> Token {
        if let Some(ahead) = self.ahead.checked_sub(1) {
            self.ahead = ahead;
            return self.waiting[ahead];
        }
        self.read()
    }

    /// The next token of the lexer.
    #[inline(never)]
    fn read(&mut self) -> Token {
        let token = self.lexer.next();
        self.last = token.at;
        token
    }

    /// The next token of the lexer that is no space.
    #[inline(never)]
    fn read_non_space(&mut self) -> Token {
        let token = self.lexer.next_non_space();
        self.last = token.at;
        token
    }

    fn back(&mut self, token: Token) {
        self.waiting[self.ahead] = token;
        self.ahead += 1;
    }

    fn next_non_space(&mut self) -> Token {
        while let Some(ahead) = self.ahead.checked_sub(1) {
            self.ahead = ahead;
            if self.waiting[ahead].kind != TokenKind::Space {
                return self.waiting[ahead];
            }
        }
        self.read_non_space()
    }

    /// The next token, which is left where it is.
    fn look(&mut self) -> Token {
        if let Some(last) = self.ahead.checked_sub(1) {
            return self.waiting[last];
        }
        let token = self.read();
        self.back(token);
        token
    }

    fn peek(&mut self) -> TokenKind {
        self.look().kind
    }

    fn peek_non_space(&mut self) -> (TokenKind, u32) {
        while let Some(ahead) = self.ahead.checked_sub(1) {
            let token = self.waiting[ahead];
            if token.kind != TokenKind::Space {
                return (token.kind, token.at);
            }
            self.ahead = ahead;
        }
        let token = self.read_non_space();
        self.back(token);
        (token.kind, token.at)
    }

    /// The text of a token.
    fn text(&self, token: Token) -> &'s str {
        token.span().of(&self.source.text)
    }

    fn expect(&mut self, kind: TokenKind, context: &str) -> Result<Token, Error> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { Err(self.unexpected(token, context)) }
    }

    fn unexpected(&self, token: Token, context: &str) -> Error {
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
        while self.peek() != TokenKind::End {
            if self.peek() == TokenKind::LeftDelim {
                let delimiter = self.next();
                let word = self.next_non_space();
                if word.kind == TokenKind::Define {
                    self.definition()?;
                    continue;
                }
                self.back(word);
                self.back(delimiter);
            }
            match self.text_or_action()? {
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
        Ok(self.taken(start))
    }

    /// The end of the list of statements that is being read, from there on.
    fn taken(&mut self, from: usize) -> List<Statement> {
        self.arena.statements.take(&mut self.scratch.statements, from)
    }

    fn definition(&mut self) -> Result<(), Error> {
        const CONTEXT: &str = "define clause";
        let token = self.next_non_space();
        let name = self.name(token, CONTEXT)?;
        self.expect(TokenKind::RightDelim, CONTEXT)?;
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
            self.last = clause.unwrap_or(self.last);
            return Err(self.error(format!("unexpected {{{{else}}}} in {context}")));
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
        while self.peek_non_space().0 != TokenKind::End {
            match self.text_or_action()? {
                Item::Statement(statement) => self.scratch.statements.push(statement),
                Item::Ending(ending) => {
                    self.blocks -= 1;
                    return Ok((self.taken(start), ending));
                }
            }
        }
        Err(self.error("unexpected EOF"))
    }

    fn text_or_action(&mut self) -> Result<Item, Error> {
        let token = self.next_non_space();
        match token.kind {
            TokenKind::Text => Ok(Item::Statement(Statement::Text(token.span()))),
            TokenKind::LeftDelim => {
                self.action = Some(token.at);
                let item = self.action()?;
                self.action = None;
                Ok(item)
            }
            _ => Err(self.unexpected(token, "input")),
        }
    }

    fn action(&mut self) -> Result<Item, Error> {
        let token = self.next_non_space();
        let statement = match token.kind {
            TokenKind::Block => self.block()?,
            TokenKind::Break => {
                self.jump("break")?;
                Statement::Break { at: token.at }
            }
            TokenKind::Continue => {
                self.jump("continue")?;
                Statement::Continue { at: token.at }
            }
            TokenKind::Else => {
                // `else if` leaves its `if` to the block.
                if !matches!(self.peek_non_space().0, TokenKind::If | TokenKind::With) {
                    self.expect(TokenKind::RightDelim, "else")?;
                }
                return Ok(Item::Ending(Ending::Else));
            }
            TokenKind::Close => {
                self.expect(TokenKind::RightDelim, "end")?;
                return Ok(Item::Ending(Ending::End));
            }
            TokenKind::If => Statement::If(deeper(|| self.control("if", TokenKind::If))?),
            TokenKind::Range => {
                Statement::Range(deeper(|| self.control("range", TokenKind::Error))?)
            }
            TokenKind::With => Statement::With(deeper(|| self.control("with", TokenKind::With))?),
            TokenKind::Template => self.template()?,
            _ => {
                self.back(token);
                Statement::Action(self.numbered("command", TokenKind::RightDelim)?)
            }
        };
        Ok(Item::Statement(statement))
    }

    fn jump(&mut self, word: &str) -> Result<(), Error> {
        let context = format!("{{{{{word}}}}}");
        let token = self.next_non_space();
        if token.kind != TokenKind::RightDelim {
            return Err(self.unexpected(token, &context));
        }
        if self.loops == 0 {
            return Err(self.error(format!("{context} outside {{{{range}}}}")));
        }
        Ok(())
    }

    /// A block up to its end. `again` is the keyword that may follow its `else`.
    fn control(&mut self, context: &str, again: TokenKind) -> Result<Id<Branch>, Error> {
        let known = self.scratch.variables.count();
        let pipeline = self.pipeline(context, TokenKind::RightDelim)?;
        let is_loop = context == "range";
        self.loops += u32::from(is_loop);
        let (body, ending) = self.list()?;
        self.loops -= u32::from(is_loop);
        let otherwise = match ending {
            Ending::End => None,
            Ending::Else if !is_loop && self.peek() == again => {
                self.next();
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
            Ending::Else => {
                let (otherwise, ending) = self.list()?;
                if let Ending::Else = ending {
                    return Err(self.error("expected end; found {{else}}"));
                }
                Some(otherwise)
            }
        };
        self.scratch.variables.truncate(known);
        let at = pipeline.at;
        let pipeline = self.arena.pipelines.add(pipeline);
        Ok(self.arena.branches.add(Branch { at, pipeline, body, otherwise }))
    }

    fn block(&mut self) -> Result<Statement, Error> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.name(token, CONTEXT)?;
        let pipeline = self.numbered(CONTEXT, TokenKind::RightDelim)?;
        let clause = self.last;
        let body = self.own_body(CONTEXT, Some(clause))?;
        self.add(self.arena.texts[name].clone(), body)?;
        Ok(self.invocation(token.at, name, Some(pipeline)))
    }

    fn template(&mut self) -> Result<Statement, Error> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.name(token, CONTEXT)?;
        let after = self.next_non_space();
        let pipeline = if after.kind == TokenKind::RightDelim {
            None
        } else {
            self.back(after);
            Some(self.numbered(CONTEXT, TokenKind::RightDelim)?)
        };
        Ok(self.invocation(token.at, name, pipeline))
    }

    fn invocation(&mut self, at: u32, name: Id<Text>, pipeline: Option<Id<Pipeline>>) -> Statement {
        Statement::Template(self.arena.invocations.add(Invocation { at, name, pipeline }))
    }

    fn name(&mut self, token: Token, context: &str) -> Result<Id<Text>, Error> {
        match token.kind {
            TokenKind::String | TokenKind::RawString => {
                let name = self.unquote(self.text(token))?;
                Ok(self.arena.texts.add(&name))
            }
            _ => Err(self.unexpected(token, context)),
        }
    }

    fn unquote<'t>(&self, literal: &'t str) -> Result<Cow<'t, str>, Error> {
        unquote(literal).ok_or_else(|| self.error("invalid syntax"))
    }
}
