//! Which resources a patch or replacement is for: patterns for identity, selectors for labels and
//! annotations.

use std::str::Chars;

use gitops_yaml::{Mapping, Node};
use regex::{Regex, RegexBuilder};

use crate::{
    error::{Error, ErrorKind, Result},
    file::Selector,
    resource::{Gvk, Resource, ResourceId},
    set::ResourceSet,
};

/// A selector whose patterns were compiled.
#[derive(Debug)]
pub(crate) struct Matcher {
    group: Pattern,
    version: Pattern,
    kind: Pattern,
    name: Pattern,
    namespace: Pattern,
    labels: PairSelector,
    annotations: PairSelector,
}

impl Matcher {
    pub(crate) fn new(selector: &Selector) -> Result<Self> {
        Ok(Self {
            group: Pattern::new(&selector.gvk.group, "group")?,
            version: Pattern::new(&selector.gvk.version, "version")?,
            kind: Pattern::new(&selector.gvk.kind, "kind")?,
            name: Pattern::new(&selector.name, "name")?,
            namespace: Pattern::new(&selector.namespace, "namespace")?,
            labels: PairSelector::parse(&selector.label_selector)
                .map_err(|error| error.at_field("labelSelector"))?,
            annotations: PairSelector::parse(&selector.annotation_selector)
                .map_err(|error| error.at_field("annotationSelector"))?,
        })
    }

    /// The places of the resources that match, by their original or current name and namespace.
    pub(crate) fn select(&self, set: &ResourceSet) -> Vec<usize> {
        set.iter()
            .enumerate()
            .filter(|(_, resource)| self.selects(resource))
            .map(|(index, _)| index)
            .collect()
    }

    fn selects(&self, resource: &Resource) -> bool {
        let id = resource.id();
        if !self.matches_kind(&id.gvk) || !self.matches_pairs(resource) {
            return false;
        }
        let original = resource.original_id();
        (self.namespace.matches(original.effective_namespace())
            || self.namespace.matches(id.effective_namespace()))
            && (self.name.matches(&original.name) || self.name.matches(&id.name))
    }

    /// Whether one identity matches, its namespace as it is written.
    pub(crate) fn matches_id(&self, id: &ResourceId) -> bool {
        self.matches_kind(&id.gvk)
            && self.name.matches(&id.name)
            && self.namespace.matches(&id.namespace)
    }

    /// Whether labels and annotations match.
    pub(crate) fn matches_pairs(&self, resource: &Resource) -> bool {
        self.labels.matches(pairs(resource, "labels"))
            && self.annotations.matches(pairs(resource, "annotations"))
    }

    /// Whether there is a selector of labels or annotations at all.
    pub(crate) fn has_pair_selector(&self) -> bool {
        !self.labels.requirements.is_empty() || !self.annotations.requirements.is_empty()
    }

    fn matches_kind(&self, gvk: &Gvk) -> bool {
        self.kind.matches(&gvk.kind)
            && self.group.matches(&gvk.group)
            && self.version.matches(&gvk.version)
    }
}

fn pairs<'r>(resource: &'r Resource, field: &str) -> Option<&'r Mapping> {
    resource.node().at(["metadata", field]).and_then(Node::as_mapping)
}

/// A pattern for a whole text; most are plain words.
#[derive(Debug)]
enum Pattern {
    Anything,
    Exactly(String),
    /// Words with `.` and `.*` between them, as API groups have.
    Dotted(String),
    Regex(Regex),
}

/// A compiled pattern may take this much memory.
const PATTERN_SIZE: usize = 1 << 20;

/// Longer patterns are refused before they are looked at, which takes many times their size.
pub(super) const LONGEST_PATTERN: usize = 64 << 10;

/// Matching without a compiled pattern may take as many steps as pattern times text has characters.
const LONGEST_DOTTED: usize = 256;

