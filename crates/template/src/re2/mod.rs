//! Regular expressions as Go's `regexp` reads and runs them.
//!
//! The syntax is Go's (RE2): a pattern is read by Go's rules, with Go's errors, and handed to the
//! `regex` crate in words that mean the same there. Both find the leftmost match, in linear time.

mod class;
mod error;
mod parse;

use std::{borrow::Cow, convert::Infallible};

pub use error::Error;

/// Hardly a pattern needs more memory; `.{1,1000}` needs half of it.
const USUAL: usize = 2 << 20;

/// More memory no pattern gets.
const LARGEST: usize = 64 << 20;

/// A compiled pattern.
///
/// ```
/// let regex = gitops_template::re2::Regex::new(r"(?P<word>\w+) \d")?;
/// assert!(regex.is_match("née 1"));
/// assert_eq!(regex.replace_all("ab 1", "<${word}>"), "<ab>");
/// # Ok::<(), gitops_template::re2::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Regex {
    regex: regex::Regex,
    /// The names of the groups by number; without a name it is empty.
    names: Vec<String>,
    is_empty: bool,
    is_large: bool,
}

impl Regex {
    /// Compiles a pattern.
    ///
    /// # Errors
    /// With Go's text, if it is none, or needs more than 64 MiB.
    pub fn new(pattern: &str) -> Result<Self, Error> {
        let parsed = parse::parse(pattern)?;
        let build = |limit| {
            regex::RegexBuilder::new(&parsed.translated).nest_limit(4000).size_limit(limit).build()
        };
        let (regex, is_large) = match build(USUAL) {
            Ok(regex) => (regex, false),
            Err(_) => {
                let large = build(LARGEST);
                (large.map_err(|_| Error::new("expression too large", pattern))?, true)
            }
        };
        Ok(Self { regex, names: parsed.names, is_empty: pattern.is_empty(), is_large })
    }

    /// Whether it is one of the few that need much memory, of which nobody should keep many.
    pub fn is_large(&self) -> bool {
        self.is_large
    }

    /// Whether the pattern matches anywhere in the text.
    pub fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The leftmost match.
    pub fn find<'t>(&self, text: &'t str) -> Option<&'t str> {
        self.regex.find(text).map(|found| found.as_str())
    }

    /// All matches that do not overlap.
    pub fn find_iter<'s, 't: 's>(&'s self, text: &'t str) -> impl Iterator<Item = &'t str> + 's {
        self.regex.find_iter(text).map(|found| found.as_str())
    }

    /// Replaces each match. `$1`, `$name` and `${name}` stand for groups, `$$` for a dollar; of
    /// letters, digits and `_` as many as there are belong to a name.
    pub fn replace_all<'t>(&self, text: &'t str, replacement: &str) -> Cow<'t, str> {
        let replaced = self.try_replace_all(text, replacement, false, |_| Ok::<(), Infallible>(()));
        replaced.unwrap_or_default().map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Replaces each match, and tells how many bytes were written since the last time; nothing if
    /// there is no match.
    pub(crate) fn try_replace_all<E>(
        &self,
        text: &str,
        replacement: &str,
        literal: bool,
        mut written: impl FnMut(u64) -> Result<(), E>,
    ) -> Result<Option<String>, E> {
        let mut out = String::new();
        let mut end = None;
        let mut replace = |start, stop, groups: Option<&regex::Captures<'_>>| {
            let before = out.len();
            out.push_str(&text[end.unwrap_or(0)..start]);
            match groups {
                Some(groups) => self.expand(&mut out, replacement, groups),
                None => out.push_str(replacement),
            }
            end = Some(stop);
            written((out.len() - before) as u64)
        };
        if literal || !replacement.contains('$') {
            for found in self.regex.find_iter(text) {
                replace(found.start(), found.end(), None)?;
            }
        } else {
            for groups in self.regex.captures_iter(text) {
                let found = groups.get_match();
                replace(found.start(), found.end(), Some(&groups))?;
            }
        }
        Ok(end.map(|end| {
            out.push_str(&text[end..]);
            out
        }))
    }

    /// The parts of the text between matches, at most `limit` if one is given. Go gives no part at
    /// all for a limit of 0.
    pub fn split<'t>(&self, text: &'t str, limit: Option<usize>) -> Vec<&'t str> {
        if limit == Some(0) {
            return Vec::new();
        }
        if text.is_empty() && !self.is_empty {
            return vec![""];
        }
        let mut parts = Vec::new();
        let (mut start, mut end) = (0, 0);
        for found in self.regex.find_iter(text).take(limit.unwrap_or(usize::MAX)) {
            if limit == Some(parts.len() + 1) {
                break;
            }
            end = found.start();
            // An empty match at the front parts nothing.
            if found.end() != 0 {
                parts.push(&text[start..end]);
            }
            start = found.end();
        }
        if end != text.len() {
            parts.push(&text[start..]);
        }
        parts
    }

    fn expand(&self, out: &mut String, template: &str, groups: &regex::Captures<'_>) {
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('$') {
            out.push_str(before);
            if let Some(after) = after.strip_prefix('$') {
                out.push('$');
                rest = after;
                continue;
            }
            let Some((name, after)) = group_name(after) else {
                out.push('$');
                rest = after;
                continue;
            };
            rest = after;
            let group = match group_number(name) {
                Some(number) => groups.get(number),
                None => {
                    let mut named = self.names.iter().enumerate().filter(|(_, own)| *own == name);
                    named.find_map(|(number, _)| groups.get(number))
                }
            };
            out.push_str(group.map_or("", |group| group.as_str()));
        }
        out.push_str(rest);
    }
}

