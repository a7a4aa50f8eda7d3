//! Lists of field specifications that are made only when they are looked at: a small build needs few
//! of the built-in ones.

use std::{borrow::Cow, ops::Deref, sync::LazyLock};

use super::{
    FieldSpec, NameReferences,
    defaults::{self, NAME_REFERENCES},
};
use crate::resource::Gvk;

/// Field specifications.
#[derive(Clone, Debug)]
pub(crate) enum Specs {
    Builtin(&'static LazyLock<Vec<FieldSpec>>),
    Own(Vec<FieldSpec>),
}

impl Specs {
    pub(super) fn make_own(&mut self) -> &mut Vec<FieldSpec> {
        if let Self::Builtin(specs) = self {
            *self = Self::Own(specs.to_vec());
        }
        match self {
            Self::Own(specs) => specs,
            Self::Builtin(_) => unreachable!("made its own above"),
        }
    }

    /// Puts them in the order in which they are kept; built-in ones are.
    pub(super) fn sort(&mut self) {
        if let Self::Own(specs) = self {
            specs.sort_by_cached_key(|spec| spec.gvk.sort_key());
        }
    }
}

impl Default for Specs {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}

impl From<Vec<FieldSpec>> for Specs {
    fn from(specs: Vec<FieldSpec>) -> Self {
        Self::Own(specs)
    }
}

impl Deref for Specs {
    type Target = [FieldSpec];

    fn deref(&self) -> &[FieldSpec] {
        match self {
            Self::Builtin(specs) => specs,
            Self::Own(specs) => specs,
        }
    }
}

impl<'s> IntoIterator for &'s Specs {
    type Item = &'s FieldSpec;
    type IntoIter = std::slice::Iter<'s, FieldSpec>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Which fields hold the names of objects, by the kind of those.
#[derive(Clone, Debug)]
pub(crate) enum NameTable {
    Builtin,
    Own(Vec<NameReferences>),
}

impl NameTable {
    pub(super) fn make_own(&mut self) -> &mut Vec<NameReferences> {
        if let Self::Builtin = self {
            *self = Self::Own(defaults::name_references());
        }
        match self {
            Self::Own(references) => references,
            Self::Builtin => unreachable!("made its own above"),
        }
    }

    pub(super) fn all(&self) -> Cow<'_, [NameReferences]> {
        match self {
            Self::Builtin => defaults::name_references().into(),
            Self::Own(references) => references.into(),
        }
    }

    /// The fields of objects of a kind, each with the kind of what it names.
    pub(crate) fn of(&self, referrer: &Gvk) -> Vec<(FieldSpec, Gvk)> {
        let mut fields = Vec::new();
        match self {
            Self::Builtin => {
                for references in &NAME_REFERENCES {
                    references.each(|gvk, path| {
                        if gvk.selects(referrer) {
                            fields.push((gvk.spec(&path()), references.target.to_gvk()));
                        }
                    });
                }
            }
            Self::Own(all) => {
                for NameReferences { target, referrers } in all {
                    let specs = referrers.iter().filter(|spec| referrer.is_selected_by(&spec.gvk));
                    fields.extend(specs.map(|spec| (spec.clone(), target.clone())));
                }
            }
        }
        fields
    }
}

impl Default for NameTable {
    fn default() -> Self {
        Self::Own(Vec::new())
    }
}
