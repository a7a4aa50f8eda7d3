//! `${name}` and its relatives.
//!
//! Follows fluxcd/pkg `envsubst`, a dialect of drone/envsubst, including where that differs from a
//! shell and from its own documentation.

use std::collections::BTreeMap;

use super::glob::Glob;

/// What is wrong with a text, or with a variable in it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ExpandError {
    #[error("bad substitution")]
    BadSubstitution,
    #[error("missing closing brace")]
    MissingBrace,
    #[error("unable to parse variable name")]
    BadName,
    #[error("unable to parse substitution within function")]
    BadParameter,
    #[error("variable not set (strict mode): {0:?}")]
    NotSet(String),
    #[error("negative length in a substring of {0:?}")]
    NegativeLength(String),
    #[error("a substring of {0:?} cuts a character")]
    CutCharacter(String),
    #[error("more than {0} bytes after substitution")]
    TooLarge(usize),
    #[error("substitutions nest more than {0} deep")]
    TooDeep(usize),
}

type Result<T> = std::result::Result<T, ExpandError>;

/// How deep `${a:-${b}}` may nest.
const MAX_DEPTH: usize = 100;

/// Replaces all variables of a text.
pub(super) fn expand(
    text: &str,
    vars: &BTreeMap<String, String>,
    strict: bool,
    limit: usize,
) -> Result<String> {
    let parts = Parser { rest: text, depth: 0 }.parse_text()?;
    let mut evaluation = Evaluation { vars, strict, limit, size: 0 };
    let mut out = String::with_capacity(text.len());
    for part in &parts {
        evaluation.write(part, &mut out)?;
        if out.len() > limit {
            return Err(ExpandError::TooLarge(limit));
        }
    }
    Ok(out)
}

#[derive(Debug)]
enum Part {
    Text(String),
    Variable { name: String, function: Function, arguments: Vec<Self> },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    Value,
    Default,
    Length,
    UpperFirst,
    Upper,
    LowerFirst,
    Lower,
    Substring,
    ShortestPrefix,
    LongestPrefix,
    ShortestSuffix,
    LongestSuffix,
    ReplaceFirst,
    ReplaceAll,
    ReplacePrefix,
    ReplaceSuffix,
}

struct Parser<'t> {
    rest: &'t str,
    depth: usize,
}

