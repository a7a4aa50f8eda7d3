//! What stays out of an artifact: ignore rules in gitignore syntax.
//!
//! Follows the matcher that Flux uses for `.sourceignore` and `spec.ignore`, which differs from
//! Git's own in one way that users rely on: a file in an ignored directory can be taken back by a
//! later rule, because every path is judged by itself and the last rule that speaks wins.
//!
//! Matching is linear in the length of the path for each rule, whatever the rule.

use std::path::{Path, PathBuf};

use gitops_core::{Tree, TreeError};

const VCS: [&str; 4] = [".git/", ".gitignore", ".gitmodules", ".gitattributes"];
const DEFAULTS: [&str; 20] = [
    "*.jpg",
    "*.jpeg",
    "*.gif",
    "*.png",
    "*.wmv",
    "*.flv",
    "*.tar.gz",
    "*.zip",
    ".github/",
    ".circleci/",
    ".travis.yml",
    ".gitlab-ci.yml",
    "appveyor.yml",
    ".drone.yml",
    "cloudbuild.yaml",
    "codeship-services.yml",
    "codeship-steps.yml",
    "**/.goreleaser.yml",
    "**/.sops.yaml",
    "**/.flux.yaml",
];
const FILE: &str = ".sourceignore";
/// Bounds the work of a hostile tree: rules times paths is what matching costs.
const MAX_RULES: usize = 10_000;
const MAX_RULE_LENGTH: usize = 64 << 10;
const MAX_DEPTH: usize = 128;

/// Decides which paths of a tree stay out of its artifact.
///
/// ```
/// use gitops_core::MemoryTree;
/// use gitops_source::IgnoreRules;
///
/// let tree = MemoryTree::from_iter([("docs/a.md", "a"), ("docs/b.md", "b"), ("logo.png", "")]);
/// let rules = IgnoreRules::load(&tree, Some("/docs\n!/docs/a.md"))?;
/// assert!(rules.ignores("docs/b.md".as_ref(), false));
/// assert!(!rules.ignores("docs/a.md".as_ref(), false));
/// // Rules of one's own replace the defaults.
/// assert!(!rules.ignores("logo.png".as_ref(), false));
/// # Ok::<(), gitops_core::TreeError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct IgnoreRules {
    rules: Vec<Rule>,
}

impl IgnoreRules {
    /// These rules and no others, one in each line.
    pub fn only(text: &str) -> Self {
        let mut rules = Vec::new();
        parse(text, &[], &mut rules);
        rules.truncate(MAX_RULES);
        Self { rules }
    }

    /// The rules for a tree: version control files; then the `.sourceignore` files found in the
    /// tree, each in force below its directory, and `ignore`, the text of `spec.ignore`. The
    /// defaults (pictures, archives, CI configuration) hold only when neither adds a rule.
    ///
    /// # Errors
    /// When the tree cannot be read, or holds more rules than can be judged in sensible time.
    pub fn load(tree: &dyn Tree, ignore: Option<&str>) -> Result<Self, TreeError> {
        let mut own = Vec::new();
        collect(tree, Path::new(""), 0, &mut own)?;
        parse(ignore.unwrap_or_default(), &[], &mut own);
        if own.len() > MAX_RULES {
            let why = format!("more than {MAX_RULES} ignore rules");
            return Err(TreeError::new(FILE, gitops_core::TreeErrorKind::Limit(why)));
        }
        let mut rules: Vec<Rule> = VCS.iter().map(|rule| Rule::parse(rule, &[])).collect();
        if own.is_empty() {
            rules.extend(DEFAULTS.iter().map(|rule| Rule::parse(rule, &[])));
        }
        rules.extend(own);
        Ok(Self { rules })
    }

    /// The rules of some texts, where a later one overrides an earlier one; nothing else is ignored.
    ///
    /// # Errors
    /// When there are more rules than can be judged in sensible time.
    pub fn of_texts(texts: &[&str]) -> Result<Self, TreeError> {
        let mut rules = Vec::new();
        for text in texts {
            parse(text, &[], &mut rules);
        }
        if rules.len() > MAX_RULES {
            let why = format!("more than {MAX_RULES} ignore rules");
            return Err(TreeError::new(FILE, gitops_core::TreeErrorKind::Limit(why)));
        }
        Ok(Self { rules })
    }

