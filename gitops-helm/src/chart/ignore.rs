//! .helmignore: which files of a directory are no part of the chart.
//!
//! Follows helm pkg/ignore/rules.go, which is not gitignore: `**` is refused, and a negated
//! pattern excludes everything that it does not match.

use crate::chart::ChartError;

/// The patterns of a .helmignore file.
#[derive(Clone, Debug, Default)]
pub struct IgnoreRules {
    patterns: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern {
    /// What comes before the first character that is not itself.
    head: String,
    tail: Tail,
    negated: bool,
    directories_only: bool,
    /// Whether it matches the last component instead of the whole path.
    base_only: bool,
}

/// What a pattern has behind the text with which all names begin that it matches. Most are not worth the
/// walk over pattern and name that the others take.
#[derive(Clone, Debug)]
enum Tail {
    Nothing,
    /// A star and text.
    Ending(String),
    Other(String),
}

impl IgnoreRules {
    /// The rules of a file's text, and Helm's own: `templates/.?*`.
    ///
    /// # Errors
    /// For `**` and for malformed patterns.
    pub fn parse(text: &str) -> Result<Self, ChartError> {
        let mut rules = Self::default();
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        for line in text.lines().chain(["templates/.?*"]) {
            rules.add(line.trim())?;
        }
        Ok(rules)
    }

    fn add(&mut self, rule: &str) -> Result<(), ChartError> {
        if rule.is_empty() || rule.starts_with('#') {
            return Ok(());
        }
        if rule.contains("**") {
            return Err(ChartError::DoubleStar);
        }
        if match_path(rule, "abc").is_none() {
            return Err(ChartError::BadPattern);
        }
        let (negated, rule) = match rule.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, rule),
        };
        let (directories_only, rule) = match rule.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, rule),
        };
        let base_only = !rule.contains('/');
        let text = rule.strip_prefix('/').unwrap_or(rule);
        let (head, tail) = text.split_at(text.find(SPECIAL).unwrap_or(text.len()));
        let tail = match tail.strip_prefix('*') {
            None if tail.is_empty() => Tail::Nothing,
            Some(ending) if !ending.contains(SPECIAL) => Tail::Ending(ending.to_owned()),
            _ => Tail::Other(tail.to_owned()),
        };
        let head = head.to_owned();
        self.patterns.push(Pattern { head, tail, negated, directories_only, base_only });
        Ok(())
    }

    /// Whether a path below the chart is left out. Of an ignored directory nothing is taken.
    pub fn ignores(&self, path: &str, is_directory: bool) -> bool {
        if matches!(path, "" | "." | "./") {
            return false;
        }
        let base = path.rsplit('/').next().unwrap_or(path);
        for pattern in &self.patterns {
            let name = if pattern.base_only { base } else { path };
            let matches = || pattern.matches(name);
            if pattern.negated {
                if (pattern.directories_only && !is_directory) || !matches() {
                    return true;
                }
            } else if (!pattern.directories_only || is_directory) && matches() {
                return true;
            }
        }
        false
    }
}

impl Pattern {
    fn matches(&self, name: &str) -> bool {
        let Some(rest) = name.strip_prefix(&*self.head) else { return false };
        match &self.tail {
            Tail::Nothing => rest.is_empty(),
            Tail::Ending(ending) => {
                rest.strip_suffix(&**ending).is_some_and(|any| !any.contains('/'))
            }
            Tail::Other(pattern) => match_path(pattern, rest) == Some(true),
        }
    }
}

/// The characters of a pattern that do not stand for themselves.
const SPECIAL: [char; 4] = ['*', '?', '[', '\\'];

/// Go's `filepath.Match`: `*` and `?` stop at `/`, `[a-z]` and `[^a-z]` are classes, `\` quotes.
/// `None` when the pattern is malformed, as far as the name makes it matter.
pub(crate) fn match_path(pattern: &str, name: &str) -> Option<bool> {
    let mut pattern = pattern;
    let mut name = name;
    'chunks: while !pattern.is_empty() {
        let (star, chunk, rest) = next_chunk(pattern);
        pattern = rest;
        if star && chunk.is_empty() {
            return Some(!name.contains('/'));
        }
        if let Some(left) = match_chunk(chunk, name)?
            && (left.is_empty() || !pattern.is_empty())
        {
            name = left;
            continue;
        }
        if star {
            let ends = name.char_indices().take_while(|(_, character)| *character != '/');
            for (index, character) in ends {
                let after = &name[index + character.len_utf8()..];
                if let Some(left) = match_chunk(chunk, after)? {
                    // The last chunk must use up the name.
                    if pattern.is_empty() && !left.is_empty() {
                        continue;
                    }
                    name = left;
                    continue 'chunks;
                }
            }
        }
        // The rest of the pattern is still checked for mistakes.
        while !pattern.is_empty() {
            let (_, chunk, rest) = next_chunk(pattern);
            pattern = rest;
            match_chunk(chunk, "")?;
        }
        return Some(false);
    }
    Some(name.is_empty())
}

