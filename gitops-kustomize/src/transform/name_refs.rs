//! Name references: fields that hold the name of another object follow it when it is renamed.
//!
//! Follows kustomize's `api/filters/nameref`; candidates are found by index instead of by scan, so
//! that the work grows with the number of references.

use std::{
    cell::RefCell,
    collections::{BTreeSet, HashMap},
};

use gitops_yaml::{Content, Node, Text};

use crate::{
    build::Build,
    config::{Creates, FieldSpec, TransformerConfig},
    error::{Error, ErrorKind, Result},
    resource::{Gvk, Resource, ResourceId, set_field, set_untagged},
    set::ResourceSet,
    trace::{Cause, ComputedFrom},
};

/// Renames what refers to renamed objects.
pub(crate) fn fix(
    set: &mut ResourceSet,
    config: &TransformerConfig,
    build: &Build<'_>,
) -> Result<()> {
    let index = Index::new(set);
    if index.by_name.is_empty() {
        // Nothing was renamed; what is wrong with role bindings is told all the same.
        return set.iter().filter(|resource| resource.id().gvk.kind == "RoleBinding").try_for_each(
            |resource| Referrer::new(resource).map(drop).map_err(|error| resource.locate(error)),
        );
    }
    let mut plans: HashMap<Gvk, Vec<(FieldSpec, &Gvk)>> = HashMap::new();
    for place in 0..set.len() {
        build.scope.check()?;
        let original = set.get(place).original_id().gvk;
        let plan = plans.entry(original.clone()).or_insert_with(|| {
            let mut plan = Vec::new();
            for references in &config.name_reference {
                for spec in
                    references.referrers.iter().filter(|spec| original.is_selected_by(&spec.gvk))
                {
                    // The object may have changed its kind since; the path counts for it all the same.
                    plan.push((spec.for_any_kind(), &references.target));
                }
            }
            plan
        });
        if plan.is_empty() {
            continue;
        }
        let referrer =
            Referrer::new(set.get(place)).map_err(|error| set.get(place).locate(error))?;
        for (spec, target) in plan {
            let followed = build.options.trace.then(RefCell::default);
            let mut fix = Fix { referrer: &referrer, target, spec, index: &index, followed };
            let id = set.get(place).id().clone();
            spec.apply(set.content_mut(place), Creates::Nothing, &mut |node| fix.apply(node))
                .map_err(|error| {
                    set.get(place).locate(error).context(format!(
                        "updating name reference in '{}' field of '{id}'",
                        spec.path
                    ))
                })?;
            if build.options.trace {
                let places = fix.followed.take().map(RefCell::into_inner).unwrap_or_default();
                let values = followed_names(set, &index, &places);
                set.content_mut(place).trace(|| {
                    let note = format!("follows the name of a {}", target.kind);
                    Cause { values, ..Cause::by("NameReferenceTransformer").noting(note) }
                });
            }
        }
    }
    Ok(())
}

/// For each name that was written, the object whose name it is and who named it.
fn followed_names(
    set: &ResourceSet,
    index: &Index,
    places: &BTreeSet<usize>,
) -> HashMap<String, ComputedFrom> {
    let from = |place: &usize| {
        let (resource, id) = (set.get(*place), &index.entries[*place].id);
        let by = resource.history.as_ref().map(|history| history.last_to_name());
        let by = by.filter(|by| !by.is_empty()).map(|by| format!(", set by {by}"));
        let first = resource.original_id().name;
        let note = format!("follows the name of {} {first}{}", id.gvk.kind, by.unwrap_or_default());
        (id.name.to_string(), ComputedFrom { place: resource.made_at(), configured: None, note })
    };
    places.iter().map(from).collect()
}

/// What is known of all objects before any reference is changed. Names do not change any more.
struct Index {
    entries: Vec<Candidate>,
    by_name: HashMap<Text, Vec<usize>>,
    by_name_and_namespace: HashMap<(Text, Text), Vec<usize>>,
    /// For each original namespace: the current ones of its objects, effective and as written.
    namespaces: HashMap<Text, BTreeSet<(Text, Text)>>,
}

struct Candidate {
    place: usize,
    id: ResourceId,
    original_namespace: Text,
    former: Vec<Gvk>,
    prefixes: Vec<Text>,
    suffixes: Vec<Text>,
}

