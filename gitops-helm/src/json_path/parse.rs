//! From the text of a template to its nodes.

/// Filters within filters, and paths within unions.
const DEEPEST: u32 = 32;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// What stands in one pair of braces.
    List(Vec<Self>),
    Text(String),
    Field(String),
    /// `[start:end:step]`; an end that was not given is behind the start.
    Slice {
        start: Option<i64>,
        end: Option<i64>,
        is_one: bool,
        step: Option<i64>,
    },
    Filter {
        left: Vec<Self>,
        operator: String,
        right: Vec<Self>,
    },
    Int(i64),
    Float(f64),
    Bool(bool),
    Wildcard,
    Recursive,
    Union(Vec<Vec<Self>>),
    Identifier(String),
}

pub(super) fn parse(text: &str) -> Result<Vec<Node>, String> {
    let mut nodes = Vec::new();
    let mut parser = Parser { input: text, at: 0, depth: 0 };
    while let Some(open) = parser.rest().find('{') {
        if open > 0 {
            nodes.push(Node::Text(parser.rest()[..open].to_owned()));
        }
        parser.at += open + 1;
        nodes.push(Node::List(parser.action()?));
    }
    if !parser.rest().is_empty() {
        nodes.push(Node::Text(parser.rest().to_owned()));
    }
    Ok(nodes)
}

struct Parser<'t> {
    input: &'t str,
    at: usize,
    depth: u32,
}

