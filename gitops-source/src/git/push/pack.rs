//! New objects, and the pack that carries them.

use std::io::Write as _;

use flate2::{Compression, write::ZlibEncoder};
use gix::{
    ObjectId,
    hash::{Kind as HashKind, hasher},
    objs::{Kind, compute_hash},
};

use crate::SourceError;

/// Objects that a server does not have yet.
#[derive(Debug)]
pub(super) struct Pack {
    format: HashKind,
    objects: Vec<(ObjectId, Kind, Vec<u8>)>,
}

impl Pack {
    pub(super) fn new(format: HashKind) -> Self {
        Self { format, objects: Vec::new() }
    }

    /// Adds an object, once.
    pub(super) fn add(&mut self, kind: Kind, data: Vec<u8>) -> Result<ObjectId, SourceError> {
        let id = compute_hash(self.format, kind, &data)
            .map_err(|error| SourceError::content(format!("cannot hash an object: {error}")))?;
        if !self.objects.iter().any(|(known, ..)| *known == id) {
            self.objects.push((id, kind, data));
        }
        Ok(id)
    }

    /// An object that was added.
    pub(super) fn get(&self, id: &ObjectId) -> Option<&[u8]> {
        let found = self.objects.iter().find(|(known, ..)| known == id);
        found.map(|(_, _, data)| data.as_slice())
    }

    pub(super) fn len(&self) -> usize {
        self.objects.len()
    }

    /// The pack as it is sent: version 2, no deltas.
    pub(super) fn encode(&self) -> Result<Vec<u8>, SourceError> {
        let disk = |source| SourceError::Disk { doing: "cannot pack objects", source };
        let count = u32::try_from(self.objects.len())
            .map_err(|_| SourceError::content("too many objects for a pack"))?;
        let mut out = Vec::new();
        out.extend_from_slice(b"PACK\0\0\0\x02");
        out.extend_from_slice(&count.to_be_bytes());
        for (_, kind, data) in &self.objects {
            put_header(&mut out, *kind, data.len());
            let mut encoder = ZlibEncoder::new(out, Compression::default());
            encoder.write_all(data).map_err(disk)?;
            out = encoder.finish().map_err(disk)?;
        }
        let mut digest = hasher(self.format);
        digest.update(&out);
        let digest = digest
            .try_finalize()
            .map_err(|error| SourceError::content(format!("cannot hash a pack: {error}")))?;
        out.extend_from_slice(digest.as_slice());
        Ok(out)
    }
}

/// The kind in three bits, the size in four and then in sevens.
fn put_header(out: &mut Vec<u8>, kind: Kind, size: usize) {
    let kind: u8 = match kind {
        Kind::Commit => 1,
        Kind::Tree => 2,
        Kind::Blob => 3,
        Kind::Tag => 4,
    };
    let low = u8::try_from(size & 0xf).expect("four bits");
    let mut rest = size >> 4;
    let mut byte = (kind << 4) | low;
    while rest > 0 {
        out.push(byte | 0x80);
        byte = u8::try_from(rest & 0x7f).expect("seven bits");
        rest >>= 7;
    }
    out.push(byte);
}
