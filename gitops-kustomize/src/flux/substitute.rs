//! Post-build substitution: variables in the text of each object, which is then read anew.

use std::{collections::BTreeMap, fmt::Write as _, sync::Arc};

use gitops_yaml::{Content, Node};

use super::expand::{ExpandError, expand};
use crate::{
    error::{Error, ErrorKind},
    manifests::{Manifest, Manifests, Warning, WarningKind},
    read::read_document,
    resource::Gvk,
    trace::Cause,
    words::nearest,
};

/// Variables, and how strictly they are taken.
#[derive(Clone, Debug)]
pub struct Substitution {
    /// Values by name. Line feeds are taken out of values.
    pub vars: BTreeMap<String, String>,
    /// Whether a variable that is not set and has no default is an error.
    pub strict: bool,
    /// When objects are substituted at all.
    pub strategy: Strategy,
    /// What bounds the work.
    pub limits: SubstitutionLimits,
}

/// When objects are substituted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Strategy {
    /// Only if there is a variable.
    #[default]
    WithVariables,
    /// Also without any, for defaults and escapes.
    Always,
}

/// Bounds of a substitution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SubstitutionLimits {
    /// The size of one object's text after substitution, in bytes.
    pub object: usize,
}

impl Default for SubstitutionLimits {
    /// 16 MiB an object.
    fn default() -> Self {
        Self { object: 16 << 20 }
    }
}

impl Default for Substitution {
    /// No variables; strict, as Flux has been since 2.9.
    fn default() -> Self {
        Self {
            vars: BTreeMap::new(),
            strict: true,
            strategy: Strategy::default(),
            limits: SubstitutionLimits::default(),
        }
    }
}

const SWITCH: &str = "kustomize.toolkit.fluxcd.io/substitute";

/// Substitutes variables in all objects but those with the label or annotation
/// `kustomize.toolkit.fluxcd.io/substitute: disabled`. Returns a warning for each string that became
/// another type of value.
///
/// # Errors
/// [`ErrorKind::Substitution`] in Flux's words: `post build failed for '…': envsubst error: …`. The
/// objects before the failing one are substituted then.
pub fn substitute(
    manifests: &mut Manifests,
    substitution: &Substitution,
) -> Result<Vec<Warning>, Error> {
    let mut warnings = Vec::new();
    if substitution.vars.is_empty() && substitution.strategy == Strategy::WithVariables {
        return Ok(warnings);
    }
    let vars: BTreeMap<String, String> = substitution
        .vars
        .iter()
        .map(|(name, value)| (name.clone(), value.replace('\n', "")))
        .collect();
    for manifest in manifests.items_mut() {
        if is_disabled(manifest.node()) {
            continue;
        }
        let text = manifest.as_yaml();
        let changed = check_names(&vars)
            .and_then(|()| reread(text, &vars, substitution))
            .map_err(|error| in_object(error, manifest))?;
        let Some(node) = changed else { continue };
        let mut path = String::new();
        compare(manifest.node(), &node, &mut path, &mut |path, was| {
            warnings.push(Warning::new(WarningKind::Type, format!(
                "{}: {path} is {} after substitution; to keep a string, give the variable a value in double quotes",
                manifest.id(),
                type_of(was),
            )));
        });
        let history = manifest.take_history().map(|mut history| {
            let cause = Cause::by("substitution").noting("after the build");
            history.note(&node, &Arc::new(cause));
            history
        });
        *manifest = Manifest::new(node, manifest.source().cloned())?.with_history(history);
    }
    Ok(warnings)
}

