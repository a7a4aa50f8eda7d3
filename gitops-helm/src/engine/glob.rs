//! Patterns of `.Files.Glob`, with `/` between components.
//!
//! Follows gobwas/glob: `*` and `?` stay within a component, `**` does not; `[a-z]`, `[!abc]`,
//! `{one,two}`, and a backslash before what is meant literally.

/// A pattern that was understood.
#[derive(Debug)]
pub(super) struct Glob {
    /// One way to match for each combination of alternatives is not spelled out: they nest.
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Literal(char),
    /// `?`
    One,
    /// `*`
    Many,
    /// `**`
    Any,
    Class {
        not: bool,
        set: Set,
    },
    Alternatives(Vec<Vec<Self>>),
}

#[derive(Debug)]
enum Set {
    List(Vec<char>),
    Range(char, char),
}

/// Patterns within patterns.
const DEEPEST: u32 = 16;

impl Glob {
    /// `None` if it is no pattern.
    pub(super) fn new(pattern: &str) -> Option<Self> {
        let mut chars = pattern.chars().peekable();
        let parts = parse(&mut chars, 0)?;
        chars.next().is_none().then_some(Self { parts })
    }

    pub(super) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let ends = step(&self.parts, &name, vec![0]);
        ends.contains(&name.len())
    }
}

type Chars<'p> = std::iter::Peekable<std::str::Chars<'p>>;

/// Up to the end, or within braces up to a comma or the closing brace.
fn parse(chars: &mut Chars<'_>, depth: u32) -> Option<Vec<Part>> {
    if depth > DEEPEST {
        return None;
    }
    let mut parts = Vec::new();
    while let Some(char) = chars.peek().copied() {
        if depth > 0 && matches!(char, ',' | '}') {
            break;
        }
        chars.next();
        parts.push(match char {
            '*' if chars.peek() == Some(&'*') => {
                while chars.next_if_eq(&'*').is_some() {}
                Part::Any
            }
            '*' => Part::Many,
            '?' => Part::One,
            '[' => class(chars)?,
            '{' => {
                let mut alternatives = vec![parse(chars, depth + 1)?];
                while chars.next_if_eq(&',').is_some() {
                    alternatives.push(parse(chars, depth + 1)?);
                }
                // Quirk: the end of the pattern closes all braces (`braces-and-brackets.txtar`).
                let _ = chars.next();
                Part::Alternatives(alternatives)
            }
            // Quirk: a backslash at the end means nothing.
            '\\' => match chars.next() {
                Some(char) => Part::Literal(char),
                None => break,
            },
            _ => Part::Literal(char),
        });
    }
    Some(parts)
}

fn class(chars: &mut Chars<'_>) -> Option<Part> {
    let not = chars.next_if_eq(&'!').is_some();
    let mut ahead = chars.clone();
    let low = ahead.next()?;
    if ahead.next_if_eq(&'-').is_some() {
        let high = ahead.next()?;
        *chars = ahead;
        // Nothing may stand beside a range.
        let closed = chars.next() == Some(']');
        return (closed && low <= high).then_some(Part::Class { not, set: Set::Range(low, high) });
    }
    let mut list = Vec::new();
    loop {
        match chars.next()? {
            ']' if !list.is_empty() => break,
            ']' => return None,
            '\\' => list.push(chars.next()?),
            char => list.push(char),
        }
    }
    Some(Part::Class { not, set: Set::List(list) })
}

/// Where the parts can end, from where they can begin; work grows with the product of both lengths.
fn step(parts: &[Part], name: &[char], mut starts: Vec<usize>) -> Vec<usize> {
    for part in parts {
        let one = |accept: &dyn Fn(char) -> bool| -> Vec<usize> {
            let passes = |at: &&usize| name.get(**at).is_some_and(|char| accept(*char));
            starts.iter().filter(passes).map(|at| at + 1).collect()
        };
        starts = match part {
            Part::Literal(literal) => one(&|char| char == *literal),
            Part::One => one(&|char| char != '/'),
            Part::Class { not, set } => one(&|char| {
                let within = match set {
                    Set::List(list) => list.contains(&char),
                    Set::Range(low, high) => (*low..=*high).contains(&char),
                };
                within != *not
            }),
            Part::Many | Part::Any => {
                let across = matches!(part, Part::Any);
                let mut ends = Vec::new();
                let mut reached = 0;
                for &start in &starts {
                    let mut at = start.max(reached);
                    if ends.last().is_none_or(|last| *last < at) {
                        ends.push(at);
                    }
                    while at < name.len() && (across || name[at] != '/') {
                        at += 1;
                        if ends.last().is_none_or(|last| *last < at) {
                            ends.push(at);
                        }
                    }
                    reached = at;
                }
                ends
            }
            Part::Alternatives(alternatives) => {
                let mut ends: Vec<usize> = alternatives
                    .iter()
                    .flat_map(|parts| step(parts, name, starts.clone()))
                    .collect();
                ends.sort_unstable();
                ends.dedup();
                ends
            }
        };
        if starts.is_empty() {
            break;
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::Glob;

    #[test]
    fn components_and_alternatives() {
        let cases = [
            ("*.yaml", "a.yaml", true),
            ("*.yaml", "d/a.yaml", false),
            ("**.yaml", "d/a.yaml", true),
            ("d/*", "d/a", true),
            ("d/*", "d/e/a", false),
            ("d/**", "d/e/a", true),
            ("{a,b*}.txt", "bcd.txt", true),
            ("{a,b*}.txt", "c.txt", false),
            ("[!a]b", "cb", true),
            ("[a-c]?", "bz", true),
            ("a\\*", "a*", true),
            ("{a", "a", true),
            ("{", "a", false),
            ("a\\", "a", true),
            ("[ab-c]", "-", true),
        ];
        for (pattern, name, expected) in cases {
            let glob = Glob::new(pattern).expect(pattern);
            assert_eq!(glob.matches(name), expected, "{pattern} {name}");
        }
        assert!(Glob::new("[").is_none());
        assert!(Glob::new("[a-cd]").is_none());
    }
}
