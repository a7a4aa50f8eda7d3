//! Tokens to trees. Follows `text/template/parse/parse.go`: the same language, positions and
//! messages. Differs in a bound for nested blocks, and a lower one for nested parentheses.

mod number;
mod pipeline;

use std::{
    borrow::Cow,
    collections::{HashMap, hash_map::Entry},
    sync::Arc,
};

use crate::{
    Error, Text,
    ast::{Branch, Command, Expression, Invocation, Pipeline, Source, Statement, Tree},
    function::Functions,
    lexer::{Keywords, Lexer},
    quote::{quoted, unquote},
    stack::deeper,
    token::{Token, TokenKind},
};

/// Parentheses, or blocks, within each other.
const DEEPEST: u32 = 1000;

/// The file and the `define`s of a source, the file itself first.
pub(crate) fn parse(source: &Arc<Source>, functions: &Functions) -> Result<Vec<Tree>, Error> {
    let words = Keywords {
        break_ok: functions.get("break").is_none(),
        continue_ok: functions.get("continue").is_none(),
    };
    let mut parser = Parser {
        source,
        functions,
        lexer: Lexer::new(&source.text, words),
        waiting: Vec::with_capacity(3),
        last: 0,
        action: None,
        numbers: HashMap::from([("$", 0)]),
        variables: Variables::new(),
        statements: Vec::new(),
        commands: Vec::new(),
        words: Vec::new(),
        fields: Vec::new(),
        loops: 0,
        parens: 0,
        blocks: 0,
        trees: Vec::new(),
        places: HashMap::new(),
    };
    let body = parser.file()?;
    parser.add(Arc::clone(&source.name), body)?;
    Ok(parser.trees)
}

struct Parser<'s> {
    source: &'s Arc<Source>,
    functions: &'s Functions,
    lexer: Lexer<'s>,
    /// Tokens that were handed back, the next one last.
    waiting: Vec<Token<'s>>,
    /// The start of the token that was read last, whose line errors name.
    last: u32,
    /// Where the current action started; none outside of actions.
    action: Option<u32>,
    numbers: HashMap<&'s str, u32>,
    variables: Variables,
    // The lists that are being read, the outer ones first: a list is taken off when it is whole, with
    // just the room that it needs.
    statements: Vec<Statement>,
    commands: Vec<Command>,
    words: Vec<Expression>,
    fields: Vec<Text>,
    loops: u32,
    parens: u32,
    blocks: u32,
    trees: Vec<Tree>,
    /// Where in `trees` a name stands.
    places: HashMap<Arc<str>, usize>,
}

/// The variables that are known at a place, by number.
struct Variables {
    /// In the order of their declarations.
    declared: Vec<u32>,
    /// How many declarations of each number those are.
    counts: HashMap<u32, u32>,
}

impl Variables {
    /// `$`, which is always there.
    fn new() -> Self {
        Self { declared: vec![0], counts: HashMap::from([(0, 1)]) }
    }

    fn declare(&mut self, number: u32) {
        self.declared.push(number);
        *self.counts.entry(number).or_default() += 1;
    }

    fn knows(&self, number: u32) -> bool {
        self.counts.contains_key(&number)
    }

    /// Forgets what was declared after the first `known`.
    fn truncate(&mut self, known: usize) {
        for number in self.declared.drain(known..) {
            if let Entry::Occupied(mut count) = self.counts.entry(number) {
                *count.get_mut() -= 1;
                if *count.get() == 0 {
                    count.remove();
                }
            }
        }
    }
}

