//! Which bytes of an object are signed. Follows git's `parse_buffer_signed_by_header` (commits) and
//! `parse_signed_buffer` (tags).

use super::{ObjectKind, SignatureError};

/// The beginnings of a tag's signature.
const BEGINNINGS: [&[u8]; 4] = [
    b"-----BEGIN PGP SIGNATURE-----",
    b"-----BEGIN PGP MESSAGE-----",
    b"-----BEGIN SSH SIGNATURE-----",
    b"-----BEGIN SIGNED MESSAGE-----",
];

/// An object, taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Signed {
    pub(super) payload: Vec<u8>,
    /// Empty when there is none.
    pub(super) signature: String,
}

impl Signed {
    pub(super) fn of(kind: ObjectKind, raw: &[u8]) -> Result<Self, SignatureError> {
        match kind {
            ObjectKind::Commit => Self::of_commit(raw),
            ObjectKind::Tag => Self::of_tag(raw),
        }
    }

    fn of_commit(raw: &[u8]) -> Result<Self, SignatureError> {
        let mut headers = Headers::default();
        let (mut payload, mut signature) = (Vec::with_capacity(raw.len()), Vec::new());
        let mut into = Target::Payload;
        let mut rest = raw;
        while !rest.is_empty() {
            let line = take_line(&mut rest);
            if line == b"\n" {
                payload.extend_from_slice(line);
                payload.extend_from_slice(rest);
                return headers.checked(Self { payload, signature: text(signature)? });
            }
            if let Some(continued) = line.strip_prefix(b" ") {
                match into {
                    Target::Payload => payload.extend_from_slice(line),
                    Target::Signature => signature.extend_from_slice(continued),
                    Target::Nowhere => {}
                }
                continue;
            }
            let (name, value) = split_header(line);
            headers.count(name);
            into = match name {
                // What the objects of SHA-256 repositories bear instead.
                b"gpgsig" | b"gpgsig-sha256" if signature.is_empty() => {
                    signature.extend_from_slice(value);
                    Target::Signature
                }
                name if name.starts_with(b"gpgsig") => Target::Nowhere,
                _ => {
                    payload.extend_from_slice(line);
                    Target::Payload
                }
            };
        }
        // A commit without a message ends with its headers.
        headers.checked(Self { payload, signature: text(signature)? })
    }

    fn of_tag(raw: &[u8]) -> Result<Self, SignatureError> {
        let (mut at, mut found) = (0, raw.len());
        let mut headers = Headers::default();
        let mut in_headers = true;
        let mut rest = raw;
        while !rest.is_empty() {
            let line = take_line(&mut rest);
            if line == b"\n" {
                in_headers = false;
            } else if in_headers && !line.starts_with(b" ") {
                headers.count(split_header(line).0);
            }
            if !in_headers && BEGINNINGS.iter().any(|begin| line.starts_with(begin)) {
                found = at;
            }
            at += line.len();
        }
        headers.checked(Self {
            payload: raw[..found].to_owned(),
            signature: text(raw[found..].to_owned())?,
        })
    }
}

#[derive(Clone, Copy)]
enum Target {
    Payload,
    Signature,
    Nowhere,
}

/// How often the headers occur of which there may be but one. With two of them, a reader that takes
/// the first and a reader that takes the last see different objects under one signature.
#[derive(Default)]
struct Headers {
    seen: Vec<Vec<u8>>,
    doubled: bool,
}

impl Headers {
    fn count(&mut self, name: &[u8]) {
        const SINGLE: [&[u8]; 9] = [
            b"tree",
            b"author",
            b"committer",
            b"encoding",
            b"gpgsig",
            b"gpgsig-sha256",
            b"object",
            b"type",
            b"tagger",
        ];
        if !SINGLE.contains(&name) {
            return;
        }
        if self.seen.iter().any(|seen| seen == name) {
            self.doubled = true;
        }
        self.seen.push(name.to_owned());
    }

    fn checked(self, signed: Signed) -> Result<Signed, SignatureError> {
        let both = [&b"gpgsig"[..], b"gpgsig-sha256"];
        if self.doubled || both.iter().all(|name| self.seen.iter().any(|seen| seen == name)) {
            return Err(SignatureError::Malformed("object has a header twice"));
        }
        Ok(signed)
    }
}

fn take_line<'b>(rest: &mut &'b [u8]) -> &'b [u8] {
    let end = rest.iter().position(|&byte| byte == b'\n').map_or(rest.len(), |at| at + 1);
    let (line, after) = rest.split_at(end);
    *rest = after;
    line
}

fn split_header(line: &[u8]) -> (&[u8], &[u8]) {
    let at = line.iter().position(|&byte| byte == b' ').unwrap_or(line.len());
    (&line[..at], line.get(at + 1..).unwrap_or_default())
}

fn text(signature: Vec<u8>) -> Result<String, SignatureError> {
    String::from_utf8(signature).map_err(|_| SignatureError::Malformed("signature is not a text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn commit(raw: &str) -> Result<Signed, SignatureError> {
        Signed::of(ObjectKind::Commit, raw.as_bytes())
    }

    #[test]
    fn a_signature_is_cut_out_of_a_commit() {
        let signed = commit(
            "tree 1\nauthor a\ncommitter c\ngpgsig -----BEGIN\n \n abc\n -----END\nmergetag x\n y\n\
             \nmessage\n\ngpgsig no header\n",
        )
        .unwrap();
        assert_eq!(signed.signature, "-----BEGIN\n\nabc\n-----END\n");
        let expected =
            "tree 1\nauthor a\ncommitter c\nmergetag x\n y\n\nmessage\n\ngpgsig no header\n";
        assert_eq!(signed.payload, expected.as_bytes());
        assert_eq!(commit("tree 1\n\nm\n").unwrap().signature, "");
    }

    #[test]
    fn a_signature_ends_a_tag() {
        let raw = b"object 1\ntype commit\ntag v1\n\nm\n-----BEGIN PGP SIGNATURE-----\nx\n";
        let signed = Signed::of(ObjectKind::Tag, raw).unwrap();
        assert_eq!(signed.payload, b"object 1\ntype commit\ntag v1\n\nm\n");
        assert_eq!(signed.signature, "-----BEGIN PGP SIGNATURE-----\nx\n");
        let raw = b"object 1\ntype commit\ntag v1\n\nm\n";
        assert_eq!(Signed::of(ObjectKind::Tag, raw).unwrap().signature, "");
    }

    #[test]
    fn ambiguous_objects_are_refused() {
        for raw in [
            "tree 1\ntree 2\n\nm",
            "tree 1\nauthor a\nauthor b\n\nm",
            "tree 1\ncommitter a\ncommitter b\n\nm",
            "tree 1\ngpgsig a\ngpgsig b\n\nm",
            "tree 1\ngpgsig a\ngpgsig-sha256 b\n\nm",
        ] {
            assert!(matches!(commit(raw), Err(SignatureError::Malformed(_))), "{raw}");
        }
        let tag = b"object 1\nobject 2\ntag v1\n\nm\n";
        assert!(Signed::of(ObjectKind::Tag, tag).is_err());
    }
}
