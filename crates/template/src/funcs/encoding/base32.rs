//! Base32, with the errors of Go's `encoding/base32`.

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

pub(in crate::funcs) fn encode(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(5) * 8);
    for group in bytes.chunks(5) {
        let mut full = [0; 8];
        full[3..3 + group.len()].copy_from_slice(group);
        let bits = u64::from_be_bytes(full);
        let characters = (group.len() * 8).div_ceil(5);
        for number in 0..8 {
            let value = usize::from((bits >> (35 - 5 * number)).to_le_bytes()[0] & 31);
            out.push(if number < characters { char::from(ALPHABET[value]) } else { '=' });
        }
    }
    out
}

fn corrupt(at: usize) -> String {
    format!("illegal base32 data at input byte {at}")
}

/// Decodes; line breaks are taken out first, so they do not count in the error.
pub(in crate::funcs) fn decode(text: &[u8]) -> Result<Vec<u8>, String> {
    let text: Vec<u8> = text.iter().copied().filter(|byte| !b"\r\n".contains(byte)).collect();
    let mut out = Vec::with_capacity(text.len() / 8 * 5);
    let mut at = 0;
    while at < text.len() {
        let (mut bits, mut count) = (0_u64, 0);
        let mut ended = false;
        while count < 8 {
            let Some(byte) = text.get(at) else { return Err(corrupt(text.len() - count)) };
            at += 1;
            if *byte == b'=' && count >= 2 && text.len() - at < 8 {
                padding(&text, at, count)?;
                ended = true;
                break;
            }
            let Some(value) = value_of(*byte) else { return Err(corrupt(at - 1)) };
            bits |= value << (35 - 5 * count);
            count += 1;
        }
        out.extend_from_slice(&bits.to_be_bytes()[3..3 + count * 5 / 8]);
        if ended {
            break;
        }
    }
    Ok(out)
}

/// Checks what follows the first `=` after so many characters.
fn padding(text: &[u8], at: usize, count: usize) -> Result<(), String> {
    let rest = &text[at..];
    if rest.len() + count < 7 {
        return Err(corrupt(text.len()));
    }
    if let Some(wrong) = rest[..7 - count].iter().position(|byte| *byte != b'=') {
        return Err(corrupt(at + wrong - 1));
    }
    // One, three and six characters end within a byte.
    if matches!(count, 1 | 3 | 6) {
        return Err(corrupt(at - 1));
    }
    Ok(())
}

fn value_of(byte: u8) -> Option<u64> {
    Some(u64::from(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'2'..=b'7' => byte - b'2' + 26,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn goes_there_and_back() {
        for text in ["", "f", "fo", "foo", "foob", "fooba", "foobar"] {
            assert_eq!(decode(encode(text.as_bytes()).as_bytes()).unwrap(), text.as_bytes());
        }
        assert_eq!(encode(b"foob"), "MZXW6YQ=");
        assert_eq!(decode(b"1").unwrap_err(), corrupt(0));
        assert_eq!(decode(b"42").unwrap_err(), corrupt(0));
        assert_eq!(decode(b"MZXW6YQ").unwrap_err(), corrupt(0));
        assert_eq!(decode(b"MY==a===").unwrap_err(), corrupt(3));
    }
}