/// Whether stars stand first, the text up to the next star, and the rest.
fn next_chunk(pattern: &str) -> (bool, &str, &str) {
    let body = pattern.trim_start_matches('*');
    let star = body.len() < pattern.len();
    let mut in_class = false;
    let mut characters = body.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '\\' => {
                characters.next();
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '*' if !in_class => return (star, &body[..index], &body[index..]),
            _ => {}
        }
    }
    (star, body, "")
}

/// What is left of the name after the chunk, `Some(None)` where it does not match.
#[expect(clippy::option_option, reason = "malformed, no match, and a match are three answers")]
fn match_chunk<'n>(chunk: &str, name: &'n str) -> Option<Option<&'n str>> {
    let mut chunk = chunk.chars();
    let mut name = name.chars();
    let mut failed = false;
    while let Some(wanted) = chunk.next() {
        if !failed && name.as_str().is_empty() {
            failed = true;
        }
        match wanted {
            '[' => {
                let next = if failed { None } else { name.next() };
                let hit = match_class(&mut chunk, next.unwrap_or('\0'))?;
                failed |= !hit;
            }
            '?' => {
                if !failed {
                    failed = name.next() == Some('/');
                }
            }
            wanted => {
                let wanted = if wanted == '\\' { chunk.next()? } else { wanted };
                if !failed {
                    failed = name.next() != Some(wanted);
                }
            }
        }
    }
    Some((!failed).then_some(name.as_str()))
}

fn match_class(chunk: &mut std::str::Chars<'_>, character: char) -> Option<bool> {
    let negated = chunk.as_str().starts_with('^');
    if negated {
        chunk.next();
    }
    let mut hit = false;
    let mut ranges = 0;
    loop {
        if chunk.as_str().starts_with(']') && ranges > 0 {
            chunk.next();
            return Some(hit != negated);
        }
        let low = class_character(chunk)?;
        let mut high = low;
        if chunk.as_str().starts_with('-') {
            chunk.next();
            high = class_character(chunk)?;
        }
        hit |= low <= character && character <= high;
        ranges += 1;
    }
}

fn class_character(chunk: &mut std::str::Chars<'_>) -> Option<char> {
    let character = match chunk.next()? {
        '-' | ']' => return None,
        '\\' => chunk.next()?,
        character => character,
    };
    // A class that never closes is malformed.
    (!chunk.as_str().is_empty()).then_some(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_filepath_match_does() {
        for (pattern, name, expected) in [
            ("abc", "abc", Some(true)),
            ("*", "abc", Some(true)),
            ("*c", "abc", Some(true)),
            ("a*", "ab/c", Some(false)),
            ("a*/b", "abc/b", Some(true)),
            ("a*b*c*d*e*/f", "axbxcxdxe/f", Some(true)),
            ("a*b?c*x", "abxbbxdbxebxczzx", Some(true)),
            ("a*b?c*x", "abxbbxdbxebxczzy", Some(false)),
            ("ab[c]", "abc", Some(true)),
            ("ab[^e-g]", "abc", Some(true)),
            ("a\\*b", "a*b", Some(true)),
            ("a?b", "a/b", Some(false)),
            ("[\\]a]", "]", Some(true)),
            ("[]a]", "]", None),
            ("[-]", "-", None),
            ("[a-b-c]", "a", None),
            ("[", "a", None),
            ("[^", "a", None),
            ("a[", "a", None),
            ("a[", "ab", None),
            ("*x", "xxx", Some(true)),
            ("templates/.?*", "templates/.x", Some(true)),
            ("templates/.?*", "templates/x", Some(false)),
        ] {
            assert_eq!(match_path(pattern, name), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn rules_match_as_their_patterns_do() {
        let names =
            ["a", "ab", "b", "a*", "abc.x", ".x", "x", "é", "éx", "a/b", "a/b.x", "a/.x", "d/a"];
        for rule in [
            "a", "a*", "*b", "*.x", "*", "a?", "?", "a/*", "a/*.x", "*/b", "a/b*", "[a-b]", "a\\*",
            "*[x]", "é*", "a*c*x", "/a", "/*.x", "é?",
        ] {
            let rules = IgnoreRules::parse(rule).unwrap();
            let text = rule.strip_prefix('/').unwrap_or(rule);
            for name in names {
                let base = name.rsplit('/').next().unwrap();
                let matched = if rule.contains('/') { name } else { base };
                let expected = match_path(text, matched) == Some(true);
                assert_eq!(rules.ignores(name, false), expected, "{rule} {name}");
            }
        }
    }

    #[test]
    fn a_negated_pattern_excludes_what_it_does_not_match() {
        let rules = IgnoreRules::parse("# x\n!keep.txt\n").unwrap();
        assert!(!rules.ignores("keep.txt", false));
        assert!(rules.ignores("other.txt", false));
    }

    #[test]
    fn double_stars_are_refused() {
        let error = IgnoreRules::parse("a/**\n").unwrap_err();
        assert_eq!(error.to_string(), "double-star (**) syntax is not supported");
        assert!(IgnoreRules::parse("[\n").is_err());
    }
}
