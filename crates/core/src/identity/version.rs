//! Versions and ranges of versions as Flux's and Helm's users write them.
//!
//! Follows Masterminds/semver v3, with which Flux and Helm judge them: versions are read leniently (`v`
//! prefix, leading zeros), ranges are terms joined by space or comma (and) or `||` (or), and a
//! pre-release counts only in a group in which some term names a pre-release.

use std::{cmp::Ordering, fmt, str::FromStr};

use crate::quoted;

/// A version and the text it was read from.
///
/// Equality and order ignore build metadata and the original text.
#[derive(Clone, Debug)]
pub struct Version {
    /// Major, minor, patch.
    core: [u64; 3],
    pre: Vec<Identifier>,
    original: String,
}

/// A part of a pre-release. Numbers come before words, as the order of the variants says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Word(String),
}

impl Version {
    /// Reads a tag as Flux does: at least two dots are wanted, so that `1` and `1.2` are no
    /// versions. `None` when the text is no version.
    pub fn from_tag(tag: &str) -> Option<Self> {
        if tag.matches('.').count() < 2 {
            return None;
        }
        Self::parse(tag)
    }

    /// Major, minor and patch.
    pub fn numbers(&self) -> [u64; 3] {
        self.core
    }

    /// Whether it is a pre-release.
    pub fn is_pre_release(&self) -> bool {
        !self.pre.is_empty()
    }

    /// The text as it was read: what is fetched and what revisions show.
    pub fn original(&self) -> &str {
        &self.original
    }

    /// Reads a version leniently, so that `1`, `v1.2` and `01.2.3` are versions. `None` when the
    /// text is no version.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() > 256 {
            return None;
        }
        let mut scan = Scan { rest: text };
        scan.take('v');
        let mut core = [0; 3];
        core[0] = scan.digits()?.parse().ok()?;
        for part in &mut core[1..] {
            let before = scan.rest;
            if !scan.take('.') {
                break;
            }
            let Some(digits) = scan.digits() else {
                scan.rest = before;
                break;
            };
            *part = digits.parse().ok()?;
        }
        let pre = match scan.suffix('-') {
            Some(pre) => pre.split('.').map(identifier).collect::<Option<_>>()?,
            None => Vec::new(),
        };
        scan.suffix('+');
        scan.rest.is_empty().then(|| Self { core, pre, original: text.to_owned() })
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        let pre = || match (self.pre.is_empty(), other.pre.is_empty()) {
            // A release comes after its pre-releases.
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            _ => self.pre.cmp(&other.pre),
        };
        self.core.cmp(&other.core).then_with(pre)
    }
}

fn identifier(text: &str) -> Option<Identifier> {
    let numeric = text.bytes().all(|b| b.is_ascii_digit());
    if numeric && text.len() > 1 && text.starts_with('0') {
        return None;
    }
    // A number beyond 64 bits compares as a word.
    Some(match text.parse() {
        Ok(number) if numeric => Identifier::Number(number),
        _ => Identifier::Word(text.to_owned()),
    })
}

/// A range of versions, such as `>=1.0.0 <2.0.0 || ^3.1`.
#[derive(Clone, Debug)]
pub struct VersionRange {
    /// Any group may match.
    groups: Vec<Group>,
}

#[derive(Clone, Debug)]
struct Group {
    terms: Vec<Term>,
    /// Some term names a pre-release, so pre-releases count.
    pre: bool,
}

#[derive(Clone, Debug)]
struct Term {
    operator: Operator,
    version: Version,
    precision: Precision,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    NotEqual,
    Greater,
    Less,
    AtLeast,
    AtMost,
    Tilde,
    Caret,
}

/// How much of a version a term names; the rest is a wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Precision {
    Nothing,
    Major,
    Minor,
    Full,
}

/// Longer operators first, so that `>=` is not read as `>`.
const OPERATORS: [(&str, Operator); 11] = [
    ("!=", Operator::NotEqual),
    (">=", Operator::AtLeast),
    ("=>", Operator::AtLeast),
    ("<=", Operator::AtMost),
    ("=<", Operator::AtMost),
    ("~>", Operator::Tilde),
    ("=", Operator::Equal),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("~", Operator::Tilde),
    ("^", Operator::Caret),
];

/// A text that is no range of versions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VersionRangeError {
    /// The text, or one side of `||`, is malformed.
    #[error("improper constraint: {}", quoted(.0))]
    Improper(String),
    /// The text is longer than a range may be.
    #[error("constraint string is too long (max 512 bytes)")]
    TooLong,
    /// There are more sides of `||` than a range may have.
    #[error("too many constraint groups (max 32)")]
    TooManyGroups,
    /// A term has the right shape but its version is none, such as `1x.0`.
    #[error("constraint parser error")]
    Term,
}

