//! Values as trees, and their texts in random styles.

use crate::rng::Rng;

/// A value before it is written.
#[derive(Clone, Debug)]
pub(crate) enum Tree {
    /// A scalar as it stands in the text.
    Text(String),
    Map(Vec<(String, Self)>),
    List(Vec<Self>),
}

impl Tree {
    pub(crate) fn text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    fn fits_braces(&self) -> bool {
        match self {
            Self::Text(text) => !text.contains('\n'),
            Self::Map(fields) => fields.iter().all(|(_, value)| value.fits_braces()),
            Self::List(items) => items.iter().all(Self::fits_braces),
        }
    }
}

const SCALARS: &[&str] = &[
    "a",
    "b",
    "x y",
    "1",
    "\"1\"",
    "'1'",
    "true",
    "\"true\"",
    "yes",
    "\"no\"",
    "null",
    "~",
    "",
    "",
    "1.0",
    "1.10",
    "0x1F",
    "010",
    "0o7",
    "08",
    "1_000",
    "1e3",
    ".5",
    "-1",
    "2020-01-01",
    "2001-12-14t21:59:43.10-05:00",
    "2001-12-14 21:59:43",
    "12:30",
    "'it''s'",
    "\"a\\tb\"",
    "\"\\u00e9\"",
    "é",
    "http://x.y/z",
    "a#b",
    "\"#\"",
    "\": \"",
    "\"null\"",
    "'~'",
    "! 5",
    "!",
    "<",
    "=",
    "\"<<\"",
];

/// A scalar in some style; several lines only where `block` allows them.
pub(crate) fn scalar(r: &mut Rng, block: bool) -> Tree {
    if block && r.chance(8) {
        let head = r.pick(&["|", "|-", "|+", ">", ">-", ">+"]);
        let body = r.pick(&[
            "one\n",
            "one\ntwo\n",
            "one\n\ntwo\n",
            "one\n  two\nthree\n",
            "one\n\n  two\n\n\n",
            "# one\n- two\n",
        ]);
        return Tree::Text(format!("{head}\n{body}"));
    }
    Tree::text(r.pick(SCALARS))
}

/// Any tree, so many levels deep.
pub(crate) fn tree(r: &mut Rng, depth: usize) -> Tree {
    match r.below(if depth == 0 { 2 } else { 5 }) {
        0 | 1 => scalar(r, true),
        2 => Tree::List((0..r.below(4)).map(|_| tree(r, depth - 1)).collect()),
        _ => Tree::Map((0..r.below(4)).map(|at| (key(r, at), tree(r, depth - 1))).collect()),
    }
}

fn key(r: &mut Rng, at: usize) -> String {
    let name = r.pick(&["a", "b", "name", "\"on\"", "k-1", "x.io/y", "'q'", "A", "key 1", "é"]);
    match name.strip_suffix(['"', '\'']) {
        Some(front) => format!("{front}{at}{}", &name[name.len() - 1..]),
        None => format!("{name}{at}"),
    }
}

/// The lines of a mapping.
pub(crate) fn document(r: &mut Rng, fields: &[(String, Tree)]) -> String {
    let mut out = String::new();
    mapping(r, &mut out, fields, 0);
    out
}

fn comment(r: &mut Rng, out: &mut String, indent: usize) {
    if r.chance(3) {
        out.push_str(&" ".repeat(indent));
        out.push_str(r.pick(&["# c\n", "# a: b\n", "#\n", "\n"]));
    }
}

fn behind(r: &mut Rng, out: &mut String) {
    out.push_str(if r.chance(4) { " # behind\n" } else { "\n" });
}

fn mapping(r: &mut Rng, out: &mut String, fields: &[(String, Tree)], indent: usize) {
    for (key, value) in fields {
        comment(r, out, indent);
        out.push_str(&" ".repeat(indent));
        out.push_str(key);
        out.push(':');
        let deeper = match value {
            Tree::List(_) => indent + r.below(2) * 2,
            _ => indent + 2,
        };
        below(r, out, value, deeper);
    }
}

/// What follows a colon or a dash.
fn below(r: &mut Rng, out: &mut String, value: &Tree, indent: usize) {
    match value {
        Tree::Text(text) if text.contains('\n') => {
            for (at, line) in text.lines().enumerate() {
                if at == 0 {
                    out.push(' ');
                } else if !line.is_empty() {
                    out.push_str(&" ".repeat(indent.max(2)));
                }
                out.push_str(line);
                out.push('\n');
            }
        }
        Tree::Text(text) => {
            if !text.is_empty() {
                out.push(' ');
            }
            out.push_str(text);
            behind(r, out);
        }
        Tree::Map(fields) if !(fields.is_empty() || value.fits_braces() && r.chance(12)) => {
            out.push('\n');
            mapping(r, out, fields, indent);
        }
        Tree::List(items) if !(items.is_empty() || value.fits_braces() && r.chance(12)) => {
            out.push('\n');
            for item in items {
                comment(r, out, indent);
                out.push_str(&" ".repeat(indent));
                out.push('-');
                let mut text = String::new();
                below(r, &mut text, item, indent + 2);
                // The first field stands behind the dash.
                let begin = " ".repeat(indent + 2);
                match text.strip_prefix('\n').and_then(|text| text.strip_prefix(&begin)) {
                    Some(rest) if !rest.starts_with([' ', '#', '\n']) => {
                        out.push(' ');
                        out.push_str(rest);
                    }
                    _ => out.push_str(&text),
                }
            }
        }
        _ => {
            out.push(' ');
            braces(r, out, value);
            behind(r, out);
        }
    }
}

fn braces(r: &mut Rng, out: &mut String, value: &Tree) {
    match value {
        Tree::Text(text) => out.push_str(text),
        Tree::Map(fields) => {
            out.push('{');
            for (at, (key, value)) in fields.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { r.pick(&[", ", ",", " , "]) });
                out.push_str(key);
                out.push_str(": ");
                braces(r, out, value);
                out.push(' ');
            }
            out.push('}');
        }
        Tree::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { r.pick(&[", ", ","]) });
                match item {
                    Tree::Text(text) if text.is_empty() => out.push_str("null"),
                    item => braces(r, out, item),
                }
                out.push(' ');
            }
            out.push(']');
        }
    }
}
