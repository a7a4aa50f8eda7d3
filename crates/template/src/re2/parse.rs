//! Reads a pattern by Go's rules and says it in the words of the `regex` crate.
//!
//! Follows Go's `regexp/syntax/parse.go` with the flags `Perl`.

use super::{
    class::{bracketed, escape, literal, perl, unicode},
    error::Error,
};

/// Go's own limit of nesting.
const DEEPEST: usize = 1000;

/// More repetitions than these are an error, also by repetitions within repetitions.
const MOST: i64 = 1000;

/// A pattern that Go would accept.
#[derive(Debug)]
pub(super) struct Parsed {
    pub(super) translated: String,
    /// The names of the groups by number.
    pub(super) names: Vec<String>,
}

pub(super) fn parse(pattern: &str) -> Result<Parsed, Error> {
    let mut parser = Parser {
        whole: pattern,
        rest: pattern,
        flags: Flags::default(),
        groups: vec![Group::default()],
        names: vec![String::new()],
    };
    // The operator before this place, if the last thing was one.
    let mut last_repeat = None;
    while !parser.rest.is_empty() {
        last_repeat = parser.step(last_repeat)?;
    }
    if parser.groups.len() > 1 {
        return Err(Error::new("missing closing )", pattern));
    }
    let group = parser.groups.pop().unwrap_or_default();
    Ok(Parsed { translated: group.translated, names: parser.names })
}

#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "they are the flags of the syntax")]
struct Flags {
    fold_case: bool,
    many_lines: bool,
    dot_all: bool,
    swap_greed: bool,
}

/// What is open: the pattern itself, or a group.
#[derive(Debug, Default)]
struct Group {
    opening: &'static str,
    translated: String,
    /// Where the last atom begins; nothing at the front of an alternative.
    atom: Option<usize>,
    /// How often the last atom repeats what is in it.
    repeats: i64,
    /// The most that anything in the group repeats.
    most: i64,
    /// The flags outside.
    flags: Flags,
}

impl Group {
    fn atom(&mut self, text: &str, repeats: i64) {
        self.atom = Some(self.translated.len());
        self.repeats = repeats;
        self.most = self.most.max(repeats);
        self.translated.push_str(text);
    }
}

struct Parser<'t> {
    whole: &'t str,
    rest: &'t str,
    flags: Flags,
    groups: Vec<Group>,
    names: Vec<String>,
}