impl Index {
    fn new(set: &ResourceSet) -> Self {
        let mut index = Self {
            entries: Vec::with_capacity(set.len()),
            by_name: HashMap::new(),
            by_name_and_namespace: HashMap::new(),
            namespaces: HashMap::new(),
        };
        for (place, resource) in set.iter().enumerate() {
            let id = resource.id().clone();
            let effective = Text::from(id.effective_namespace());
            let original_namespace = Text::from(resource.original_id().effective_namespace());
            index
                .namespaces
                .entry(original_namespace.clone())
                .or_default()
                .insert((effective.clone(), id.namespace.clone()));
            if resource.has_former_ids() {
                let names: BTreeSet<&Text> = resource.former_names().collect();
                for name in names {
                    index.by_name.entry(name.clone()).or_default().push(place);
                    index
                        .by_name_and_namespace
                        .entry((name.clone(), effective.clone()))
                        .or_default()
                        .push(place);
                }
            }
            index.entries.push(Candidate {
                place,
                id,
                original_namespace,
                former: resource.former_ids().map(|id| id.gvk).collect(),
                prefixes: resource.prefixes.clone(),
                suffixes: resource.suffixes.clone(),
            });
        }
        index
    }
}

/// The object whose fields are looked at.
struct Referrer {
    id: ResourceId,
    prefixes: Vec<Text>,
    suffixes: Vec<Text>,
    /// The namespaces of the service accounts that a `RoleBinding` names.
    account_namespaces: Vec<Text>,
    /// What `roleRef` says about its target.
    role: Option<Gvk>,
}

impl Referrer {
    fn new(resource: &Resource) -> Result<Self> {
        let id = resource.id().clone();
        let mut account_namespaces = Vec::new();
        if id.gvk.kind == "RoleBinding" {
            let subjects =
                resource.node().get("subjects").and_then(Node::as_sequence).unwrap_or_default();
            for subject in subjects {
                if subject.get("kind").and_then(Node::text) != Some("ServiceAccount") {
                    continue;
                }
                match subject.get("namespace") {
                    None => {}
                    Some(namespace) if !namespace.is_null() => {
                        account_namespaces.push(namespace.text().unwrap_or_default().into());
                    }
                    Some(_) => {
                        let message = format!(
                            "Invalid Input: namespace is blank for resource {:?}\n",
                            id.to_string()
                        );
                        return Err(Error::new(ErrorKind::Field, message)
                            .about(id.to_object_id())
                            .expecting("the namespace of the ServiceAccount, or no `namespace`"));
                    }
                }
            }
        }
        let role = resource.node().get("roleRef").and_then(|role| {
            Some(Gvk {
                group: role.get("apiGroup")?.text()?.into(),
                version: Text::default(),
                kind: role.get("kind")?.text()?.into(),
            })
        });
        Ok(Self {
            prefixes: resource.prefixes.clone(),
            suffixes: resource.suffixes.clone(),
            account_namespaces,
            role,
            id,
        })
    }

    /// Whether an object may be referred to at all: it is in the same namespace, or has none, or is
    /// in that of a service account.
    fn reaches(&self, candidate: &ResourceId) -> bool {
        self.id.cluster_scoped
            || candidate.cluster_scoped
            || candidate.same_namespace(&self.id)
            || self.account_namespaces.contains(&candidate.namespace)
    }
}

/// One field of one object.
struct Fix<'f> {
    referrer: &'f Referrer,
    target: &'f Gvk,
    spec: &'f FieldSpec,
    index: &'f Index,
    /// The places of the objects whose names were written, in a build that is traced.
    followed: Option<RefCell<BTreeSet<usize>>>,
}