impl VersionRange {
    /// Whether a version is in the range.
    pub fn contains(&self, version: &Version) -> bool {
        self.groups.iter().any(|group| {
            (group.pre || version.pre.is_empty())
                && group.terms.iter().all(|term| term.admits(version))
        })
    }
}

impl FromStr for VersionRange {
    type Err = VersionRangeError;

    fn from_str(text: &str) -> Result<Self, VersionRangeError> {
        if text.len() > 512 {
            return Err(VersionRangeError::TooLong);
        }
        let text = rewrite_hyphens(text);
        if text.split("||").count() > 32 {
            return Err(VersionRangeError::TooManyGroups);
        }
        let groups = text.split("||").map(group).collect::<Result<_, _>>()?;
        Ok(Self { groups })
    }
}

impl Term {
    fn admits(&self, version: &Version) -> bool {
        let [major, minor, patch] = version.core;
        let own = &self.version;
        let [own_major, own_minor, own_patch] = own.core;
        let same_minor = (major, minor) == (own_major, own_minor);
        match (self.operator, self.precision) {
            (Operator::NotEqual, Precision::Major) => major != own_major,
            (Operator::NotEqual, Precision::Minor) => !same_minor || version.pre != own.pre,
            (Operator::NotEqual, _) => version != own,
            (Operator::Greater, Precision::Major) => major > own_major,
            (Operator::Greater, Precision::Minor) => (major, minor) > (own_major, own_minor),
            (Operator::Greater, _) => version > own,
            (Operator::Less, _) => version < own,
            (Operator::AtLeast, _) => version >= own,
            (Operator::AtMost, Precision::Full) => version <= own,
            (Operator::AtMost, Precision::Major) => major <= own_major,
            (Operator::AtMost, _) => (major, minor) <= (own_major, own_minor),
            (Operator::Equal, Precision::Full) => version == own,
            (Operator::Equal | Operator::Tilde, precision) => {
                // Quirk: `~0.0.0` and `*` admit everything from 0.0.0 on.
                let all =
                    own.core == [0; 3] && matches!(precision, Precision::Full | Precision::Nothing);
                let near = precision == Precision::Major || minor == own_minor;
                version >= own && (all || (major == own_major && near))
            }
            (Operator::Caret, precision) => {
                // The leftmost part that is not zero must stay.
                version >= own
                    && major == own_major
                    && (own_major > 0
                        || precision == Precision::Major
                        || (minor == own_minor
                            && (own_minor > 0
                                || precision == Precision::Minor
                                || patch == own_patch)))
            }
        }
    }
}

fn group(text: &str) -> Result<Group, VersionRangeError> {
    let improper = || VersionRangeError::Improper(text.to_owned());
    let mut scan = Scan { rest: text };
    let mut terms = Vec::new();
    scan.spaces();
    loop {
        let operator = OPERATORS.iter().find(|(name, _)| scan.rest.starts_with(name));
        if let Some((name, _)) = operator {
            scan.rest = &scan.rest[name.len()..];
        }
        scan.spaces();
        let shape = scan.shape().ok_or_else(improper)?;
        let operator = operator.map_or(Operator::Equal, |(_, operator)| *operator);
        terms.push((operator, shape));
        let spaced = scan.spaces();
        if scan.rest.is_empty() {
            break;
        }
        let comma = scan.take(',');
        scan.spaces();
        if !spaced && !comma {
            return Err(improper());
        }
    }
    let terms: Vec<Term> = terms
        .into_iter()
        .map(|(operator, shape)| term(operator, &shape))
        .collect::<Result<_, _>>()?;
    let pre = terms.iter().any(|term| !term.version.pre.is_empty());
    Ok(Group { terms, pre })
}

fn term(operator: Operator, shape: &Shape<'_>) -> Result<Term, VersionRangeError> {
    let wild = |part: &str| matches!(part, "" | "x" | "X" | "*");
    let [major, minor, patch] = shape.parts;
    let pre = shape.pre;
    let (precision, text) = if wild(major) {
        (Precision::Nothing, format!("0.0.0{pre}"))
    } else if wild(minor) {
        (Precision::Major, format!("{major}.0.0{pre}"))
    } else if wild(patch) {
        (Precision::Minor, format!("{major}.{minor}.0{pre}"))
    } else {
        (Precision::Full, format!("{major}.{minor}.{patch}{pre}"))
    };
    let version = Version::parse(&text).ok_or(VersionRangeError::Term)?;
    Ok(Term { operator, version, precision })
}

/// `a - b` becomes `>= a, <= b`.
fn rewrite_hyphens(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if let Some((low, high, after)) = hyphen_range(rest) {
            out.extend([">= ", low, ", <= ", high, " "]);
            rest = after;
        } else {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        }
    }
    out
}

