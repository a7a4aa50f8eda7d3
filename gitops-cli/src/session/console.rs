//! What a person sees: a line for each thing that happens, and a summary at the end.

use std::{
    cell::Cell,
    collections::BTreeMap,
    fmt::Write as _,
    io::{self, IsTerminal as _, Write as _},
    time::Instant,
};

use anstyle::{AnsiColor, Style};
use gitops_api::meta::reason::BUILD_FAILED;

use super::{
    End,
    model::{Item, Model, State},
    objects::Difference,
};
use crate::{args::Format, repository::Places};

/// Prints lines with the time since the start, or nothing where only a report is wanted. On a
/// terminal the tree stands below the lines and is drawn anew as it changes.
#[derive(Debug)]
pub(crate) struct Console {
    speaks: bool,
    start: Instant,
    /// On a terminal, how many lines the tree takes at the moment.
    drawn: Option<Cell<usize>>,
}

impl Console {
    pub(crate) fn new(speaks: bool) -> Self {
        let is_terminal = speaks && std::io::stdout().is_terminal();
        Self { speaks, start: Instant::now(), drawn: is_terminal.then(|| Cell::new(0)) }
    }

    pub(crate) fn say(&self, line: &str) {
        if self.speaks {
            self.clear();
            self.print(&format!("{:>6.1}s {line}\n", self.start.elapsed().as_secs_f64()));
        }
    }

    /// Tells how `new` differs from `old`. Where a tree is drawn, it shows that.
    pub(crate) fn tell(&self, old: &Model, new: &Model) {
        if self.drawn.is_some() {
            return;
        }
        for item in new.items.values() {
            let before = old.items.get(&item.id);
            let is_news = before
                .is_none_or(|before| before.state != item.state || before.message != item.message);
            if is_news {
                self.say(&line(item));
            }
        }
        for gone in old.items.keys().filter(|id| !new.items.contains_key(*id)) {
            self.say(&format!("- {gone}"));
        }
    }

    /// Tells which objects are waited for, and why, as far as that is news. Where a tree is drawn, it
    /// shows that.
    pub(crate) fn tell_awaited(
        &self,
        old: &BTreeMap<String, String>,
        new: &BTreeMap<String, String>,
    ) {
        if self.drawn.is_some() {
            return;
        }
        for (id, why) in new.iter().filter(|(id, why)| old.get(*id) != Some(why)) {
            let (mark, style) = mark(State::Progressing);
            self.say(&format!("  {style}{mark}{style:#} {id}  {why}"));
        }
    }

    /// Shows how an object changed.
    pub(crate) fn difference(&self, difference: &Difference) {
        let id = &difference.id;
        match (&difference.before, &difference.after) {
            (None, _) => self.say(&colored("+", &format!("+ {id} created"))),
            (_, None) => self.say(&colored("-", &format!("- {id} deleted"))),
            _ => {
                self.say(&format!("~ {id} configured"));
                for line in difference.lines() {
                    self.print(&format!("        {}\n", colored(&line, &line)));
                }
            }
        }
    }

    /// Draws the tree below the lines, as much of it as the terminal holds.
    pub(crate) fn draw(&self, model: &Model, unhealthy: &BTreeMap<String, String>) {
        let Some(drawn) = &self.drawn else { return };
        let (width, height) = terminal_size::terminal_size()
            .map_or((80, 24), |(width, height)| (usize::from(width.0), usize::from(height.0)));
        let mut lines = tree(model, unhealthy, Detail::Live);
        let most = height.saturating_sub(3).max(3);
        if lines.len() > most {
            let more = lines.len() - most;
            lines.truncate(most);
            lines.push(format!("… {more} more"));
        }
        lines.push(format!("{}, {:.0}s", counts(model), self.start.elapsed().as_secs_f64()));
        self.clear();
        let text: String = lines.iter().map(|line| cut(line, width) + "\n").collect();
        self.print(&text);
        drawn.set(lines.len());
    }

    /// Takes the tree away.
    pub(crate) fn clear(&self) {
        if let Some(drawn) = &self.drawn
            && drawn.get() > 0
        {
            // Up, and everything below goes.
            self.print(&format!("\x1b[{}A\x1b[J", drawn.replace(0)));
        }
    }

