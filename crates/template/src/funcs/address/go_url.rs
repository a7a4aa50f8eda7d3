//! URLs as Go reads and writes them.
//!
//! Follows `net/url` of Go 1.26.

use std::{fmt, fmt::Write as _, net::Ipv6Addr};

use crate::{
    bytes::{from_bytes, to_bytes},
    quote::quoted,
};

/// A URL in parts; path and fragment are not escaped.
#[derive(Clone, Debug, Default)]
pub(in crate::funcs) struct Url {
    pub(in crate::funcs) scheme: String,
    pub(in crate::funcs) opaque: String,
    pub(in crate::funcs) user: Option<User>,
    pub(in crate::funcs) host: String,
    pub(in crate::funcs) path: String,
    pub(in crate::funcs) query: String,
    pub(in crate::funcs) fragment: String,
}

/// Who logs in.
#[derive(Clone, Debug)]
pub(in crate::funcs) struct User {
    name: String,
    password: Option<String>,
}

/// The part of a URL, which decides what is escaped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Path,
    Host,
    Zone,
    User,
    Fragment,
}

/// Reads a URL, whole or relative. The error is Go's.
pub(in crate::funcs) fn parse(text: &str) -> Result<Url, String> {
    let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
    let wrong = |text: &str, error: String| format!("parse {}: {error}", quoted(text));
    let mut url = parse_before_fragment(before).map_err(|error| wrong(before, error))?;
    url.fragment = unescape(fragment, Part::Fragment).map_err(|error| wrong(text, error))?;
    Ok(url)
}

/// Whether Go's `url.ParseRequestURI` reads it and finds a scheme, as `lint` asks of addresses.
pub fn is_request_url(text: &str) -> bool {
    parse_before_fragment(text).is_ok_and(|url| !url.scheme.is_empty())
}

fn parse_before_fragment(text: &str) -> Result<Url, String> {
    if text.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let mut url = Url::default();
    if text == "*" {
        url.path.push('*');
        return Ok(url);
    }
    let (scheme, rest) = scheme_of(text)?;
    url.scheme = scheme.to_ascii_lowercase();
    let (mut rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    url.query.push_str(query);
    if !rest.starts_with('/') {
        if !url.scheme.is_empty() {
            url.opaque.push_str(rest);
            return Ok(url);
        }
        if rest.split('/').next().is_some_and(|segment| segment.contains(':')) {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    let has_authority = !url.scheme.is_empty() || !rest.starts_with("///");
    if let Some(after) = rest.strip_prefix("//").filter(|_| has_authority) {
        let end = after.find('/').unwrap_or(after.len());
        let (authority, path) = after.split_at(end);
        rest = path;
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        url.host = parse_host(host)?;
        url.user = user.map(parse_user).transpose()?;
    }
    url.path = unescape(rest, Part::Path)?;
    Ok(url)
}

fn scheme_of(text: &str) -> Result<(&str, &str), String> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn parse_user(text: &str) -> Result<User, String> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(c);
    if !text.chars().all(allowed) {
        return Err("net/url: invalid userinfo".to_owned());
    }
    let (name, password) = match text.split_once(':') {
        Some((name, password)) => (name, Some(password)),
        None => (text, None),
    };
    Ok(User {
        name: unescape(name, Part::User)?,
        password: password.map(|password| unescape(password, Part::User)).transpose()?,
    })
}

fn parse_host(host: &str) -> Result<String, String> {
    let port = |port: &str| {
        let valid = port.is_empty()
            || port.starts_with(':') && port[1..].bytes().all(|byte| byte.is_ascii_digit());
        valid.then_some(()).ok_or_else(|| format!("invalid port {} after host", quoted(port)))
    };
    let Some(inner) = host.strip_prefix('[') else {
        if host.contains('[') {
            return Err("invalid IP-literal".to_owned());
        }
        if let Some(colon) = host.find(':') {
            port(&host[colon..])?;
        }
        return unescape(host, Part::Host);
    };
    let Some(end) = inner.rfind(']') else { return Err("missing ']' in host".to_owned()) };
    let (address, after) = (&inner[..end], &inner[end + 1..]);
    port(after)?;
    let zone_at = address.find("%25").unwrap_or(address.len());
    let (address, zone) = address.split_at(zone_at);
    let address = unescape(address, Part::Host)?;
    let zone = unescape(zone, Part::Zone)?;
    if address.parse::<Ipv6Addr>().is_err() {
        if address.parse::<std::net::Ipv4Addr>().is_ok() {
            return Err("invalid IP-literal".to_owned());
        }
        return Err(format!(
            "invalid host: ParseAddr({}): unable to parse IP",
            quoted(&format!("{address}{zone}"))
        ));
    }
    Ok(format!("[{address}{zone}]{after}"))
}

impl Url {
    /// The host without port and brackets.
    pub(in crate::funcs) fn hostname(&self) -> &str {
        let host = match self.host.rfind(':') {
            Some(colon) if self.host[colon + 1..].bytes().all(|b| b.is_ascii_digit()) => {
                &self.host[..colon]
            }
            _ => &self.host,
        };
        host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host)
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.extend([&self.scheme, ":"]);
        }
        if self.opaque.is_empty() {
            let named = !self.host.is_empty() || self.user.is_some();
            if named || !self.scheme.is_empty() && !self.path.is_empty() {
                out.push_str("//");
            }
            if let Some(user) = &self.user {
                let _ = write!(out, "{user}@");
            }
            out.push_str(&escape(&self.host, Part::Host));
            let path = match self.path.as_str() {
                "*" => "*".to_owned(),
                path => escape(path, Part::Path),
            };
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                out.push('/');
            }
            // Otherwise what stands before the colon would be taken for a scheme.
            if out.is_empty() && path.split('/').next().is_some_and(|part| part.contains(':')) {
                out.push_str("./");
            }
            out.push_str(&path);
        } else {
            out.push_str(&self.opaque);
        }
        if !self.query.is_empty() {
            out.extend(["?", &self.query]);
        }
        if !self.fragment.is_empty() {
            out.push('#');
            out.push_str(&escape(&self.fragment, Part::Fragment));
        }
        f.write_str(&out)
    }
}

