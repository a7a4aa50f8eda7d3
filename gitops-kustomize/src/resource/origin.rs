//! Where an object, or a change of it, comes from: the `buildMetadata` annotations.

use std::fmt::Write as _;

use super::ResourceId;
use crate::load::{RepositoryUrl, path};

/// Where something comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The file, relative to the directory that is built or to the remote repository.
    pub(crate) path: String,
    pub(crate) repo: String,
    pub(crate) reference: String,
    /// The file that configures the generator or transformer.
    pub(crate) configured_in: String,
    pub(crate) configured_by: Option<ConfiguredBy>,
}

/// The generator or transformer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConfiguredBy {
    pub(crate) api_version: String,
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) namespace: String,
}

impl Origin {
    /// The origin of something that this one refers to by a path.
    pub(crate) fn join(&self, relative: &str) -> Self {
        if let Some(url) = RepositoryUrl::parse(relative) {
            return Self {
                repo: url.clone_url().to_owned(),
                reference: url.reference().to_owned(),
                path: path::clean(url.path()),
                ..self.clone()
            };
        }
        Self { path: path::join(&self.path, relative), ..self.clone() }
    }

    /// What a field of the kustomization file `file` in this directory does.
    pub(crate) fn builtin(&self, file: &str, kind: &str) -> Self {
        Self {
            path: String::new(),
            configured_in: path::join(&self.path, file),
            configured_by: Some(ConfiguredBy {
                api_version: "builtin".to_owned(),
                kind: kind.to_owned(),
                ..ConfiguredBy::default()
            }),
            ..self.clone()
        }
    }

    /// What a plugin does whose configuration comes from `config` and has the identity.
    pub(crate) fn plugin(config: &Self, id: &ResourceId) -> Self {
        Self {
            path: String::new(),
            configured_in: config.path.clone(),
            configured_by: Some(ConfiguredBy {
                api_version: id.gvk.api_version(),
                kind: id.gvk.kind.as_str().to_owned(),
                name: id.name.as_str().to_owned(),
                namespace: id.namespace.as_str().to_owned(),
            }),
            ..config.clone()
        }
    }

    /// The text of the annotation.
    pub(crate) fn to_yaml(&self) -> String {
        let mut text = String::new();
        let mut field = |indent: &str, key: &str, value: &str| {
            if !value.is_empty() {
                let _ = writeln!(text, "{indent}{key}: {}", quoted(value));
            }
        };
        field("", "path", &self.path);
        field("", "repo", &self.repo);
        field("", "ref", &self.reference);
        field("", "configuredIn", &self.configured_in);
        if let Some(by) = &self.configured_by {
            text.push_str("configuredBy:\n");
            let mut field = |key: &str, value: &str| {
                if !value.is_empty() {
                    let _ = writeln!(text, "  {key}: {}", quoted(value));
                }
            };
            field("apiVersion", &by.api_version);
            field("kind", &by.kind);
            field("name", &by.name);
            field("namespace", &by.namespace);
        }
        if text.is_empty() { "{}\n".to_owned() } else { text }
    }

    /// The text of the annotation that lists transformations.
    pub(crate) fn list_to_yaml<'o>(origins: impl IntoIterator<Item = &'o Self>) -> String {
        let mut text = String::new();
        for origin in origins {
            for (index, line) in origin.to_yaml().lines().enumerate() {
                let _ = writeln!(text, "{}{line}", if index == 0 { "- " } else { "  " });
            }
        }
        text
    }
}

/// A value as a plain scalar, or in single quotes where it would not be read as a string.
fn quoted(value: &str) -> String {
    let plain = gitops_yaml::resolve(value, gitops_yaml::Flavour::V2)
        == gitops_yaml::ScalarType::Str
        && !value.contains(": ")
        && !value.contains(" #")
        && !value.ends_with(':')
        && value.bytes().all(|byte| (0x20..0x7f).contains(&byte))
        && !value.starts_with(|c: char| "-?:,[]{}#&*!|>'\"%@` ".contains(c));
    if plain { value.to_owned() } else { format!("'{}'", value.replace('\'', "''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_the_original_does() {
        let origin = Origin { path: "overlay".into(), ..Origin::default() };
        assert_eq!(origin.join("../base/a.yaml").to_yaml(), "path: base/a.yaml\n");
        assert_eq!(
            Origin::list_to_yaml(&[origin.builtin("kustomization.yaml", "PatchTransformer")]),
            "- configuredIn: overlay/kustomization.yaml\n  configuredBy:\n    apiVersion: builtin\n    kind: PatchTransformer\n",
        );
    }
}
