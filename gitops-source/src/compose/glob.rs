//! Patterns of paths.

use regex::Regex;

/// The longest pattern, in bytes.
const LIMIT: usize = 4096;

/// A pattern of paths whose parts are divided by `/`. Takes linear time.
#[derive(Clone, Debug)]
pub(super) struct Glob {
    regex: Regex,
    has_slash: bool,
}

/// What `**` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stars {
    /// Any number of directories, and `{a,b}` means either.
    Double,
    /// The same as `*`, as in Go's `path.Match`.
    Single,
}

impl Glob {
    /// Reads a pattern; `None` when it is malformed.
    pub(super) fn parse(pattern: &str, stars: Stars) -> Option<Self> {
        if pattern.len() > LIMIT {
            return None;
        }
        let regex = Regex::new(&format!("(?s)^(?:{})$", translate(pattern, stars)?)).ok()?;
        Some(Self { regex, has_slash: pattern.contains('/') })
    }

    pub(super) fn matches(&self, path: &str) -> bool {
        self.regex.is_match(path)
    }

    /// Whether a path is excluded: as a whole, or by its last part where the pattern has only one.
    pub(super) fn excludes(&self, path: &str) -> bool {
        let last = path.rsplit('/').next().unwrap_or(path);
        self.matches(path) || (!self.has_slash && self.matches(last))
    }
}

fn translate(pattern: &str, stars: Stars) -> Option<String> {
    let mut out = String::with_capacity(pattern.len() * 2);
    let chars: Vec<char> = pattern.chars().collect();
    let mut at = 0;
    let mut depth = 0_usize;
    while at < chars.len() {
        let c = chars[at];
        let starts_part = at == 0 || chars[at - 1] == '/';
        match c {
            '*' if stars == Stars::Double && chars.get(at + 1) == Some(&'*') && starts_part => {
                match chars.get(at + 2) {
                    Some('/') => {
                        out.push_str("(?:.*/)?");
                        at += 3;
                        continue;
                    }
                    None => {
                        // `a/**` is `a` itself too.
                        if out.ends_with('/') {
                            out.pop();
                            out.push_str("(?:/.*)?");
                        } else {
                            out.push_str(".*");
                        }
                        at += 2;
                        continue;
                    }
                    _ => out.push_str("[^/]*"),
                }
            }
            '*' => out.push_str("[^/]*"),
            '?' => out.push_str("[^/]"),
            '[' => {
                at = class(&chars, at + 1, &mut out)?;
                continue;
            }
            '\\' => {
                at += 1;
                out.push_str(&regex::escape(&chars.get(at)?.to_string()));
            }
            '{' if stars == Stars::Double => {
                depth += 1;
                out.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                out.push(')');
            }
            ',' if depth > 0 => out.push('|'),
            c => out.push_str(&regex::escape(&c.to_string())),
        }
        at += 1;
    }
    (depth == 0).then_some(out)
}

/// Translates a class from behind its bracket; gives the place behind it.
fn class(chars: &[char], mut at: usize, out: &mut String) -> Option<usize> {
    out.push('[');
    if matches!(chars.get(at)?, '^' | '!') {
        out.push_str("^/");
        at += 1;
    }
    let start = at;
    loop {
        match *chars.get(at)? {
            ']' if at > start => break,
            '\\' => {
                at += 1;
                out.push_str(&regex::escape(&chars.get(at)?.to_string()));
            }
            '-' => out.push('-'),
            c @ ('[' | ']' | '^' | '&' | '~') => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        at += 1;
    }
    out.push(']');
    Some(at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, stars, path, expected) in [
            ("deploy/**", Stars::Single, "deploy/cm.yaml", true),
            ("deploy/**", Stars::Single, "deploy/a/cm.yaml", false),
            ("deploy/**", Stars::Single, "deploy", false),
            ("deploy/**", Stars::Double, "deploy/a/cm.yaml", true),
            ("deploy/**", Stars::Double, "deploy", true),
            ("**/*.md", Stars::Double, "a.md", true),
            ("**/*.md", Stars::Double, "a/b/c.md", true),
            ("*.md", Stars::Double, "a/c.md", false),
            ("{a,b}/c", Stars::Double, "b/c", true),
            ("[!a-c].x", Stars::Double, "d.x", true),
            ("[!a-c].x", Stars::Double, "b.x", false),
            ("a?c", Stars::Single, "abc", true),
            ("a\\*c", Stars::Single, "abc", false),
            ("a.c", Stars::Single, "abc", false),
        ] {
            let glob = Glob::parse(pattern, stars).unwrap();
            assert_eq!(glob.matches(path), expected, "{pattern} {path}");
        }
        for malformed in ["[a", "a\\", "{a"] {
            assert!(Glob::parse(malformed, Stars::Double).is_none(), "{malformed}");
        }
        assert!(Glob::parse("*.md", Stars::Double).unwrap().excludes("a/b/c.md"));
        let many = "**/".repeat(1000) + "x";
        let glob = Glob::parse(&many, Stars::Double);
        assert!(glob.is_none_or(|glob| !glob.matches(&"a/".repeat(1000))));
    }
}