/// The name after a `$`, with or without braces, and what follows it.
fn group_name(text: &str) -> Option<(&str, &str)> {
    let inner = text.strip_prefix('{');
    let name = inner.unwrap_or(text);
    let length = name
        .find(|c: char| !(c.is_alphabetic() || c.is_numeric() || c == '_'))
        .unwrap_or(name.len());
    if length == 0 {
        return None;
    }
    let (name, rest) = name.split_at(length);
    match inner {
        Some(_) => Some((name, rest.strip_prefix('}')?)),
        None => Some((name, rest)),
    }
}

fn group_number(name: &str) -> Option<usize> {
    let leading_zero = name.len() > 1 && name.starts_with('0');
    let digits = name.len() < 10 && name.bytes().all(|byte| byte.is_ascii_digit());
    (digits && !leading_zero).then(|| name.parse().ok())?
}

/// Go's `regexp.QuoteMeta`.
pub fn quote_meta(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_use_fits_and_what_is_not_is_refused() {
        for pattern in [
            r"^.{1,1000}$",
            r"^([\p{L}\p{N}_-]{1,63}\.){1,4}$",
            r"(?i)^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$",
        ] {
            assert!(Regex::new(pattern).is_ok(), "{pattern}");
        }
        let error =
            Regex::new(r"((\pL{30}){30}\pN{900}){1}[\pL\pM]{1000}").unwrap_err().to_string();
        assert!(error.starts_with("error parsing regexp: expression too large"), "{error}");
    }

    #[test]
    fn replaces_and_splits_as_go() {
        let replace = |pattern: &str, text: &str, with: &str| {
            Regex::new(pattern).unwrap().replace_all(text, with).into_owned()
        };
        assert_eq!(replace("a(x*)b", "-ab-axxb-", "${1}W"), "-W-xxW-");
        assert_eq!(replace("a(x*)b", "-ab-axxb-", "$1W"), "---");
        assert_eq!(replace("x*", "abc", "-"), "-a-b-c-");
        assert_eq!(replace("(b)", "abc", "$${1"), "a${1c");
        assert_eq!(replace("(?P<n>b)(?P<n2>c)?", "ab", "$n2$n"), "ab");
        let split = |pattern: &str, text: &'static str, limit| {
            Regex::new(pattern).unwrap().split(text, limit)
        };
        assert_eq!(split("a*", "baac", None), ["b", "c"]);
        assert_eq!(split("", "abc", None), ["a", "b", "c"]);
        assert_eq!(split("", "", None), Vec::<&str>::new());
        assert_eq!(split(",", "a,b,c", Some(2)), ["a", "b,c"]);
        assert_eq!(split("z", "pizza", None), ["pi", "", "a"]);
    }
}
