//! What is wrong with a document that is otherwise YAML.
//!
//! go-yaml decodes a document only after it read all of it. So a fault of the syntax anywhere counts
//! more than a value that cannot be decoded, and that more than keys that stand twice, of which all
//! are told.

use crate::{
    error::{Error, ErrorKind},
    node::Place,
};

/// More lines than this tell nobody anything.
const MOST_COMPLAINTS: usize = 1000;

/// What was found so far.
#[derive(Debug, Default)]
pub(super) struct Faults {
    fatal: Option<(Place, Error)>,
    complaints: Vec<Complaint>,
}

/// A key that stands twice.
#[derive(Clone, Debug)]
pub(super) struct Complaint {
    /// Up to where the document was decoded when it was found.
    pub(super) at: Place,
    pub(super) place: Place,
    pub(super) text: String,
}

impl Faults {
    /// Notes what ends the decoding at a place. Earlier ones count; at the same place, what holds a value
    /// is looked at before the value.
    pub(super) fn fail(&mut self, at: Place, error: Error) {
        if self.fatal.as_ref().is_none_or(|(earlier, _)| at <= *earlier) {
            self.fatal = Some((at, error));
        }
    }

    pub(super) fn complain(&mut self, complaint: Complaint) {
        if self.complaints.len() < MOST_COMPLAINTS {
            self.complaints.push(complaint);
        }
    }

    /// How many complaints there are.
    pub(super) fn count(&self) -> usize {
        self.complaints.len()
    }

    /// Forgets the complaints behind the first ones.
    pub(super) fn forget(&mut self, first: usize) {
        self.complaints.truncate(first);
    }

    /// Makes the same complaints again, about what an alias repeats.
    pub(super) fn repeat(&mut self, range: std::ops::Range<usize>, at: Place) {
        for index in range {
            let Some(complaint) = self.complaints.get(index).cloned() else { return };
            self.complain(Complaint { at, ..complaint });
        }
    }

    /// The error of a document, if it has one. Nothing is left behind.
    pub(super) fn take(&mut self, source: &str) -> Result<(), Error> {
        let Self { fatal, mut complaints } = std::mem::take(self);
        if let Some((_, error)) = fatal {
            return Err(error.with_source(source));
        }
        complaints.sort_by_key(|complaint| complaint.at);
        let Some(first) = complaints.first() else { return Ok(()) };
        let place = first.place;
        let mut message = "yaml: unmarshal errors:".to_owned();
        for complaint in &complaints {
            message.push_str("\n  ");
            message.push_str(&complaint.text);
        }
        let error = Error::new(ErrorKind::DuplicateKey, message);
        Err(error.at(place.line(), place.column()).with_source(source))
    }
}
