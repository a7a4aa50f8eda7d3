//! Variables in manifests: a dialect of the shell's parameter expansion.
//!
//! Follows what drone/envsubst was observed to do: `:-`, `:=`, `=`, `:?` and `:+` all give the
//! default for an empty value; lengths and substrings count bytes.

use std::collections::BTreeMap;

/// The largest result.
const SIZE_LIMIT: usize = 64 << 20;
/// How deep defaults may nest.
const DEPTH_LIMIT: usize = 32;

/// Replaces the variables of a text.
///
/// # Errors
/// What is wrong with a name, or with the text, in the words of Flux.
pub(super) fn substitute(
    text: &str,
    variables: &BTreeMap<String, String>,
    is_strict: bool,
) -> Result<String, String> {
    for name in variables.keys() {
        let mut letters = name.chars();
        let starts = letters
            .next()
            .is_some_and(|c| c == '_' || c.is_ascii_alphabetic());
        if !starts || !letters.all(|c| c == '_' || c.is_ascii_alphanumeric()) {
            return Err(format!(
                "'{name}' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'"
            ));
        }
    }
    let mut expansion = Expansion {
        text,
        at: 0,
        variables,
        is_strict,
        size: 0,
    };
    expansion
        .all()
        .map_err(|error| format!("variable substitution failed: {error}"))
}

struct Expansion<'a> {
    text: &'a str,
    at: usize,
    variables: &'a BTreeMap<String, String>,
    is_strict: bool,
    size: usize,
}

const NO_BRACE: &str = "missing closing brace";
const NO_NAME: &str = "unable to parse variable name";
const NO_FUNCTION: &str = "unable to parse substitution within function";

