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
    config::{FieldSpec, TransformerConfig},
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
    let mut plans: HashMap<Gvk, Vec<(FieldSpec, Gvk)>> = HashMap::new();
    for place in 0..set.len() {
        build.scope.check()?;
        // The object may have changed its kind since; the path counts for it all the same.
        let plan = plans
            .entry(set.get(place).original_gvk())
            .or_insert_with_key(|original| config.name_reference.of(original));
        let links = Links::of(set.get(place)).map_err(|error| set.get(place).locate(error))?;
        for (spec, target) in &*plan {
            let mut node = set.content_mut(place).take_node();
            let referrer = Referrer { resource: set.get(place), links: &links };
            let followed = build.options.trace.then(RefCell::default);
            let mut fix = Fix { set, referrer, target, spec, index: &index, followed };
            let fixed = spec.visit(&mut node, &mut |node| fix.apply(node));
            let places = fix.followed.take().map(RefCell::into_inner).unwrap_or_default();
            set.content_mut(place).put_node(node);
            fixed.map_err(|error| {
                let resource = set.get(place);
                resource.locate(spec.failed(resource, error)).context(format!(
                    "updating name reference in '{}' field of '{}'",
                    spec.path,
                    resource.id(),
                ))
            })?;
            if build.options.trace {
                let values = followed_names(set, &places);
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
fn followed_names(set: &ResourceSet, places: &BTreeSet<u32>) -> HashMap<String, ComputedFrom> {
    let from = |place: &u32| {
        let resource = set.get(*place as usize);
        let by = resource.history.as_ref().map(|history| history.last_to_name());
        let by = by.filter(|by| !by.is_empty()).map(|by| format!(", set by {by}"));
        let (id, first) = (resource.id(), resource.original_id().name);
        let note = format!("follows the name of {} {first}{}", id.gvk.kind, by.unwrap_or_default());
        (id.name.to_string(), ComputedFrom { place: resource.made_at(), configured: None, note })
    };
    places.iter().map(from).collect()
}

/// What is known of all objects before any reference is changed. Names do not change any more.
struct Index {
    /// The first and the last link to an object that once had a name.
    by_name: HashMap<Text, (u32, u32)>,
    /// All links: the place of an object, and the next link, or [`Self::END`].
    links: Vec<(u32, u32)>,
    /// The same by current namespace too, for names that many share.
    shared: HashMap<(Text, Text), Vec<u32>>,
    /// For each original namespace: the current ones of its objects, effective and as written.
    namespaces: HashMap<Text, BTreeSet<(Text, Text)>>,
}

/// Fewer objects of a name than this are looked at one by one.
const MANY: usize = 8;

impl Index {
    const END: u32 = u32::MAX;

    fn new(set: &ResourceSet) -> Self {
        let mut by_name: HashMap<Text, (u32, u32)> = HashMap::new();
        let mut links: Vec<(u32, u32)> = Vec::new();
        let mut namespaces: HashMap<Text, BTreeSet<(Text, Text)>> = HashMap::new();
        for (place, resource) in (0..).zip(set.iter()) {
            let id = resource.id();
            let current = (Text::from(id.effective_namespace()), id.namespace.clone());
            let original = resource.original_namespace();
            if !namespaces.get(original).is_some_and(|known| known.contains(&current)) {
                namespaces.entry(original.into()).or_default().insert(current);
            }
            for name in resource.former_names() {
                let next = u32::try_from(links.len()).unwrap_or(Self::END);
                match by_name.get_mut(name) {
                    None => {
                        by_name.insert(name.clone(), (next, next));
                    }
                    Some((_, last)) if links[*last as usize].0 == place => continue,
                    Some((_, last)) => {
                        links[*last as usize].1 = next;
                        *last = next;
                    }
                }
                links.push((place, Self::END));
            }
        }
        let mut index = Self { by_name, links, shared: HashMap::new(), namespaces };
        let mut shared: HashMap<(Text, Text), Vec<u32>> = HashMap::new();
        for (name, &(first, _)) in &index.by_name {
            if index.chain(first).nth(MANY - 1).is_none() {
                continue;
            }
            for place in index.chain(first) {
                let namespace = set.get(place as usize).id().effective_namespace();
                shared.entry((name.clone(), namespace.into())).or_default().push(place);
            }
        }
        index.shared = shared;
        index
    }

    /// The places of the objects that once had the name, in order.
    fn places(&self, name: &str) -> impl Iterator<Item = u32> {
        self.chain(self.by_name.get(name).map_or(Self::END, |(first, _)| *first))
    }

    fn chain(&self, first: u32) -> impl Iterator<Item = u32> {
        let mut next = first;
        std::iter::from_fn(move || {
            let &(place, behind) = self.links.get(next as usize)?;
            next = behind;
            Some(place)
        })
    }
}

/// The object whose fields are looked at.
#[derive(Clone, Copy)]
struct Referrer<'r> {
    resource: &'r Resource,
    links: &'r Links,
}

/// What an object says about those that it refers to.
struct Links {
    /// The namespaces of the service accounts that a `RoleBinding` names.
    account_namespaces: Vec<Text>,
    /// What `roleRef` says about its target.
    role: Option<Gvk>,
}

impl Links {
    fn of(resource: &Resource) -> Result<Self> {
        let id = resource.id();
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
        Ok(Self { account_namespaces, role })
    }
}

impl<'r> Referrer<'r> {
    fn id(self) -> &'r ResourceId {
        self.resource.id()
    }

    /// Whether an object may be referred to at all: it is in the same namespace, or has none, or is
    /// in that of a service account.
    fn reaches(self, candidate: &ResourceId) -> bool {
        self.id().cluster_scoped
            || candidate.cluster_scoped
            || candidate.same_namespace(self.id())
            || self.links.account_namespaces.contains(&candidate.namespace)
    }
}

/// One field of one object.
struct Fix<'f> {
    set: &'f ResourceSet,
    referrer: Referrer<'f>,
    target: &'f Gvk,
    spec: &'f FieldSpec,
    index: &'f Index,
    /// The places of the objects whose names were written, in a build that is traced.
    followed: Option<RefCell<BTreeSet<u32>>>,
}