impl<'t> Parser<'t> {
    /// Text and variables up to the end. `$$` is one `$`.
    fn parse_text(mut self) -> Result<Vec<Part>> {
        let mut parts = Vec::new();
        let mut text = String::new();
        while let Some(at) = self.rest.find('$') {
            text.push_str(&self.rest[..at]);
            let after = &self.rest[at + 1..];
            if let Some(after) = after.strip_prefix('{') {
                if !text.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut text)));
                }
                self.rest = after;
                parts.push(self.parse_variable()?);
            } else {
                text.push('$');
                self.rest = after.strip_prefix('$').unwrap_or(after);
            }
        }
        text.push_str(self.rest);
        parts.push(Part::Text(text));
        Ok(parts)
    }

    /// What follows `${`, with the closing brace.
    fn parse_variable(&mut self) -> Result<Part> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(ExpandError::TooDeep(MAX_DEPTH));
        }
        let part = self.parse_function();
        self.depth -= 1;
        part
    }

    fn parse_function(&mut self) -> Result<Part> {
        if self.take_if("#") {
            let name = self.take_while(is_name_char);
            if name.is_empty() {
                return Err(ExpandError::BadSubstitution);
            }
            return self.close(name, Function::Length, Vec::new());
        }
        let name = self.take_while(is_name_char);
        if name.is_empty() {
            return Err(ExpandError::BadName);
        }
        let name = name.to_owned();
        match self.peek() {
            Some(':') => {
                if self.rest[1..].starts_with(['=', '-', '?', '+']) {
                    self.rest = &self.rest[2..];
                    self.parse_default(&name)
                } else {
                    self.rest = &self.rest[1..];
                    self.parse_substring(&name)
                }
            }
            Some('=') => {
                self.rest = &self.rest[1..];
                self.parse_default(&name)
            }
            Some('^') => self.parse_case(&name, "^", Function::UpperFirst, Function::Upper),
            Some(',') => self.parse_case(&name, ",", Function::LowerFirst, Function::Lower),
            Some('/') => self.parse_replace(&name),
            Some('#') => {
                self.parse_trim(&name, "#", Function::ShortestPrefix, Function::LongestPrefix)
            }
            Some('%') => {
                self.parse_trim(&name, "%", Function::ShortestSuffix, Function::LongestSuffix)
            }
            Some('}') => self.close(&name, Function::Value, Vec::new()),
            _ => Err(ExpandError::MissingBrace),
        }
    }

    fn parse_default(&mut self, name: &str) -> Result<Part> {
        let mut arguments = Vec::new();
        while self.peek() != Some('}') {
            arguments.push(self.parse_parameter(|c| c != '}', false)?);
        }
        self.close(name, Function::Default, arguments)
    }

    fn parse_substring(&mut self, name: &str) -> Result<Part> {
        let mut arguments = vec![self.parse_parameter(|c| c != ':' && c != '}', false)?];
        match self.peek() {
            Some('}') => {}
            Some(':') => {
                self.take_while(|c| c == ':');
                arguments.push(self.parse_parameter(|c| c != '}', false)?);
            }
            _ => return Err(ExpandError::BadSubstitution),
        }
        self.close(name, Function::Substring, arguments)
    }

    /// A mark once or twice.
    fn parse_case(
        &mut self,
        name: &str,
        mark: &str,
        once: Function,
        twice: Function,
    ) -> Result<Part> {
        self.take_if(mark);
        let function = if self.take_if(mark) { twice } else { once };
        self.close(name, function, Vec::new())
    }

    fn parse_trim(
        &mut self,
        name: &str,
        mark: &str,
        once: Function,
        twice: Function,
    ) -> Result<Part> {
        self.take_if(mark);
        let function = if self.take_if(mark) { twice } else { once };
        let argument = self.parse_parameter(|c| c != '}', false)?;
        self.close(name, function, vec![argument])
    }

    fn parse_replace(&mut self, name: &str) -> Result<Part> {
        self.take_if("/");
        let function = if self.take_if("/") {
            Function::ReplaceAll
        } else if self.take_if("#") {
            Function::ReplacePrefix
        } else if self.take_if("%") {
            Function::ReplaceSuffix
        } else {
            Function::ReplaceFirst
        };
        let mut arguments = vec![self.parse_parameter(|c| c != '/', true)?];
        if self.take_while(|c| c == '/').is_empty() {
            return Err(ExpandError::BadSubstitution);
        }
        if self.peek() != Some('}') {
            arguments.push(self.parse_parameter(|c| c != '}', true)?);
        }
        self.close(name, function, arguments)
    }

    /// A nested variable, or text up to one or to where `accept` ends. Where escapes count, `\/`,
    /// `\\` and `$$` lose their first character.
    fn parse_parameter(&mut self, accept: impl Fn(char) -> bool, escapes: bool) -> Result<Part> {
        if self.take_if("${") {
            return self.parse_variable();
        }
        let mut text = String::new();
        let mut any = false;
        while let Some(c) = self.peek() {
            if any && self.rest.starts_with("${") {
                break;
            }
            let pair =
                escapes && ["$$", "\\/", "\\\\"].iter().any(|pair| self.rest.starts_with(pair));
            if pair {
                text.push_str(&self.rest[1..2]);
                self.rest = &self.rest[2..];
            } else if accept(c) {
                text.push(c);
                self.rest = &self.rest[c.len_utf8()..];
            } else {
                break;
            }
            any = true;
        }
        if any { Ok(Part::Text(text)) } else { Err(ExpandError::BadParameter) }
    }

    fn close(&mut self, name: &str, function: Function, arguments: Vec<Part>) -> Result<Part> {
        if !self.take_if("}") {
            return Err(match function {
                Function::Value => ExpandError::MissingBrace,
                _ => ExpandError::BadSubstitution,
            });
        }
        Ok(Part::Variable { name: name.to_owned(), function, arguments })
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn take_if(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn take_while(&mut self, accept: impl Fn(char) -> bool) -> &'t str {
        let end = self.rest.find(|c| !accept(c)).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken
    }
}

fn is_name_char(c: char) -> bool {
    c.is_alphabetic() || c.is_numeric() || c == '_'
}

struct Evaluation<'v> {
    vars: &'v BTreeMap<String, String>,
    strict: bool,
    limit: usize,
    /// Bytes that were made so far, also of arguments that are not used.
    size: usize,
}

