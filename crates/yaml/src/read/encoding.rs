//! From bytes to text: byte order marks, UTF-16, and the characters that YAML forbids.

use std::borrow::Cow;

use crate::error::{Error, ErrorKind};

/// The text of a stream without its byte order mark.
pub(super) fn decode(stream: &[u8]) -> Result<Cow<'_, str>, Error> {
    let text = match stream {
        [0xff, 0xfe, rest @ ..] => Cow::Owned(utf16(rest, u16::from_le_bytes)?),
        [0xfe, 0xff, rest @ ..] => Cow::Owned(utf16(rest, u16::from_be_bytes)?),
        [0xef, 0xbb, 0xbf, rest @ ..] | rest => Cow::Borrowed(utf8(rest)?),
    };
    check(&text)?;
    Ok(text)
}

fn utf8(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let lead = bytes[error.valid_up_to()];
        let message = match (error.error_len(), lead) {
            (None, _) => "yaml: incomplete UTF-8 octet sequence",
            (_, 0x80..=0xc1 | 0xf8..) => "yaml: invalid leading UTF-8 octet",
            _ => "yaml: invalid trailing UTF-8 octet",
        };
        place(Error::new(ErrorKind::Encoding, message), before)
    })
}

fn utf16(bytes: &[u8], join: fn([u8; 2]) -> u16) -> Result<String, Error> {
    let fail = |message: &str| Error::new(ErrorKind::Encoding, format!("yaml: {message}"));
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(fail("incomplete UTF-16 character"));
    }
    char::decode_utf16(pairs.iter().map(|pair| join(*pair)))
        .collect::<Result<_, _>>()
        .map_err(|_| fail("unexpected low surrogate area"))
}

/// go-yaml refuses control characters, surrogates and the two last characters of a plane.
fn check(text: &str) -> Result<(), Error> {
    // Most texts are plain ASCII without control characters: one pass over the bytes shows it, which
    // takes many at once as long as it does not stop at any.
    let special = |b: &u8| !matches!(b, b'\t' | b'\n' | b'\r' | 0x20..=0x7e);
    let plain = |part: &[u8]| !part.iter().fold(false, |found, b| found | special(b));
    if text.as_bytes().chunks(1024).all(plain) {
        return Ok(());
    }
    let forbidden = text.char_indices().find(|&(_, c)| {
        !matches!(
            c,
            '\t' | '\n' | '\r' | '\u{20}'..='\u{7e}' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..
        )
    });
    let Some((at, _)) = forbidden else {
        return Ok(());
    };
    let error = Error::new(ErrorKind::Encoding, "yaml: control characters are not allowed");
    Err(place(error, &text.as_bytes()[..at]))
}

fn place(error: Error, before: &[u8]) -> Error {
    let line = before.split(|&b| b == b'\n').count();
    let start = before.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    let small = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    error.at(small(line), small(before.len() - start + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings() {
        assert_eq!(decode(b"\xef\xbb\xbfa: 1").unwrap(), "a: 1");
        assert_eq!(decode(b"\xff\xfea\0:\0").unwrap(), "a:");
        assert_eq!(decode(b"\xfe\xff\0a").unwrap(), "a");
        assert_eq!(decode("a: \u{85}ä😀".as_bytes()).unwrap(), "a: \u{85}ä😀");
        for (bytes, message, line) in [
            (&b"a: 1\nb: \0"[..], "control characters are not allowed", 2),
            (b"\x7f", "control characters are not allowed", 1),
            (b"a: \xff", "invalid leading UTF-8 octet", 1),
            (b"a: \xc3(", "invalid trailing UTF-8 octet", 1),
            (b"a: \xc3", "incomplete UTF-8 octet sequence", 1),
        ] {
            let error = decode(bytes).unwrap_err();
            assert!(error.message().ends_with(message), "{error}");
            assert_eq!(error.line(), Some(line));
        }
        assert!(decode(b"\xff\xfe\x00\xdc").is_err(), "a lone surrogate");
        assert!(decode(b"\xff\xfea").is_err());
    }
}
