//! The built-in schema, which the compiler reads: a program that builds one small overlay would
//! otherwise spend a good part of its time on it.

use super::{Kind, TypeId};

/// A table with a line for each kind and each type; it says its format itself.
const TEXT: &str = include_str!("builtin.txt");

static KINDS: [(&str, &str, Kind); count(b'k')] = kinds();
static TYPES: [&str; count(b't')] = types();

/// What is known of a kind.
pub(super) fn kind(api_version: &str, kind: &str) -> Option<Kind> {
    let at =
        KINDS.binary_search_by(|(name, version, _)| (*name, *version).cmp(&(kind, api_version)));
    at.ok().map(|at| KINDS[at].2)
}

/// The type and the merge keys of a field, as they are written: `name[:type][=key,key]`.
pub(super) fn field(of: u16, name: &str) -> Option<(Option<TypeId>, Option<&'static str>)> {
    TYPES.get(usize::from(of))?.split(' ').find_map(|field| {
        let rest = field.strip_prefix(name)?;
        let (of, keys) = match rest.split_once('=') {
            Some((of, keys)) => (of, Some(keys)),
            None => (rest, None),
        };
        let of = match of.strip_prefix(':') {
            Some(number) => Some(TypeId::Builtin(number.parse().ok()?)),
            None if of.is_empty() => None,
            // A longer name.
            None => return None,
        };
        Some((of, keys))
    })
}

/// The types that have names, in the order of their numbers. Only documents that add to the built-in
/// schema ask for them.
pub(super) fn names() -> impl Iterator<Item = (&'static str, TypeId)> {
    TEXT.lines().filter_map(|line| line.strip_prefix("n ")).zip((0..).map(TypeId::Builtin))
}

/// How many lines there are of one sort.
const fn count(sort: u8) -> usize {
    let (mut rest, mut count) = (TEXT, 0);
    while let Some((line, after)) = cut(rest, b'\n') {
        if line.as_bytes()[0] == sort {
            count += 1;
        }
        rest = after;
    }
    count
}

/// The lines `k version kind scope type`.
const fn kinds() -> [(&'static str, &'static str, Kind); count(b'k')] {
    let mut kinds = [("", "", Kind { namespaced: None, root: None }); count(b'k')];
    let (mut rest, mut at) = (TEXT, 0);
    while let Some((line, after)) = cut(rest, b'\n') {
        rest = after;
        if line.as_bytes()[0] != b'k' {
            continue;
        }
        let Some((_, line)) = cut(line, b' ') else { panic!("a kind without a version") };
        let Some((version, line)) = cut(line, b' ') else { panic!("a kind without a name") };
        let Some((kind, line)) = cut(line, b' ') else { panic!("a kind without a scope") };
        let Some((scope, root)) = cut(line, b' ') else { panic!("a kind without a type") };
        let root = match root.as_bytes() {
            b"-" => None,
            digits => Some(TypeId::Builtin(number(digits))),
        };
        let namespaced = Some(matches!(scope.as_bytes(), b"n"));
        kinds[at] = (kind, version, Kind { namespaced, root });
        at += 1;
    }
    kinds
}

/// The lines `t field field …`.
const fn types() -> [&'static str; count(b't')] {
    let mut types = [""; count(b't')];
    let (mut rest, mut at) = (TEXT, 0);
    while let Some((line, after)) = cut(rest, b'\n') {
        rest = after;
        if let Some((b"t", fields)) = first_word(line) {
            types[at] = fields;
            at += 1;
        }
    }
    types
}

const fn first_word(line: &str) -> Option<(&[u8], &str)> {
    match cut(line, b' ') {
        Some((word, rest)) => Some((word.as_bytes(), rest)),
        None => None,
    }
}

const fn number(digits: &[u8]) -> u16 {
    let (mut number, mut at) = (0, 0);
    while at < digits.len() {
        assert!(digits[at].is_ascii_digit(), "a type is a number");
        number = number * 10 + (digits[at] - b'0') as u16;
        at += 1;
    }
    number
}

/// What stands before and after the first such byte.
const fn cut(text: &str, byte: u8) -> Option<(&str, &str)> {
    let mut at = 0;
    while at < text.len() {
        if text.as_bytes()[at] == byte {
            let (before, rest) = text.split_at(at);
            return Some((before, rest.split_at(1).1));
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole_and_in_order() {
        let lines = |sort: &str| TEXT.lines().filter(|line| line.starts_with(sort)).count();
        assert_eq!((KINDS.len(), TYPES.len()), (lines("k "), lines("t ")));
        assert!(KINDS.is_sorted_by(|a, b| (a.0, a.1) < (b.0, b.1)));
        let types = u16::try_from(TYPES.len()).unwrap();
        assert!(KINDS.iter().all(|(_, _, kind)| {
            kind.root.is_none_or(|root| matches!(root, TypeId::Builtin(of) if of < types))
        }));
        for (of, fields) in (0..).zip(TYPES) {
            for written in fields.split(' ') {
                let name = written.split([':', '=']).next().unwrap();
                let (next, keys) = field(of, name).unwrap();
                let keys = keys.map(|keys| format!("={keys}")).unwrap_or_default();
                let next = next.map(|next| match next {
                    TypeId::Builtin(number) if number < types => format!(":{number}"),
                    other => panic!("{other:?} in {written}"),
                });
                assert_eq!(format!("{name}{}{keys}", next.unwrap_or_default()), written);
            }
        }
    }
}