impl Evaluation<'_> {
    fn write(&mut self, part: &Part, out: &mut String) -> Result<()> {
        match part {
            Part::Text(text) => out.push_str(text),
            Part::Variable { name, function, arguments } => {
                let mut values = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    let mut value = String::new();
                    self.write(argument, &mut value)?;
                    values.push(value);
                }
                let value = self.vars.get(name).map(String::as_str);
                if value.is_none() && self.strict && *function != Function::Default {
                    return Err(ExpandError::NotSet(name.clone()));
                }
                let result = self.call(name, *function, value.unwrap_or_default(), &values)?;
                self.size += result.len();
                if self.size > self.limit {
                    return Err(ExpandError::TooLarge(self.limit));
                }
                out.push_str(&result);
            }
        }
        Ok(())
    }

    fn call(
        &self,
        name: &str,
        function: Function,
        value: &str,
        arguments: &[String],
    ) -> Result<String> {
        let first = arguments.first().map(String::as_str).unwrap_or_default();
        let second = arguments.get(1).map(String::as_str);
        Ok(match function {
            Function::Value | Function::Default if !value.is_empty() => value.to_owned(),
            Function::Value => String::new(),
            Function::Default => arguments.concat(),
            Function::Length => value.len().to_string(),
            Function::Upper => value.to_uppercase(),
            Function::Lower => value.to_lowercase(),
            Function::UpperFirst => change_first(value, |c| c.to_uppercase().collect()),
            Function::LowerFirst => change_first(value, |c| c.to_lowercase().collect()),
            Function::Substring => substring(name, value, first, second)?,
            Function::ShortestPrefix => trim(value, first, <[usize]>::first).to_owned(),
            Function::LongestPrefix => trim(value, first, <[usize]>::last).to_owned(),
            Function::ShortestSuffix => {
                reversed(trim(&reversed(value), &reversed(first), <[usize]>::first))
            }
            Function::LongestSuffix => {
                reversed(trim(&reversed(value), &reversed(first), <[usize]>::last))
            }
            Function::ReplaceFirst => value.replacen(first, second.unwrap_or_default(), 1),
            Function::ReplaceAll => {
                let new = second.unwrap_or_default();
                let matches =
                    if first.is_empty() { value.len() + 1 } else { value.matches(first).count() };
                if matches.saturating_mul(new.len()) > self.limit {
                    return Err(ExpandError::TooLarge(self.limit));
                }
                value.replace(first, new)
            }
            Function::ReplacePrefix => match (value.strip_prefix(first), second) {
                (Some(rest), Some(new)) => format!("{new}{rest}"),
                _ => value.to_owned(),
            },
            Function::ReplaceSuffix => match (value.strip_suffix(first), second) {
                (Some(rest), Some(new)) => format!("{rest}{new}"),
                _ => value.to_owned(),
            },
        })
    }
}

fn change_first(text: &str, change: impl Fn(char) -> String) -> String {
    let mut rest = text.chars();
    match rest.next() {
        Some(first) => change(first) + rest.as_str(),
        None => String::new(),
    }
}

fn substring(name: &str, text: &str, start: &str, length: Option<&str>) -> Result<String> {
    let number = |text: &str| text.parse::<i64>().ok();
    let Some(start) = number(start) else { return Ok(text.to_owned()) };
    let start = match usize::try_from(start) {
        Ok(start) => start,
        Err(_) => {
            text.len().saturating_sub(usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX))
        }
    };
    let end = match length {
        None => text.len(),
        Some(length) => match number(length) {
            None => return Ok(text.to_owned()),
            Some(length) => {
                let length = usize::try_from(length)
                    .map_err(|_| ExpandError::NegativeLength(name.to_owned()))?;
                start.saturating_add(length).min(text.len())
            }
        },
    };
    if start >= end {
        return Ok(String::new());
    }
    text.get(start..end)
        .map(str::to_owned)
        .ok_or_else(|| ExpandError::CutCharacter(name.to_owned()))
}

/// The text without one of its beginnings that match.
fn trim<'t>(text: &'t str, pattern: &str, choose: impl Fn(&[usize]) -> Option<&usize>) -> &'t str {
    let lengths = Glob::new(pattern).map(|glob| glob.prefixes(text)).unwrap_or_default();
    choose(&lengths).map_or(text, |length| &text[*length..])
}

