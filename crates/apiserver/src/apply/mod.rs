//! Server-side apply: who owns which field, and what follows from it.
//!
//! Follows kube-apiserver 1.36 (structured-merge-diff v6). An object's owners stand in its
//! `metadata.managedFields`. Applying merges a configuration into the live object, takes out what
//! the applier owned before and no longer names, and refuses to change what others own; any other
//! write takes what it changes.

mod compare;
mod managers;
mod merge;
mod set;
mod shape;
mod strategic;

use http::StatusCode;
use serde_json::{Value, json};

pub(crate) use self::strategic::strategic_merge;
use self::{
    compare::{Comparison, owned_by},
    managers::{Manager, Managers, Operation},
    set::{Element, Set},
    shape::{Shape, Type},
};
use crate::{
    object::Meta as _,
    schema::{NodeId, Schema},
    status::{Refusal, Result},
};

/// Who owns what an object had before anybody applied it.
const BEFORE_FIRST_APPLY: &str = "before-first-apply";

/// The type of an object and the version in which it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'a> {
    pub(crate) schema: &'a Schema,
    pub(crate) node: NodeId,
    pub(crate) api_version: &'a str,
}

impl<'a> Target<'a> {
    fn root(&self) -> Type<'a> {
        Type { schema: self.schema, node: Some(self.node) }
    }

    fn has_status(&self) -> bool {
        self.schema.node(self.node).field("status").is_some()
    }

    fn is_custom(&self) -> bool {
        self.schema.node(self.node).rules.is_some()
    }

    /// What nobody owns through an endpoint, because it is not written there.
    fn reset_fields(&self, subresource: &str, keeps_status: bool) -> Set {
        let mut set = Set::default();
        match subresource {
            "status" => {
                let fields = match &self.schema.node(self.node).kind {
                    crate::schema::Kind::Struct { fields, .. } => fields.as_slice(),
                    _ => &[],
                };
                for field in fields {
                    if !matches!(&*field.name, "status" | "metadata" | "apiVersion" | "kind") {
                        set.insert(&[Element::field(&field.name)]);
                    }
                }
                if self.is_custom() {
                    set.insert(&[Element::field("metadata")]);
                } else {
                    set.insert(&[Element::field("metadata"), Element::field("labels")]);
                }
            }
            _ if self.has_status() && !keeps_status => set.insert(&[Element::field("status")]),
            _ => {}
        }
        set
    }
}

/// What belongs to no manager.
fn unowned() -> Set {
    let mut set = Set::default();
    for name in ["apiVersion", "kind", "metadata"] {
        set.insert(&[Element::field(name)]);
    }
    for name in [
        "name",
        "namespace",
        "creationTimestamp",
        "selfLink",
        "uid",
        "clusterName",
        "generation",
        "managedFields",
        "resourceVersion",
    ] {
        set.insert(&[Element::field("metadata"), Element::field(name)]);
    }
    set
}

/// Checks that a configuration can be applied: its fields are known, its items are told apart.
///
/// # Errors
/// In the words of the API server.
pub(crate) fn check(target: &Target<'_>, applied: &Value) -> Result<()> {
    let mut problems = Vec::new();
    check_at(target.root(), applied, &mut String::new(), &mut problems, 0);
    if problems.is_empty() {
        return Ok(());
    }
    let (group, version) = target.api_version.rsplit_once('/').unwrap_or(("", target.api_version));
    let kind = applied["kind"].as_str().unwrap_or_default();
    let text = match &problems[..] {
        [one] => one.clone(),
        many => format!("errors:\n  {}", many.join("\n  ")),
    };
    let message = format!(
        "failed to create typed patch object ({}/{}; {group}/{version}, Kind={kind}): {text}",
        applied.namespace(),
        applied.name()
    );
    Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "", message))
}

fn check_at(
    of: Type<'_>,
    value: &Value,
    path: &mut String,
    problems: &mut Vec<String>,
    depth: usize,
) {
    // Decoding has bounded the depth of what is stored; a patch comes here first.
    if depth > 512 || problems.len() >= 100 {
        return;
    }
    let length = path.len();
    if let Some(expected) = mismatch(of, value) {
        problems.push(format!("{path}: {expected}"));
        return;
    }
    match of.shape(value) {
        Shape::Fields => {
            for (name, value) in value.as_object().into_iter().flatten() {
                path.push('.');
                path.push_str(name);
                let field = of.field(name);
                if of.node.is_some() && field.node.is_none() && !allows_any(of) {
                    problems.push(format!("{path}: field not declared in schema"));
                } else {
                    check_at(field, value, path, problems, depth + 1);
                }
                path.truncate(length);
            }
        }
        Shape::Items { of, keys } => {
            let mut seen = std::collections::HashSet::new();
            for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                match of.item(keys, item) {
                    Err(problem) => {
                        problems.push(format!("{path}: element {place}: {problem}"));
                    }
                    Ok(element) => {
                        path.push_str(&element.to_string());
                        check_at(of, item, path, problems, depth + 1);
                        path.truncate(length);
                        if !seen.insert(element.clone()) {
                            problems.push(format!("{path}: duplicate entries for key {element}"));
                        }
                    }
                }
            }
        }
        Shape::Leaf => {}
    }
}

