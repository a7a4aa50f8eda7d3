//! A tree of the shape of an object that holds what happened to each node.

use std::{collections::HashSet, sync::Arc};

use gitops_yaml::{Content, Mapping, Node, Text};

use super::{Action, Cause, ComputedFrom, Location, TextAt};

/// What happened to a node, and to those below it.
#[derive(Clone, Debug, Default)]
pub(super) struct Shadow {
    pub(super) events: Vec<Event>,
    pub(super) children: Children,
}

#[derive(Clone, Debug, Default)]
pub(super) enum Children {
    #[default]
    None,
    Fields {
        present: Vec<(Text, Shadow)>,
        /// Fields that are no more, with their last event.
        removed: Vec<(Text, Shadow)>,
    },
    Elements(Vec<Shadow>),
}

/// One change of a node.
#[derive(Clone, Debug)]
pub(super) struct Event {
    pub(super) cause: Arc<Cause>,
    pub(super) action: Action,
    pub(super) place: Option<Location>,
    /// The value, if it is a scalar.
    pub(super) value: Option<Node>,
    /// What the value was computed from.
    pub(super) from: Option<ComputedFrom>,
}

impl Event {
    fn new(node: &Node, key: Option<&str>, cause: &Arc<Cause>, action: Action) -> Self {
        let of_text = |node: &Node| {
            let text = cause.text.as_ref()?;
            (node.place().line() > 0).then(|| text.locate(node.place()))
        };
        let place = match action {
            // An operation stands at one place, also one that removes.
            Action::Removed => match &cause.text {
                Some(TextAt::Here(location)) => Some(location.clone()),
                _ => None,
            },
            Action::Set => {
                key.and_then(|key| cause.keys.get(key).cloned()).or_else(|| of_text(node))
            }
        };
        let value = node.as_scalar().is_some().then(|| node.clone());
        let from = match action {
            Action::Set => node.text().and_then(|text| cause.values.get(text)).cloned(),
            Action::Removed => None,
        };
        let place = place.or_else(|| from.as_ref()?.place.clone());
        Self { cause: Arc::clone(cause), action, place, value, from }
    }
}

impl Shadow {
    /// The field at a path of names.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        let Some((name, rest)) = path.split_first() else { return Some(self) };
        let Children::Fields { present, .. } = &self.children else { return None };
        present.iter().find(|(key, _)| key.as_str() == *name)?.1.at(rest)
    }

    /// Of a node that is new, and so is everything below it.
    pub(super) fn made(node: &Node, key: Option<&str>, cause: &Arc<Cause>, action: Action) -> Self {
        let mut shadow = Self::default();
        shadow.events.push(Event::new(node, key, cause, action));
        shadow.children = children_of(node, cause, action);
        shadow
    }

    /// Notes how a node became another one; whether anything changed.
    pub(super) fn update(
        &mut self,
        before: &Node,
        after: &Node,
        key: Option<&str>,
        cause: &Arc<Cause>,
    ) -> bool {
        match (before.content(), after.content(), &mut self.children) {
            (
                Content::Mapping(before),
                Content::Mapping(after),
                Children::Fields { present, removed },
            ) => update_fields(present, removed, before, after, cause),
            (Content::Sequence(_), Content::Sequence(_), Children::Elements(shadows)) => {
                let (before, after) = (before.as_sequence(), after.as_sequence());
                let before = before.unwrap_or_default();
                update_elements(shadows, before, after.unwrap_or_default(), cause)
            }
            _ if before == after => false,
            _ => {
                self.events.push(Event::new(after, key, cause, Action::Set));
                self.children = children_of(after, cause, Action::Set);
                true
            }
        }
    }
}

fn children_of(node: &Node, cause: &Arc<Cause>, action: Action) -> Children {
    match node.content() {
        Content::Scalar(_) => Children::None,
        Content::Mapping(mapping) => Children::Fields {
            present: mapping
                .iter()
                .map(|(key, value)| (key.into(), Shadow::made(value, Some(key), cause, action)))
                .collect(),
            removed: Vec::new(),
        },
        Content::Sequence(_) => Children::Elements(
            node.as_sequence()
                .unwrap_or_default()
                .iter()
                .map(|item| Shadow::made(item, None, cause, action))
                .collect(),
        ),
    }
}

