//! The order of the output.
//!
//! Follows kustomize's `SortOrderTransformer`; differs in being stable, where Go's is not.

use std::{cmp::Ordering, collections::BTreeMap};

use gitops_yaml::Text;

use crate::{
    error::{Error, ErrorKind, Result},
    file::SortOptions,
    resource::{Gvk, Resource, ResourceId},
    set::ResourceSet,
};

const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "ConfigMap",
    "Secret",
    "Endpoints",
    "Service",
    "LimitRange",
    "PriorityClass",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

const LAST: [&str; 2] = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];

/// The rank of a kind: negative for those that come first, positive for those that come last.
pub(crate) fn default_rank(kind: &str) -> i32 {
    rank(&FIRST, &LAST, kind)
}

fn rank<S: AsRef<str>>(first: &[S], last: &[S], kind: &str) -> i32 {
    let place = |kinds: &[S]| {
        kinds
            .iter()
            .rposition(|name| name.as_ref() == kind)
            .map(|at| i32::try_from(at).unwrap_or(i32::MAX))
    };
    let before = i32::try_from(first.len()).unwrap_or(i32::MAX);
    match (place(last), place(first)) {
        (Some(at), _) => at.saturating_add(1),
        (None, Some(at)) => at - before,
        (None, None) => 0,
    }
}

/// Sorts by `options`.
pub(crate) fn sort(set: &mut ResourceSet, options: &SortOptions) -> Result<()> {
    match options.order.as_str() {
        "fifo" if options.legacy.is_some() => Err(Error::new(
            ErrorKind::Field,
            "the field 'sortOptions.legacySortOptions' is set but the selected sort order is 'fifo', not 'legacy'",
        )
        .at_field("legacySortOptions")
        .expecting("`order: legacy`, or no `legacySortOptions`")),
        "fifo" => Ok(()),
        "legacy" => {
            set.check_before_sort()?;
            match &options.legacy {
                Some(legacy) => sort_by_rank(set, |kind| rank(&legacy.first, &legacy.last, kind)),
                None => sort_by_rank(set, default_rank),
            }
            Ok(())
        }
        _ => Err(Error::new(
            ErrorKind::Field,
            "the field 'sortOptions.order' must be one of [fifo, legacy]",
        )
        .at_field("order")
        .expecting("fifo or legacy")),
    }
}

/// Sorts by kind as the command line does by default.
pub(crate) fn sort_legacy(set: &mut ResourceSet) -> Result<()> {
    set.check_before_sort()?;
    sort_by_rank(set, default_rank);
    Ok(())
}

fn sort_by_rank(set: &mut ResourceSet, rank: impl Fn(&str) -> i32) {
    let mut ranks: BTreeMap<Gvk, usize> = BTreeMap::new();
    for resource in set.iter() {
        ranks.entry(resource.id().gvk.clone()).or_default();
    }
    // Each kind is ranked once; then objects compare by a number and two short texts.
    let mut kinds: Vec<Gvk> = ranks.keys().cloned().collect();
    kinds.sort_by(|a, b| {
        rank(&a.kind).cmp(&rank(&b.kind)).then_with(|| {
            let order = kind_text(a).cmp(&kind_text(b));
            let namespaces = a.kind == "Namespace" && b.kind == "Namespace";
            if namespaces && (a.group.is_empty() || b.group.is_empty()) {
                order.reverse()
            } else {
                order
            }
        })
    });
    for (place, gvk) in kinds.into_iter().enumerate() {
        ranks.insert(gvk, place);
    }
    set.sort_by_cached_key(|resource: &Resource| {
        (ranks.get(&resource.id().gvk).copied(), IdText::of(resource.id()))
    });
}

fn kind_text(gvk: &Gvk) -> String {
    let or = |text: &str, missing: &str| {
        if text.is_empty() { missing.to_owned() } else { text.to_owned() }
    };
    format!("{}_{}_{}", or(&gvk.group, "~G"), or(&gvk.version, "~V"), or(&gvk.kind, "~K"))
}

/// Compares as the text `namespace|name` does. There may be many, and most names stand in place.
struct IdText {
    namespace: Text,
    name: Text,
}

impl IdText {
    fn of(id: &ResourceId) -> Self {
        let or = |text: &Text, missing: &str| {
            if text.is_empty() { missing.into() } else { text.clone() }
        };
        Self { namespace: or(&id.namespace, "~X"), name: or(&id.name, "~N") }
    }

    fn bytes(&self) -> impl Iterator<Item = u8> {
        self.namespace.bytes().chain([b'|']).chain(self.name.bytes())
    }
}

impl PartialEq for IdText {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for IdText {}

impl Ord for IdText {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.namespace == other.namespace {
            return self.name.cmp(&other.name);
        }
        self.bytes().cmp(other.bytes())
    }
}

impl PartialOrd for IdText {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_compare_as_their_texts() {
        let texts = ["", "a", "a-b", "a|b", "ab", "b", "~", "~X", "~Y", "z"];
        let ids: Vec<IdText> = texts
            .iter()
            .flat_map(|namespace| texts.iter().map(move |name| (namespace, name)))
            .map(|(namespace, name)| {
                IdText::of(&ResourceId {
                    namespace: (*namespace).into(),
                    name: (*name).into(),
                    ..ResourceId::default()
                })
            })
            .collect();
        let text = |id: &IdText| format!("{}|{}", id.namespace, id.name);
        for (a, b) in ids.iter().flat_map(|a| ids.iter().map(move |b| (a, b))) {
            // Of equal texts the order is that in which they were read.
            let wanted = text(a).cmp(&text(b));
            assert_eq!(a.cmp(b), wanted, "{} {}", text(a), text(b));
        }
    }
}