impl Pattern {
    fn new(pattern: &str, field: &'static str) -> Result<Self> {
        if pattern.is_empty() {
            return Ok(Self::Anything);
        }
        let is_plain =
            |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/' | b':');
        if pattern.bytes().all(is_plain) {
            return Ok(Self::Exactly(pattern.to_owned()));
        }
        if pattern.len() <= LONGEST_DOTTED
            && pattern.replace(".*", ".").bytes().all(|byte| is_plain(byte) || byte == b'.')
        {
            return Ok(Self::Dotted(pattern.to_owned()));
        }
        if pattern.len() > LONGEST_PATTERN {
            let message = format!("error parsing regexp: longer than {LONGEST_PATTERN} bytes");
            return Err(Error::new(ErrorKind::Field, message).at_field(field));
        }
        RegexBuilder::new(&format!("^(?:{pattern})$"))
            .size_limit(PATTERN_SIZE)
            .build()
            .map(Self::Regex)
            .map_err(|error| {
                let shown = gitops_core::truncate(pattern, 200);
                let why = error.to_string();
                let why =
                    why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
                Error::new(ErrorKind::Field, format!("error parsing regexp: {why}: `{shown}`"))
                    .at_field(field)
                    .expecting("a regular expression that matches the whole text, such as `web-.*`")
            })
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Exactly(word) => word == text,
            Self::Dotted(pattern) => matches_dotted(pattern, text),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// Whether a text is what a pattern of plain characters, `.` and `.*` says.
fn matches_dotted(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern, text.chars());
    // What follows the last `.*`, and the text that it has not taken.
    let mut last: Option<(&str, Chars<'_>)> = None;
    loop {
        if let Some(behind) = pattern.strip_prefix(".*") {
            pattern = behind;
            last = Some((behind, text.clone()));
            continue;
        }
        let mut rest = text.clone();
        match (pattern.chars().next(), rest.next()) {
            (None, None) => return true,
            (Some(wanted), Some(c)) if wanted == c || (wanted == '.' && c != '\n') => {
                pattern = &pattern[1..];
                text = rest;
            }
            _ => {
                let Some((behind, left)) = &mut last else { return false };
                if left.next().is_none_or(|c| c == '\n') {
                    return false;
                }
                (pattern, text) = (*behind, left.clone());
            }
        }
    }
}

/// A selector in Kubernetes' language: `a=b, c!=d, e in (f, g), h notin (i), j, !k, l>1`.
#[derive(Debug, Default)]
struct PairSelector {
    requirements: Vec<Requirement>,
}

#[derive(Debug, PartialEq)]
enum Requirement {
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
    Exists(String),
    Absent(String),
    Greater(String, i64),
    Less(String, i64),
}

impl PairSelector {
    fn parse(text: &str) -> Result<Self> {
        let mut requirements = Vec::new();
        for part in split_requirements(text) {
            let part = part.trim();
            if part.is_empty() && text.trim().is_empty() {
                continue;
            }
            let requirement = parse_requirement(part).ok_or_else(|| {
                let shown = gitops_core::truncate(text, 200);
                Error::new(ErrorKind::Field, format!("unable to parse requirement: {shown:?}"))
                    .expecting("a selector such as `app=web, tier in (a, b), !old`")
            })?;
            requirements.push(requirement);
        }
        Ok(Self { requirements })
    }

    fn matches(&self, pairs: Option<&Mapping>) -> bool {
        let value = |key: &str| {
            pairs.and_then(|pairs| pairs.get(key)).map(|node| node.text().unwrap_or_default())
        };
        self.requirements.iter().all(|requirement| match requirement {
            Requirement::In(key, values) => {
                value(key).is_some_and(|value| values.iter().any(|v| v == value))
            }
            Requirement::NotIn(key, values) => {
                value(key).is_none_or(|value| values.iter().all(|v| v != value))
            }
            Requirement::Exists(key) => value(key).is_some(),
            Requirement::Absent(key) => value(key).is_none(),
            Requirement::Greater(key, bound) => value(key)
                .and_then(|value| value.parse::<i64>().ok())
                .is_some_and(|value| value > *bound),
            Requirement::Less(key, bound) => value(key)
                .and_then(|value| value.parse::<i64>().ok())
                .is_some_and(|value| value < *bound),
        })
    }
}

/// Splits at commas outside of parentheses.
fn split_requirements(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn parse_requirement(part: &str) -> Option<Requirement> {
    let key = |text: &str| {
        let text = text.trim();
        let valid = !text.is_empty()
            && text.len() <= 317
            && text.bytes().all(|byte| {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/')
            });
        valid.then(|| text.to_owned())
    };
    let plain = |text: &str| {
        let text = text.trim();
        let valid = text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        valid.then(|| text.to_owned())
    };
    if let Some(rest) = part.strip_prefix('!') {
        return key(rest).map(Requirement::Absent);
    }
    if let Some(list) = part.strip_suffix(')') {
        let (front, list) = list.split_once('(')?;
        let values = list.split(',').map(plain).collect::<Option<Vec<_>>>()?;
        let (name, operator) = front.trim().rsplit_once(char::is_whitespace)?;
        return match operator {
            "in" => Some(Requirement::In(key(name)?, values)),
            "notin" => Some(Requirement::NotIn(key(name)?, values)),
            _ => None,
        };
    }
    for (operator, negated) in [("!=", true), ("==", false), ("=", false)] {
        if let Some((name, value)) = part.split_once(operator) {
            let values = vec![plain(value)?];
            return Some(if negated {
                Requirement::NotIn(key(name)?, values)
            } else {
                Requirement::In(key(name)?, values)
            });
        }
    }
    if let Some((name, bound)) = part.split_once('>') {
        return Some(Requirement::Greater(key(name)?, bound.trim().parse().ok()?));
    }
    if let Some((name, bound)) = part.split_once('<') {
        return Some(Requirement::Less(key(name)?, bound.trim().parse().ok()?));
    }
    key(part).map(Requirement::Exists)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dotted_patterns_match_as_regular_expressions() {
        let texts = [
            "", "a", "aa", "ab", "b.a", "a.b", "ä", "aäb", "a\nb", "\n", "ba", "abab", "aab",
            "bäa.",
        ];
        let parts = ["a", "b", ".", ".*"];
        for number in 0..parts.len().pow(4) {
            let pattern: String = (0..4).map(|place| parts[number >> (2 * place) & 3]).collect();
            let regex = Regex::new(&format!("^(?:{pattern})$")).unwrap();
            let own = Pattern::new(&pattern, "name").unwrap();
            assert!(!matches!(own, Pattern::Regex(_)), "{pattern}");
            for text in texts {
                assert_eq!(own.matches(text), regex.is_match(text), "{pattern:?} {text:?}");
            }
        }
    }

    #[test]
    fn selectors_of_pairs() {
        let pairs: Mapping = [("a", "b"), ("n", "5")].into_iter().collect();
        for (text, wanted) in [
            ("", true),
            ("a=b", true),
            ("a==b,n", true),
            ("a = c", false),
            ("a!=c", true),
            ("a in (b, c)", true),
            ("a notin (b)", false),
            ("x notin (b)", true),
            ("!x", true),
            ("!a", false),
            ("n>4,n<6", true),
            ("x", false),
        ] {
            let selector = PairSelector::parse(text).unwrap();
            assert_eq!(selector.matches(Some(&pairs)), wanted, "{text}");
        }
        for bad in ["a b", "=b", "a in b", "a=b,", "a=(", "a in (b"] {
            assert!(PairSelector::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn patterns_match_the_whole_text_and_are_bounded() {
        assert!(Pattern::new("app-.*", "name").unwrap().matches("app-1"));
        assert!(!Pattern::new("app.", "name").unwrap().matches("app-1"));
        assert!(Pattern::new("a|b", "name").unwrap().matches("b"));
        assert!(Pattern::new("(a{1000}){1000}", "name").is_err());
        assert!(Pattern::new("(a+)+$", "name").unwrap().matches("aaaa"));
    }
}