    /// Whether a path, relative to the root of the tree, stays out.
    pub fn ignores(&self, path: &Path, is_dir: bool) -> bool {
        let parts: Vec<&str> = path.iter().filter_map(|part| part.to_str()).collect();
        let last = self.rules.iter().rev().find(|rule| rule.matches(&parts, is_dir));
        last.is_some_and(|rule| !rule.takes_back)
    }
}

fn collect(
    tree: &dyn Tree,
    dir: &Path,
    depth: usize,
    rules: &mut Vec<Rule>,
) -> Result<(), TreeError> {
    if depth > MAX_DEPTH || rules.len() > MAX_RULES {
        return Ok(());
    }
    let entries = tree.list(dir)?;
    if entries.iter().any(|entry| entry.name == FILE && !entry.is_dir()) {
        let domain: Vec<&str> = dir.iter().filter_map(|part| part.to_str()).collect();
        let content = tree.read(&dir.join(FILE))?;
        parse(&String::from_utf8_lossy(&content), &domain, rules);
    }
    for entry in entries.iter().filter(|entry| entry.is_dir() && entry.name != ".git") {
        let path: PathBuf = dir.join(&entry.name);
        collect(tree, &path, depth + 1, rules)?;
    }
    Ok(())
}

fn parse(text: &str, domain: &[&str], rules: &mut Vec<Rule>) {
    for line in text.lines() {
        if line.len() > MAX_RULE_LENGTH {
            // As Flux's line reader, which gives up on such a line and all after it.
            return;
        }
        if !line.starts_with('#') && !line.trim().is_empty() {
            rules.push(Rule::parse(line, domain));
        }
    }
}

#[derive(Clone, Debug)]
struct Rule {
    /// The directory below which the rule holds.
    domain: Vec<String>,
    segments: Vec<Segment>,
    /// The rule holds a `/` other than at its end, so it speaks of a path from the domain on and
    /// not of a name anywhere.
    anchored: bool,
    dir_only: bool,
    takes_back: bool,
}

#[derive(Clone, Debug)]
enum Segment {
    /// Between two slashes, or before the first.
    Empty,
    /// `**`
    AnyDirectories,
    Name(Glob),
}

impl Rule {
    fn parse(text: &str, domain: &[&str]) -> Self {
        let (takes_back, text) = match text.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let text = if text.ends_with("\\ ") { text } else { text.trim_end_matches(' ') };
        let (dir_only, text) = match text.strip_suffix('/') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let segments = text
            .split('/')
            .map(|part| match part {
                "" => Segment::Empty,
                "**" => Segment::AnyDirectories,
                // Quirk: such a name never matches in an anchored rule; `*` twice is once elsewhere.
                part => Segment::Name(Glob::parse(part)),
            })
            .collect();
        let anchored = text.contains('/');
        let domain = domain.iter().map(|&part| part.to_owned()).collect();
        Self { domain, segments, anchored, dir_only, takes_back }
    }

    fn matches(&self, path: &[&str], is_dir: bool) -> bool {
        if path.len() <= self.domain.len() || self.domain.iter().zip(path).any(|(a, b)| a != b) {
            return false;
        }
        let path = &path[self.domain.len()..];
        if self.anchored {
            self.matches_path(path, is_dir)
        } else {
            self.matches_name(path, is_dir)
        }
    }

    fn matches_name(&self, path: &[&str], is_dir: bool) -> bool {
        let hit = match self.segments.first() {
            Some(Segment::Name(glob)) => path.iter().position(|name| glob.matches(name)),
            Some(Segment::AnyDirectories) => path.iter().position(|_| true),
            _ => None,
        };
        hit.is_some_and(|at| !self.dir_only || is_dir || at + 1 < path.len())
    }