/// The object with its variables substituted; `None` where the text stays as it is.
fn reread(
    text: &str,
    vars: &BTreeMap<String, String>,
    substitution: &Substitution,
) -> Result<Option<Node>, Error> {
    if !text.contains('$') {
        return Ok(None);
    }
    let expanded =
        expand(text, vars, substitution.strict, substitution.limits.object).map_err(|error| {
            let kind = match error {
                ExpandError::TooLarge(_) | ExpandError::TooDeep(_) => ErrorKind::Limit,
                _ => ErrorKind::Substitution,
            };
            let hint = match &error {
                ExpandError::NotSet(name) => {
                    Some(match nearest(name, vars.keys().map(String::as_str)) {
                        Some(near) => format!("did you mean {near:?}?"),
                        None => format!("set it, or give it a default: ${{{name}:=default}}"),
                    })
                }
                ExpandError::MissingBrace | ExpandError::BadName => {
                    Some("write $${…} for a text that is no variable".to_owned())
                }
                _ => None,
            };
            let failed = Error::new(kind, error.to_string());
            let failed = match hint {
                Some(hint) => failed.with_hint(hint),
                None => failed,
            };
            failed.context("variable substitution failed")
        })?;
    if expanded == text {
        return Ok(None);
    }
    let failed = |error: gitops_yaml::Error| {
        let hint = "a value broke the YAML around it; put double quotes around the variable, or into its value";
        let line = error.line().unwrap_or(0);
        Error::new(ErrorKind::Substitution, error.message())
            .at_line(line, error.column().unwrap_or(0))
            .with_hint(hint)
            .context("YAMLToJSON")
    };
    let node = read_document(expanded.as_bytes()).map_err(failed)?;
    let json = node.to_json_v2().map_err(failed)?;
    if !json.is_object() {
        return Err(Error::new(
            ErrorKind::Substitution,
            "the object is no mapping after substitution",
        )
        .context("UnmarshalJSON"));
    }
    Ok(Some(Node::from_json(json)))
}

fn check_names(vars: &BTreeMap<String, String>) -> Result<(), Error> {
    let valid = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    match vars.keys().find(|name| !valid(name)) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            ErrorKind::Substitution,
            format!(
                "'{name}' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'"
            ),
        )),
    }
}

fn in_object(error: Error, manifest: &Manifest) -> Error {
    let id = manifest.id();
    let gvk = Gvk {
        group: id.group.as_str().into(),
        version: id.version.as_str().into(),
        kind: id.kind.as_str().into(),
    };
    let error = error
        .context("envsubst error")
        .context(format!("post build failed for '{gvk}/{}'", id.name))
        .about(id);
    match manifest.source() {
        Some(source) => error.in_file(&*source.file),
        None => error,
    }
}

fn is_disabled(node: &Node) -> bool {
    ["labels", "annotations"]
        .iter()
        .any(|field| node.at(["metadata", field, SWITCH]).and_then(Node::text) == Some("disabled"))
}

/// Calls `report` for each string that is no string any more.
fn compare(before: &Node, after: &Node, path: &mut String, report: &mut dyn FnMut(&str, &Node)) {
    let depth = path.len();
    match (before.content(), after.content()) {
        (Content::Mapping(old), Content::Mapping(new)) => {
            for (key, value) in old.iter() {
                if let Some(other) = new.get(key) {
                    if depth > 0 {
                        path.push('.');
                    }
                    path.push_str(key);
                    compare(value, other, path, report);
                    path.truncate(depth);
                }
            }
        }
        (Content::Sequence(_), Content::Sequence(_)) => {
            let pairs = before
                .as_sequence()
                .into_iter()
                .flatten()
                .zip(after.as_sequence().into_iter().flatten());
            for (index, (value, other)) in pairs.enumerate() {
                let _ = write!(path, "[{index}]");
                compare(value, other, path, report);
                path.truncate(depth);
            }
        }
        (Content::Scalar(_), _) if before.is_string() && !after.is_string() => report(path, after),
        _ => {}
    }
}

fn type_of(node: &Node) -> &'static str {
    match node.content() {
        Content::Mapping(_) => "a mapping",
        Content::Sequence(_) => "a list",
        Content::Scalar(_) if node.is_null() => "null",
        Content::Scalar(_) if node.as_bool().is_some() => "a boolean",
        Content::Scalar(_) => "a number",
    }
}
