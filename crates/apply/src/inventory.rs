//! What we own, as `status.inventory` holds it, and what of it is stale.

use std::collections::BTreeSet;

use gitops_core::ObjectId;

use crate::ChangeSet;

/// The objects that an owner manages, in the order of their apply and each once.
///
/// Wire form: a list of `{id, v}` where `id` is [`ObjectId::inventory_id`] and `v` the API version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inventory {
    objects: Vec<ObjectId>,
}

impl Inventory {
    /// Reads wire entries. Entries that are no inventory ids are given back as the second part:
    /// they own nothing and must never lead to a deletion.
    pub fn parse<'a>(entries: impl IntoIterator<Item = (&'a str, &'a str)>) -> (Self, Vec<String>) {
        let mut inventory = Self::default();
        let mut malformed = Vec::new();
        for (id, version) in entries {
            match ObjectId::from_inventory(id, version) {
                Ok(object) => inventory.objects.push(object),
                Err(_) => malformed.push(id.to_owned()),
            }
        }
        (inventory.deduplicated(), malformed)
    }

    /// The objects of a change set, skipped ones included: they stay ours.
    pub fn of(changes: &ChangeSet) -> Self {
        changes.objects().cloned().collect()
    }

    /// The wire entries: id and version.
    pub fn entries(&self) -> impl Iterator<Item = (String, &str)> {
        self.objects.iter().map(|object| (object.inventory_id(), object.version.as_str()))
    }

    /// The objects, in order.
    pub fn objects(&self) -> &[ObjectId] {
        &self.objects
    }

    /// Whether nothing is owned.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// How many objects are owned.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// Whether an object is in it, whatever its API version.
    pub fn contains(&self, object: &ObjectId) -> bool {
        self.objects.iter().any(|own| own.same_object(object))
    }

    /// The objects of this inventory that `newer` does not have, whatever the API version.
    #[must_use]
    pub fn missing_in(&self, newer: &Self) -> Vec<ObjectId> {
        let kept: BTreeSet<String> = newer.objects.iter().map(ObjectId::inventory_id).collect();
        let stale = self.objects.iter().filter(|object| !kept.contains(&object.inventory_id()));
        stale.cloned().collect()
    }

    /// This inventory with the objects of another appended that it lacks.
    #[must_use]
    pub fn union(&self, other: impl IntoIterator<Item = ObjectId>) -> Self {
        self.objects.iter().cloned().chain(other).collect()
    }

    fn deduplicated(self) -> Self {
        let mut seen = BTreeSet::new();
        let mut objects = self.objects;
        objects.retain(|object| seen.insert(object.inventory_id()));
        Self { objects }
    }
}

impl FromIterator<ObjectId> for Inventory {
    fn from_iter<I: IntoIterator<Item = ObjectId>>(objects: I) -> Self {
        Self { objects: objects.into_iter().collect() }.deduplicated()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(ids: &[&str]) -> Inventory {
        let (inventory, malformed) = Inventory::parse(ids.iter().map(|id| (*id, "v1")));
        assert!(malformed.is_empty());
        inventory
    }

    #[test]
    fn stale_objects_are_found_whatever_their_version() {
        let old = inventory(&["a_x__ConfigMap", "a_y__ConfigMap", "_n__Namespace"]);
        let mut newer = inventory(&["a_y__ConfigMap", "a_z__ConfigMap"]);
        newer.objects[0].version = "v2".into();
        let stale: Vec<String> = old.missing_in(&newer).iter().map(ToString::to_string).collect();
        assert_eq!(stale, ["ConfigMap/a/x", "Namespace/n"]);
    }

    #[test]
    fn malformed_entries_own_nothing() {
        let (inventory, malformed) =
            Inventory::parse([("nonsense", "v1"), ("a_x__ConfigMap", "v1")]);
        assert_eq!(inventory.len(), 1);
        assert_eq!(malformed, ["nonsense"]);
    }

    #[test]
    fn a_union_keeps_order_and_has_no_duplicates() {
        let union = inventory(&["a_x__ConfigMap"])
            .union(inventory(&["a_y__ConfigMap", "a_x__ConfigMap"]).objects().to_vec());
        let ids: Vec<String> = union.entries().map(|(id, _)| id).collect();
        assert_eq!(ids, ["a_x__ConfigMap", "a_y__ConfigMap"]);
    }
}