impl fmt::Display for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escape(&self.name, Part::User))?;
        match &self.password {
            Some(password) => write!(f, ":{}", escape(password, Part::User)),
            None => Ok(()),
        }
    }
}

fn must_escape(byte: u8, part: Part) -> bool {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => false,
        b'!' | b'$' | b'&' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':'
        | b'[' | b']' | b'<' | b'>' | b'"'
            if matches!(part, Part::Host | Part::Zone) =>
        {
            false
        }
        b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'?' | b'@' => match part {
            Part::Path => byte == b'?',
            Part::User => matches!(byte, b'@' | b'/' | b'?' | b':'),
            Part::Fragment => false,
            Part::Host | Part::Zone => true,
        },
        b'!' | b'(' | b')' | b'*' => part != Part::Fragment,
        _ => true,
    }
}

fn escape(text: &str, part: Part) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in &*to_bytes(text) {
        if must_escape(*byte, part) {
            let _ = write!(out, "%{byte:02X}");
        } else {
            out.push(char::from(*byte));
        }
    }
    out
}

fn unescape(text: &str, part: Part) -> Result<String, String> {
    let wrong = |bytes: &[u8]| {
        let shown = &bytes[..bytes.len().min(3)];
        Err(format!("invalid URL escape {}", quoted(&from_bytes(shown))))
    };
    let bytes = to_bytes(text);
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = &*bytes;
    while let [byte, after @ ..] = rest {
        let host = matches!(part, Part::Host | Part::Zone);
        if *byte != b'%' {
            if host && byte.is_ascii() && must_escape(*byte, part) {
                let shown = quoted(&char::from(*byte).to_string());
                return Err(format!("invalid character {shown} in host name"));
            }
            out.push(*byte);
            rest = after;
            continue;
        }
        let digit = |at: usize| {
            let byte = after.get(at)?;
            char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
        };
        let (Some(high), Some(low)) = (digit(0), digit(1)) else { return wrong(rest) };
        let decoded = high << 4 | low;
        let percent = decoded == b'%';
        let refused = match part {
            Part::Host => high < 8 && !percent,
            Part::Zone => !percent && decoded != b' ' && must_escape(decoded, Part::Host),
            _ => false,
        };
        if refused {
            return wrong(rest);
        }
        out.push(decoded);
        rest = &after[2..];
    }
    Ok(from_bytes(&out).into_owned())
}