fn reversed(text: &str) -> String {
    text.chars().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(strict: bool, cases: &[(&str, Result<&str>)]) {
        let vars: BTreeMap<String, String> = [
            ("v", "value"),
            ("empty", ""),
            ("path", "/home/bozo/ideas"),
            ("file", "bash.string.txt"),
            ("z", "abcABC123ABCabc"),
            ("uni", "äöü"),
        ]
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
        for (text, expected) in cases {
            let expected = expected.clone().map(str::to_owned);
            assert_eq!(expand(text, &vars, strict, 1 << 20), expected, "{text}");
        }
    }

    #[test]
    fn plain_texts_and_escapes() {
        check(
            true,
            &[
                ("$v $(v) {{ $x }} $ }", Ok("$v $(v) {{ $x }} $ }")),
                ("a$$b $$$$ $${v}", Ok("a$b $$ ${v}")),
                ("${v}", Ok("value")),
                ("\\\\x ${v}", Ok("\\\\x value")),
                ("${v:-a$$b}", Ok("value")),
                ("${none:-a$$b}", Ok("a$$b")),
            ],
        );
    }

    #[test]
    fn defaults() {
        for operator in [":-", ":=", "=", ":?", ":+"] {
            check(
                true,
                &[
                    (&format!("${{v{operator}d}}"), Ok("value")),
                    (&format!("${{none{operator}d e:\"f\"}}"), Ok("d e:\"f\"")),
                    (&format!("${{empty{operator}d}}"), Ok("d")),
                    (&format!("${{none{operator}}}"), Ok("")),
                ],
            );
        }
        check(
            true,
            &[
                ("${none:-a${v}-b}", Ok("avalue-b")),
                ("${v:-${none}}", Err(ExpandError::NotSet("none".into()))),
            ],
        );
        check(false, &[("${none}|${none^^}|${#none}", Ok("||0"))]);
    }

    #[test]
    fn errors() {
        for text in ["${v-d}", "${v+d}", "${v?d}", "${v.w}", "${v }", "${v[0]}", "${v@Q}", "${v"] {
            check(true, &[(text, Err(ExpandError::MissingBrace))]);
        }
        for text in ["${}", "${ v}", "${!v}", "${"] {
            check(true, &[(text, Err(ExpandError::BadName))]);
        }
        for text in ["${v:}", "${v::3}", "${v#}", "${v%%}", "${none:-"] {
            check(true, &[(text, Err(ExpandError::BadParameter))]);
        }
        check(
            true,
            &[
                ("${v/p}", Err(ExpandError::BadSubstitution)),
                ("${v:0:-1}", Err(ExpandError::NegativeLength("v".into()))),
                ("${uni:1}", Err(ExpandError::CutCharacter("uni".into()))),
            ],
        );
        for text in [
            "${no}",
            "${no^^}",
            "${#no}",
            "${no:0:9}",
            "${no/a/b}",
            "${no#a}",
            "${no%%a}",
            "${no,}",
        ] {
            check(true, &[(text, Err(ExpandError::NotSet("no".into())))]);
        }
    }

    #[test]
    fn functions() {
        check(
            true,
            &[
                ("${#v} ${#uni}", Ok("5 6")),
                (
                    "${v^} ${v^^} ${z,} ${z,,} ${uni^}",
                    Ok("Value VALUE abcABC123ABCabc abcabc123abcabc Äöü"),
                ),
                (
                    "${path:6} ${path:6:4} ${path:99} ${path:x} ${v:-1}",
                    Ok("bozo/ideas bozo  /home/bozo/ideas value"),
                ),
                (
                    "${file#*.} ${file##*.} ${file%.*} ${file%%.*}",
                    Ok("string.txt txt bash.string bash"),
                ),
                (
                    "${z/abc/x} ${z//abc/x} ${z/#abc/x} ${z/%abc/x}",
                    Ok("xABC123ABCabc xABC123ABCx xABC123ABCabc abcABC123ABCx"),
                ),
                (
                    "${path/\\//-} ${path//\\//-} ${v/a/} ${v/${v}/x}",
                    Ok("-home/bozo/ideas -home-bozo-ideas vlue x"),
                ),
            ],
        );
    }

    #[test]
    fn hostile_texts_are_bounded() {
        let deep = "${a:-".repeat(10_000) + &"}".repeat(10_000);
        let vars = BTreeMap::from([
            ("a".to_owned(), "x".repeat(1 << 16)),
            ("l".to_owned(), "${l:=${l}}".to_owned()),
        ]);
        assert_eq!(expand(&deep, &vars, false, 1 << 20), Err(ExpandError::TooDeep(MAX_DEPTH)));
        assert_eq!(
            expand(&"${a}".repeat(100), &vars, false, 1 << 20),
            Err(ExpandError::TooLarge(1 << 20))
        );
        assert_eq!(
            expand("${a//x/${a}}", &vars, false, 1 << 20),
            Err(ExpandError::TooLarge(1 << 20))
        );
        // Values are not expanded again.
        assert_eq!(expand("${l}", &vars, true, 1 << 20).as_deref(), Ok("${l:=${l}}"));
        assert_eq!(
            expand("${a##*y*y*y*y*y*y}", &vars, true, 1 << 20).map(|text| text.len()),
            Ok(1 << 16)
        );
    }
}
