//! `vars`: `$(NAME)` in the fields that the configuration lists.
//!
//! Follows kustomize's `api/filters/refvar`.

use std::collections::{BTreeMap, BTreeSet};

use gitops_yaml::{Content, Node, Scalar, ScalarStyle, ScalarType, Text};

use crate::{
    accumulator::Accumulator,
    build::Build,
    config::Creates,
    error::{Error, ErrorKind, Result},
    file::Variable,
    manifests::{Warning, WarningKind},
    resource::{Resource, ResourceId},
    set::ResourceSet,
    trace::{Cause, ComputedFrom},
};

/// Replaces all variables by their values.
pub(crate) fn resolve(accumulated: &mut Accumulator, build: &mut Build<'_>) -> Result<()> {
    let mut values = BTreeMap::new();
    let mut sources = BTreeMap::new();
    for variable in accumulated.variables.values() {
        let (value, holder) =
            value_of(variable, &accumulated.set).map_err(|error| match &variable.declared {
                Some(at) => error.in_file(&*at.file).at_line(at.line, at.column),
                None => error,
            })?;
        if build.options.trace {
            let note = format!(
                "{} from {} of {} {}",
                variable.name,
                variable.field_path,
                variable.gvk.kind,
                holder.original_id().name
            );
            let (place, configured) = (holder.made_at(), variable.declared.clone());
            let from = ComputedFrom { place, configured, note };
            sources.insert(variable.name.clone(), from);
        }
        values.insert(variable.name.clone(), value.clone());
    }
    if values.is_empty() {
        return Ok(());
    }
    let config = accumulated.config();
    let mut used = Used::default();
    for (index, resource) in accumulated.set.iter_mut().enumerate() {
        build.check_at(index)?;
        for spec in &config.var_reference {
            spec.apply(resource, Creates::Nothing, &mut |node| {
                replace_in(node, &values, &mut used)
            })?;
        }
        resource.refresh(&build.schema);
        let written = std::mem::take(&mut used.written);
        resource.trace(|| {
            let from = |(text, name): (String, String)| Some((text, sources.get(&name)?.clone()));
            let values = written.into_iter().filter_map(from).collect();
            Cause { values, ..Cause::by("vars").noting("values of variables") }
        });
    }
    let unused: Vec<&str> =
        values.keys().map(String::as_str).filter(|name| !used.names.contains(*name)).collect();
    if !unused.is_empty() {
        build.warnings.push(Warning::new(
            WarningKind::Unused,
            format!("well-defined vars that were never replaced: {}", unused.join(",")),
        ));
    }
    Ok(())
}

/// The value of a variable, and the object that has it.
fn value_of<'s>(variable: &Variable, set: &'s ResourceSet) -> Result<(&'s Node, &'s Resource)> {
    let holder = set
        .iter()
        .find(|resource| resource.variables.iter().any(|name| name == variable.name.as_str()));
    let Some(holder) = holder else {
        return Err(Error::new(
            ErrorKind::Reference,
            format!(
                "var '{}' cannot be mapped to a field in the set of known resources",
                describe(variable)
            ),
        )
        .with_hint(set.near(&ResourceId {
            gvk: variable.gvk.clone(),
            name: variable.object_name.clone(),
            ..ResourceId::default()
        })));
    };
    field(holder.node(), &variable.field_path).map(|value| (value, holder)).ok_or_else(|| {
        Error::new(
            ErrorKind::Reference,
            format!(
                "field specified in var '{}' not found in corresponding resource",
                describe(variable)
            ),
        )
        .about(holder.id().to_object_id())
        .with_hint(super::field_path::way(
            holder.node(),
            &super::field_path::split_path(&variable.field_path),
        ))
    })
}

/// A variable as Go's `%v` prints it.
fn describe(variable: &Variable) -> String {
    format!("{{{} {} {{{}}}}}", variable.name, variable.gvk, variable.field_path)
}

/// The value at a path such as `spec.ports[0].port` or `data.[a.b]`.
fn field<'n>(node: &'n Node, path: &str) -> Option<&'n Node> {
    let mut node = node;
    for part in super::field_path::split_path(path) {
        let (name, index) = match part.strip_suffix(']').and_then(|part| part.rsplit_once('[')) {
            Some((name, index))
                if index.bytes().all(|byte| byte.is_ascii_digit()) && !index.is_empty() =>
            {
                (name, Some(index))
            }
            _ => (part.as_str(), None),
        };
        if !name.is_empty() {
            node = match node.as_sequence() {
                Some(items) => items.get(name.parse::<usize>().ok()?)?,
                None => node.get(name)?,
            };
        }
        if let Some(index) = index {
            node = node.as_sequence()?.get(index.parse::<usize>().ok()?)?;
        }
    }
    Some(node)
}

