//! JSON merge patch, and the patch that brings an owner's changes to what others changed too.
//!
//! Follows RFC 7386, and for three ways `k8s.io/apimachinery`'s `jsonmergepatch`.

use crate::node::{Mapping, Node};

/// Applies a merge patch: mappings merge, `null` removes, everything else takes the place of what was
/// there.
///
/// ```
/// let mut node = gitops_yaml::read("{a: 1, b: {c: 2, d: 3}, e: [1]}")?;
/// gitops_yaml::merge_json(&mut node, &gitops_yaml::read("{a: null, b: {c: 4}, e: [2, 3]}")?);
/// assert_eq!(node, gitops_yaml::read("{b: {c: 4, d: 3}, e: [2, 3]}")?);
/// # Ok::<(), gitops_yaml::Error>(())
/// ```
pub fn merge_json(base: &mut Node, patch: &Node) {
    let Some(changes) = patch.as_mapping() else {
        base.clone_from(patch);
        return;
    };
    let fields = base.make_mapping();
    for entry in changes {
        let Some(key) = entry.key.text() else { continue };
        if entry.value.is_null() {
            fields.remove(key);
        } else {
            merge_json(fields.get_or_insert_with(key, Node::null), &entry.value);
        }
    }
}

/// The merge patch that makes `to` of `from`. As merge patches cannot set a field to `null`, such
/// fields of `to` are removed.
pub fn diff_json(from: &Node, to: &Node) -> Node {
    diff(from, to, Keep { changes: true, deletions: true }).unwrap_or_else(|| Mapping::new().into())
}

/// The merge patch for `current` that sets what `modified` says and removes what `original` said and
/// `modified` does not. What stands in `current` only is another's and stays.
///
/// ```
/// use gitops_yaml::{merge_json, read, three_way_patch};
///
/// let (original, modified) = (read("{a: 1, b: 2}")?, read("{a: 3}")?);
/// let mut current = read("{a: 1, b: 2, theirs: 4}")?;
/// let patch = three_way_patch(&original, &modified, &current);
/// merge_json(&mut current, &patch);
/// assert_eq!(current, read("{a: 3, theirs: 4}")?);
/// # Ok::<(), gitops_yaml::Error>(())
/// ```
pub fn three_way_patch(original: &Node, modified: &Node, current: &Node) -> Node {
    let changes = diff(current, modified, Keep { changes: true, deletions: false });
    let deletions = diff(original, modified, Keep { changes: false, deletions: true });
    let mut patch = changes.unwrap_or_else(|| Mapping::new().into());
    if let Some(deletions) = deletions {
        join(&mut patch, deletions);
    }
    patch
}

/// Which differences are wanted.
#[derive(Clone, Copy)]
struct Keep {
    changes: bool,
    deletions: bool,
}

/// `None` if nothing differs.
fn diff(from: &Node, to: &Node, keep: Keep) -> Option<Node> {
    let (Some(before), Some(after)) = (from.as_mapping(), to.as_mapping()) else {
        return (keep.changes && from != to).then(|| to.clone());
    };
    let mut patch = Mapping::new();
    for (key, value) in after.iter() {
        match before.get(key) {
            Some(former) => {
                if let Some(change) = diff(former, value, keep) {
                    patch.insert(key, change);
                }
            }
            None if keep.changes => {
                patch.insert(key, value.clone());
            }
            None => {}
        }
    }
    if keep.deletions {
        for key in before.keys().filter(|key| !after.contains_key(key)) {
            patch.insert(key, Node::null());
        }
    }
    (!patch.is_empty()).then(|| patch.into())
}

/// Joins two patches; unlike in [`merge_json`], a `null` is kept.
fn join(patch: &mut Node, more: Node) {
    let Some(more) = more.as_mapping() else { return };
    let fields = patch.make_mapping();
    for (key, value) in more.iter() {
        match fields.get_mut(key) {
            Some(own) if own.is_mapping() && value.is_mapping() => join(own, value.clone()),
            Some(_) => {}
            None => {
                fields.insert(key, value.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::read;

    #[test]
    fn examples_of_the_rfc() {
        for (base, patch, merged) in [
            ("{a: b}", "{a: c}", "{a: c}"),
            ("{a: b}", "{b: c}", "{a: b, b: c}"),
            ("{a: b}", "{a: null}", "{}"),
            ("{a: b, b: c}", "{a: null}", "{b: c}"),
            ("{a: [b]}", "{a: c}", "{a: c}"),
            ("{a: c}", "{a: [b]}", "{a: [b]}"),
            ("{a: {b: c}}", "{a: {b: d, c: null}}", "{a: {b: d}}"),
            ("{a: [{b: c}]}", "{a: [1]}", "{a: [1]}"),
            ("[a, b]", "[c, d]", "[c, d]"),
            ("{a: b}", "[c]", "[c]"),
            ("{e: null}", "{a: 1}", "{e: null, a: 1}"),
            ("[1, 2]", "{a: b, c: null}", "{a: b}"),
            ("{}", "{a: {bb: {ccc: null}}}", "{a: {bb: {}}}"),
        ] {
            let mut node = read(base).unwrap();
            merge_json(&mut node, &read(patch).unwrap());
            assert_eq!(node, read(merged).unwrap(), "{base} with {patch}");
        }
    }

    #[test]
    fn differences_lead_from_one_to_the_other() {
        for (from, to) in [
            ("{a: 1, b: {c: 2, d: [1]}}", "{b: {c: 3, d: [1, 2]}, e: {f: g}}"),
            ("{a: {b: c}}", "{a: b}"),
            ("{a: b}", "{a: {b: c}}"),
            ("{}", "{a: b}"),
            ("{a: 1}", "{a: 1}"),
        ] {
            let (mut from, to) = (read(from).unwrap(), read(to).unwrap());
            let patch = diff_json(&from, &to);
            assert_eq!(patch.is_empty(), from == to);
            merge_json(&mut from, &patch);
            assert_eq!(from, to);
        }
    }

    #[test]
    fn three_ways() {
        let patch = |original: &str, modified: &str, current: &str| {
            let [original, modified, current] =
                [original, modified, current].map(|text| read(text).unwrap());
            three_way_patch(&original, &modified, &current)
        };
        assert_eq!(patch("{a: 1}", "{a: 1}", "{a: 2, x: y}"), read("{a: 1}").unwrap());
        assert_eq!(
            patch("{a: {b: 1, c: 2}}", "{a: {b: 1}}", "{a: {b: 1, c: 5}}"),
            read("{a: {c: null}}").unwrap()
        );
        assert_eq!(patch("{}", "{a: 1}", "{a: 1}"), read("{}").unwrap());
        assert_eq!(
            patch("{a: {b: 1}, c: 1}", "{a: {d: 2}}", "{a: {b: 1}, c: 1}"),
            read("{a: {d: 2, b: null}, c: null}").unwrap()
        );
    }
}
