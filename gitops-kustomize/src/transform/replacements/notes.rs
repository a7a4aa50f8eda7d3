//! Documents within values that have comments, anchors and aliases: these stand in the text alone, and stay
//! where a change leaves every line where it is.

use gitops_yaml::{Node, read, to_json_text, to_yaml_styled};

/// Changes a document that is written as the printer would write it, but for its comments, anchors and
/// aliases, which are kept. `None` where it is not, where it has none of these, or where `change` fails.
pub(super) fn changed(text: &str, change: &mut dyn FnMut(&mut Node) -> bool) -> Option<String> {
    if !text.contains(['#', '&', '*']) || text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let items = items(text)?;
    let lines: Vec<&Line<'_>> = items.iter().filter_map(Item::line).collect();
    let plain = joined(lines.iter().map(|line| line.plain.as_str()));
    let mut document = read(&plain).ok()?;
    if to_yaml_styled(&document).trim_end() != plain.trim_end() {
        return None;
    }
    if !lines.iter().any(|line| line.aliased) {
        let whole = read(text).ok()?;
        if to_json_text(&whole).ok()? != to_json_text(&document).ok()? {
            return None;
        }
    }
    if !change(&mut document) {
        return None;
    }
    let printed = to_yaml_styled(&document);
    let printed: Vec<&str> = printed.trim_end().split('\n').collect();
    (printed.len() == lines.len()).then(|| assembled(&items, &printed)).flatten()
}

fn joined<'l>(lines: impl Iterator<Item = &'l str>) -> String {
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// A merge key as the printer writes it.
const MERGE: &str = "!!merge <<: ";

enum Item<'t> {
    Line(Line<'t>),
    /// A line that is a comment, and how far it is indented.
    Note(usize, &'t str),
    Blank,
}

impl<'t> Item<'t> {
    fn line(&self) -> Option<&Line<'t>> {
        match self {
            Self::Line(line) => Some(line),
            _ => None,
        }
    }
}

/// A line of the document.
struct Line<'t> {
    /// As it is written, without a comment behind it.
    raw: &'t str,
    /// Without anchors, and with words for aliases.
    plain: String,
    /// Where an anchor stood in `plain`, and its text.
    anchor: Option<(usize, &'t str)>,
    aliased: bool,
    note: Option<&'t str>,
}

impl Line<'_> {
    fn indent(&self) -> usize {
        self.raw.len() - self.raw.trim_start_matches(' ').len()
    }

    /// Where the first key or value stands, behind dashes.
    fn content(&self) -> usize {
        self.raw.len() - self.raw.trim_start_matches([' ', '-']).len()
    }

    /// The column that a text of several lines must be indented beyond, if one begins here.
    fn block(&self) -> Option<usize> {
        let value = self.plain.rsplit(' ').next()?;
        if !matches!(value, "|" | "|-" | ">" | ">-") {
            return None;
        }
        let at = self.content();
        Some(if self.plain[at.min(self.plain.len())..].contains(": ") {
            at
        } else {
            at.saturating_sub(2)
        })
    }

    /// The line with what `printed` says instead of `plain`.
    fn with(&self, printed: &str) -> Option<String> {
        let mut text = if printed == self.plain {
            if self.raw.contains(MERGE) || !self.aliased {
                self.raw.to_owned()
            } else {
                self.raw.replacen("<<: ", MERGE, 1)
            }
        } else {
            match self.anchor {
                _ if self.aliased => return None,
                None => printed.to_owned(),
                Some((at, anchor)) => {
                    let (front, back) = (printed.get(..at)?, printed.get(at..)?);
                    (Some(front) == self.plain.get(..at))
                        .then(|| format!("{front}{anchor} {back}"))?
                }
            }
        };
        if let Some(note) = self.note {
            text.push(' ');
            text.push_str(note);
        }
        Some(text)
    }
}

fn items(text: &str) -> Option<Vec<Item<'_>>> {
    let mut items = Vec::new();
    let mut block = None;
    let text = text.strip_prefix("---\n").unwrap_or(text);
    for line in text.trim_end().lines() {
        let trimmed = line.trim_start_matches(' ');
        let indent = line.len() - trimmed.len();
        if line.contains('\t')
            || line.starts_with(['%'])
            || line.starts_with("---")
            || line == "..."
        {
            return None;
        }
        if trimmed.is_empty() {
            items.push(Item::Blank);
        } else if block.is_some_and(|column| indent > column) {
            // Empty lines between those of a text belong to it.
            let blank = items.iter().rev().take_while(|item| matches!(item, Item::Blank)).count();
            items.truncate(items.len() - blank);
            items.extend((0..blank).map(|_| Item::Line(verbatim(""))));
            items.push(Item::Line(verbatim(line)));
        } else if trimmed.starts_with('#') {
            block = None;
            items.push(Item::Note(indent, trimmed.trim_end()));
        } else {
            let line = parts(line)?;
            block = line.block();
            items.push(Item::Line(line));
        }
    }
    Some(items)
}

fn verbatim(line: &str) -> Line<'_> {
    Line { raw: line, plain: line.to_owned(), anchor: None, aliased: false, note: None }
}