type Values = BTreeMap<String, Node>;

/// Which variables were replaced.
#[derive(Debug, Default)]
struct Used {
    names: BTreeSet<String>,
    /// The values that were written into the object at hand, and the last variable in each.
    written: Vec<(String, String)>,
}

fn replace_in(node: &mut Node, values: &Values, used: &mut Used) -> Result<()> {
    match node.content_mut() {
        Content::Scalar(_) => {
            replace_scalar(node, values, used);
            Ok(())
        }
        Content::Mapping(mapping) => {
            mapping.values_mut().for_each(|value| replace_scalar(value, values, used));
            Ok(())
        }
        Content::Sequence(_) => node.as_sequence_mut().into_iter().flatten().try_for_each(|item| {
            if !item.is_string() && !item.is_untyped() {
                return Err(Error::new(ErrorKind::Field, "invalid value type expect a string"));
            }
            replace_scalar(item, values, used);
            Ok(())
        }),
    }
}

fn replace_scalar(node: &mut Node, values: &Values, used: &mut Used) {
    // Quirk: what has no type of its own becomes a string, whether a variable is in it or not.
    if node.is_untyped() {
        *node = Node::string(node.text().unwrap_or_default());
    }
    let Some(text) = node.as_str().filter(|text| text.contains('$')) else { return };
    // A variable alone keeps the type of its value.
    let alone = text
        .strip_prefix("$(")
        .and_then(|rest| rest.strip_suffix(')'))
        .filter(|name| !name.contains(')'));
    if let Some((name, value)) = alone
        .and_then(|name| values.get_key_value(name))
        .filter(|(_, value)| value.as_scalar().is_some())
    {
        used.names.insert(name.clone());
        let name = name.clone();
        *node = typed(value);
        used.written.push((node.text().unwrap_or_default().to_owned(), name));
        return;
    }
    let mut last = None;
    let expanded = expand(text, &mut |name| {
        let value = values.get(name)?.text()?;
        used.names.insert(name.to_owned());
        last = Some(name.to_owned());
        Some(value.to_owned())
    });
    if let Some(name) = last {
        used.written.push((expanded.clone(), name));
    }
    *node = Node::string(expanded);
}

/// A copy of a value as the original makes it: numbers in decimal, everything else as text.
fn typed(value: &Node) -> Node {
    match value.as_scalar().map(Scalar::kind) {
        Some(ScalarType::Int) => match value.as_i64() {
            Some(number) => Node::number(number),
            None => Node::string(value.text().unwrap_or_default()),
        },
        Some(kind @ (ScalarType::Float | ScalarType::Bool)) => {
            let text: Text = value.text().unwrap_or_default().into();
            Node::from(Scalar::new(text, kind, ScalarStyle::Plain))
        }
        _ => Node::string(value.text().unwrap_or_default()),
    }
}

/// Replaces `$(name)`; `$$` is one `$`, and what is not known stays.
fn expand(text: &str, value: &mut dyn FnMut(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        if let Some(more) = after.strip_prefix('$') {
            out.push('$');
            rest = more;
        } else if let Some((name, more)) =
            after.strip_prefix('(').and_then(|after| after.split_once(')'))
        {
            if let Some(value) = value(name) {
                out.push_str(&value);
            } else {
                out.push_str("$(");
                out.push_str(name);
                out.push(')');
            }
            rest = more;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expands_and_escapes() {
        let mut value = |name: &str| (name == "A").then(|| "1".to_owned());
        for (text, expanded) in
            [("$(A)-$(B)", "1-$(B)"), ("$$(A)", "$(A)"), ("$(A", "$(A"), ("a$", "a$"), ("$x", "$x")]
        {
            assert_eq!(expand(text, &mut value), expanded, "{text}");
        }
    }

    #[test]
    fn finds_fields() {
        let node = gitops_yaml::read("{spec: {ports: [{port: 80}]}, data: {a.b: c}}").unwrap();
        assert_eq!(field(&node, "spec.ports[0].port").and_then(Node::text), Some("80"));
        assert_eq!(field(&node, "data.[a.b]").and_then(Node::text), Some("c"));
        assert_eq!(field(&node, "spec.ports.0.port").and_then(Node::text), Some("80"));
    }
}
