//! Base64, with the errors of Go's `encoding/base64`.

use base64::{Engine as _, engine::general_purpose::STANDARD};

pub(in crate::funcs) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes; line breaks are skipped. The error names the byte at which Go stops.
pub(in crate::funcs) fn decode(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 3);
    let mut at = 0;
    while let Some(group) = group(text, &mut at)? {
        let bits = group.bits;
        out.extend_from_slice(&bits.to_be_bytes()[1..=group.bytes]);
        if group.bytes < 3 {
            break;
        }
    }
    Ok(out)
}

struct Group {
    bits: u32,
    bytes: usize,
}

fn corrupt(at: usize) -> String {
    format!("illegal base64 data at input byte {at}")
}

fn skip_breaks(text: &[u8], at: &mut usize) {
    while let Some(b'\n' | b'\r') = text.get(*at) {
        *at += 1;
    }
}

/// Four characters, of which the last two may be padding; nothing at the end of the text.
fn group(text: &[u8], at: &mut usize) -> Result<Option<Group>, String> {
    let mut bits = 0_u32;
    for number in 0..4 {
        skip_breaks(text, at);
        let Some(byte) = text.get(*at) else {
            if number == 0 {
                return Ok(None);
            }
            return Err(corrupt(*at - number));
        };
        *at += 1;
        if let Some(value) = value_of(*byte) {
            bits = bits << 6 | value;
            continue;
        }
        if *byte != b'=' || number < 2 {
            return Err(corrupt(*at - 1));
        }
        if number == 2 {
            skip_breaks(text, at);
            match text.get(*at) {
                None => return Err(corrupt(text.len())),
                Some(b'=') => *at += 1,
                Some(_) => return Err(corrupt(*at)),
            }
        }
        skip_breaks(text, at);
        if *at < text.len() {
            return Err(corrupt(*at));
        }
        return Ok(Some(Group { bits: bits << (6 * (4 - number)), bytes: number - 1 }));
    }
    Ok(Some(Group { bits, bytes: 3 }))
}

fn value_of(byte: u8) -> Option<u32> {
    Some(u32::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_gos_byte() {
        for (text, at) in [
            ("aGVsbG8", 4),
            ("!!!", 0),
            ("a", 0),
            ("ab", 0),
            ("ab=", 3),
            ("ab=c", 3),
            ("=abc", 0),
            ("abc=d", 4),
            ("abcd=", 4),
        ] {
            assert_eq!(decode(text.as_bytes()).unwrap_err(), corrupt(at), "{text}");
        }
        assert_eq!(decode(b"aGVs\nbG8=\n").unwrap(), b"hello");
        assert_eq!(decode(b"").unwrap(), b"");
    }
}
