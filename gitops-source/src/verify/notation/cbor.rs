//! As much of CBOR (RFC 8949) as envelopes need: items of a definite length, some levels deep.

const DEPTH: usize = 8;

/// An item.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Item<'c> {
    Integer(i64),
    Bytes(&'c [u8]),
    Text(&'c str),
    Array(Vec<Self>),
    /// The keys differ from each other.
    Map(Vec<(Self, Self)>),
    Tagged(u64, Box<Self>),
    /// Something that means nothing here: a simple value or a number with a fraction.
    Other,
}

impl<'c> Item<'c> {
    /// The one item of some bytes, with nothing after it.
    pub(super) fn parse(bytes: &'c [u8]) -> Option<Self> {
        let (item, rest) = Self::read(bytes, DEPTH)?;
        rest.is_empty().then_some(item)
    }

    fn read(bytes: &'c [u8], depth: usize) -> Option<(Self, &'c [u8])> {
        let depth = depth.checked_sub(1)?;
        let (&first, rest) = bytes.split_first()?;
        let (kind, short) = (first >> 5, first & 0x1f);
        let (argument, mut rest) = match short {
            0..24 => (u64::from(short), rest),
            24..28 => {
                let (bytes, rest) = rest.split_at_checked(1 << (short - 24))?;
                (bytes.iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)), rest)
            }
            // 31 means that the length is told later.
            _ => return None,
        };
        let length = usize::try_from(argument).ok();
        let item = match kind {
            0 => Self::Integer(i64::try_from(argument).ok()?),
            1 => Self::Integer(-1 - i64::try_from(argument).ok()?),
            2 | 3 => {
                let (own, after) = rest.split_at_checked(length?)?;
                rest = after;
                match kind {
                    2 => Self::Bytes(own),
                    _ => Self::Text(std::str::from_utf8(own).ok()?),
                }
            }
            4 => {
                let mut items = Vec::new();
                for _ in 0..argument {
                    let (item, after) = Self::read(rest, depth)?;
                    items.push(item);
                    rest = after;
                }
                Self::Array(items)
            }
            5 => {
                let mut members: Vec<(Self, Self)> = Vec::new();
                for _ in 0..argument {
                    let (key, after) = Self::read(rest, depth)?;
                    let (value, after) = Self::read(after, depth)?;
                    // Small maps are all that there is; more would make the look below expensive.
                    if members.len() >= 64 || members.iter().any(|(known, _)| *known == key) {
                        return None;
                    }
                    members.push((key, value));
                    rest = after;
                }
                Self::Map(members)
            }
            6 => {
                let (item, after) = Self::read(rest, depth)?;
                rest = after;
                Self::Tagged(argument, Box::new(item))
            }
            _ => Self::Other,
        };
        Some((item, rest))
    }

    pub(super) fn bytes(&self) -> Option<&'c [u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn text(&self) -> Option<&'c str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(super) fn items(&self) -> Option<&[Self]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }

    /// A member of a map.
    pub(super) fn get(&self, key: &Self) -> Option<&Self> {
        match self {
            Self::Map(members) => {
                members.iter().find(|(own, _)| own == key).map(|(_, value)| value)
            }
            _ => None,
        }
    }
}

/// Appends the head of a text (3) or of bytes (2), and its content.
pub(super) fn write(kind: u8, content: &[u8], out: &mut Vec<u8>) {
    let length = content.len() as u64;
    let (short, size) = match length {
        0..24 => (u8::try_from(length).unwrap_or_default(), 0),
        24..0x100 => (24, 1),
        0x100..0x1_0000 => (25, 2),
        0x1_0000..0x1_0000_0000 => (26, 4),
        _ => (27, 8),
    };
    out.push((kind << 5) | short);
    out.extend_from_slice(&length.to_be_bytes()[8 - size..]);
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_are_read() {
        // {1: -7, "a": [h'0102', 1(1700000000), true]}
        let bytes = hex::decode("a2012661618342010 2c11a6553f100f5".replace(' ', "")).unwrap();
        let item = Item::parse(&bytes).unwrap();
        assert_eq!(item.get(&Item::Integer(1)), Some(&Item::Integer(-7)));
        let list = item.get(&Item::Text("a")).and_then(Item::items).unwrap();
        assert_eq!(list[0].bytes(), Some(&[1, 2][..]));
        assert_eq!(list[1], Item::Tagged(1, Box::new(Item::Integer(1_700_000_000))));
        assert_eq!(list[2], Item::Other);
    }

    #[test]
    fn what_is_malformed_is_none() {
        for (hex, why) in [
            ("", "nothing"),
            ("0101", "something after it"),
            ("42 01", "too short"),
            ("9f01ff", "of an indefinite length"),
            ("9bffffffffffffffff", "an endless list"),
            ("a2 0101 0102", "a key twice"),
            ("61ff", "text that is none"),
            ("8181818181818181818101", "too deep"),
            ("3bffffffffffffffff", "too small a number"),
        ] {
            let bytes = hex::decode(hex.replace(' ', "")).unwrap();
            assert_eq!(Item::parse(&bytes), None, "{why}");
        }
    }

    #[test]
    fn lengths_are_written_as_they_are_read() {
        for length in [0, 23, 24, 255, 256, 65_535, 65_536] {
            let content = vec![7; length];
            let mut out = Vec::new();
            write(2, &content, &mut out);
            assert_eq!(Item::parse(&out).unwrap().bytes(), Some(content.as_slice()));
        }
    }
}