fn update_fields(
    present: &mut Vec<(Text, Shadow)>,
    removed: &mut Vec<(Text, Shadow)>,
    before: &Mapping,
    after: &Mapping,
    cause: &Arc<Cause>,
) -> bool {
    let mut changed = false;
    for (index, (key, value)) in after.iter().enumerate() {
        // Most fields stay where they were.
        let at = match present.get(index) {
            Some((name, _)) if name.as_str() == key => Some(index),
            _ => present.iter().position(|(name, _)| name.as_str() == key),
        };
        let old = match before.entries().get(index) {
            Some(entry) if entry.key.text() == Some(key) => Some(&entry.value),
            _ => before.get(key),
        };
        match (at, old) {
            (Some(at), Some(old)) => {
                changed |= present[at].1.update(old, value, Some(key), cause);
            }
            _ => {
                changed = true;
                let mut made = Shadow::made(value, Some(key), cause, Action::Set);
                // A field that comes back keeps what happened before.
                if let Some(at) = removed.iter().position(|(name, _)| name.as_str() == key) {
                    let mut events = removed.remove(at).1.events;
                    events.append(&mut made.events);
                    made.events = events;
                }
                present.push((key.into(), made));
            }
        }
    }
    let mut gone = Vec::new();
    if present.len() > after.len() {
        let stay: HashSet<&str> = after.keys().collect();
        present.retain_mut(|(key, shadow)| {
            let stays = stay.contains(key.as_str());
            if !stays {
                gone.push((key.clone(), std::mem::take(shadow)));
            }
            stays
        });
    }
    changed |= !gone.is_empty();
    for (key, mut shadow) in gone {
        let old = before.get(&key).cloned().unwrap_or_default();
        shadow.events.push(Event::new(&old, Some(&key), cause, Action::Removed));
        removed.push((key, shadow));
    }
    changed
}

fn update_elements(
    shadows: &mut Vec<Shadow>,
    before: &[Node],
    after: &[Node],
    cause: &Arc<Cause>,
) -> bool {
    let partners = partners(before, after);
    let mut changed = before.len() != after.len();
    let mut old: Vec<Option<Shadow>> = std::mem::take(shadows).into_iter().map(Some).collect();
    for (place, (item, partner)) in after.iter().zip(partners).enumerate() {
        let kept = partner.and_then(|at| Some((at, old.get_mut(at)?.take()?)));
        shadows.push(match kept {
            Some((at, mut shadow)) => {
                changed |= at != place;
                changed |= shadow.update(&before[at], item, None, cause);
                shadow
            }
            None => {
                changed = true;
                Shadow::made(item, None, cause, Action::Set)
            }
        });
    }
    changed
}

/// For each element the one that it was before: known by its name, else by being equal, else, where
/// as many are left over on both sides, by the order.
fn partners(before: &[Node], after: &[Node]) -> Vec<Option<usize>> {
    /// Above this many comparisons only the order counts.
    const MOST: usize = 4_000_000;
    if let (Some(old), Some(new)) = (names(before), names(after)) {
        return new.iter().map(|name| old.iter().position(|other| other == name)).collect();
    }
    if before.len() == after.len() && before == after || before.len() * after.len() > MOST {
        return (0..after.len()).map(|at| (at < before.len()).then_some(at)).collect();
    }
    let mut taken = vec![false; before.len()];
    let mut found: Vec<Option<usize>> = after
        .iter()
        .map(|item| {
            let at = (0..before.len()).find(|at| !taken[*at] && before[*at] == *item)?;
            taken[at] = true;
            Some(at)
        })
        .collect();
    let left: Vec<usize> = (0..before.len()).filter(|at| !taken[*at]).collect();
    let open: Vec<usize> = (0..after.len()).filter(|at| found[*at].is_none()).collect();
    if left.len() == open.len() {
        for (place, at) in open.into_iter().zip(left) {
            found[place] = Some(at);
        }
    }
    found
}

/// The names of the elements, if each has one of its own.
fn names(items: &[Node]) -> Option<Vec<&str>> {
    let names: Vec<&str> =
        items.iter().map(|item| item.get("name").and_then(Node::text)).collect::<Option<_>>()?;
    let different: HashSet<&str> = names.iter().copied().collect();
    (different.len() == names.len()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(text: &str) -> Vec<Node> {
        gitops_yaml::read(text).unwrap().as_sequence().unwrap().to_vec()
    }

    #[test]
    fn elements_are_followed() {
        for (before, after, wanted) in [
            (
                "[{name: a}, {name: b}]",
                "[{name: c}, {name: b, x: 1}, {name: a}]",
                vec![None, Some(1), Some(0)],
            ),
            ("[1, 2]", "[0, 1, 2]", vec![None, Some(0), Some(1)]),
            ("[1, 2]", "[1, 3]", vec![Some(0), Some(1)]),
            ("[{name: a}, {name: a}]", "[{name: a}]", vec![Some(0)]),
            ("[]", "[1]", vec![None]),
        ] {
            assert_eq!(partners(&list(before), &list(after)), wanted, "{before} {after}");
        }
    }
}
