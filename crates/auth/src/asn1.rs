//! What Go's `encoding/asn1` says of bytes that are no structure: the files of keys and
//! certificates that people hand in are mostly something else from the first byte on.

/// Why bytes are not the sequence `what` (a name of Go's); `None` where they begin as one.
pub(crate) fn not_a_sequence(bytes: &[u8], what: &str) -> Option<String> {
    const TRUNCATED: &str = "asn1: syntax error: truncated tag or length";
    let syntax = |why: &str| Some(format!("asn1: syntax error: {why}"));
    let structure = |why: String| Some(format!("asn1: structure error: {why}"));
    let Some((first, rest)) = bytes.split_first() else {
        return syntax("sequence truncated");
    };
    let (mut tag, mut rest) = (u32::from(first & 0x1f), rest);
    if tag == 0x1f {
        // The number of the tag follows, seven bits in each byte.
        let size = rest.iter().take(4).take_while(|byte| **byte & 0x80 != 0).count() + 1;
        if rest.len() < size {
            return syntax("truncated base 128 integer");
        }
        tag = rest[..size].iter().fold(0, |tag, byte| tag << 7 | u32::from(byte & 0x7f));
        rest = &rest[size..];
    }
    let Some((length, rest)) = rest.split_first() else { return Some(TRUNCATED.to_owned()) };
    let (length, rest) = match length {
        0x80 => return syntax("indefinite length found (not DER)"),
        0..0x80 => (usize::from(*length), rest),
        _ => {
            let size = usize::from(length & 0x7f);
            if rest.len() < size {
                return Some(TRUNCATED.to_owned());
            }
            let length = rest[..size].iter().take(4);
            let length = length.fold(0_usize, |length, byte| length << 8 | usize::from(*byte));
            if size > 3 || length >= 1 << 23 {
                return structure("length too large".to_owned());
            }
            (length, &rest[size..])
        }
    };
    let (class, compound) = (first >> 6, first & 0x20 != 0);
    if (class, compound, tag) != (0, true, 16) {
        let at = bytes.len() - rest.len();
        return structure(format!(
            "tags don't match (16 vs {{class:{class} tag:{tag} length:{length} \
             isCompound:{compound}}}) {{optional:false explicit:false application:false \
             private:false defaultValue:<nil> tag:<nil> stringType:0 timeType:0 set:false \
             omitEmpty:false}} {what} @{at}"
        ));
    }
    if length > rest.len() { syntax("data truncated") } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_go_says() {
        let tags = |found: &str| {
            format!(
                "asn1: structure error: tags don't match (16 vs {found}) {{optional:false \
                 explicit:false application:false private:false defaultValue:<nil> tag:<nil> \
                 stringType:0 timeType:0 set:false omitEmpty:false}} pkcs8 @2"
            )
        };
        for (bytes, why) in [
            (&b"nocert"[..], tags("{class:1 tag:14 length:111 isCompound:true}")),
            (&[0, 0, 0], tags("{class:0 tag:0 length:0 isCompound:false}")),
            (&[], "asn1: syntax error: sequence truncated".to_owned()),
            (b"n", "asn1: syntax error: truncated tag or length".to_owned()),
            (&[0x30, 0x80], "asn1: syntax error: indefinite length found (not DER)".to_owned()),
            (&[0x30, 5, 1], "asn1: syntax error: data truncated".to_owned()),
            (&[0x30, 0x84, 1, 0, 0, 0], "asn1: structure error: length too large".to_owned()),
        ] {
            assert_eq!(not_a_sequence(bytes, "pkcs8"), Some(why), "{bytes:?}");
        }
        assert_eq!(not_a_sequence(&[0x30, 1, 0], "pkcs8"), None);
    }
}
