//! What a person sees: a line for each thing that happens, and a summary at the end.

use std::{fmt::Write as _, io::Write as _, time::Instant};

use anstyle::{AnsiColor, Style};

use super::model::{Item, Model, State};
use crate::args::Format;

/// Prints lines with the time since the start, or nothing where only a report is wanted.
#[derive(Debug)]
pub(crate) struct Console {
    speaks: bool,
    start: Instant,
}

impl Console {
    pub(crate) fn new(speaks: bool) -> Self {
        Self { speaks, start: Instant::now() }
    }

    pub(crate) fn say(&self, line: &str) {
        if self.speaks {
            let line = format!("{:>6.1}s {line}\n", self.start.elapsed().as_secs_f64());
            // Nobody reads any more: the run goes on to its end.
            let _ = anstream::stdout().write_all(line.as_bytes());
        }
    }

    /// Tells how `new` differs from `old`.
    pub(crate) fn tell(&self, old: &Model, new: &Model) {
        for item in new.items.values() {
            let before = old.items.get(&item.id);
            let is_news = before
                .is_none_or(|before| before.state != item.state || before.message != item.message);
            if is_news {
                self.say(&line(item));
            }
            let Some(before) = before.filter(|before| !before.objects.is_empty()) else { continue };
            for added in item.objects.difference(&before.objects) {
                self.say(&format!("    + {added}"));
            }
            for removed in before.objects.difference(&item.objects) {
                self.say(&format!("    - {removed}"));
            }
        }
        for gone in old.items.keys().filter(|id| !new.items.contains_key(*id)) {
            self.say(&format!("- {gone}"));
        }
    }
}

/// The tree of sources and Kustomizations, and the causes of what is not ready.
pub(crate) fn print_summary(model: &Model) -> anyhow::Result<()> {
    Ok(anstream::stdout().write_all(summary(model).as_bytes())?)
}

/// The report for machines.
pub(crate) fn print_report(model: &Model, format: Format) -> anyhow::Result<()> {
    let report = model.to_json();
    let text = match format {
        Format::Json => serde_json::to_string_pretty(&report)? + "\n",
        Format::Yaml => gitops_yaml::to_yaml(&gitops_yaml::Node::from_json(report))?,
    };
    Ok(std::io::stdout().write_all(text.as_bytes())?)
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
    let message = shown(&item.message);
    let message = message.lines().next().unwrap_or_default();
    format!("{style}{mark}{style:#} {}  {message}", item.id)
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

fn summary(model: &Model) -> String {
    let mut lines = vec![String::new()];
    for source in model.items.values().filter(|item| item.source.is_none()) {
        lines.push(entry(source));
        let of_source = |item: &&Item| item.source.as_deref() == Some(&source.id);
        let children: Vec<&Item> = model.items.values().filter(of_source).collect();
        for (at, child) in children.iter().enumerate() {
            let branch = if at + 1 == children.len() { "└─" } else { "├─" };
            lines.push(format!("{branch} {}", entry(child)));
        }
    }
    let is_orphan =
        |item: &&Item| item.source.as_ref().is_some_and(|source| !model.items.contains_key(source));
    lines.extend(model.items.values().filter(is_orphan).map(entry));
    lines.extend(model.causes().into_iter().map(|cause| explain(model, cause)));
    let ready = model.items.values().filter(|item| item.state == State::Ready).count();
    lines.push(format!("\n{ready} of {} ready\n", model.items.len()));
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
        _ => item.reason.clone(),
    };
    format!("{style}{mark}{style:#} {}  {what}{objects}", item.id)
}

fn explain(model: &Model, cause: &Item) -> String {
    let (mark, style) = mark(cause.state);
    let mut text = format!("\n{style}{mark} {}{style:#}  {}", cause.id, cause.reason);
    for line in shown(&cause.message).lines() {
        // Writing to a String cannot fail.
        let _ = write!(text, "\n    {line}");
    }
    let held: Vec<&str> = model.held_back_by(&cause.id).into_iter().collect();
    if !held.is_empty() {
        let _ = write!(text, "\n    waiting for it: {}", held.join(", "));
    }
    text
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
