//! From the text of a question to the history of a field.

use gitops_yaml::{Content, Node};

use super::{
    Action, Change, Explanation,
    shadow::{Children, Shadow},
};
use crate::{
    error::{Error, ErrorKind, Result},
    manifests::Manifest,
    words::{list, nearest},
};

/// A mapping or list has at most this many changes in its explanation.
const MOST_CHANGES: usize = 10_000;

/// Explains `Kind/name.field` or `Kind/namespace/name.field`.
pub(crate) fn explain(manifests: &[Manifest], question: &str) -> Result<Explanation> {
    let (manifest, field) = find_object(manifests, question)?;
    explain_in(manifest, field)
}

/// Explains a field of an object.
pub(crate) fn explain_in(manifest: &Manifest, field: &str) -> Result<Explanation> {
    let Some(history) = manifest.history() else {
        return Err(Error::new(ErrorKind::Unsupported, "the build was not traced")
            .expecting("BuildOptions::trace"));
    };
    let object = manifest.id();
    let (found, shadow, name) =
        follow(manifest.node(), &history.shadow, field).map_err(|error| error.about(object))?;
    let mut changes = Vec::new();
    collect(found, shadow, &mut name.clone(), &mut changes);
    Ok(Explanation { object: object.clone(), field: name, value: found.clone(), changes })
}

/// The object that a question is about, and the rest of the question.
fn find_object<'m, 'q>(
    manifests: &'m [Manifest],
    question: &'q str,
) -> Result<(&'m Manifest, &'q str)> {
    let mut best: Vec<(&Manifest, &str)> = Vec::new();
    for manifest in manifests {
        let id = manifest.id();
        let rest = after_names(question, &[&id.kind, &id.namespace, &id.name])
            .or_else(|| after_names(question, &[&id.kind, &id.name]));
        let Some(rest) = rest else { continue };
        match best.first().map_or(usize::MAX, |(_, rest)| rest.len()) {
            // The longest name wins: `a.b` over `a`.
            length if rest.len() < length => best = vec![(manifest, rest)],
            length if rest.len() == length => best.push((manifest, rest)),
            _ => {}
        }
    }
    match *best {
        [found] => Ok(found),
        [] => Err(no_object(manifests, question)),
        _ => {
            let ids: Vec<String> = best.iter().map(|(found, _)| found.id().to_string()).collect();
            Err(Error::new(ErrorKind::Reference, format!("{question:?} may mean {}", list(&ids)))
                .expecting("Kind/namespace/name.field"))
        }
    }
}

/// What follows the names, which `/` joins; capitals do not count in the first one.
fn after_names<'q>(question: &'q str, names: &[&str]) -> Option<&'q str> {
    let mut rest = question;
    for (index, name) in names.iter().enumerate() {
        let (front, back) = rest.split_at_checked(name.len())?;
        let same = if index == 0 { front.eq_ignore_ascii_case(name) } else { front == *name };
        rest = Some(back).filter(|_| same && !name.is_empty())?;
        if index + 1 < names.len() {
            rest = rest.strip_prefix('/')?;
        }
    }
    (rest.is_empty() || rest.starts_with(['.', '['])).then_some(rest)
}