impl<'t> Parser<'t> {
    fn rest(&self) -> &'t str {
        &self.input[self.at..]
    }

    fn next(&mut self) -> Option<char> {
        let next = self.rest().chars().next()?;
        self.at += next.len_utf8();
        Some(next)
    }

    /// What a text is as if it stood in braces.
    fn inner(&self, text: &str) -> Result<Vec<Node>, String> {
        if self.depth >= DEEPEST {
            return Err("the path is nested too deeply".to_owned());
        }
        let text = format!("{text}}}");
        Parser { input: &text, at: 0, depth: self.depth + 1 }.action()
    }

    /// What stands up to the closing brace.
    fn action(&mut self) -> Result<Vec<Node>, String> {
        let mut nodes = Vec::new();
        loop {
            let rest = self.rest();
            if rest.starts_with('}') {
                self.at += 1;
                return Ok(nodes);
            }
            if rest.starts_with("[?(") {
                self.at += 3;
                nodes.push(self.filter()?);
                continue;
            }
            if rest.starts_with("..") {
                if nodes.last() == Some(&Node::Recursive) {
                    return Err("invalid multiple recursive descent".to_owned());
                }
                self.at += 2;
                nodes.push(Node::Recursive);
                if self.rest().starts_with(|next: char| next == '_' || next.is_alphanumeric()) {
                    nodes.push(self.field());
                }
                continue;
            }
            match self.next() {
                None | Some('\r' | '\n') => return Err("unclosed action".to_owned()),
                Some(' ' | '@' | '$') => {}
                Some('[') => self.array(&mut nodes)?,
                Some(quote @ ('"' | '\'')) => nodes.push(Node::Text(self.quoted(quote)?)),
                Some('.') => nodes.push(self.field()),
                Some(char) if matches!(char, '+' | '-') || char.is_numeric() => {
                    self.at -= char.len_utf8();
                    nodes.push(self.number()?);
                }
                Some(char) if char == '_' || char.is_alphabetic() => {
                    self.at -= char.len_utf8();
                    nodes.push(match self.word() {
                        "true" => Node::Bool(true),
                        "false" => Node::Bool(false),
                        word => Node::Identifier(word.to_owned()),
                    });
                }
                Some(char) => {
                    let code = u32::from(char);
                    return Err(format!("unrecognized character in action: U+{code:04X} '{char}'"));
                }
            }
        }
    }

    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(is_terminator).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn field(&mut self) -> Node {
        let mut name = String::new();
        while let Some(next) = self.rest().chars().next() {
            if next != '\\' && is_terminator(next) {
                break;
            }
            self.at += next.len_utf8();
            if next != '\\' {
                name.push(next);
            } else if let Some(meant) = self.next() {
                name.push(meant);
            }
        }
        if name == "*" { Node::Wildcard } else { Node::Field(name.replace('\\', "")) }
    }

    fn number(&mut self) -> Result<Node, String> {
        let rest = self.rest();
        let digits = rest.strip_prefix(['+', '-']).unwrap_or(rest);
        let length = digits.find(|char: char| char != '.' && !char.is_numeric());
        let end = rest.len() - digits.len() + length.unwrap_or(digits.len());
        let text = &rest[..end];
        self.at += end;
        if let Ok(number) = text.parse() {
            return Ok(Node::Int(number));
        }
        let number = text.parse().map(Node::Float);
        number.map_err(|_| format!("cannot parse number {text}"))
    }

    fn quoted(&mut self, quote: char) -> Result<String, String> {
        let rest = self.rest();
        let unterminated = || "unterminated quoted string".to_owned();
        let mut last = quote;
        for (at, char) in rest.char_indices() {
            match char {
                '\n' => return Err(unterminated()),
                char if char == quote && last != '\\' => {
                    self.at += at + 1;
                    return unquoted(&rest[..at]).ok_or_else(|| {
                        format!("unquote string {quote}{}{quote} error invalid syntax", &rest[..at])
                    });
                }
                char => last = char,
            }
        }
        Err(unterminated())
    }

    fn array(&mut self, nodes: &mut Vec<Node>) -> Result<(), String> {
        let rest = self.rest();
        let end = rest.find([']', '\n']).filter(|end| rest[*end..].starts_with(']'));
        let end = end.ok_or_else(|| "unterminated array".to_owned())?;
        let text = &rest[..end];
        self.at += end + 1;
        let text = if text == "*" { ":" } else { text };
        if text.contains(',') {
            let parts =
                text.split(',').map(|part| self.inner(&format!("[{}]", part.trim_matches(' '))));
            nodes.push(Node::Union(parts.collect::<Result<_, _>>()?));
            return Ok(());
        }
        let key = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
        if let Some(key) = key.filter(|key| !key.contains('\'')) {
            nodes.extend(self.inner(&format!(".{key}"))?);
            return Ok(());
        }
        let parts: Vec<&str> = text.split(':').collect();
        let is_number = |part: &&str| {
            let digits = part.strip_prefix('-').unwrap_or(part);
            digits.bytes().all(|digit| digit.is_ascii_digit())
        };
        if parts.len() > 3 || !parts.iter().all(is_number) {
            return Err(format!("invalid array index {text}"));
        }
        let number = |at: usize| match parts.get(at).copied().unwrap_or_default() {
            "" => Ok(None),
            part => part
                .parse::<i64>()
                .map(Some)
                .map_err(|_| format!("array index {part} is not a number")),
        };
        let (start, is_one) = (number(0)?, parts.len() == 1);
        let end = if is_one { Some(start.unwrap_or(0).saturating_add(1)) } else { number(1)? };
        nodes.push(Node::Slice { start, end, is_one, step: number(2)? });
        Ok(())
    }

    fn filter(&mut self) -> Result<Node, String> {
        let rest = self.rest();
        let unterminated = || "unterminated filter".to_owned();
        let mut pair = None;
        let mut is_closed = false;
        let mut last = ' ';
        let mut end = None;
        for (at, char) in rest.char_indices() {
            match char {
                '\n' => return Err(unterminated()),
                '"' | '\'' if pair.is_none() => pair = Some(char),
                char if Some(char) == pair && last != '\\' => is_closed = true,
                ')' if pair.is_some() == is_closed => {
                    end = Some(at);
                    break;
                }
                _ => {}
            }
            last = char;
        }
        let end = end.ok_or_else(unterminated)?;
        let text = &rest[..end];
        self.at += end + 1;
        if self.next() != Some(']') {
            return Err("unclosed array expect ]".to_owned());
        }
        let signs = ['!', '<', '>', '='];
        let start = text.find(signs).filter(|start| *start > 0);
        let parts = start.and_then(|start| {
            let after = &text[start..];
            let length = after.find(|char| !signs.contains(&char)).unwrap_or(after.len());
            // The last of the signs is the right side where nothing else is left.
            let length = if length == after.len() { length.checked_sub(1)? } else { length };
            (length > 0).then(|| (&text[..start], &after[..length], &after[length..]))
        });
        Ok(match parts {
            None => Node::Filter {
                left: self.inner(text)?,
                operator: "exists".to_owned(),
                right: Vec::new(),
            },
            Some((left, operator, right)) => Node::Filter {
                left: self.inner(left)?,
                operator: operator.to_owned(),
                right: self.inner(right)?,
            },
        })
    }
}

fn is_terminator(char: char) -> bool {
    matches!(char, ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}

/// Go's escapes within quotes.
fn unquoted(text: &str) -> Option<String> {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(char) = chars.next() {
        if char != '\\' {
            out.push(char);
            continue;
        }
        let digits = |kind| match kind {
            'x' => Some(2),
            'u' => Some(4),
            'U' => Some(8),
            _ => None,
        };
        let kind = chars.next()?;
        out.push(match kind {
            'n' => '\n',
            't' => '\t',
            'r' => '\r',
            'a' => '\u{7}',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'v' => '\u{b}',
            '\\' | '"' | '\'' => kind,
            kind => {
                let count = digits(kind)?;
                let text: String = chars.by_ref().take(count).collect();
                let code = u32::from_str_radix(&text, 16).ok().filter(|_| text.len() == count)?;
                char::from_u32(code)?
            }
        });
    }
    Some(out)
}
