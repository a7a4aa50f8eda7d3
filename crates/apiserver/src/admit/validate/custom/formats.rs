//! The formats of strings that the API checks.
//!
//! Follows kube-openapi's `strfmt`. A format that it does not know is not checked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use base64::{Engine as _, prelude::BASE64_STANDARD};

use super::super::names;

const KNOWN: [&str; 28] = [
    "bsonobjectid",
    "byte",
    "cidr",
    "creditcard",
    "date",
    "date-time",
    "datetime",
    "duration",
    "email",
    "hexcolor",
    "hostname",
    "ipv4",
    "ipv6",
    "isbn",
    "isbn10",
    "isbn13",
    "k8s-long-name",
    "k8s-short-name",
    "mac",
    "password",
    "rgbcolor",
    "ssn",
    "uri",
    "uuid",
    "uuid3",
    "uuid4",
    "uuid5",
    "int32",
];

pub(super) fn is_known(format: &str) -> bool {
    KNOWN.contains(&format) || matches!(format, "int64" | "float" | "double")
}

/// Whether a text has a format; `None` if the format is not checked.
pub(super) fn matches(format: &str, text: &str) -> Option<bool> {
    Some(match format {
        "bsonobjectid" => text.len() == 24 && is_hex(text),
        "byte" => BASE64_STANDARD.decode(text).is_ok(),
        "cidr" => is_cidr(text),
        "date" => text.len() == 10 && text.parse::<jiff::civil::Date>().is_ok(),
        "date-time" | "datetime" => is_date_time(text),
        "duration" => is_duration(text),
        "email" => is_email(text),
        "hexcolor" => {
            text.strip_prefix('#').is_some_and(|hex| matches!(hex.len(), 3 | 6) && is_hex(hex))
        }
        "hostname" => is_hostname(text),
        "ipv4" => text.parse::<Ipv4Addr>().is_ok(),
        "ipv6" => text.parse::<Ipv6Addr>().is_ok(),
        "isbn" => is_isbn10(text) || is_isbn13(text),
        "isbn10" => is_isbn10(text),
        "isbn13" => is_isbn13(text),
        "k8s-long-name" => names::subdomain(text).is_empty(),
        "k8s-short-name" => names::label(text).is_empty(),
        "mac" => is_mac(text),
        "ssn" => {
            let digits: Vec<&str> = text.split(['-', ' ']).collect();
            digits.iter().map(|part| part.len()).eq([3, 2, 4])
                && digits.iter().all(|part| is_digits(part))
        }
        "uri" => url::Url::parse(text).is_ok() || text.starts_with('/'),
        "uuid" => is_uuid(text, None),
        "uuid3" => is_uuid(text, Some(b'3')),
        "uuid4" => is_uuid(text, Some(b'4')),
        "uuid5" => is_uuid(text, Some(b'5')),
        "creditcard" => {
            let digits: String = text.chars().filter(char::is_ascii_digit).collect();
            (13..=19).contains(&digits.len()) && luhn(&digits)
        }
        "rgbcolor" => is_rgb(text),
        _ => return None,
    })
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_cidr(text: &str) -> bool {
    let Some((address, bits)) = text.split_once('/') else { return false };
    let limit = match address.parse::<IpAddr>() {
        Ok(IpAddr::V4(_)) => 32,
        Ok(IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    is_digits(bits) && bits.parse::<u8>().is_ok_and(|bits| bits <= limit)
}

/// RFC 3339, where the letters may be small and the offset complete.
fn is_date_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let zoned = text.ends_with(['Z', 'z'])
        || (bytes.len() > 6 && matches!(bytes[bytes.len() - 6], b'+' | b'-'));
    bytes.len() >= 20
        && matches!(bytes[10], b'T' | b't')
        && zoned
        && text.to_uppercase().parse::<jiff::Timestamp>().is_ok()
}

/// Go's durations, or a number and the name of a unit.
fn is_duration(text: &str) -> bool {
    let rest = text.strip_prefix(['-', '+']).unwrap_or(text);
    if rest == "0" {
        return true;
    }
    let mut rest = rest;
    let mut any = false;
    while !rest.is_empty() {
        let number = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let digits = &rest[..rest.len() - number.len()];
        let unit = ["ns", "us", "µs", "μs", "ms", "s", "m", "h"]
            .iter()
            .filter(|unit| number.starts_with(**unit))
            .max_by_key(|unit| unit.len());
        let Some(unit) = unit else { return !any && is_long_duration(text) };
        if digits.is_empty() || digits == "." || digits.matches('.').count() > 1 {
            return false;
        }
        any = true;
        rest = &number[unit.len()..];
    }
    any
}

/// `5 days`, `2 weeks`.
fn is_long_duration(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
    let digits = &text[..text.len() - unit.len()];
    let unit = unit.trim();
    let names = [
        "ns",
        "nano",
        "nanosecond",
        "us",
        "µs",
        "micro",
        "microsecond",
        "ms",
        "milli",
        "millisecond",
        "s",
        "sec",
        "second",
        "m",
        "min",
        "minute",
        "h",
        "hr",
        "hour",
        "d",
        "day",
        "w",
        "wk",
        "week",
    ];
    !digits.is_empty()
        && names.iter().any(|name| unit == *name || unit.strip_suffix('s') == Some(name))
}

fn is_email(text: &str) -> bool {
    let address = match (text.find('<'), text.strip_suffix('>')) {
        (Some(start), Some(head)) => &head[start + 1..],
        _ => text,
    };
    address.rsplit_once('@').is_some_and(|(user, host)| {
        !user.is_empty()
            && !host.is_empty()
            && !address.contains(char::is_whitespace)
            && !user.contains('@')
            && host.split('.').all(|label| !label.is_empty())
    })
}

/// One label, or labels of which the last is a word of at least two letters.
fn is_hostname(text: &str) -> bool {
    let sign = |c: char| c.is_alphanumeric();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.starts_with(sign)
            && label.ends_with(sign)
            && label.chars().all(|c| sign(c) || c == '-')
    };
    match text.rsplit_once('.') {
        None => label(text),
        Some((head, last)) => {
            text.len() <= 255
                && head.split('.').all(label)
                && (2..=63).contains(&last.chars().count())
                && last.chars().all(char::is_alphabetic)
        }
    }
}

fn is_mac(text: &str) -> bool {
    let sign = if text.contains(':') { ':' } else { '-' };
    let parts: Vec<&str> = text.split(sign).collect();
    matches!(parts.len(), 6 | 8 | 20) && parts.iter().all(|part| part.len() == 2 && is_hex(part))
}

fn is_uuid(text: &str, version: Option<u8>) -> bool {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b'-').collect();
    let grouped = text.len() == 32
        || (text.len() == 36
            && [8, 13, 18, 23].iter().all(|place| text.as_bytes()[*place] == b'-'));
    grouped
        && digits.len() == 32
        && digits.iter().all(u8::is_ascii_hexdigit)
        && version.is_none_or(|version| digits[12] == version)
}