/// Parts a line into what it says, and its comment, anchor and aliases.
fn parts(line: &str) -> Option<Line<'_>> {
    let line = line.trim_end();
    let mut parts = verbatim(line);
    parts.plain.clear();
    let name =
        |text: &str| text[1..].find([' ', ',', ']', '}']).map_or(text.len(), |length| length + 1);
    // Whether a value may begin here.
    let mut begins = true;
    let mut last = ' ';
    let mut rest = line;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '#' if last == ' ' => {
                parts.note = Some(rest.trim_end());
                parts.raw = line[..line.len() - rest.len()].trim_end();
                break;
            }
            '"' | '\'' if begins => quoted(rest, first)?,
            '&' if begins && parts.anchor.is_none() => {
                let length = name(rest);
                parts.anchor = Some((parts.plain.len(), &rest[..length]));
                rest = rest[length..].trim_start_matches(' ');
                continue;
            }
            '*' if begins => {
                let length = name(rest);
                parts.aliased = true;
                parts.plain.push_str("alias-of-");
                parts.plain.push_str(&rest[1..length]);
                rest = &rest[length..];
                begins = false;
                continue;
            }
            '&' if begins => return None,
            '<' | '!' if begins && (rest.starts_with("<<: ") || rest.starts_with(MERGE)) => {
                parts.plain.push_str("merged: ");
                rest = &rest[rest.find(": ")? + 2..];
                last = ' ';
                continue;
            }
            first => first.len_utf8(),
        };
        parts.plain.push_str(&rest[..length]);
        begins = match first {
            ' ' => begins || matches!(last, ':' | '-' | ','),
            '[' | '{' | ',' => true,
            _ => false,
        };
        last = first;
        rest = &rest[length..];
    }
    parts.plain.truncate(parts.plain.trim_end().len());
    if let Some((at, _)) = &mut parts.anchor {
        *at = (*at).min(parts.plain.len());
    }
    Some(parts)
}

/// The length of a text in quotes that ends on its line.
fn quoted(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    let mut all = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = all.next() {
        if escaped {
            escaped = false;
        } else if c == '\\' && quote == '"' {
            escaped = true;
        } else if c == quote {
            if quote == '\'' && all.peek().is_some_and(|(_, next)| *next == quote) {
                escaped = true;
            } else {
                return Some(at + 1);
            }
        }
    }
    None
}

/// The lines with their comments, and the empty lines that the printer keeps.
fn assembled(items: &[Item<'_>], printed: &[&str]) -> Option<String> {
    let mut out: Vec<String> = Vec::with_capacity(items.len());
    let mut printed = printed.iter();
    let mut before: Option<&Line<'_>> = None;
    let mut at = 0;
    while at < items.len() {
        if let Item::Line(line) = &items[at] {
            out.push(line.with(printed.next()?)?);
            before = Some(line);
            at += 1;
            continue;
        }
        let end = items[at..].iter().position(|item| item.line().is_some());
        let end = end.map_or(items.len(), |length| at + length);
        let next = items.get(end).and_then(Item::line);
        notes(&mut out, &items[at..end], before, next)?;
        at = end;
    }
    Some(out.join("\n"))
}

/// Comments between two lines, or before the first, or behind the last one.
fn notes(
    out: &mut Vec<String>,
    items: &[Item<'_>],
    before: Option<&Line<'_>>,
    next: Option<&Line<'_>>,
) -> Option<()> {
    let mut groups: Vec<Vec<(usize, &str)>> = Vec::new();
    let mut parted = true;
    for item in items {
        match item {
            Item::Note(indent, text) if parted => {
                groups.push(vec![(*indent, *text)]);
                parted = false;
            }
            Item::Note(indent, text) => groups.last_mut()?.push((*indent, *text)),
            _ => parted = true,
        }
    }
    let ends_blank = matches!(items.last(), Some(Item::Blank));
    let begins_blank = matches!(items.first(), Some(Item::Blank));
    let inside = before.is_some() && next.is_some();
    let column = next.map_or(0, Line::indent);
    let fits = |indent: usize| {
        indent == column
            || inside && groups.len() == 1 && before.is_some_and(|line| line.content() == indent)
    };
    if groups.iter().flatten().any(|(indent, _)| !fits(*indent)) || inside && groups.len() > 2 {
        return None;
    }
    let Some(last) = groups.last().and_then(|group| group.last()) else { return Some(()) };
    // Between the elements of a list the printer moves what is parted; behind nothing it parts more.
    let in_list = next.is_some_and(|line| line.raw.trim_start().starts_with("- "));
    let behind_nothing = before.is_some_and(|line| line.plain.ends_with(':'));
    if inside && in_list && (groups.len() > 1 || ends_blank && !begins_blank) {
        return None;
    }
    let keeps_end = match (before, next) {
        (None, _) => ends_blank,
        (_, None) => false,
        // It is about what stands above it; any other is about what follows.
        (Some(before), _) => {
            let opens = before.plain.ends_with(':') && before.content() <= column;
            let foot = groups.len() == 1 && last.0 == column && !opens;
            ends_blank && !begins_blank && foot
        }
    };
    if next.is_none() && (begins_blank || behind_nothing) {
        out.push(String::new());
    }
    for (index, group) in groups.iter().enumerate() {
        if index > 0 {
            out.push(String::new());
        }
        out.extend(group.iter().map(|(indent, text)| format!("{}{text}", " ".repeat(*indent))));
    }
    if keeps_end {
        out.push(String::new());
    }
    Some(())
}