    fn print(&self, text: &str) {
        if self.speaks {
            // Nobody reads any more: the run goes on to its end.
            let _ = anstream::stdout().write_all(text.as_bytes());
        }
    }
}

fn colored(like: &str, text: &str) -> String {
    let color = match like.as_bytes().first() {
        Some(b'+') => AnsiColor::Green,
        Some(b'-') => AnsiColor::Red,
        Some(b'@') => AnsiColor::Cyan,
        _ => return text.to_owned(),
    };
    let style = color.on_default();
    format!("{style}{text}{style:#}")
}

/// A line cut to a width; escape sequences take no room.
fn cut(line: &str, width: usize) -> String {
    let (mut out, mut room, mut escape) = (String::new(), width.saturating_sub(1), false);
    for c in line.chars() {
        match c {
            '\x1b' => escape = true,
            _ if escape => escape = !c.is_ascii_alphabetic(),
            _ if room == 0 => continue,
            _ => room -= 1,
        }
        out.push(c);
    }
    out
}

/// The tree of sources, Kustomizations and objects, and the causes of what is not ready.
pub(crate) fn print_summary(end: &End) -> anyhow::Result<()> {
    print_all(&mut anstream::stdout(), &summary(end))
}

/// The report for machines.
pub(crate) fn print_report(end: &End, format: Format) -> anyhow::Result<()> {
    let mut report = end.model.to_json();
    report["unhealthy"] = serde_json::json!(end.unhealthy);
    report["failures"] = serde_json::json!(end.failures);
    let text = match format {
        Format::Json => serde_json::to_string_pretty(&report)? + "\n",
        Format::Yaml => gitops_yaml::to_yaml(&gitops_yaml::Node::from_json(report))?,
    };
    print_all(&mut std::io::stdout(), &text)
}

/// Whoever reads may stop when they have seen enough: that is no failure of the run.
fn print_all(out: &mut impl io::Write, text: &str) -> anyhow::Result<()> {
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

fn mark(state: State) -> (&'static str, Style) {
    let (mark, color) = match state {
        State::Ready => ("✔", AnsiColor::Green),
        State::Suspended => ("‖", AnsiColor::Yellow),
        State::Progressing => ("◌", AnsiColor::Cyan),
        State::Waiting => ("◷", AnsiColor::Yellow),
        State::Failed => ("✗", AnsiColor::Red),
    };
    (mark, color.on_default())
}

fn line(item: &Item) -> String {
    let (mark, style) = mark(item.state);
    format!("{style}{mark}{style:#} {}  {}", item.id, first_line(item))
}

fn first_line(item: &Item) -> String {
    shown(item.message.lines().next().unwrap_or_default())
}

/// A message with paths as the repository has them, and hashes short enough to read.
fn shown(message: &str) -> String {
    let message = message.replace("/tmp/kustomization-0/", "");
    let mut out = String::with_capacity(message.len());
    let mut rest = message.as_str();
    while !rest.is_empty() {
        let length = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        let (hash, after) = rest.split_at(length);
        out.push_str(if matches!(length, 40 | 64) { &hash[..8] } else { hash });
        let plain = after.find(|c: char| c.is_ascii_hexdigit()).unwrap_or(after.len());
        out.push_str(&after[..plain]);
        rest = &after[plain..];
    }
    out
}

/// How much of the tree is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Detail {
    /// The objects of what is under way.
    Live,
    /// The objects of everything.
    Whole,
}

/// Objects of one Kustomization that are listed by name.
const LISTED: usize = 40;

fn tree(model: &Model, unhealthy: &BTreeMap<String, String>, detail: Detail) -> Vec<String> {
    let mut lines = Vec::new();
    for source in model.items.values().filter(|item| item.source.is_none()) {
        lines.push(entry(source));
        let of_source = |item: &&Item| item.source.as_deref() == Some(&source.id);
        let children: Vec<&Item> = model.items.values().filter(of_source).collect();
        for (at, child) in children.iter().enumerate() {
            let (branch, trunk) =
                if at + 1 == children.len() { ("└─", "  ") } else { ("├─", "│ ") };
            lines.push(format!("{branch} {}", entry(child)));
            if detail == Detail::Whole || child.state == State::Progressing {
                lines.extend(leaves(child, unhealthy).map(|leaf| format!("{trunk}    {leaf}")));
            }
        }
    }
    let is_orphan =
        |item: &&Item| item.source.as_ref().is_some_and(|source| !model.items.contains_key(source));
    lines.extend(model.items.values().filter(is_orphan).map(entry));
    lines
}