impl<'t> Parser<'t> {
    /// Reads one thing. Gives the text from an operator of repetition on, if it was one.
    fn step(&mut self, last_repeat: Option<&'t str>) -> Result<Option<&'t str>, Error> {
        let text = self.rest;
        match text.as_bytes()[0] {
            b'(' if text.starts_with("(?") => self.perl_group()?,
            b'(' => {
                self.names.push(String::new());
                self.open("(", 1)?;
            }
            b')' => self.close()?,
            b'|' => {
                let group = self.group();
                group.translated.push('|');
                group.atom = None;
                self.rest = &text[1..];
            }
            b'^' => self.simple(1, if self.flags.many_lines { "(?m:^)" } else { r"\A" }),
            b'$' => self.simple(1, if self.flags.many_lines { "(?m:$)" } else { r"\z" }),
            b'.' => self.simple(1, if self.flags.dot_all { "(?s:.)" } else { r"[^\n]" }),
            b'[' => {
                let class = bracketed(text)?;
                self.rest = class.rest;
                self.folded(&class.translated);
            }
            operator @ (b'*' | b'+' | b'?') => {
                self.rest = &text[1..];
                self.repeat(&char::from(operator).to_string(), 1, text, last_repeat)?;
                return Ok(Some(text));
            }
            b'{' => match counts(text) {
                Some(counts) => {
                    self.rest = counts.rest;
                    self.counted(&counts, text, last_repeat)?;
                    return Ok(Some(text));
                }
                None => self.character(u32::from(b'{'), 1),
            },
            b'\\' => self.backslash()?,
            _ => {
                let first = text.chars().next().unwrap_or_default();
                self.character(u32::from(first), first.len_utf8());
            }
        }
        Ok(None)
    }

    fn group(&mut self) -> &mut Group {
        self.groups.last_mut().expect("the pattern itself is never closed")
    }

    fn simple(&mut self, length: usize, translated: &str) {
        self.group().atom(translated, 1);
        self.rest = &self.rest[length..];
    }

    fn character(&mut self, code: u32, length: usize) {
        let mut out = String::new();
        literal(&mut out, code);
        self.rest = &self.rest[length..];
        self.folded(&out);
    }

    /// An atom for which case may not count.
    fn folded(&mut self, translated: &str) {
        if self.flags.fold_case {
            self.group().atom(&format!("(?i:{translated})"), 1);
        } else {
            self.group().atom(translated, 1);
        }
    }

    fn open(&mut self, opening: &'static str, length: usize) -> Result<(), Error> {
        if self.groups.len() > DEEPEST {
            return Err(Error::new("expression nests too deeply", self.whole));
        }
        self.groups.push(Group { opening, flags: self.flags, ..Group::default() });
        self.rest = &self.rest[length..];
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        if self.groups.len() == 1 {
            return Err(Error::new("unexpected )", self.whole));
        }
        let group = self.groups.pop().unwrap_or_default();
        self.flags = group.flags;
        let text = format!("{}{})", group.opening, group.translated);
        self.group().atom(&text, group.most.max(1));
        self.rest = &self.rest[1..];
        Ok(())
    }

    /// `(?P<name>`, `(?<name>`, `(?flags)` and `(?flags:`.
    fn perl_group(&mut self) -> Result<(), Error> {
        let text = self.rest;
        let name_at = match text.as_bytes() {
            [_, _, b'P', b'<', _, ..] => Some(4),
            [_, _, b'<', _, ..] => Some(3),
            _ => None,
        };
        if let Some(name_at) = name_at {
            let wrong = |part| Error::new("invalid named capture", part);
            let end = text.find('>').ok_or_else(|| wrong(text))?;
            let name = &text[name_at..end];
            let valid = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if name.is_empty() || !valid || self.names.iter().any(|known| known == name) {
                return Err(wrong(&text[..=end]));
            }
            self.names.push(name.to_owned());
            return self.open("(", end + 1);
        }
        let mut flags = self.flags;
        let (mut on, mut saw_flag, mut negated) = (true, false, false);
        let mut length = 2;
        for c in text[2..].chars() {
            length += c.len_utf8();
            match c {
                'i' => flags.fold_case = on,
                'm' => flags.many_lines = on,
                's' => flags.dot_all = on,
                'U' => flags.swap_greed = on,
                '-' if on => {
                    (on, saw_flag, negated) = (false, false, true);
                    continue;
                }
                ':' | ')' if !negated || saw_flag => {
                    if c == ':' {
                        self.open("(?:", length)?;
                    } else {
                        self.rest = &text[length..];
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => break,
            }
            saw_flag = true;
        }
        if length == text.len() && !text.ends_with([':', ')']) && only_flags(&text[2..]) {
            return Err(Error::new("missing closing )", self.whole));
        }
        Err(Error::new("invalid or unsupported Perl syntax", &text[..length]))
    }

    fn backslash(&mut self) -> Result<(), Error> {
        let text = self.rest;
        match text.as_bytes().get(1) {
            Some(b'A') => self.simple(2, r"\A"),
            Some(b'b') => self.simple(2, r"(?-u:\b)"),
            Some(b'B') => self.simple(2, r"(?-u:\B)"),
            Some(b'C') => return Err(Error::new("invalid escape sequence", &text[..2])),
            Some(b'z') => self.simple(2, r"\z"),
            Some(b'Q') => {
                let quoted = &text[2..];
                let (quoted, rest) = quoted.split_once(r"\E").unwrap_or((quoted, ""));
                for c in quoted.chars() {
                    self.character(u32::from(c), 0);
                }
                self.rest = rest;
            }
            _ => {
                let class = match unicode(text)? {
                    Some(class) => Some(class),
                    None => perl(text),
                };
                if let Some(class) = class {
                    self.rest = class.rest;
                    self.folded(&class.translated);
                    return Ok(());
                }
                let escape = escape(text)?;
                self.character(escape.code, text.len() - escape.rest.len());
            }
        }
        Ok(())
    }

    fn counted(
        &mut self,
        counts: &Counts<'t>,
        before: &'t str,
        last_repeat: Option<&'t str>,
    ) -> Result<(), Error> {
        let Counts { min, max, rest } = *counts;
        let too_large = |part| Error::new("invalid repeat count", part);
        let backwards = max.is_some_and(|max| max < min);
        if min > MOST || max.is_some_and(|max| max > MOST) || backwards {
            return Err(too_large(&before[..before.len() - rest.len()]));
        }
        let operator = match max {
            Some(max) if max == min => format!("{{{min}}}"),
            Some(max) => format!("{{{min},{max}}}"),
            None => format!("{{{min},}}"),
        };
        let times = max.unwrap_or(min);
        self.repeat(&operator, times.max(1), before, last_repeat)?;
        if times >= 2 && self.group().repeats > MOST {
            let after = self.rest.len();
            return Err(too_large(&before[..before.len() - after]));
        }
        Ok(())
    }

    /// Repeats the last atom. `before` is the text from the operator on.
    fn repeat(
        &mut self,
        operator: &str,
        times: i64,
        before: &'t str,
        last_repeat: Option<&'t str>,
    ) -> Result<(), Error> {
        let mut lazy = self.flags.swap_greed;
        if let Some(after) = self.rest.strip_prefix('?') {
            self.rest = after;
            lazy = !lazy;
        }
        let after = self.rest.len();
        if let Some(last) = last_repeat {
            let part = &last[..last.len() - after];
            return Err(Error::new("invalid nested repetition operator", part));
        }
        let group = self.group();
        let Some(atom) = group.atom else {
            let part = &before[..before.len() - after];
            return Err(Error::new("missing argument to repetition operator", part));
        };
        group.translated.insert_str(atom, "(?:");
        group.translated.push(')');
        group.translated.push_str(operator);
        if lazy {
            group.translated.push('?');
        }
        group.repeats = group.repeats.saturating_mul(times);
        group.most = group.most.max(group.repeats);
        Ok(())
    }
}

fn only_flags(text: &str) -> bool {
    text.chars().all(|c| "imsU-".contains(c))
}

/// `{2}`, `{2,}`, `{2,5}`.
#[derive(Debug)]
struct Counts<'t> {
    min: i64,
    max: Option<i64>,
    rest: &'t str,
}

fn counts(text: &str) -> Option<Counts<'_>> {
    let (min, rest) = count(&text[1..])?;
    let (max, rest) = match rest.strip_prefix(',') {
        None => (Some(min), rest),
        Some(rest) if rest.starts_with('}') => (None, rest),
        Some(rest) => {
            let (max, rest) = count(rest)?;
            (Some(max), rest)
        }
    };
    Some(Counts { min, max, rest: rest.strip_prefix('}')? })
}

fn count(text: &str) -> Option<(i64, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(length);
    if length == 0 || length > 1 && digits.starts_with('0') {
        return None;
    }
    Some((digits.parse().unwrap_or(i64::MAX), rest))
}

#[cfg(test)]
mod tests {
    use super::super::Regex;

