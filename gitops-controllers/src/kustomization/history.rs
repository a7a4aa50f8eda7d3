//! `status.history`: what was applied, and how it went.
//!
//! Follows fluxcd/pkg `apis/meta/history.go`.

use std::{collections::BTreeMap, time::Duration};

use gitops_api::kustomize::Snapshot;
use jiff::Timestamp;

/// How many entries are kept.
const LIMIT: usize = 5;

/// What an entry is about.
#[derive(Clone, Debug)]
pub(crate) struct Applied {
    /// The digest of the built manifests.
    pub(crate) digest: String,
    /// The revision of the artifact.
    pub(crate) revision: String,
    /// The revision that the artifact was made from.
    pub(crate) origin_revision: Option<String>,
    /// When the turn began.
    pub(crate) began_at: Timestamp,
}

impl Applied {
    /// Notes how it went. An entry with the same digest and the same result is brought to the front
    /// and counted on; otherwise there is a new one.
    pub(crate) fn note(&self, history: &mut Vec<Snapshot>, result: &str, now: Timestamp) {
        let mut metadata = BTreeMap::from([("revision".to_owned(), self.revision.clone())]);
        if let Some(origin) = &self.origin_revision {
            metadata.insert("originRevision".to_owned(), origin.clone());
        }
        let took = Duration::try_from(now.duration_since(self.began_at)).unwrap_or_default();
        let known = history.iter().position(|entry| {
            entry.digest == self.digest && entry.last_reconciled_status == result
        });
        let entry = match known.map(|index| history.remove(index)) {
            Some(known) => Snapshot {
                last_reconciled: now.into(),
                last_reconciled_duration: took.into(),
                total_reconciliations: known.total_reconciliations.saturating_add(1),
                metadata,
                ..known
            },
            None => Snapshot {
                digest: self.digest.clone(),
                first_reconciled: now.into(),
                last_reconciled: now.into(),
                last_reconciled_duration: took.into(),
                last_reconciled_status: result.to_owned(),
                metadata,
                total_reconciliations: 1,
            },
        };
        history.insert(0, entry);
        history.truncate(LIMIT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_counted_moved_and_dropped() {
        let now = Timestamp::UNIX_EPOCH;
        let mut history = Vec::new();
        let mut note = |digest: &str, result: &str| {
            let applied = Applied {
                digest: digest.into(),
                revision: "main@sha1:a".into(),
                origin_revision: None,
                began_at: now,
            };
            applied.note(&mut history, result, now);
            let shown = history.iter().map(|entry| {
                format!(
                    "{}{}{}",
                    entry.digest,
                    &entry.last_reconciled_status[..1],
                    entry.total_reconciliations
                )
            });
            shown.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(note("a", "Good"), "aG1");
        assert_eq!(note("a", "Good"), "aG2");
        assert_eq!(note("a", "Bad"), "aB1 aG2");
        assert_eq!(note("a", "Good"), "aG3 aB1");
        for digest in ["b", "c", "d"] {
            note(digest, "Good");
        }
        assert_eq!(note("e", "Good"), "eG1 dG1 cG1 bG1 aG3");
    }
}
