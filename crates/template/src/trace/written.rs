//! What a traced run wrote, line by line.

use super::{Buffer, Outer, Site, Span};
use crate::Text;

/// What one template wrote in a traced run, and how each line of it came about.
///
/// Clones of [`Site`]s are made where a line is asked for; asking costs as much as the texts of the
/// templates that the line's actions included are long.
#[derive(Debug)]
pub struct Written {
    buffer: Buffer,
}

/// How a part of a line came about.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Origin {
    /// The part, without the space around it.
    pub text: String,
    /// The action that wrote it, or the text of a template. Of what an `include` or a `tpl` gave and
    /// functions only indented or trimmed, the innermost one.
    pub site: Site,
    /// The actions that called the template of `site`, outermost first.
    pub calls: Vec<Site>,
    /// The `if`, `with` and `range` that all these stand in, outermost first.
    pub within: Vec<Site>,
    /// The values that were read for it, by the names under which they are watched.
    pub reads: Vec<Text>,
}

impl Written {
    pub(super) fn new(buffer: Buffer) -> Self {
        Self { buffer }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.buffer.text
    }

    /// How a line, counted from 1, came about: what its actions wrote, or, where none of them wrote
    /// anything, the texts of templates that it consists of. Nothing beyond the last line.
    pub fn line(&self, number: usize) -> Vec<Origin> {
        let text = &self.buffer.text;
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
        let Some(start) = number.checked_sub(1).and_then(|skipped| starts.into_iter().nth(skipped))
        else {
            return Vec::new();
        };
        let end = text[start..].find('\n').map_or(text.len(), |length| start + length);
        let mut origins = origins(&self.buffer, start, end, &Way::default());
        if origins.iter().any(|origin| !origin.site.action.is_empty()) {
            origins.retain(|origin| !origin.site.action.is_empty());
        }
        origins
    }
}

/// How a text was come to.
#[derive(Clone, Default)]
struct Way {
    calls: Vec<Site>,
    within: Vec<Site>,
}

impl Way {
    fn through(&self, outer: Option<&Outer>) -> Self {
        let (mut calls, mut within) = (Vec::new(), Vec::new());
        let mut next = outer;
        while let Some(outer) = next {
            let into = if outer.calls { &mut calls } else { &mut within };
            into.push(outer.mark.site());
            next = outer.up.as_deref();
        }
        let after = |first: &[Site], then: Vec<Site>| {
            first.iter().cloned().chain(then.into_iter().rev()).collect()
        };
        Self { calls: after(&self.calls, calls), within: after(&self.within, within) }
    }
}

/// The origins of a part of one line.
fn origins(buffer: &Buffer, start: usize, end: usize, way: &Way) -> Vec<Origin> {
    let first = buffer.spans.partition_point(|span| span.end <= start);
    let mut found = Vec::new();
    let mut from = first.checked_sub(1).map_or(0, |before| buffer.spans[before].end);
    for span in &buffer.spans[first..] {
        if from >= end {
            break;
        }
        let part = from.max(start)..span.end.min(end);
        if !buffer.text[part.clone()].trim().is_empty() {
            of_span(buffer, from, part, span, way, &mut found);
        }
        from = span.end;
    }
    found
}

fn of_span(
    buffer: &Buffer,
    from: usize,
    part: std::ops::Range<usize>,
    span: &Span,
    way: &Way,
    found: &mut Vec<Origin>,
) {
    let text = buffer.text[part.clone()].trim();
    let way = way.through(span.outer.as_deref());
    // An earlier line of the action with the same text is an earlier one of what was included.
    let nth = buffer.text[from..part.start].lines().filter(|line| line.trim() == text).count();
    let indent = buffer.text[part.clone()].len() - buffer.text[part.clone()].trim_start().len();
    let site = span.mark.site_at(part.start + indent - from);
    if let Some((inner, start, end)) = line_of(&span.mark.inner, text, nth) {
        let mut way = way;
        way.calls.push(site);
        found.extend(origins(inner, start, end, &way));
        return;
    }
    let mut reads = site.reads.clone();
    for inner in &span.mark.inner {
        all_reads(inner, &mut reads);
    }
    let Way { calls, within } = way;
    found.push(Origin { text: text.to_owned(), site, calls, within, reads });
}

/// The line of a text, of several the `nth` or the last.
fn line_of<'b>(
    buffers: &'b [std::sync::Arc<Buffer>],
    text: &str,
    nth: usize,
) -> Option<(&'b Buffer, usize, usize)> {
    let lines = buffers.iter().flat_map(|buffer| {
        let base = buffer.text.as_ptr() as usize;
        let lines = buffer.text.split('\n').filter(|line| line.trim() == text);
        lines.map(move |line| {
            let start = line.as_ptr() as usize - base;
            (&**buffer, start, start + line.len())
        })
    });
    lines.take(nth + 1).last()
}

fn all_reads(buffer: &Buffer, reads: &mut Vec<Text>) {
    for span in &buffer.spans {
        for path in &span.mark.reads {
            if !reads.contains(path) {
                reads.push(path.clone());
            }
        }
        for inner in &span.mark.inner {
            all_reads(inner, reads);
        }
    }
}