    fn matches_path(&self, mut path: &[&str], is_dir: bool) -> bool {
        let mut matched = false;
        let mut skipping = false;
        for (index, segment) in self.segments.iter().enumerate() {
            let glob = match segment {
                Segment::Empty => {
                    skipping = false;
                    continue;
                }
                Segment::AnyDirectories if index + 1 == self.segments.len() => break,
                Segment::AnyDirectories => {
                    skipping = true;
                    continue;
                }
                Segment::Name(glob) if glob.double_star => return false,
                Segment::Name(glob) => glob,
            };
            if path.is_empty() {
                return false;
            }
            if std::mem::take(&mut skipping) {
                // Quirk: the first directory that fits is taken, without trying later ones.
                if let Some(at) = path.iter().position(|name| glob.matches(name)) {
                    path = &path[at + 1..];
                    matched = true;
                } else {
                    path = &[];
                    matched = false;
                }
            } else {
                if !glob.matches(path[0]) {
                    return false;
                }
                path = &path[1..];
                matched = true;
            }
        }
        matched && (!self.dir_only || is_dir || !path.is_empty())
    }
}

/// A pattern for one name, in the syntax of Go's `path.Match`: `*`, `?`, `[a-z]`, `[^a]`, `\x`.
#[derive(Clone, Debug)]
struct Glob {
    tokens: Vec<Token>,
    /// A pattern with a syntax error matches nothing.
    valid: bool,
    double_star: bool,
}

#[derive(Clone, Debug)]
enum Token {
    Star,
    One,
    Char(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    fn parse(text: &str) -> Self {
        let tokens = Self::tokens(text);
        let valid = tokens.is_some();
        Self { tokens: tokens.unwrap_or_default(), valid, double_star: text.contains("**") }
    }

    fn tokens(text: &str) -> Option<Vec<Token>> {
        let mut tokens = Vec::new();
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            tokens.push(match c {
                '*' if matches!(tokens.last(), Some(Token::Star)) => continue,
                '*' => Token::Star,
                '?' => Token::One,
                '\\' => Token::Char(chars.next()?),
                '[' => {
                    let negated = chars.next_if_eq(&'^').is_some();
                    let mut ranges = Vec::new();
                    while ranges.is_empty() || chars.peek() != Some(&']') {
                        let low = class_char(&mut chars)?;
                        let high = match chars.next_if_eq(&'-') {
                            Some(_) => class_char(&mut chars)?,
                            None => low,
                        };
                        ranges.push((low, high));
                    }
                    chars.next();
                    Token::Class { negated, ranges }
                }
                c => Token::Char(c),
            });
        }
        Some(tokens)
    }