/// The end of a list that is being read, from there on.
fn taken<T>(list: &mut Vec<T>, from: usize) -> Box<[T]> {
    list.drain(from..).collect()
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

impl<'s> Parser<'s> {
    fn error(&self, message: impl Into<String>) -> Error {
        Error::parse(Arc::clone(&self.source.name), self.line(self.last), message)
    }

    /// The line of a byte, from 1.
    fn line(&self, at: u32) -> u32 {
        self.source.position(at).0
    }

    fn next(&mut self) -> Token<'s> {
        self.waiting.pop().unwrap_or_else(|| {
            let token = self.lexer.next();
            self.last = token.at;
            token
        })
    }

    fn back(&mut self, token: Token<'s>) {
        self.waiting.push(token);
    }

    fn next_non_space(&mut self) -> Token<'s> {
        loop {
            let token = self.next();
            if token.kind != TokenKind::Space {
                return token;
            }
        }
    }

    fn peek(&mut self) -> TokenKind {
        let token = self.next();
        let kind = token.kind;
        self.back(token);
        kind
    }

    fn peek_non_space(&mut self) -> (TokenKind, u32) {
        let token = self.next_non_space();
        let seen = (token.kind, token.at);
        self.back(token);
        seen
    }

    fn expect(&mut self, kind: TokenKind, context: &str) -> Result<Token<'s>, Error> {
        let token = self.next_non_space();
        if token.kind == kind { Ok(token) } else { Err(self.unexpected(&token, context)) }
    }

    fn unexpected(&self, token: &Token<'_>, context: &str) -> Error {
        if token.kind != TokenKind::Error {
            return self.error(format!("unexpected {token} in {context}"));
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
    fn file(&mut self) -> Result<Box<[Statement]>, Error> {
        let start = self.statements.len();
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
                Item::Statement(statement) => self.statements.push(statement),
                Item::Ending(ending) => {
                    let word = match ending {
                        Ending::End => "end",
                        Ending::Else => "else",
                    };
                    return Err(self.error(format!("unexpected {{{{{word}}}}}")));
                }
            }
        }
        Ok(taken(&mut self.statements, start))
    }

    fn definition(&mut self) -> Result<(), Error> {
        const CONTEXT: &str = "define clause";
        let token = self.next_non_space();
        let name = self.name(&token, CONTEXT)?;
        self.expect(TokenKind::RightDelim, CONTEXT)?;
        let body = self.own_body(CONTEXT, None)?;
        self.add(name, body)
    }

    /// A body with variables of its own, up to its end. Quirk: for a `block`, Go tells the line where
    /// its clause ends instead of that of a wrong `else`.
    fn own_body(&mut self, context: &str, clause: Option<u32>) -> Result<Box<[Statement]>, Error> {
        let variables = std::mem::replace(&mut self.variables, Variables::new());
        let loops = std::mem::take(&mut self.loops);
        let action = self.action.take();
        let (body, ending) = self.list()?;
        if let Ending::Else = ending {
            self.last = clause.unwrap_or(self.last);
            return Err(self.error(format!("unexpected {{{{else}}}} in {context}")));
        }
        (self.variables, self.loops, self.action) = (variables, loops, action);
        Ok(body)
    }

    /// A second definition replaces one that is blank, and is dropped if it is blank itself.
    fn add(&mut self, name: Arc<str>, body: Box<[Statement]>) -> Result<(), Error> {
        let tree = Tree { name, source: Arc::clone(self.source), body };
        let Some(&place) = self.places.get(&tree.name) else {
            self.places.insert(Arc::clone(&tree.name), self.trees.len());
            self.trees.push(tree);
            return Ok(());
        };
        let old = &mut self.trees[place];
        if old.is_blank() {
            *old = tree;
        } else if !tree.is_blank() {
            let name = quoted(&tree.name);
            return Err(self.error(format!("template: multiple definition of template {name}")));
        }
        Ok(())
    }

    fn list(&mut self) -> Result<(Box<[Statement]>, Ending), Error> {
        self.blocks += 1;
        if self.blocks > DEEPEST {
            return Err(self.error(format!("over {DEEPEST} blocks within each other")));
        }
        let start = self.statements.len();
        while self.peek_non_space().0 != TokenKind::End {
            match self.text_or_action()? {
                Item::Statement(statement) => self.statements.push(statement),
                Item::Ending(ending) => {
                    self.blocks -= 1;
                    return Ok((taken(&mut self.statements, start), ending));
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
            _ => Err(self.unexpected(&token, "input")),
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
                Statement::Action(self.pipeline("command", TokenKind::RightDelim)?)
            }
        };
        Ok(Item::Statement(statement))
    }

    fn jump(&mut self, word: &str) -> Result<(), Error> {
        let context = format!("{{{{{word}}}}}");
        let token = self.next_non_space();
        if token.kind != TokenKind::RightDelim {
            return Err(self.unexpected(&token, &context));
        }
        if self.loops == 0 {
            return Err(self.error(format!("{context} outside {{{{range}}}}")));
        }
        Ok(())
    }

    /// A block up to its end. `again` is the keyword that may follow its `else`.
    fn control(&mut self, context: &str, again: TokenKind) -> Result<Box<Branch>, Error> {
        let known = self.variables.declared.len();
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
                Some(Box::from([statement]))
            }
            Ending::Else => {
                let (otherwise, ending) = self.list()?;
                if let Ending::Else = ending {
                    return Err(self.error("expected end; found {{else}}"));
                }
                Some(otherwise)
            }
        };
        self.variables.truncate(known);
        Ok(Box::new(Branch { at: pipeline.at, pipeline, body, otherwise }))
    }

    fn block(&mut self) -> Result<Statement, Error> {
        const CONTEXT: &str = "block clause";
        let token = self.next_non_space();
        let name = self.name(&token, CONTEXT)?;
        let pipeline = self.pipeline(CONTEXT, TokenKind::RightDelim)?;
        let clause = self.last;
        let body = self.own_body(CONTEXT, Some(clause))?;
        self.add(Arc::clone(&name), body)?;
        Ok(invocation(token.at, name, Some(pipeline)))
    }

    fn template(&mut self) -> Result<Statement, Error> {
        const CONTEXT: &str = "template clause";
        let token = self.next_non_space();
        let name = self.name(&token, CONTEXT)?;
        let after = self.next_non_space();
        let pipeline = if after.kind == TokenKind::RightDelim {
            None
        } else {
            self.back(after);
            Some(self.pipeline(CONTEXT, TokenKind::RightDelim)?)
        };
        Ok(invocation(token.at, name, pipeline))
    }

    fn name(&mut self, token: &Token<'_>, context: &str) -> Result<Arc<str>, Error> {
        match token.kind {
            TokenKind::String | TokenKind::RawString => Ok(self.unquote(token.text)?.into()),
            _ => Err(self.unexpected(token, context)),
        }
    }

    fn unquote<'t>(&self, literal: &'t str) -> Result<Cow<'t, str>, Error> {
        unquote(literal).ok_or_else(|| self.error("invalid syntax"))
    }
}

fn invocation(at: u32, name: Arc<str>, pipeline: Option<Pipeline>) -> Statement {
    Statement::Template(Box::new(Invocation { at, name, pipeline }))
}