impl Fix<'_> {
    fn apply(&self, node: &mut Node) -> Result<()> {
        if node.is_null() {
            return Ok(());
        }
        match node.content_mut() {
            Content::Scalar(_) => self.set_scalar(node),
            Content::Mapping(_) => self.set_mapping(node),
            Content::Sequence(_) => {
                node.as_sequence_mut().into_iter().flatten().try_for_each(|item| {
                    if item.is_null() {
                        Ok(())
                    } else if item.is_mapping() {
                        self.set_mapping(item)
                    } else if item.is_sequence() {
                        let message = "node is expected to be either a string or a map of string";
                        Err(Error::new(ErrorKind::Field, message))
                    } else {
                        self.set_scalar(item)
                    }
                })
            }
        }
    }

    fn note(&self, found: &Candidate) {
        if let Some(followed) = &self.followed {
            followed.borrow_mut().insert(found.place);
        }
    }

    fn set_scalar(&self, node: &mut Node) -> Result<()> {
        let name = node.text().unwrap_or_default();
        let Some(found) = self.select(name, None, |candidate| candidate.id.name.clone())? else {
            return Ok(());
        };
        self.note(found);
        if found.id.name != name {
            set_untagged(node, &found.id.name);
        }
        Ok(())
    }

    /// A mapping with `name` and perhaps `namespace`, both of which are set.
    fn set_mapping(&self, node: &mut Node) -> Result<()> {
        let Some(name) = node.get("name") else {
            return Err(Error::new(ErrorKind::Field, "path config error; no 'name' field in node"));
        };
        let name = name.text().unwrap_or_default().to_owned();
        let namespace =
            node.get("namespace").map(|namespace| Text::from(namespace.text().unwrap_or_default()));
        let same =
            |candidate: &Candidate| (candidate.id.name.clone(), candidate.id.namespace.clone());
        let Some(found) = self.select(&name, namespace.as_ref(), same)? else { return Ok(()) };
        self.note(found);
        let Some(mapping) = node.as_mapping_mut() else { return Ok(()) };
        if found.id.name != name.as_str() {
            set_untagged(mapping.get_or_insert_with("name", || Node::string("")), &found.id.name);
        }
        // No namespace stands for any; it is not written over one that is there.
        if !found.id.namespace.is_empty() {
            set_field(mapping, "namespace", &found.id.namespace);
        }
        Ok(())
    }

    /// The object that the name means, if it was renamed and can be told from others.
    fn select<K: PartialEq>(
        &self,
        name: &str,
        namespace: Option<&Text>,
        identity: impl Fn(&Candidate) -> K,
    ) -> Result<Option<&Candidate>> {
        let mut found: Vec<&Candidate> = self
            .places(name)
            .into_iter()
            .map(|place| &self.index.entries[place])
            .filter(|candidate| {
                self.referrer.reaches(&candidate.id) && self.is_candidate(candidate)
            })
            .collect();
        if let Some(namespace) = namespace {
            // An original namespace of that name wins over a current one.
            let original = self.index.namespaces.get(namespace).is_some_and(|current| {
                self.referrer.id.cluster_scoped
                    || current.iter().any(|(effective, written)| {
                        effective.as_str() == self.referrer.id.effective_namespace()
                            || self.referrer.account_namespaces.contains(written)
                    })
            });
            found.retain(|candidate| {
                if original {
                    candidate.original_namespace == *namespace
                } else {
                    !candidate.id.cluster_scoped
                        && candidate.id.effective_namespace() == namespace.as_str()
                }
            });
        }
        if found.len() == 1 {
            return Ok(found.pop());
        }
        found.retain(|candidate| self.same_affixes(candidate, true));
        if found.len() > 1 {
            found.retain(|candidate| self.same_affixes(candidate, false));
        }
        let Some(first) = found.first() else { return Ok(None) };
        let wanted = identity(first);
        if found.iter().all(|candidate| identity(candidate) == wanted) {
            return Ok(Some(first));
        }
        let ids: Vec<String> = found.iter().map(|candidate| candidate.id.to_string()).collect();
        Err(Error::new(
            ErrorKind::Reference,
            format!("found multiple possible referrals: {}", ids.join(", ")),
        )
        .about(self.referrer.id.to_object_id())
        .with_hint(format!(
            "{name:?} in {} may mean each of them; give them different names or namespaces",
            self.spec.path,
        )))
    }

    /// The places of the objects that once had the name, in order.
    fn places(&self, name: &str) -> Vec<usize> {
        let Some(all) = self.index.by_name.get(name) else { return Vec::new() };
        // Few objects share a name; where many do, the namespaces that can be reached are looked up.
        if self.referrer.id.cluster_scoped
            || !self.referrer.account_namespaces.is_empty()
            || all.len() < 8
        {
            return all.clone();
        }
        let mut places = Vec::new();
        for namespace in [self.referrer.id.effective_namespace(), crate::resource::NO_NAMESPACE] {
            let key = (Text::from(name), Text::from(namespace));
            places
                .extend(self.index.by_name_and_namespace.get(&key).into_iter().flatten().copied());
        }
        places.sort_unstable();
        places
    }

    fn is_candidate(&self, candidate: &Candidate) -> bool {
        let referrer = &self.referrer.id;
        candidate.former.iter().any(|gvk| gvk.is_selected_by(self.target))
            && match &self.referrer.role {
                Some(role) if self.spec.path.ends_with("roleRef/name") => {
                    candidate.former.iter().any(|gvk| gvk.is_selected_by(role))
                }
                _ => true,
            }
            && (referrer.cluster_scoped
                || candidate.id.cluster_scoped
                || candidate.id.gvk.kind == "ServiceAccount"
                || candidate.id.same_namespace(referrer))
    }

    fn same_affixes(&self, candidate: &Candidate, allow_none: bool) -> bool {
        let same = |own: &[Text], other: &[Text]| {
            (allow_none && (own.is_empty() || other.is_empty())) || same_ending(own, other)
        };
        same(&self.referrer.prefixes, &candidate.prefixes)
            && same(&self.referrer.suffixes, &candidate.suffixes)
    }
}

/// Whether the shorter list is how the longer one ends; an empty one only matches an empty one.
fn same_ending(a: &[Text], b: &[Text]) -> bool {
    if a.is_empty() || b.is_empty() {
        return a.is_empty() && b.is_empty();
    }
    a.ends_with(b) || b.ends_with(a)
}