    /// Goes back only to the last star, so the work is at most length times length of a name.
    fn matches(&self, name: &str) -> bool {
        if !self.valid {
            return false;
        }
        let mut rest = name.chars();
        let mut at = 0;
        let mut retry: Option<(usize, std::str::Chars<'_>)> = None;
        loop {
            if let Some(Token::Star) = self.tokens.get(at) {
                at += 1;
                retry = Some((at, rest.clone()));
                continue;
            }
            let before = rest.clone();
            let hit = match (self.tokens.get(at), rest.next()) {
                (None, None) => return true,
                (Some(token), Some(c)) => token.matches(c),
                _ => false,
            };
            if hit {
                at += 1;
                continue;
            }
            // A name that is used up cannot fit better after a longer star.
            let Some((after_star, start)) = retry.as_mut() else {
                return false;
            };
            if before.as_str().is_empty() && self.tokens.get(at).is_some() {
                return false;
            }
            if start.next().is_none() {
                return false;
            }
            at = *after_star;
            rest = start.clone();
        }
    }
}

fn class_char(chars: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Option<char> {
    match chars.next()? {
        '-' | ']' => None,
        '\\' => chars.next(),
        c => Some(c),
    }
}

impl Token {
    fn matches(&self, c: char) -> bool {
        match self {
            Self::Star => false,
            Self::One => true,
            Self::Char(own) => *own == c,
            Self::Class { negated, ranges } => {
                ranges.iter().any(|(low, high)| (low..=high).contains(&&c)) != *negated
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use gitops_core::MemoryTree;

    use super::*;

    fn rules(text: &str) -> IgnoreRules {
        IgnoreRules::load(&MemoryTree::new(), Some(text)).unwrap()
    }

    #[test]
    fn patterns() {
        for (pattern, path, is_dir, ignored) in [
            ("foo", "foo", false, true),
            ("foo", "a/foo", false, true),
            ("foo", "foo/x/y", false, true),
            ("foo/", "foo", false, false),
            ("foo/", "foo", true, true),
            ("foo/", "foo/x", false, true),
            ("/foo", "a/foo", false, false),
            ("/foo", "foo/x", false, true),
            ("a/*/c", "a/b/c", false, true),
            ("a/*/c", "a/c", false, false),
            ("a/**/c", "a/b/b/c", false, true),
            ("a/**/c", "a/c", false, true),
            ("a/**/c", "a/b", false, false),
            ("**/c", "c", false, true),
            ("**/c", "a/b/c", false, true),
            ("a/**", "a/b", false, true),
            ("a/b**", "a/bc", false, false),
            ("b**", "bc", false, true),
            ("*.txt", "a/b.txt", false, true),
            ("[a-c]?z", "bxz", false, true),
            ("[^a]z", "bz", false, true),
            ("[^a]z", "az", false, false),
            ("[a", "a", false, false),
            ("\\!x", "!x", false, true),
            ("x  ", "x", false, true),
            ("x\\ ", "x ", false, true),
            ("#x", "#x", false, false),
            ("a*b*c", "aXbYbZc", false, true),
            ("a*b", "aXc", false, false),
            ("", "x", false, false),
        ] {
            assert_eq!(rules(pattern).ignores(path.as_ref(), is_dir), ignored, "{pattern} {path}");
        }
    }

    #[test]
    fn files_in_ignored_directories_come_back() {
        let rules = rules("/*\n!/deploy\ndeploy/sa.yaml\n");
        for (path, ignored) in [
            ("README.md", true),
            ("deploy/cm.yaml", false),
            ("deploy/sa.yaml", true),
            ("docs/x", true),
        ] {
            assert_eq!(rules.ignores(path.as_ref(), false), ignored, "{path}");
        }
        assert!(!rules.ignores("deploy".as_ref(), true));
    }

    #[test]
    fn defaults_hold_only_alone() {
        let defaults = rules("");
        for path in ["a/x.png", ".github/w.yml", "a/.sops.yaml", ".git/config", "b.tar.gz"] {
            assert!(defaults.ignores(path.as_ref(), false), "{path}");
        }
        let own = rules("x");
        assert!(!own.ignores("a.png".as_ref(), false));
        assert!(own.ignores(".git/config".as_ref(), false));
        assert!(own.ignores("sub/.gitignore".as_ref(), false));
        assert!(!rules("!.git/").ignores(".git/config".as_ref(), false));
    }

    #[test]
    fn files_hold_below_their_directory() {
        let tree = MemoryTree::from_iter([
            (".sourceignore", "# comment\n\n*.log\n"),
            ("a/.sourceignore", "/x\n!keep.log\n"),
        ]);
        let rules = IgnoreRules::load(&tree, Some("a/z")).unwrap();
        for (path, ignored) in [
            ("b.log", true),
            ("a/keep.log", false),
            ("keep.log", true),
            ("a/x", true),
            ("a/b/x", false),
            ("x", false),
            ("a/z", true),
            (".sourceignore", false),
        ] {
            assert_eq!(rules.ignores(path.as_ref(), false), ignored, "{path}");
        }
    }

    #[test]
    fn hostile_patterns_stay_cheap() {
        let stars = "*a".repeat(10_000);
        let name = "a".repeat(20_000);
        assert!(!rules(&format!("{stars}b")).ignores(name.as_ref(), false));
        let nested = "**/".repeat(1000) + "x";
        assert!(rules(&nested).ignores("a/b/c/x".as_ref(), false));
        let many = "x\n".repeat(MAX_RULES + 1);
        assert!(IgnoreRules::load(&MemoryTree::new(), Some(&many)).is_err());
    }
}
