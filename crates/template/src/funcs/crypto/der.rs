//! Just enough of DER to write certificates and keys, and to find parts in them.

/// Object identifiers, in their encoded form.
pub(super) mod oid {
    pub(in super::super) const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    pub(in super::super) const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
    pub(in super::super) const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    pub(in super::super) const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
    pub(in super::super) const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
    pub(in super::super) const ECDSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4];
    pub(in super::super) const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    pub(in super::super) const P384: &[u8] = &[0x2b, 0x81, 0x04, 0, 34];
    pub(in super::super) const P521: &[u8] = &[0x2b, 0x81, 0x04, 0, 35];
    pub(in super::super) const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
    pub(in super::super) const COMMON_NAME: &[u8] = &[0x55, 4, 3];
    pub(in super::super) const SUBJECT_KEY_ID: &[u8] = &[0x55, 0x1d, 14];
    pub(in super::super) const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
    pub(in super::super) const SUBJECT_ALT_NAME: &[u8] = &[0x55, 0x1d, 17];
    pub(in super::super) const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
    pub(in super::super) const AUTHORITY_KEY_ID: &[u8] = &[0x55, 0x1d, 35];
    pub(in super::super) const EXT_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
    pub(in super::super) const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
    pub(in super::super) const CLIENT_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];
}

pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const NULL: u8 = 0x05;
pub(super) const OID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
pub(super) const UTC_TIME: u8 = 0x17;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// `[0] EXPLICIT`; others follow.
pub(super) const CONTEXT: u8 = 0xa0;
/// `[0] IMPLICIT` of a primitive; others follow.
pub(super) const CONTEXT_PRIMITIVE: u8 = 0x80;

/// One element.
#[expect(clippy::cast_possible_truncation, reason = "the lengths are checked")]
pub(super) fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(content.len() + 6);
    out.push(tag);
    let length = content.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let bytes = length.to_be_bytes();
        let bytes = &bytes[length.leading_zeros() as usize / 8..];
        out.push(0x80 | bytes.len() as u8);
        out.extend_from_slice(bytes);
    }
    out.extend_from_slice(content);
    out
}

/// An element that holds others.
pub(super) fn group(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    element(tag, &parts.concat())
}

pub(super) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    group(SEQUENCE, parts)
}

/// A number that is not negative, of its bytes.
pub(super) fn integer(bytes: &[u8]) -> Vec<u8> {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    let mut content = bytes[zeros.min(bytes.len().saturating_sub(1))..].to_vec();
    if content.first().is_none_or(|first| first & 0x80 != 0) {
        content.insert(0, 0);
    }
    element(INTEGER, &content)
}

/// A bit string of whole bytes.
pub(super) fn bits(bytes: &[u8]) -> Vec<u8> {
    group(BIT_STRING, &[&[0], bytes])
}

/// Reads elements one after another.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'d>(pub(super) &'d [u8]);

impl<'d> Reader<'d> {
    /// The next element if it has the tag: its content.
    pub(super) fn take(&mut self, tag: u8) -> Option<&'d [u8]> {
        if self.0.first() != Some(&tag) {
            return None;
        }
        self.whole().map(|(_, content)| content)
    }

    /// The next element whatever it is: all of its bytes, and its content.
    pub(super) fn whole(&mut self) -> Option<(&'d [u8], &'d [u8])> {
        let (first, rest) = self.0.get(1..)?.split_first()?;
        let (length, header) = if *first < 0x80 {
            (usize::from(*first), 2)
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 {
                return None;
            }
            let length =
                rest.get(..count)?.iter().fold(0, |all, byte| all << 8 | usize::from(*byte));
            (length, 2 + count)
        };
        let whole = self.0.get(..header.checked_add(length)?)?;
        self.0 = &self.0[whole.len()..];
        Some((whole, &whole[header..]))
    }
}