fn hyphen_range(text: &str) -> Option<(&str, &str, &str)> {
    let mut scan = Scan { rest: text };
    scan.spaces();
    let start = scan.rest;
    scan.shape()?;
    let low = &start[..start.len() - scan.rest.len()];
    if !(scan.spaces() && scan.take('-') && scan.spaces()) {
        return None;
    }
    let start = scan.rest;
    scan.shape()?;
    let high = &start[..start.len() - scan.rest.len()];
    scan.spaces();
    Some((low, high, scan.rest))
}

/// A version as a term of a range names it: parts may be missing or wildcards.
struct Shape<'t> {
    parts: [&'t str; 3],
    /// With its `-`; empty when there is none.
    pre: &'t str,
}

struct Scan<'t> {
    rest: &'t str,
}

impl<'t> Scan<'t> {
    fn take(&mut self, wanted: char) -> bool {
        let rest = self.rest.strip_prefix(wanted);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn take_while(&mut self, wanted: impl Fn(char) -> bool) -> &'t str {
        let (taken, rest) =
            self.rest.split_at(self.rest.find(|c| !wanted(c)).unwrap_or(self.rest.len()));
        self.rest = rest;
        taken
    }

    fn spaces(&mut self) -> bool {
        !self.take_while(|c| matches!(c, ' ' | '\t' | '\n' | '\r' | '\x0c')).is_empty()
    }

