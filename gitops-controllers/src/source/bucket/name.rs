//! Names of buckets.

/// Why a name can be no bucket's, in the words of MinIO's client.
pub(super) fn bad_name(name: &str) -> Option<&'static str> {
    let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let known = |b: u8| b.is_ascii_alphanumeric() || b".-_:".contains(&b);
    let bytes = name.as_bytes();
    match name.trim().len() {
        0 => Some("Bucket name cannot be empty"),
        1 | 2 => Some("Bucket name cannot be shorter than 3 characters"),
        64.. => Some("Bucket name cannot be longer than 63 characters"),
        _ if name.parse::<std::net::Ipv4Addr>().is_ok() => {
            Some("Bucket name cannot be an ip address")
        }
        _ if ["..", ".-", "-."].iter().any(|pair| name.contains(pair))
            || !(edge(bytes.first()) && edge(bytes.last()) && name.bytes().all(known)) =>
        {
            Some("Bucket name contains invalid characters")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_buckets() {
        for (name, why) in [
            ("", Some("empty")),
            ("ab", Some("shorter than 3")),
            (&"a".repeat(64), Some("longer than 63")),
            ("10.0.0.1", Some("an ip address")),
            ("a..b", Some("invalid characters")),
            ("a/b", Some("invalid characters")),
            ("-ab", Some("invalid characters")),
            ("UPPER", None),
            ("a_b", None),
            ("my-bucket.1", None),
        ] {
            assert_eq!(bad_name(name).is_some(), why.is_some(), "{name}");
            assert!(bad_name(name).unwrap_or_default().contains(why.unwrap_or_default()));
        }
    }
}
