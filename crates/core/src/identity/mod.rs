//! What a thing is: an object, the bytes of a file, a state of a source.

mod artifact;
mod digest;
mod object_id;
mod revision;
mod version;

pub use artifact::{Artifact, ArtifactKey};
pub use digest::{Algorithm, Digest, DigestError, Hasher};
pub use object_id::{ObjectId, ObjectIdError};
pub use revision::{Revision, RevisionError};
pub use version::{Version, VersionRange, VersionRangeError};