    #[test]
    fn errors_are_gos() {
        for (pattern, error) in [
            ("[", "missing closing ]: `[`"),
            ("[a", "missing closing ]: `[a`"),
            ("a(?=b)", "invalid or unsupported Perl syntax: `(?=`"),
            ("a{2,1}", "invalid repeat count: `{2,1}`"),
            ("a{1001}", "invalid repeat count: `{1001}`"),
            ("(a{100}){11}", "invalid repeat count: `{11}`"),
            ("*a", "missing argument to repetition operator: `*`"),
            ("a|*", "missing argument to repetition operator: `*`"),
            ("(+)", "missing argument to repetition operator: `+`"),
            ("a**", "invalid nested repetition operator: `**`"),
            ("a*+?", "invalid nested repetition operator: `*+?`"),
            (r"\p{Nope}", r"invalid character class range: `\p{Nope}`"),
            ("[b-a]", "invalid character class range: `b-a`"),
            ("[[:nope:]]", "invalid character class range: `[:nope:]`"),
            ("a)", "unexpected ): `a)`"),
            ("(a", "missing closing ): `(a`"),
            ("\\", "trailing backslash at end of expression: ``"),
            (r"\1", r"invalid escape sequence: `\1`"),
            (r"\y", r"invalid escape sequence: `\y`"),
            ("(?P<n", "invalid named capture: `(?P<n`"),
            ("(?P<n-a>x)", "invalid named capture: `(?P<n-a>`"),
            ("(?x)", "invalid or unsupported Perl syntax: `(?x`"),
        ] {
            let text = Regex::new(pattern).unwrap_err().to_string();
            assert_eq!(text, format!("error parsing regexp: {error}"));
        }
    }

    #[test]
    fn patterns_mean_what_they_mean_in_go() {
        for (pattern, text, found) in [
            ("a{,3}", "a{,3}", Some("a{,3}")),
            ("a{1a", "a{1a", Some("a{1a")),
            (r"\Qa.b\E+", "a.bb", Some("a.bb")),
            (r"\d", "٣", None),
            (r"\w+", "née", Some("n")),
            (r"\bé", "é", None),
            (r"a\B", "aé", None),
            (r"a\B", "ab", Some("a")),
            ("[[a]]", "[]", Some("[]")),
            ("[a&&b]+", "a&b", Some("a&b")),
            ("[a-c--]+", "b-", Some("b-")),
            ("[]a]+", "]a", Some("]a")),
            ("[a-]+", "-a", Some("-a")),
            (r"\p{^Greek}+", "αab", Some("ab")),
            (r"\pL+", "1é日b2", Some("é日b")),
            ("(?i)É", "é", Some("é")),
            ("(?i:a)b", "Ab", Some("Ab")),
            ("a(?i)b*", "aBb", Some("aBb")),
            ("(?U)a+", "aaa", Some("a")),
            ("(?U)a+?", "aaa", Some("aaa")),
            ("a$", "a\n", None),
            ("(?m)a$", "a\nb", Some("a")),
            (".", "\n", None),
            ("(?s).", "\n", Some("\n")),
            (r"[^a]", "\n", Some("\n")),
            (r"\x{263a}\x41\101", "☺AA", Some("☺AA")),
            (r"[\d\-x]+", "1-x", Some("1-x")),
            ("(|a)+", "aa", Some("")),
            ("x(?i)*", "xx", Some("xx")),
            ("#a b", "#a b", Some("#a b")),
        ] {
            assert_eq!(Regex::new(pattern).unwrap().find(text), found, "{pattern}");
        }
    }
}
