//! From a question to lines.

use std::ops::{Range, RangeInclusive};

use gitops_template::{bytes::from_bytes, strip_missing};
use gitops_yaml::{Content, FieldPath, Flavour, Node, Spans};
use serde_json::Value;

use super::{ExplainError, ExplainedLine, Explanation, GivenValues, Trace};
use crate::{Release, Shown, split_manifests};

pub(super) fn answer(
    release: &Release,
    trace: &Trace,
    question: &str,
    shown: Shown,
    given: &[GivenValues],
) -> Result<Explanation, ExplainError> {
    if let Ok(number) = question.parse::<usize>() {
        let lines = layout(release, trace, shown, |_| true);
        return of_line(trace, "the output", &lines, number, given);
    }
    if let Some((path, number)) = question.rsplit_once(':')
        && let Ok(number) = number.parse::<usize>()
    {
        let is_it = |known: &str| {
            known == path || known.split_once('/').is_some_and(|(_, below)| below == path)
        };
        let lines = layout(release, trace, shown, is_it);
        if !lines.is_empty() {
            return of_line(trace, path, &lines, number, given);
        }
    }
    of_object(release, trace, question, given)
}

/// A document of the output.
struct Document<'r> {
    path: &'r str,
    kind: &'r str,
    name: &'r str,
    text: &'r str,
}

fn documents(release: &Release) -> impl Iterator<Item = Document<'_>> {
    let manifests = release.manifests.iter().map(|manifest| Document {
        path: &manifest.path,
        kind: &manifest.head.kind,
        name: &manifest.head.name,
        text: &manifest.content,
    });
    let hooks = release.hooks.iter().map(|hook| Document {
        path: &hook.path,
        kind: &hook.kind,
        name: &hook.name,
        text: &hook.manifest,
    });
    manifests.chain(hooks)
}

/// A line of the output, and which line of what a template wrote it is.
struct Line {
    text: String,
    from: Option<(String, usize)>,
}

/// The lines of [`Release::text`], or of the files that `--output-dir` writes.
fn layout(
    release: &Release,
    trace: &Trace,
    shown: Shown,
    wanted: impl Fn(&str) -> bool,
) -> Vec<Line> {
    let mut lines = Vec::new();
    for crd in release.crds.iter().filter(|crd| shown.crds && wanted(&crd.path)) {
        push(&mut lines, &crd.path, &from_bytes(&crd.data), None);
    }
    for manifest in release.manifests.iter().filter(|manifest| wanted(&manifest.path)) {
        let first = trace.first_line(&manifest.path, &manifest.content);
        push(&mut lines, &manifest.path, &manifest.content, first);
    }
    while lines.last().is_some_and(|line| line.text.trim().is_empty()) {
        lines.pop();
    }
    for hook in release.shown_hooks(shown).filter(|hook| wanted(&hook.path)) {
        let first = trace.first_line(&hook.path, &hook.manifest);
        push(&mut lines, &hook.path, &hook.manifest, first);
    }
    lines
}

fn push(lines: &mut Vec<Line>, path: &str, content: &str, first: Option<usize>) {
    for text in ["---".to_owned(), format!("# Source: {path}")] {
        lines.push(Line { text, from: None });
    }
    for (index, text) in content.split('\n').enumerate() {
        // What follows the last newline is no line of the document.
        let first = first.filter(|_| !text.is_empty());
        let from = first.map(|first| (path.to_owned(), first + index));
        lines.push(Line { text: text.to_owned(), from });
    }
}

impl Trace {
    /// The line of what a template wrote at which a document begins.
    fn first_line(&self, path: &str, document: &str) -> Option<usize> {
        let text = strip_missing(self.files.get(path)?.text().to_owned());
        let documents = split_manifests(&text, self.compat);
        let found = documents.into_iter().find(|found| *found == document)?;
        let start = found.as_ptr() as usize - text.as_ptr() as usize;
        Some(1 + text[..start].matches('\n').count())
    }
}

fn of_line(
    trace: &Trace,
    file: &str,
    lines: &[Line],
    number: usize,
    given: &[GivenValues],
) -> Result<Explanation, ExplainError> {
    let found = number.checked_sub(1).and_then(|skipped| lines.get(skipped));
    let Line { text, from } = found.ok_or_else(|| ExplainError::NoLine {
        file: file.to_owned(),
        lines: lines.len(),
        line: number,
    })?;
    let origins = match from {
        Some((path, number)) => trace.line(path, *number, given),
        None => Vec::new(),
    };
    let lines = vec![ExplainedLine { text: text.clone(), origins }];
    Ok(Explanation { object: String::new(), field: String::new(), value: Value::Null, lines })
}