fn no_object(manifests: &[Manifest], question: &str) -> Error {
    let error = Error::new(ErrorKind::NotFound, format!("no object of the build is {question:?}"))
        .expecting("Kind/name.field or Kind/namespace/name.field, with names as they are put out");
    let Some((kind, rest)) = question.split_once('/') else {
        return error.with_hint("such as Deployment/web.spec.replicas");
    };
    let of_kind: Vec<&Manifest> =
        manifests.iter().filter(|found| found.id().kind.eq_ignore_ascii_case(kind)).collect();
    if of_kind.is_empty() {
        let mut kinds: Vec<&str> = manifests.iter().map(|found| found.id().kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        return error.with_hint(match nearest(kind, kinds.iter().copied()) {
            Some(near) => format!("did you mean the kind {near:?}?"),
            None => format!("there is no {kind:?}; there are {}", list(&kinds)),
        });
    }
    // The name before prefixes and hashes.
    let renamed = of_kind.iter().find(|found| {
        found.history().is_some_and(|history| {
            let name = history.first_name.as_str();
            let rest = rest.strip_prefix(&format!("{}/", found.id().namespace)).unwrap_or(rest);
            rest.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    });
    if let Some(renamed) = renamed {
        return error.with_hint(format!("it was renamed: {}", renamed.id()));
    }
    let ids: Vec<String> = of_kind.iter().map(|found| found.id().to_string()).collect();
    let name = rest.split('.').next().unwrap_or(rest);
    let names = of_kind.iter().map(|found| found.id().name.as_str());
    error.with_hint(match nearest(name, names) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("objects of that kind are {}", list(&ids)),
    })
}

/// Walks to a field; returns it with its history and its name.
fn follow<'t>(
    object: &'t Node,
    shadow: &'t Shadow,
    field: &str,
) -> Result<(&'t Node, &'t Shadow, String)> {
    let (mut node, mut shadow) = (object, shadow);
    let mut name = String::new();
    let mut rest = field;
    loop {
        rest = rest.strip_prefix('.').unwrap_or(rest);
        if rest.is_empty() {
            return Ok((node, shadow, name));
        }
        let step = match (node.content(), &shadow.children) {
            (Content::Mapping(mapping), Children::Fields { present, .. }) => {
                let keys = || mapping.keys();
                key_of(rest, keys()).and_then(|(key, rest)| {
                    let shadow = &present.iter().find(|(own, _)| own.as_str() == key)?.1;
                    push_key(&mut name, key);
                    Some((mapping.get(key)?, shadow, rest))
                })
            }
            (Content::Sequence(_), Children::Elements(shadows)) => {
                let items = node.as_sequence().unwrap_or_default();
                element_of(rest, items).and_then(|(at, rest)| {
                    push_element(&mut name, items, at);
                    Some((items.get(at)?, shadows.get(at)?, rest))
                })
            }
            _ => None,
        };
        match step {
            Some(next) => (node, shadow, rest) = next,
            None => return Err(no_field(node, shadow, &name, rest)),
        }
    }
}

/// The longest key that the text begins with; `[key]` and `"key"` stand for a key as it is.
fn key_of<'k, 'q>(
    text: &'q str,
    keys: impl Iterator<Item = &'k str>,
) -> Option<(&'k str, &'q str)> {
    keys.filter_map(|key| {
        let rest = [("[", "]"), ("[\"", "\"]"), ("\"", "\""), ("", "")].iter().find_map(
            |(open, close)| text.strip_prefix(open)?.strip_prefix(key)?.strip_prefix(close),
        )?;
        (rest.is_empty() || rest.starts_with(['.', '['])).then_some((key, rest))
    })
    .max_by_key(|(key, _)| key.len())
}

/// `[0]`, `0`, `[name=app]`, `app`: the place of an element.
fn element_of<'q>(text: &'q str, items: &[Node]) -> Option<(usize, &'q str)> {
    let (inside, rest) = match text.strip_prefix('[') {
        Some(inside) => inside.split_once(']')?,
        None => {
            let end = text.find(['.', '[']).unwrap_or(text.len());
            text.split_at(end)
        }
    };
    let at = match (inside.parse::<usize>(), inside.split_once('=')) {
        (Ok(index), _) => (index < items.len()).then_some(index)?,
        (_, Some((key, value))) => {
            items.iter().position(|item| item.get(key).and_then(Node::text) == Some(value))?
        }
        _ => items.iter().position(|item| {
            item.text().or_else(|| item.get("name").and_then(Node::text)) == Some(inside)
        })?,
    };
    Some((at, rest))
}

