//! Where in an object a rule looks: a path kept on the walk's own stack, written out for complaints.

use std::fmt;

/// A place in an object; its `Display` is the `field` of a complaint.
#[derive(Clone, Copy)]
pub(super) struct Place<'p> {
    parent: Option<&'p Self>,
    step: Step<'p>,
}

#[derive(Clone, Copy)]
enum Step<'p> {
    Root,
    Field(&'p str),
    Index(usize),
    Key(&'p str),
}

impl<'p> Place<'p> {
    pub(super) const ROOT: Self = Self { parent: None, step: Step::Root };

    /// `parent.name`; the name may hold dots.
    pub(super) fn field(&'p self, name: &'p str) -> Self {
        Place { parent: Some(self), step: Step::Field(name) }
    }

    /// `parent[index]`
    pub(super) fn index(&'p self, index: usize) -> Self {
        Place { parent: Some(self), step: Step::Index(index) }
    }

    /// `parent[key]`
    pub(super) fn key(&'p self, key: &'p str) -> Self {
        Place { parent: Some(self), step: Step::Key(key) }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Field(name) => match self.parent {
                Some(Place { step: Step::Root, parent: None }) | None => f.write_str(name),
                _ => write!(f, ".{name}"),
            },
            Step::Index(index) => write!(f, "[{index}]"),
            Step::Key(key) => write!(f, "[{key}]"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;

    #[test]
    fn places_are_written_as_paths() {
        let spec = Place::ROOT.field("spec");
        let list = spec.field("list");
        let item = list.index(2);
        let key = item.field("map");
        assert_eq!(key.key("a/b").to_string(), "spec.list[2].map[a/b]");
    }
}