/// The objects of a Kustomization; those that are not well come first.
fn leaves<'a>(
    item: &'a Item,
    unhealthy: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = String> + 'a {
    let (ill, well): (Vec<&String>, Vec<&String>) =
        item.objects.keys().partition(|id| unhealthy.contains_key(*id));
    let more = item.objects.len().saturating_sub(LISTED);
    let lines: Vec<String> = ill
        .into_iter()
        .chain(well)
        .take(LISTED)
        .map(|id| match unhealthy.get(id) {
            Some(why) => {
                let (mark, style) = mark(State::Progressing);
                format!("{style}{mark}{style:#} {id}  {why}")
            }
            None => id.clone(),
        })
        .collect();
    lines.into_iter().chain((more > 0).then(|| format!("… and {more} more")))
}

fn counts(model: &Model) -> String {
    let ready = model.items.values().filter(|item| item.state == State::Ready).count();
    format!("{ready} of {} ready", model.items.len())
}

fn summary(end: &End) -> String {
    let model = &end.model;
    let mut lines = vec![String::new()];
    lines.extend(tree(model, &end.unhealthy, Detail::Whole));
    lines.extend(model.causes().into_iter().map(|cause| explain(end, cause)));
    lines.push(format!("\n{}\n", counts(model)));
    lines.join("\n")
}

fn entry(item: &Item) -> String {
    let (mark, style) = mark(item.state);
    let objects = match item.objects.len() {
        0 => String::new(),
        1 => "  1 object".to_owned(),
        count => format!("  {count} objects"),
    };
    let what = match item.state {
        State::Ready => shown(&item.revision),
        State::Progressing | State::Waiting => first_line(item),
        State::Failed => format!("{}: {}", item.reason, first_line(item)),
        State::Suspended => "suspended".to_owned(),
    };
    format!("{style}{mark}{style:#} {}  {what}{objects}", item.id)
}

fn explain(end: &End, cause: &Item) -> String {
    let (mark, style) = mark(cause.state);
    let mut text = format!("\n{style}{mark} {}{style:#}  {}", cause.id, cause.reason);
    // The page of a failed build holds its message, and names the place by itself.
    let page = end.failures.get(&cause.id).filter(|_| cause.reason == BUILD_FAILED);
    for line in shown(page.unwrap_or(&cause.message)).lines() {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n    {line}");
        for place in named_in(line, &end.places) {
            let _ = write!(text, "\n      at {place}");
        }
    }
    let ill = cause.objects.keys().filter_map(|id| Some((id, end.unhealthy.get(id)?)));
    for (id, why) in ill {
        let place = named_in(id, &end.places).into_iter().next();
        let place = place.map(|place| format!(", at {place}")).unwrap_or_default();
        let _ = write!(text, "\n    {id}: {why}{place}");
    }
    let held: Vec<&str> = end.model.held_back_by(&cause.id).into_iter().collect();
    if !held.is_empty() {
        let _ = write!(text, "\n    waiting for it: {}", held.join(", "));
    }
    text
}

/// Where the objects stand that a message names as `Kind/namespace/name` or `Kind/name`.
fn named_in(message: &str, places: &Places) -> Vec<String> {
    let words = message.split(|c: char| c.is_whitespace() || matches!(c, '\'' | '"' | ',' | ';'));
    let mut found: Vec<String> = words
        .filter_map(|word| {
            let id = word.trim_end_matches([':', '.']);
            let is_kind = id.starts_with(|c: char| c.is_ascii_uppercase());
            (is_kind && matches!(id.split('/').count(), 2 | 3)).then(|| places.find(id, message))?
        })
        .collect();
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_shown_as_the_repository_is_written() {
        let hash = "a".repeat(64);
        let applied = shown(&format!("Applied revision: main@sha256:{hash}"));
        assert_eq!(applied, "Applied revision: main@sha256:aaaaaaaa");
        assert_eq!(shown("in /tmp/kustomization-0/apps/x.yaml"), "in apps/x.yaml");
        assert_eq!(shown("cafe – é"), "cafe – é");
    }
}