impl<'f> Fix<'f> {
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

    fn note(&self, found: u32) -> &'f ResourceId {
        if let Some(followed) = &self.followed {
            followed.borrow_mut().insert(found);
        }
        self.set.get(found as usize).id()
    }

    fn set_scalar(&self, node: &mut Node) -> Result<()> {
        let name = node.text().unwrap_or_default();
        let Some(found) = self.select(name, None, |candidate| &candidate.name)? else {
            return Ok(());
        };
        let found = self.note(found);
        if found.name != name {
            set_untagged(node, &found.name);
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
        let same = |candidate: &'f ResourceId| (&candidate.name, &candidate.namespace);
        let Some(found) = self.select(&name, namespace.as_ref(), same)? else { return Ok(()) };
        let found = self.note(found);
        let Some(mapping) = node.as_mapping_mut() else { return Ok(()) };
        if found.name != name.as_str() {
            set_untagged(mapping.get_or_insert_with("name", || Node::string("")), &found.name);
        }
        // No namespace stands for any; it is not written over one that is there.
        if !found.namespace.is_empty() {
            set_field(mapping, "namespace", &found.namespace);
        }
        Ok(())
    }

    /// The object that the name means, if it was renamed and can be told from others.
    fn select<K: PartialEq>(
        &self,
        name: &str,
        namespace: Option<&Text>,
        identity: impl Fn(&'f ResourceId) -> K,
    ) -> Result<Option<u32>> {
        let referrer = self.referrer.id();
        let mut found: Vec<(u32, &Resource)> = self
            .places(name)
            .into_iter()
            .map(|place| (place, self.set.get(place as usize)))
            .filter(|(_, candidate)| {
                self.referrer.reaches(candidate.id()) && self.is_candidate(candidate)
            })
            .collect();
        if let Some(namespace) = namespace {
            // An original namespace of that name wins over a current one.
            let original = self.index.namespaces.get(namespace).is_some_and(|current| {
                referrer.cluster_scoped
                    || current.iter().any(|(effective, written)| {
                        effective.as_str() == referrer.effective_namespace()
                            || self.referrer.links.account_namespaces.contains(written)
                    })
            });
            found.retain(|(_, candidate)| {
                if original {
                    candidate.original_namespace() == namespace.as_str()
                } else {
                    !candidate.id().cluster_scoped
                        && candidate.id().effective_namespace() == namespace.as_str()
                }
            });
        }
        if let [(place, _)] = found[..] {
            return Ok(Some(place));
        }
        found.retain(|(_, candidate)| self.same_affixes(candidate, true));
        if found.len() > 1 {
            found.retain(|(_, candidate)| self.same_affixes(candidate, false));
        }
        let Some((place, first)) = found.first() else { return Ok(None) };
        let wanted = identity(first.id());
        if found.iter().all(|(_, candidate)| identity(candidate.id()) == wanted) {
            return Ok(Some(*place));
        }
        let ids: Vec<String> =
            found.iter().map(|(_, candidate)| candidate.id().to_string()).collect();
        Err(Error::new(
            ErrorKind::Reference,
            format!("found multiple possible referrals: {}", ids.join(", ")),
        )
        .about(referrer.to_object_id())
        .with_hint(format!(
            "{name:?} in {} may mean each of them; give them different names or namespaces",
            self.spec.path,
        )))
    }

    /// The places of the objects that once had the name, in order.
    fn places(&self, name: &str) -> Vec<u32> {
        let all = || self.index.places(name);
        let referrer = self.referrer.id();
        // Few objects share a name; where many do, the namespaces that can be reached are looked up.
        if referrer.cluster_scoped
            || !self.referrer.links.account_namespaces.is_empty()
            || all().nth(MANY - 1).is_none()
        {
            return all().collect();
        }
        let mut places = Vec::new();
        for namespace in [referrer.effective_namespace(), crate::resource::NO_NAMESPACE] {
            let key = (Text::from(name), Text::from(namespace));
            places.extend(self.index.shared.get(&key).into_iter().flatten().copied());
        }
        places.sort_unstable();
        places
    }

    fn is_candidate(&self, candidate: &Resource) -> bool {
        let (referrer, id) = (self.referrer.id(), candidate.id());
        candidate.was_of_kind(self.target)
            && match &self.referrer.links.role {
                Some(role) if self.spec.path.ends_with("roleRef/name") => {
                    candidate.was_of_kind(role)
                }
                _ => true,
            }
            && (referrer.cluster_scoped
                || id.cluster_scoped
                || id.gvk.kind == "ServiceAccount"
                || id.same_namespace(referrer))
    }

    fn same_affixes(&self, candidate: &Resource, allow_none: bool) -> bool {
        let same = |own: &[Text], other: &[Text]| {
            (allow_none && (own.is_empty() || other.is_empty())) || same_ending(own, other)
        };
        let referrer = self.referrer.resource;
        same(&referrer.prefixes, &candidate.prefixes)
            && same(&referrer.suffixes, &candidate.suffixes)
    }
}

/// Whether the shorter list is how the longer one ends; an empty one only matches an empty one.
fn same_ending(a: &[Text], b: &[Text]) -> bool {
    if a.is_empty() || b.is_empty() {
        return a.is_empty() && b.is_empty();
    }
    a.ends_with(b) || b.ends_with(a)
}