/// What was expected where a value has the wrong kind.
fn mismatch(of: Type<'_>, value: &Value) -> Option<String> {
    use crate::schema::{Kind, Scalar};
    let node = of.schema.node(of.node?);
    if value.is_null() {
        return None;
    }
    let (expected, fits) = match &node.kind {
        Kind::Struct { .. } | Kind::Map { .. } => ("map", value.is_object()),
        Kind::List { .. } => ("list", value.is_array()),
        Kind::Scalar(scalar) => match scalar {
            Scalar::Boolean => ("boolean", value.is_boolean()),
            Scalar::Int32 | Scalar::Int64 | Scalar::Double => {
                ("numeric (int or float)", value.is_number())
            }
            Scalar::Quantity | Scalar::IntOrString => return None,
            _ => ("string", value.is_string()),
        },
        Kind::Any => return None,
    };
    (!fits).then(|| {
        let got = match value {
            Value::Object(_) => "map[string]interface {}".to_owned(),
            Value::Array(_) => "[]interface {}".to_owned(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let is_scalar = !matches!(expected, "map" | "list");
        if is_scalar {
            format!("expected {expected}, got &value.valueUnstructured{{Value:{value}}}")
        } else {
            format!("expected {expected}, got &{{{got}}}")
        }
    })
}

/// Whether unknown fields are fine.
fn allows_any(of: Type<'_>) -> bool {
    use crate::schema::Kind;
    of.node.is_none_or(|id| {
        let node = of.schema.node(id);
        matches!(node.kind, Kind::Any)
            || node.rules.as_ref().is_some_and(|rules| rules.preserve_unknown)
    })
}

/// The live object with a configuration applied by a manager. `keeps_status` of the target's kind is
/// told by whether `status` is a subresource.
///
/// # Errors
/// A conflict with others who own what would change, unless `force`.
pub(crate) fn apply(
    target: &Target<'_>,
    live: Option<&Value>,
    applied: &Value,
    manager: &str,
    force: bool,
    endpoint: Endpoint<'_>,
    now: &str,
) -> Result<Value> {
    let root = target.root();
    let mut managers = match live {
        Some(live) => Managers::of(live).unwrap_or_default(),
        None => Managers::default(),
    };
    let bare = |object: &Value| {
        let mut object = object.clone();
        object.remove_meta("managedFields");
        object
    };
    let live = live.map(bare);
    if let Some(live) = &live
        && managers.is_empty()
    {
        let mut fields = owned_by(root, live);
        fields.subtract_trees(&target.reset_fields(endpoint.subresource, endpoint.keeps_status));
        fields.subtract(&unowned());
        managers.entries.push(Manager {
            name: BEFORE_FIRST_APPLY.to_owned(),
            operation: Operation::Update,
            api_version: target.api_version.to_owned(),
            subresource: String::new(),
            time: now.to_owned(),
            fields,
        });
    }
    let before = managers.clone();
    let ignored = target.reset_fields(endpoint.subresource, endpoint.keeps_status);
    let mut fields = owned_by(root, applied);
    fields.subtract_trees(&ignored);
    let own = Manager {
        name: manager.to_owned(),
        operation: Operation::Apply,
        api_version: target.api_version.to_owned(),
        subresource: endpoint.subresource.to_owned(),
        time: now.to_owned(),
        fields,
    };
    let mut new = merge::merge(root, live.as_ref(), applied);
    let last = match managers.position(&own) {
        Some(place) => {
            let last = managers.entries.remove(place);
            managers.entries.insert(place, own.clone());
            Some(last)
        }
        None => {
            managers.entries.push(own.clone());
            None
        }
    };
    if let Some(last) = &last {
        merge::prune(root, &mut new, &last.fields, Some(&managers.union()));
    }
    let mut comparison = Comparison::of(root, live.as_ref(), Some(&new));
    for set in [&mut comparison.added, &mut comparison.modified, &mut comparison.removed] {
        set.subtract_trees(&ignored);
    }
    yield_fields(&mut managers, &own, &comparison, force)?;
    let nothing = unowned();
    for entry in &mut managers.entries {
        if entry.is(&own) {
            entry.fields.subtract(&nothing);
        }
    }
    // The time of an entry is that of its last change.
    if let Some(last) = &last
        && let Some(place) = managers.position(&own)
        && comparison.is_empty()
        && managers.entries[place].fields == last.fields
        && managers.entries[place].api_version == last.api_version
        && same_entries(&before, &managers)
    {
        managers.entries[place].time.clone_from(&last.time);
    }
    managers.write(&mut new);
    Ok(new)
}

fn same_entries(before: &Managers, after: &Managers) -> bool {
    before.entries.len() == after.entries.iter().filter(|entry| !entry.fields.is_empty()).count()
        && after.entries.iter().all(|entry| {
            before.position(entry).is_some_and(|place| before.entries[place].fields == entry.fields)
        })
}

/// Through what an object is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Endpoint<'a> {
    /// Empty for the object itself.
    pub(crate) subresource: &'a str,
    /// Whether the status is written with the rest, because the kind has no `status` subresource.
    pub(crate) keeps_status: bool,
}

/// Takes from the others what changed.
///
/// # Errors
/// A conflict, if there was something to take and `force` is not set.
fn yield_fields(
    managers: &mut Managers,
    own: &Manager,
    comparison: &Comparison,
    force: bool,
) -> Result<()> {
    let mut changed = comparison.added.clone();
    changed.union(&comparison.modified);
    let mut conflicts: Vec<(usize, Set)> = Vec::new();
    for (place, entry) in managers.entries.iter().enumerate() {
        if !entry.is(own) {
            let taken = entry.fields.intersection(&changed);
            if !taken.is_empty() {
                conflicts.push((place, taken));
            }
        }
    }
    if !force && !conflicts.is_empty() {
        let conflicts =
            conflicts.iter().map(|(place, taken)| (&managers.entries[*place], taken)).collect();
        return Err(conflict(conflicts));
    }
    for (place, taken) in &conflicts {
        managers.entries[*place].fields.subtract(taken);
    }
    for entry in &mut managers.entries {
        if !entry.is(own) {
            entry.fields.subtract(&comparison.removed);
        }
    }
    managers.entries.retain(|entry| entry.is(own) || !entry.fields.is_empty());
    Ok(())
}

fn conflict(mut conflicts: Vec<(&Manager, &Set)>) -> Refusal {
    conflicts.sort_by(|(a, _), (b, _)| {
        (&a.name, a.operation, &a.api_version).cmp(&(&b.name, b.operation, &b.api_version))
    });
    let mut causes = Vec::new();
    let mut texts = Vec::new();
    for (manager, fields) in &conflicts {
        let shown = manager.shown();
        let paths = fields.paths();
        for path in &paths {
            causes.push(json!({
                "reason": "FieldManagerConflict",
                "message": format!("conflict with {shown}"),
                "field": path,
            }));
        }
        texts.push((shown, paths));
    }
    let message = match &texts[..] {
        [(shown, paths)] if paths.len() == 1 => {
            format!("Apply failed with 1 conflict: conflict with {shown}: {}", paths[0])
        }
        all => {
            let mut lines = Vec::new();
            for (shown, paths) in all {
                lines.push(format!("conflicts with {shown}:"));
                lines.extend(paths.iter().map(|path| format!("- {path}")));
            }
            format!("Apply failed with {} conflicts: {}", causes.len(), lines.join("\n"))
        }
    };
    let mut refusal = Refusal::new(StatusCode::CONFLICT, "Conflict", message);
    refusal.details = Some(Box::new(json!({"causes": causes})));
    refusal
}

/// Gives a manager the fields that its create, update or patch changed, and takes them from the
/// others. `new` may bring entries of its own, as a client that read and changed the object does.
pub(crate) fn update(
    target: &Target<'_>,
    live: Option<&Value>,
    new: &mut Value,
    manager: &str,
    endpoint: Endpoint<'_>,
    now: &str,
) {
    if Managers::is_reset(new) {
        new.remove_meta("managedFields");
        return;
    }
    let sent = if endpoint.subresource.is_empty() { Managers::of(new) } else { None };
    let mut managers = match (sent.filter(|sent| !sent.is_empty()), live) {
        (Some(sent), _) => sent,
        (None, Some(live)) => Managers::of(live).unwrap_or_default(),
        (None, None) => Managers::default(),
    };
    new.remove_meta("managedFields");
    // Whoever took the entries away does not want them back.
    if live.is_some() && managers.is_empty() {
        return;
    }
    let root = target.root();
    let old = live.map(|live| {
        let mut live = live.clone();
        live.remove_meta("managedFields");
        live
    });
    let nothing = Value::Object(serde_json::Map::new());
    let comparison = Comparison::of(root, Some(old.as_ref().unwrap_or(&nothing)), Some(new));
    let mut changed = comparison.added.clone();
    changed.union(&comparison.modified);
    changed.subtract_trees(&target.reset_fields(endpoint.subresource, endpoint.keeps_status));
    let mut own = Manager {
        name: manager.to_owned(),
        operation: Operation::Update,
        api_version: target.api_version.to_owned(),
        subresource: endpoint.subresource.to_owned(),
        // A `Scale` has no managed fields of its own: what is made of those of its object has no time.
        time: if endpoint.subresource == "scale" { "" } else { now }.to_owned(),
        fields: Set::default(),
    };
    for entry in &mut managers.entries {
        if !entry.is(&own) {
            entry.fields.subtract(&changed);
        }
        entry.fields.subtract(&comparison.removed);
    }
    changed.subtract(&unowned());
    if !changed.is_empty() {
        match managers.position(&own) {
            Some(place) => {
                let entry = &mut managers.entries[place];
                entry.fields.union(&changed);
                entry.time = std::mem::take(&mut own.time);
            }
            None => {
                own.fields = changed;
                managers.entries.push(own);
            }
        }
    }
    managers.write(new);
}