fn push_key(name: &mut String, key: &str) {
    if key.contains(['.', '[', ']', '"', '/']) || key.is_empty() {
        name.push('[');
        name.push_str(key);
        name.push(']');
    } else {
        if !name.is_empty() {
            name.push('.');
        }
        name.push_str(key);
    }
}

/// By its name, if it is the only one of that name.
fn push_element(name: &mut String, items: &[Node], at: usize) {
    let own = items[at].get("name").and_then(Node::text);
    let same = |item: &&Node| item.get("name").and_then(Node::text) == own;
    match own {
        Some(own) if items.iter().take(1000).filter(same).count() == 1 => {
            name.push_str("[name=");
            name.push_str(own);
        }
        _ => {
            name.push('[');
            name.push_str(&at.to_string());
        }
    }
    name.push(']');
}

fn no_field(node: &Node, shadow: &Shadow, reached: &str, rest: &str) -> Error {
    let place = if reached.is_empty() { "the object" } else { reached };
    let error = Error::new(
        ErrorKind::NotFound,
        format!("{place} has no field {:?}", rest.trim_matches('.')),
    );
    match (node.content(), &shadow.children) {
        (Content::Mapping(mapping), Children::Fields { removed, .. }) => {
            let gone = key_of(rest, removed.iter().map(|(key, _)| key.as_str()))
                .and_then(|(key, _)| removed.iter().find(|(own, _)| own.as_str() == key))
                .and_then(|(key, shadow)| Some((key, shadow.events.last()?)));
            if let Some((key, event)) = gone {
                let change = Change::new(key, event);
                let by = change.by.unwrap_or_default();
                let error = error.with_hint(format!("{key} was there; it was removed by {by}"));
                return match change.place.or(change.configured) {
                    Some(place) => error.see(place),
                    None => error,
                };
            }
            let keys: Vec<&str> = mapping.keys().collect();
            let word = rest.split(['.', '[']).next().unwrap_or(rest);
            error.with_hint(match nearest(word, keys.iter().copied()) {
                Some(near) => format!("did you mean {near:?}?"),
                None => format!("it has {}", list(&keys)),
            })
        }
        (Content::Sequence(_), _) => {
            let items = node.as_sequence().unwrap_or_default();
            let names: Vec<String> = (0..items.len().min(12))
                .map(|at| {
                    let mut name = String::new();
                    push_element(&mut name, items, at);
                    name
                })
                .collect();
            error.with_hint(format!("it is a list of {}: {}", items.len(), list(&names)))
        }
        _ => error.with_hint("it is a single value"),
    }
}

/// All changes of a field and of those below it, in the order of the object.
fn collect(node: &Node, shadow: &Shadow, name: &mut String, changes: &mut Vec<Change>) {
    if changes.len() >= MOST_CHANGES {
        return;
    }
    // What made a mapping or list says nothing that its fields do not say.
    let leaf = node.as_scalar().is_some() || node.is_empty() || changes.is_empty();
    changes.extend(shadow.events.iter().filter(|_| leaf).map(|event| Change::new(name, event)));
    let length = name.len();
    match (node.content(), &shadow.children) {
        (Content::Mapping(mapping), Children::Fields { present, removed }) => {
            for (key, shadow) in present {
                if let Some(value) = mapping.get(key) {
                    push_key(name, key);
                    collect(value, shadow, name, changes);
                    name.truncate(length);
                }
            }
            for (key, shadow) in removed {
                push_key(name, key);
                let last = shadow.events.iter().rfind(|event| event.action == Action::Removed);
                changes.extend(last.map(|event| Change::new(name, event)));
                name.truncate(length);
            }
        }
        (Content::Sequence(_), Children::Elements(shadows)) => {
            let items = node.as_sequence().unwrap_or_default();
            for (at, (item, shadow)) in items.iter().zip(shadows).enumerate() {
                push_element(name, items, at);
                collect(item, shadow, name, changes);
                name.truncate(length);
            }
        }
        _ => {}
    }
}
