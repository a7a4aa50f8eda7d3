//! `format`: what text may look like.
//!
//! Follows santhosh-tekuri/jsonschema format.go. Formats that are not known allow everything.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::compile::go_regex;

/// Why a text is not of a format.
pub(super) fn check(format: &str, text: &str) -> Result<(), String> {
    match format {
        "email" | "idn-email" => email(text),
        "ipv4" => ipv4(text),
        "ipv6" => ipv6(text),
        "hostname" | "idn-hostname" => hostname(text),
        "date" => date(text),
        "time" => time(text),
        "date-time" => date_time(text),
        "uri" | "iri" => uri(text, true),
        "uri-reference" | "iri-reference" => uri(text, false),
        "uuid" => uuid(text),
        "regex" => go_regex(text).map(drop),
        "json-pointer" => json_pointer(text),
        "duration" => duration(text),
        _ => Ok(()),
    }
}

fn fail<T>(message: &str) -> Result<T, String> {
    Err(message.to_owned())
}

fn email(text: &str) -> Result<(), String> {
    if text.len() > 254 {
        return fail("more than 255 characters long");
    }
    let Some((local, domain)) = text.rsplit_once('@') else { return fail("missing @") };
    if local.len() > 64 {
        return fail("local part more than 64 characters long");
    }
    if local.len() > 1 && local.starts_with('"') && local.ends_with('"') {
        if local[1..local.len() - 1].contains(['\\', '"']) {
            return fail("backslash and quote not allowed within quoted local part");
        }
    } else {
        if local.starts_with('.') {
            return fail("starts with dot");
        }
        if local.ends_with('.') {
            return fail("ends with dot");
        }
        if local.contains("..") {
            return fail("consecutive dots");
        }
        let allowed = |c: char| c.is_ascii_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c);
        if let Some(bad) = local.chars().find(|c| !allowed(*c)) {
            return Err(format!("invalid character {bad:?}"));
        }
    }
    if let Some(address) = domain.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return match address.strip_prefix("IPv6:") {
            Some(address) => {
                ipv6(address).map_err(|error| format!("invalid ipv6 address: {error}"))
            }
            None => ipv4(address).map_err(|error| format!("invalid ipv4 address: {error}")),
        };
    }
    hostname(domain).map_err(|error| format!("invalid domain: {error}"))
}

fn hostname(text: &str) -> Result<(), String> {
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.len() > 253 {
        return fail("more than 253 characters long");
    }
    for label in text.split('.') {
        if label.is_empty() || label.len() > 63 {
            return fail("label must be 1 to 63 characters long");
        }
        if label.starts_with('-') {
            return fail("label starts with hyphen");
        }
        if label.ends_with('-') {
            return fail("label ends with hyphen");
        }
        if let Some(bad) = label.chars().find(|c| !c.is_ascii_alphanumeric() && *c != '-') {
            return Err(format!("invalid character {bad:?}"));
        }
    }
    Ok(())
}

fn ipv4(text: &str) -> Result<(), String> {
    if text.parse::<Ipv4Addr>().is_ok() { Ok(()) } else { fail("expected four decimals") }
}

fn ipv6(text: &str) -> Result<(), String> {
    if !text.contains(':') {
        return fail("missing colon");
    }
    if text.parse::<Ipv6Addr>().is_ok() { Ok(()) } else { fail("not valid ipv6 address") }
}

fn date(text: &str) -> Result<(), String> {
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(index, byte)| match index {
            4 | 7 => byte == b'-',
            _ => byte.is_ascii_digit(),
        });
    if shape && text.parse::<jiff::civil::Date>().is_ok() {
        Ok(())
    } else {
        Err(format!("parsing time {text:?} as \"2006-01-02\": cannot parse {text:?}"))
    }
}

fn time(text: &str) -> Result<(), String> {
    let Some((clock, zone)) = text.find(['Z', 'z', '+', '-']).map(|index| text.split_at(index))
    else {
        return fail("no offset");
    };
    let bytes = clock.as_bytes();
    let digits = |at: usize| -> Option<u8> {
        let part = clock.get(at..at + 2)?;
        part.bytes().all(|byte| byte.is_ascii_digit()).then(|| part.parse().ok())?
    };
    let (Some(hour), Some(minute), Some(second)) = (digits(0), digits(3), digits(6)) else {
        return fail("less than 9 characters long");
    };
    let fraction = match &clock[8..] {
        "" => true,
        rest => {
            rest.len() > 1 && rest.starts_with('.') && rest[1..].bytes().all(|b| b.is_ascii_digit())
        }
    };
    if bytes[2] != b':' || bytes[5] != b':' || !fraction {
        return fail("missing colon in correct place");
    }
    if hour > 23 || minute > 59 || second > 60 {
        return fail("hour, minute or second out of range");
    }
    let zone_is_valid = zone.eq_ignore_ascii_case("z")
        || (zone.len() == 6
            && zone.as_bytes()[3] == b':'
            && zone[1..3].parse::<u8>().is_ok_and(|hours| hours <= 23)
            && zone[4..].parse::<u8>().is_ok_and(|minutes| minutes <= 59));
    if zone_is_valid { Ok(()) } else { fail("invalid offset") }
}

fn date_time(text: &str) -> Result<(), String> {
    if text.len() < 20 || !text.is_ascii() {
        return fail("less than 20 characters long");
    }
    if !matches!(text.as_bytes()[10], b't' | b'T') {
        return fail("11th character must be t or T");
    }
    date(&text[..10]).map_err(|error| format!("invalid date element: {error}"))?;
    time(&text[11..]).map_err(|error| format!("invalid time element: {error}"))
}

fn uri(text: &str, absolute: bool) -> Result<(), String> {
    let scheme = text.split_once(':').map(|(scheme, _)| scheme);
    let has_scheme = scheme.is_some_and(|scheme| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    });
    if text.contains(|c: char| c.is_control()) {
        return fail("invalid control character in URL");
    }
    if text.contains([' ', '\\', '<', '>', '"', '{', '}', '|', '^', '`']) {
        return fail("invalid character in URL");
    }
    if absolute && !has_scheme { fail("relative url") } else { Ok(()) }
}

fn uuid(text: &str) -> Result<(), String> {
    let shape = text.len() == 36
        && text.bytes().enumerate().all(|(index, byte)| match index {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
    if shape { Ok(()) } else { fail("must be 8-4-4-4-12 hexadecimal digits") }
}

fn json_pointer(text: &str) -> Result<(), String> {
    if !text.is_empty() && !text.starts_with('/') {
        return fail("not starting with /");
    }
    for (index, _) in text.match_indices('~') {
        if !matches!(text.as_bytes().get(index + 1), Some(b'0' | b'1')) {
            return fail("~ must be followed by 0 or 1");
        }
    }
    Ok(())
}

fn duration(text: &str) -> Result<(), String> {
    let valid = text.starts_with('P') && text.len() > 1 && text.parse::<jiff::Span>().is_ok();
    if valid { Ok(()) } else { fail("must be an ISO 8601 duration") }
}
