//! What was done to which object.

use std::fmt;

use gitops_core::ObjectId;

/// What was, or would be, done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Action {
    /// It did not exist.
    Created,
    /// It differed from what is desired.
    Configured,
    /// It is as desired.
    Unchanged,
    /// It is gone or going.
    Deleted,
    /// It is excluded from this, by its own labels or annotations.
    Skipped,
    /// The API server could not be asked.
    Unknown,
}

impl Action {
    /// The word of Flux's change log.
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Deleted => "deleted",
            Self::Skipped => "skipped",
            Self::Unknown => "unknown",
        }
    }

    /// Whether the cluster was changed.
    pub fn is_change(self) -> bool {
        matches!(self, Self::Created | Self::Configured | Self::Deleted)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One object and what was done to it; prints as `Kind/namespace/name action`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The object. Cluster-scoped objects have no namespace, whatever the desired one said.
    pub object: ObjectId,
    /// What was done.
    pub action: Action,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.object, self.action)
    }
}

/// What was done, in the order in which it was done; prints one line per entry, without a final
/// line break.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeSet {
    /// The entries.
    pub entries: Vec<Change>,
}

impl ChangeSet {
    /// Adds an entry.
    pub fn push(&mut self, object: ObjectId, action: Action) {
        self.entries.push(Change { object, action });
    }

    /// Adds the entries of another set.
    pub fn append(&mut self, mut other: Self) {
        self.entries.append(&mut other.entries);
    }

    /// The entries that changed the cluster.
    pub fn changed(&self) -> impl Iterator<Item = &Change> {
        self.entries.iter().filter(|change| change.action.is_change())
    }

    /// The lines of [`changed`](Self::changed), joined by line breaks; empty if nothing changed.
    /// This is the message of Flux's event.
    pub fn change_log(&self) -> String {
        let lines: Vec<String> = self.changed().map(ToString::to_string).collect();
        lines.join("\n")
    }

    /// The objects, in order.
    pub fn objects(&self) -> impl Iterator<Item = &ObjectId> {
        self.entries.iter().map(|change| &change.object)
    }

    /// Whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl fmt::Display for ChangeSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, change) in self.entries.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            change.fmt(f)?;
        }
        Ok(())
    }
}