    fn digits(&mut self) -> Option<&'t str> {
        let digits = self.take_while(|c| c.is_ascii_digit());
        (!digits.is_empty()).then_some(digits)
    }

    /// Dot-separated words after a mark, without the mark; nothing is taken when a word is empty.
    fn suffix(&mut self, mark: char) -> Option<&'t str> {
        let before = self.rest;
        if !self.take(mark) {
            return None;
        }
        let start = self.rest;
        let word = |scan: &mut Self| {
            !scan.take_while(|c| c.is_ascii_alphanumeric() || c == '-').is_empty()
        };
        if !word(self) {
            self.rest = before;
            return None;
        }
        loop {
            let end = self.rest;
            if !self.take('.') || !word(self) {
                self.rest = end;
                return Some(&start[..start.len() - end.len()]);
            }
        }
    }

    fn shape(&mut self) -> Option<Shape<'t>> {
        // Quirk: a lone `|` counts as part of a number, and fails as one later.
        let part = |c: char| c.is_ascii_digit() || matches!(c, 'x' | 'X' | '*' | '|');
        self.take('v');
        let mut parts = [self.take_while(part), "", ""];
        if parts[0].is_empty() {
            return None;
        }
        for slot in &mut parts[1..] {
            let before = self.rest;
            if self.take('.') {
                *slot = self.take_while(part);
            }
            if slot.is_empty() {
                self.rest = before;
                break;
            }
        }
        let start = self.rest;
        self.suffix('-');
        let pre = &start[..start.len() - self.rest.len()];
        self.suffix('+');
        Some(Shape { parts, pre })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.original)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERSIONS: [&str; 19] = [
        "0.0.3",
        "0.1.0",
        "0.2.3",
        "0.2.9",
        "0.3.0",
        "1.0.0-0",
        "1.0.0-rc.1",
        "1.0.0",
        "1.0.1",
        "1.2.0",
        "1.2.3-beta.2",
        "1.2.3",
        "1.2.3+b1",
        "1.2.9",
        "1.3.0-alpha",
        "1.3.0",
        "2.0.0-rc.1",
        "2.0.0",
        "2.1.0",
    ];

    fn matches(range: &str) -> Vec<&'static str> {
        let range: VersionRange = range.parse().unwrap();
        let hit = |text: &&str| range.contains(&Version::from_tag(text).unwrap());
        VERSIONS.into_iter().filter(hit).collect()
    }

    fn releases(from: &str, to: &str) -> Vec<&'static str> {
        let at = |text| VERSIONS.iter().position(|version| *version == text).unwrap();
        let all = &VERSIONS[at(from)..=at(to)];
        all.iter().copied().filter(|version| !version.contains('-')).collect()
    }

    /// The table of Flux's observed results.
    #[test]
    fn ranges_match_as_observed() {
        let all = releases("0.0.3", "2.1.0");
        for range in ["*", "x", ">=*", "!=x"] {
            assert_eq!(matches(range), all, "{range}");
        }
        for range in ["1", "1.x", "^1", "~1", "^1.x"] {
            assert_eq!(matches(range), releases("1.0.0", "1.3.0"), "{range}");
        }
        for range in ["1.2", "1.2.x", "1.2.*", "=1.2", "~1.2", "~>1.2"] {
            assert_eq!(matches(range), releases("1.2.0", "1.2.9"), "{range}");
        }
        for range in ["1.2.3", "=1.2.3", "v1.2.3", "01.2.3", "=1.2.3+b1"] {
            assert_eq!(matches(range), ["1.2.3", "1.2.3+b1"], "{range}");
        }
        let but = |out: &str| -> Vec<_> {
            all.iter().copied().filter(|version| !version.starts_with(out)).collect()
        };
        for (range, expected) in [
            ("!=1.2", but("1.2.")),
            ("!=1.x", but("1.")),
            (">1.2", releases("1.3.0", "2.1.0")),
            (">1.x", releases("2.0.0", "2.1.0")),
            (">1.2.3", releases("1.2.9", "2.1.0")),
            ("<=1.2", releases("0.0.3", "1.2.9")),
            ("<1.2", releases("0.0.3", "1.0.1")),
            ("<2.x", releases("0.0.3", "1.3.0")),
            ("~1.2.3", releases("1.2.3", "1.2.9")),
            ("~0", releases("0.0.3", "0.3.0")),
            ("^0", releases("0.0.3", "0.3.0")),
            ("^0.x", releases("0.0.3", "0.3.0")),
            ("~0.x", releases("0.0.3", "0.3.0")),
            ("^1.2", releases("1.2.0", "1.3.0")),
            ("^1.2.3", releases("1.2.3", "1.3.0")),
            ("^0.2.3", releases("0.2.3", "0.2.9")),
            ("^0.0.3", vec!["0.0.3"]),
            ("^0.0", vec!["0.0.3"]),
            ("1.0 - 1.2", releases("1.0.0", "1.2.9")),
            ("1.0.0 - 1.2.3", releases("1.0.0", "1.2.3+b1")),
            ("1 - 2", releases("1.0.0", "2.1.0")),
            ("*-0", VERSIONS.to_vec()),
            ("x-0", VERSIONS.to_vec()),
            (">=1.0.0-0", VERSIONS[5..].to_vec()),
            ("^1.0.0-0", VERSIONS[5..16].to_vec()),
            ("^1.x-0", VERSIONS[5..16].to_vec()),
            ("1.x-0", VERSIONS[5..16].to_vec()),
            ("~1.2.3-0", VERSIONS[10..14].to_vec()),
            (">=1.0.0-0 <2.0.0", VERSIONS[5..17].to_vec()),
            (">=1.0.0-rc.1, <2.0.0-0", VERSIONS[6..16].to_vec()),
        ] {
            assert_eq!(matches(range), expected, "{range}");
        }
        let outer = matches("<1.0 || >=2.0");
        assert_eq!(outer, ["0.0.3", "0.1.0", "0.2.3", "0.2.9", "0.3.0", "2.0.0", "2.1.0"]);
    }

    #[test]
    fn bad_ranges_say_which_part() {
        for (range, part) in [
            ("", ""),
            ("latest", "latest"),
            ("==1.2.3", "==1.2.3"),
            (">=", ">="),
            ("1.2.3.4", "1.2.3.4"),
            ("> =1.0", "> =1.0"),
            ("~^1", "~^1"),
            ("1.0 || ", " "),
            ("not-a-range", "not-a-range"),
        ] {
            let error = range.parse::<VersionRange>().unwrap_err();
            assert_eq!(error.to_string(), format!("improper constraint: \"{part}\""));
        }
        assert_eq!("1x.2".parse::<VersionRange>().unwrap_err(), VersionRangeError::Term);
    }

    #[test]
    fn tags_that_are_no_versions() {
        for tag in [
            "1",
            "1.2",
            "1.2.3.4",
            "1.2.3-",
            "1.2.3+",
            "1.2.3-a..b",
            "1.2.3_x",
            " 1.2.3",
            "V1.2.3",
            "1.2.3-01",
            "1.2.é",
            "99999999999999999999.0.0",
        ] {
            assert!(Version::from_tag(tag).is_none(), "{tag}");
        }
        for tag in ["v1.2.3", "2025.02.03-rc.1", "1.2.3-0.a+b.01"] {
            assert_eq!(Version::from_tag(tag).unwrap().original(), tag);
        }
    }

    #[test]
    fn order_of_pre_releases() {
        let order = ["1.0.0-0", "1.0.0-9", "1.0.0-10", "1.0.0-a", "1.0.0-a.1", "1.0.0-b", "1.0.0"];
        let versions: Vec<_> = order.iter().map(|tag| Version::from_tag(tag).unwrap()).collect();
        assert!(versions.is_sorted());
        assert_eq!(Version::from_tag("1.0.0+a"), Version::from_tag("v1.0.0+b"));
    }
}