fn of_object(
    release: &Release,
    trace: &Trace,
    question: &str,
    given: &[GivenValues],
) -> Result<Explanation, ExplainError> {
    let (document, node, field) = find(release, question)?;
    let object = format!("{}/{}", document.kind, document.name);
    let path: FieldPath = field.parse().map_err(|error: gitops_yaml::Error| {
        ExplainError::Malformed { question: question.to_owned(), why: error.to_string() }
    })?;
    let missing = || ExplainError::NoField { object: object.clone(), field: field.to_owned() };
    let found = path.find(&node).ok_or_else(missing)?;
    let range = if field.is_empty() {
        1..=document.text.trim_end().matches('\n').count() + 1
    } else {
        lines_of(document.text, found)
    };
    // What a post-renderer changed has no lines in a template.
    let first = trace.first_line(document.path, document.text);
    let mut lines = Vec::new();
    for number in range {
        let text = document.text.split('\n').nth(number - 1).unwrap_or_default();
        let origins = first
            .map_or_else(Vec::new, |first| trace.line(document.path, first + number - 1, given));
        lines.push(ExplainedLine { text: text.to_owned(), origins });
    }
    let value = gitops_yaml::to_json(found).unwrap_or_default();
    Ok(Explanation { object, field: path.to_string(), value, lines })
}

/// The lines of a value in its document, counted from 1.
fn lines_of(text: &str, node: &Node) -> RangeInclusive<usize> {
    let spans = Spans::of(text);
    let mut bytes: Option<Range<usize>> = None;
    let mut rest = vec![node];
    while let Some(node) = rest.pop() {
        if let Some(span) = spans.span(node) {
            let so_far = bytes.get_or_insert_with(|| span.clone());
            *so_far = so_far.start.min(span.start)..so_far.end.max(span.end);
        }
        match node.content() {
            Content::Mapping(mapping) => rest.extend(mapping.values()),
            Content::Sequence(_) => rest.extend(node.as_sequence().unwrap_or_default()),
            Content::Scalar(_) => {}
        }
    }
    let first = node.place().line().max(1) as usize;
    let Some(bytes) = bytes else { return first..=first };
    // The end of a block scalar is the beginning of what follows.
    let end = text.get(..bytes.end).map_or(bytes.end, |text| text.trim_end().len());
    let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    line(bytes.start)..=line(end.max(bytes.start))
}

/// The object that a question is about, and the field.
fn find<'r, 'q>(
    release: &'r Release,
    question: &'q str,
) -> Result<(Document<'r>, Node, &'q str), ExplainError> {
    let mut best: Vec<(Document<'r>, Node, &'q str)> = Vec::new();
    for document in documents(release) {
        let Some(rest) = after(question, document.kind, true) else { continue };
        let Ok(node) = gitops_yaml::read_first(document.text, Flavour::V2) else { continue };
        let namespace = node.at(["metadata", "namespace"]).and_then(Node::text).unwrap_or_default();
        let rest = rest.strip_prefix('/');
        let plain = rest.and_then(|rest| field_after(rest, document.name));
        let full = || {
            let rest = after(rest?, namespace, false)?.strip_prefix('/')?;
            field_after(rest, document.name)
        };
        let Some(field) = plain.or_else(full) else { continue };
        match best.first().map_or(usize::MAX, |(_, _, field)| field.len()) {
            // The longest name wins: `a.b` over `a`.
            length if field.len() < length => best = vec![(document, node, field)],
            length if field.len() == length => best.push((document, node, field)),
            _ => {}
        }
    }
    let question = question.to_owned();
    if best.len() > 1 {
        let names = best.iter().map(|(document, node, _)| {
            let namespace = node.at(["metadata", "namespace"]).and_then(Node::text);
            let namespace = namespace.map_or_else(String::new, |name| format!("{name}/"));
            format!("{}/{namespace}{} of {}", document.kind, document.name, document.path)
        });
        let candidates = names.collect::<Vec<_>>().join(", ");
        return Err(ExplainError::Ambiguous { question, candidates });
    }
    best.pop().ok_or_else(|| {
        let known = documents(release).filter(|document| !document.kind.is_empty());
        let known = known.take(20).map(|document| format!("{}/{}", document.kind, document.name));
        ExplainError::NoObject { question, known: known.collect::<Vec<_>>().join(", ") }
    })
}

/// What follows a word; capitals need not count.
fn after<'q>(text: &'q str, word: &str, any_case: bool) -> Option<&'q str> {
    let (front, back) = text.split_at_checked(word.len())?;
    let same = if any_case { front.eq_ignore_ascii_case(word) } else { front == word };
    Some(back).filter(|_| same && !word.is_empty())
}

/// The field behind a name.
fn field_after<'q>(text: &'q str, name: &str) -> Option<&'q str> {
    let rest = after(text, name, false)?;
    match rest.strip_prefix('.') {
        Some(field) => Some(field),
        None => (rest.is_empty() || rest.starts_with('[')).then_some(rest),
    }
}