impl Expansion<'_> {
    fn all(&mut self) -> Result<String, String> {
        let mut out = String::with_capacity(self.text.len());
        while let Some(next) = self.peek() {
            if self.rest().starts_with("${") {
                self.at += 2;
                let value = self.variable(0)?;
                self.grow(value.len())?;
                out.push_str(&value);
            } else if self.rest().starts_with("$$") {
                self.at += 2;
                out.push('$');
            } else {
                self.at += next.len_utf8();
                out.push(next);
            }
        }
        Ok(out)
    }

    /// Everything after `${`, its brace included.
    fn variable(&mut self, depth: usize) -> Result<String, String> {
        if depth > DEPTH_LIMIT {
            return Err("substitutions nest too deep".to_owned());
        }
        if self.take("#") {
            let name = self.name()?;
            let value = self.value(&name)?;
            self.brace()?;
            return Ok(value.len().to_string());
        }
        let name = self.name()?;
        let Some(operator) = self.peek() else {
            return Err(NO_BRACE.to_owned());
        };
        match operator {
            '}' => {
                self.at += 1;
                self.value(&name)
            }
            '^' | ',' => {
                self.at += 1;
                let is_all = self.take(&operator.to_string());
                self.brace()?;
                let value = self.value(&name)?;
                Ok(change_case(&value, operator == '^', is_all))
            }
            '=' => {
                self.at += 1;
                self.default(&name, depth)
            }
            ':' => {
                self.at += 1;
                if self.peek().is_some_and(|next| "-=?+".contains(next)) {
                    self.at += 1;
                    return self.default(&name, depth);
                }
                self.substring(&name)
            }
            '#' | '%' => {
                self.at += 1;
                let is_longest = self.take(&operator.to_string());
                let pattern = self.until('}', depth)?;
                if pattern.is_empty() {
                    return Err(NO_FUNCTION.to_owned());
                }
                let value = self.value(&name)?;
                Ok(trim(&value, &pattern, operator == '#', is_longest))
            }
            '/' => {
                self.at += 1;
                self.replacement(&name, depth)
            }
            _ => Err(NO_BRACE.to_owned()),
        }
    }

    fn default(&mut self, name: &str, depth: usize) -> Result<String, String> {
        // The default is evaluated even where it is not used.
        let default = self.until('}', depth)?;
        let value = self.variables.get(name).filter(|value| !value.is_empty());
        Ok(value.cloned().unwrap_or(default))
    }

    fn substring(&mut self, name: &str) -> Result<String, String> {
        let rest = self.rest();
        let end = rest.find('}').ok_or(NO_BRACE)?;
        let (from, length) = match rest[..end].split_once(':') {
            Some((from, length)) => (from, Some(length)),
            None => (&rest[..end], None),
        };
        if from.is_empty() || length.is_some_and(str::is_empty) {
            return Err(NO_FUNCTION.to_owned());
        }
        let parsed = (
            from.trim().parse::<i64>(),
            length.map(|text| text.trim().parse::<i64>()),
        );
        self.at += end + 1;
        let value = self.value(name)?;
        let (Ok(from), length) = parsed else {
            return Ok(value);
        };
        let length = match length {
            None => i64::MAX,
            Some(Ok(length)) if length < 0 => return Err("negative length".to_owned()),
            Some(Ok(length)) => length,
            Some(Err(_)) => return Ok(value),
        };
        let bytes = value.as_bytes();
        let size = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let from = if from < 0 {
            (size + from).max(0)
        } else {
            from.min(size)
        };
        let to = from.saturating_add(length).min(size);
        let range = usize::try_from(from).unwrap_or(0)..usize::try_from(to).unwrap_or(0);
        Ok(String::from_utf8_lossy(&bytes[range]).into_owned())
    }

    fn replacement(&mut self, name: &str, depth: usize) -> Result<String, String> {
        let mode = self.peek().filter(|next| "/#%".contains(*next));
        if mode.is_some() {
            self.at += 1;
        }
        let pattern = self
            .until('/', depth)
            .map_err(|_| "bad substitution".to_owned())?;
        let with = self.until('}', depth)?;
        let value = self.value(name)?;
        Ok(match mode {
            _ if pattern.is_empty() => value,
            Some('/') => value.replace(&pattern, &with),
            Some('#') => match value.strip_prefix(&pattern) {
                Some(rest) => format!("{with}{rest}"),
                None => value,
            },
            Some(_) => match value.strip_suffix(&pattern) {
                Some(rest) => format!("{rest}{with}"),
                None => value,
            },
            None => value.replacen(&pattern, &with, 1),
        })
    }

    /// The text up to a character, which is taken, with nested variables replaced. Looking for a
    /// slash, `\/` stands for one and a brace ends the search in vain.
    fn until(&mut self, end: char, depth: usize) -> Result<String, String> {
        let mut out = String::new();
        while let Some(next) = self.peek() {
            if self.rest().starts_with("${") {
                self.at += 2;
                let value = self.variable(depth + 1)?;
                self.grow(value.len())?;
                out.push_str(&value);
                continue;
            }
            if self.rest().starts_with("\\/") {
                self.at += 2;
                out.push_str(if end == '/' { "/" } else { "\\/" });
                continue;
            }
            self.at += next.len_utf8();
            if next == end {
                return Ok(out);
            }
            if next == '}' {
                break;
            }
            out.push(next);
        }
        Err(NO_BRACE.to_owned())
    }

    fn name(&mut self) -> Result<String, String> {
        let rest = self.rest();
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        if end == 0 {
            return Err(NO_NAME.to_owned());
        }
        let name = rest[..end].to_owned();
        self.at += end;
        Ok(name)
    }

    fn value(&self, name: &str) -> Result<String, String> {
        match self.variables.get(name) {
            Some(value) => Ok(value.clone()),
            None if self.is_strict => Err(format!("variable not set (strict mode): {name:?}")),
            None => Ok(String::new()),
        }
    }

    fn brace(&mut self) -> Result<(), String> {
        if self.take("}") {
            Ok(())
        } else {
            Err(NO_BRACE.to_owned())
        }
    }

    fn take(&mut self, text: &str) -> bool {
        let is_next = self.rest().starts_with(text);
        if is_next {
            self.at += text.len();
        }
        is_next
    }

    fn grow(&mut self, by: usize) -> Result<(), String> {
        self.size += by;
        if self.size > SIZE_LIMIT {
            return Err(format!("the result is larger than {SIZE_LIMIT} bytes"));
        }
        Ok(())
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }
}

fn change_case(value: &str, is_upper: bool, is_all: bool) -> String {
    let change = |text: &str| {
        if is_upper {
            text.to_uppercase()
        } else {
            text.to_lowercase()
        }
    };
    if is_all {
        return change(value);
    }
    let first = value.chars().next().map_or(0, char::len_utf8);
    let (head, tail) = value.split_at(first);
    format!("{}{tail}", change(head))
}

/// Removes the shortest or longest prefix or suffix that matches a glob.
fn trim(value: &str, pattern: &str, is_prefix: bool, is_longest: bool) -> String {
    let glob: Vec<char> = pattern.chars().collect();
    let mut cuts: Vec<usize> = value.char_indices().map(|(at, _)| at).collect();
    cuts.push(value.len());
    // The first cut is tried first: the shortest prefix, the longest suffix.
    if is_prefix == is_longest {
        cuts.reverse();
    }
    for cut in cuts {
        let (head, tail) = value.split_at(cut);
        let (part, kept) = if is_prefix {
            (head, tail)
        } else {
            (tail, head)
        };
        if matches(&glob, &part.chars().collect::<Vec<_>>()) {
            return kept.to_owned();
        }
    }
    value.to_owned()
}