fn is_isbn10(text: &str) -> bool {
    let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'-' | b' ')).collect();
    if digits.len() != 10 {
        return false;
    }
    let mut sum = 0;
    for (place, digit) in digits.iter().enumerate() {
        let value = match digit {
            b'0'..=b'9' => u32::from(digit - b'0'),
            b'X' if place == 9 => 10,
            _ => return false,
        };
        sum += value * u32::try_from(10 - place).unwrap_or(0);
    }
    sum % 11 == 0
}

fn is_isbn13(text: &str) -> bool {
    let digits: Vec<u8> = text.bytes().filter(|byte| !matches!(byte, b'-' | b' ')).collect();
    if digits.len() != 13 || !digits.iter().all(u8::is_ascii_digit) {
        return false;
    }
    let weigh =
        |(place, digit): (usize, &u8)| u32::from(digit - b'0') * if place % 2 == 0 { 1 } else { 3 };
    digits.iter().enumerate().map(weigh).sum::<u32>() % 10 == 0
}

fn luhn(digits: &str) -> bool {
    let mut sum = 0;
    for (place, byte) in digits.bytes().rev().enumerate() {
        let digit = u32::from(byte - b'0');
        sum += match (place % 2, digit) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        };
    }
    sum % 10 == 0
}

fn is_rgb(text: &str) -> bool {
    let Some(inner) = text.strip_prefix("rgb(").and_then(|rest| rest.strip_suffix(')')) else {
        return false;
    };
    let parts: Vec<&str> = inner.split(',').map(str::trim).collect();
    parts.len() == 3 && parts.iter().all(|part| part.trim_end_matches('%').parse::<u8>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn formats_accept_and_refuse() {
        let good = [
            ("date", "2020-02-29"),
            ("date-time", "2020-01-01T00:00:00Z"),
            ("date-time", "2020-01-01T00:00:00.5+02:00"),
            ("duration", "1h30m"),
            ("duration", "5 days"),
            ("ipv4", "10.0.0.1"),
            ("ipv6", "::1"),
            ("cidr", "10.0.0.0/8"),
            ("uuid4", "9c108a2e-a167-4344-8ed0-204331d72d81"),
            ("hostname", "a.example"),
            ("email", "a@b.c"),
            ("mac", "00:11:22:aa:bb:cc"),
            ("byte", "YQ=="),
            ("uri", "https://example.com/x"),
        ];
        for (format, text) in good {
            assert_eq!(matches(format, text), Some(true), "{format} {text}");
        }
        let bad = [
            ("date", "2020-02-30"),
            ("date-time", "2020-01-01"),
            ("duration", "1x"),
            ("duration", ""),
            ("ipv4", "10.0.0"),
            ("ipv6", "10.0.0.1"),
            ("cidr", "10.0.0.0/33"),
            ("uuid", "é"),
            ("mac", "é"),
            ("email", "a"),
            ("byte", "%"),
            ("date-time", "ééééééééééééééééééééé"),
        ];
        for (format, text) in bad {
            assert_eq!(matches(format, text), Some(false), "{format} {text}");
        }
        assert_eq!(matches("anything", "x"), None);
    }
}
