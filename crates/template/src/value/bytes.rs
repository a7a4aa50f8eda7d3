//! Go's strings hold any bytes. Where they are no UTF-8, a byte stands as one character of a private
//! plane, so that text stays text and the bytes come out again.

use std::borrow::Cow;

/// The character of byte 0; only those from 0x80 on are ever used.
const BASE: u32 = 0x10_FE00;

/// The byte for which a character stands.
pub(crate) fn escaped_byte(char: char) -> Option<u8> {
    u8::try_from(u32::from(char).checked_sub(BASE)?).ok().filter(|byte| *byte >= 0x80)
}

/// Text for any bytes.
pub fn from_bytes(bytes: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        let stand_ins =
            chunk.invalid().iter().filter_map(|byte| char::from_u32(BASE + u32::from(*byte)));
        text.extend(stand_ins);
    }
    Cow::Owned(text)
}

/// The bytes for which a text stands.
pub fn to_bytes(text: &str) -> Cow<'_, [u8]> {
    if !holds_bytes(text) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for char in text.chars() {
        match escaped_byte(char) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// The number of bytes of a string in Go.
pub fn byte_len(text: &str) -> usize {
    if holds_bytes(text) { to_bytes(text).len() } else { text.len() }
}

/// Whether a text may have stand-ins: all begin with the bytes F4 8F.
fn holds_bytes(text: &str) -> bool {
    text.as_bytes().contains(&0xF4) && text.chars().any(|char| escaped_byte(char).is_some())
}
