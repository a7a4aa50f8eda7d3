//! As much of DER as is needed where the certificate library does not reach.

/// An element: its tag, the whole of it, and what is in it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'d> {
    pub(super) tag: u8,
    pub(super) whole: &'d [u8],
    pub(super) content: &'d [u8],
}

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const OID: u8 = 0x06;

impl<'d> Element<'d> {
    /// The first element, and what follows it.
    pub(super) fn read(der: &'d [u8]) -> Option<(Self, &'d [u8])> {
        let (&tag, rest) = der.split_first()?;
        let (&first, mut rest) = rest.split_first()?;
        let length = if first < 0x80 {
            usize::from(first)
        } else {
            let count = usize::from(first & 0x7f);
            if count == 0 || count > 4 {
                return None;
            }
            let (bytes, after) = rest.split_at_checked(count)?;
            rest = after;
            bytes.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte))
        };
        let (content, after) = rest.split_at_checked(length)?;
        Some((Self { tag, whole: &der[..der.len() - after.len()], content }, after))
    }

    /// The one element of a tag, with nothing after it.
    pub(super) fn only(der: &'d [u8], tag: u8) -> Option<Self> {
        let (element, rest) = Self::read(der)?;
        (element.tag == tag && rest.is_empty()).then_some(element)
    }

    /// What is in it, element by element.
    pub(super) fn children(&self) -> Option<Vec<Self>> {
        let mut all = Vec::new();
        let mut rest = self.content;
        while !rest.is_empty() {
            let (element, after) = Self::read(rest)?;
            all.push(element);
            rest = after;
        }
        Some(all)
    }
}

/// An element of a tag with a content.
pub(super) fn encode(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    if length < 0x80 {
        out.push(u8::try_from(length).expect("is less than 128"));
    } else {
        let bytes = length.to_be_bytes();
        let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len() - 1);
        out.push(0x80 | u8::try_from(bytes.len() - first).expect("is at most 8"));
        out.extend_from_slice(&bytes[first..]);
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_and_written() {
        let inner = encode(OCTET_STRING, &[7; 300]);
        let outer = encode(SEQUENCE, &[inner.as_slice(), &encode(OID, &[1])].concat());
        let element = Element::only(&outer, SEQUENCE).unwrap();
        let children = element.children().unwrap();
        assert_eq!((children[0].whole, children[0].content), (&inner[..], &[7; 300][..]));
        assert_eq!((children[1].tag, children[1].content), (OID, &[1][..]));
        for bad in [&[][..], &[0x30], &[0x30, 5, 1], &[0x30, 0x80], &[0x30, 0x85, 0, 0, 0, 0, 1, 0]]
        {
            assert!(Element::read(bad).is_none(), "{bad:?}");
        }
    }
}