/// Whether a text matches a glob of `*`, `?` and `[a-h]`. Linear in the product of both lengths.
fn matches(glob: &[char], text: &[char]) -> bool {
    let (mut at, mut from) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while from < text.len() {
        match step(&glob[at..], text[from]) {
            Some(Step::Star) => {
                star = Some((at + 1, from));
                at += 1;
            }
            Some(Step::Taken(length)) => {
                at += length;
                from += 1;
            }
            None => {
                let Some((after, begun)) = star else {
                    return false;
                };
                star = Some((after, begun + 1));
                at = after;
                from = begun + 1;
            }
        }
    }
    glob[at..].iter().all(|c| *c == '*')
}

enum Step {
    Star,
    Taken(usize),
}

fn step(glob: &[char], c: char) -> Option<Step> {
    match glob.first()? {
        '*' => Some(Step::Star),
        '?' => Some(Step::Taken(1)),
        '[' => {
            let close = glob.iter().position(|c| *c == ']').filter(|at| *at > 1)?;
            let (is_negated, set) = match glob.get(1) {
                Some('^') => (true, &glob[2..close]),
                _ => (false, &glob[1..close]),
            };
            let mut found = false;
            let mut at = 0;
            while at < set.len() {
                if at + 2 < set.len() && set[at + 1] == '-' {
                    found |= (set[at]..=set[at + 2]).contains(&c);
                    at += 3;
                } else {
                    found |= set[at] == c;
                    at += 1;
                }
            }
            (found != is_negated).then_some(Step::Taken(close + 1))
        }
        '\\' => (glob.get(1) == Some(&c)).then_some(Step::Taken(2)),
        literal => (*literal == c).then_some(Step::Taken(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str, is_strict: bool) -> Result<String, String> {
        let variables = [
            ("v", "value"),
            ("empty", ""),
            ("path", "a/b/c"),
            ("num", "7"),
        ];
        let variables = variables
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        substitute(text, &variables, is_strict).map_err(|error| {
            error
                .trim_start_matches("variable substitution failed: ")
                .to_owned()
        })
    }

    #[test]
    fn expressions() {
        for (text, expected) in [
            ("$v $(v) {{ $x }} $ }", "$v $(v) {{ $x }} $ }"),
            ("a$$b $$$$ $${v}", "a$b $$ ${v}"),
            ("${v}-${no}", "value-"),
            (
                "${v:-d}${no:-d}${empty:=d}${no=d}${no:?d}${no:+d}",
                "valueddddd",
            ),
            ("${no:=a ${v} b}", "a value b"),
            ("${#v}", "5"),
            ("${v^}${v^^}${v,}", "ValueVALUEvalue"),
            ("${v:1} ${v:1:2} ${v:9} ${v:x}", "alue al  value"),
            (
                "${path#*/} ${path##*/} ${path%/*} ${path%%/*}",
                "b/c c a/b a",
            ),
            ("${v#[a-u]} ${v#[^a-u]}", "value alue"),
            (
                "${path/\\//-} ${path//\\//-} ${v/#va/VA} ${v/%ue/UE} ${v/l/}",
                "a-b/c a-b-c VAlue valUE vaue",
            ),
        ] {
            assert_eq!(run(text, false).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn errors() {
        for (text, expected) in [
            ("${v-d}", NO_BRACE),
            ("${v", NO_BRACE),
            ("${", NO_NAME),
            ("${}", NO_NAME),
            ("${ v}", NO_NAME),
            ("${v:}", NO_FUNCTION),
            ("${v::3}", NO_FUNCTION),
            ("${v#}", NO_FUNCTION),
            ("${v/p}", "bad substitution"),
        ] {
            assert_eq!(run(text, false).unwrap_err(), expected, "{text}");
        }
        for text in ["${no}", "${no^^}", "${no:0:9}", "${#no}", "${v:=${no}}"] {
            assert_eq!(
                run(text, true).unwrap_err(),
                "variable not set (strict mode): \"no\"",
                "{text}"
            );
        }
    }

    #[test]
    fn hostile_texts_end() {
        let deep = "${a:=".repeat(1000);
        assert!(run(&deep, false).is_err());
        let stars = "*".repeat(200);
        let text = format!("${{v#{stars}x}}");
        assert_eq!(run(&text, false).as_deref(), Ok("value"));
    }
}
