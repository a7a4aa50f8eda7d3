//! `namePrefix` and `nameSuffix`.

use gitops_yaml::Text;

use super::Transform;
use crate::{
    build::Build,
    config::{Creates, Specs},
    error::{Error, ErrorKind, Result},
    resource::{Gvk, expect_scalar, set_untagged},
    set::ResourceSet,
};

/// On which side of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AffixKind {
    Prefix,
    Suffix,
}

/// Adds a text to names.
#[derive(Debug)]
pub(crate) struct Affix {
    kind: AffixKind,
    text: String,
    specs: Specs,
    /// Kinds whose names are fixed from outside.
    skipped: [Gvk; 3],
}

impl Affix {
    pub(crate) fn new(kind: AffixKind, text: &str, specs: Specs) -> Self {
        let of_kind = |kind: &str| Gvk { kind: kind.into(), ..Gvk::default() };
        Self {
            kind,
            text: text.to_owned(),
            specs,
            skipped: [
                of_kind("CustomResourceDefinition"),
                Gvk { group: "apiregistration.k8s.io".into(), ..of_kind("APIService") },
                of_kind("Namespace"),
            ],
        }
    }
}

impl Affix {
    /// A long text before each of many names would take more than all input and output: names are
    /// kept in several places.
    fn check_size(&self, set: &ResourceSet, build: &Build<'_>) -> Result<()> {
        let limit = build.options.limits.output / 16;
        let names: usize = set.iter().map(|item| item.id().name.len() + self.text.len()).sum();
        if names > limit {
            let message = format!("the names are larger than {limit} bytes");
            return Err(Error::new(ErrorKind::Limit, message));
        }
        Ok(())
    }
}

impl Transform for Affix {
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        self.check_size(set, build)?;
        let text = Text::from(&self.text);
        for (index, resource) in set.iter_mut().enumerate() {
            build.check_at(index)?;
            let original = resource.original_gvk();
            if self.skipped.iter().any(|gvk| original.is_selected_by(gvk)) {
                continue;
            }
            for (index, spec) in self.specs.iter().enumerate() {
                if !original.is_selected_by(&spec.gvk) {
                    continue;
                }
                if spec.path == "metadata/name" && !self.text.is_empty() {
                    match self.kind {
                        AffixKind::Prefix => resource.add_prefix(text.clone()),
                        AffixKind::Suffix => resource.add_suffix(text.clone()),
                    }
                    if index > 0 {
                        resource.refresh(&build.schema);
                    }
                    resource.remember_id();
                }
                spec.apply(resource, Creates::Scalar, &mut |node| {
                    expect_scalar(node)?;
                    let name = node.text().unwrap_or_default();
                    let changed = match self.kind {
                        AffixKind::Prefix => format!("{}{name}", self.text),
                        AffixKind::Suffix => format!("{name}{}", self.text),
                    };
                    // Nothing is written where there is nothing to write.
                    if !changed.is_empty() {
                        set_untagged(node, &changed);
                    }
                    Ok(())
                })?;
            }
            resource.refresh(&build.schema);
        }
        Ok(())
    }
}
