//! What Go's `net/url` refuses of a URL, in its words: messages must read as Flux's do, and the two
//! parsers disagree about what a URL is.

use url::Url;

use crate::{masked_url, quoted};

/// A URL that both Go and we can read.
///
/// # Errors
/// Why one of us cannot, in Go's words where it is Go; passwords are masked.
pub fn go_url(text: &str) -> Result<Url, String> {
    match go_url_refusal(&masked_url(text)) {
        Some(why) => Err(why),
        None => text.parse().map_err(|error: url::ParseError| error.to_string()),
    }
}

/// Why Go's `url.Parse` refuses a URL, e.g. `parse "http://h/%zz": invalid URL escape "%zz"`; `None`
/// where it does not. Passwords are shown: mask the URL before, or show nothing of it.
pub fn go_url_refusal(url: &str) -> Option<String> {
    let (rest, fragment) = url.split_once('#').unwrap_or((url, ""));
    let of = |text: &str, why: String| Some(format!("parse {}: {why}", quoted(text)));
    if let Err(why) = parse(rest) {
        return of(rest, why);
    }
    match escapes(fragment) {
        Err(why) => of(url, why),
        Ok(()) => None,
    }
}

/// What Go's client says when it is to dial where a URL leads and nobody could: there is no host, or
/// the port is none, e.g. `dial tcp: address 70000: invalid port`. [`go_url`] refuses such URLs too,
/// Go's parser does not.
pub fn go_dial_refusal(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    if host.is_empty() {
        return Some("http: no Host in request URL".to_owned());
    }
    let after =
        if host.starts_with('[') { host.rfind("]:").map(|at| at + 1) } else { host.rfind(':') };
    let port = &host[after? + 1..];
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && port.parse::<u16>().is_err())
        .then(|| format!("dial tcp: address {port}: invalid port"))
}

/// Why Go's `url.QueryUnescape` refuses a text, e.g. `invalid URL escape "%zz"`; `None` where it
/// does not.
pub fn go_escape_refusal(text: &str) -> Option<String> {
    escapes(text).err()
}

fn parse(url: &str) -> Result<(), String> {
    if url.bytes().any(|byte| byte < b' ' || byte == 0x7f) {
        return Err("net/url: invalid control character in URL".to_owned());
    }
    let rest = match scheme_end(url)? {
        Some(end) => &url[end + 1..],
        None => url,
    };
    let has_scheme = rest.len() < url.len();
    let rest = rest.split_once('?').map_or(rest, |(before, _)| before);
    if !rest.starts_with('/') {
        if has_scheme {
            // An opaque URL, e.g. `mailto:a@b`.
            return Ok(());
        }
        let segment = rest.split('/').next().unwrap_or_default();
        if segment.contains(':') {
            return Err("first path segment in URL cannot contain colon".to_owned());
        }
    }
    let mut path = rest;
    if let Some(after) = rest.strip_prefix("//").filter(|_| has_scheme || !rest.starts_with("///"))
    {
        let end = after.find('/').unwrap_or(after.len());
        authority(&after[..end])?;
        path = &after[end..];
    }
    escapes(path)
}

/// Where the scheme ends, if there is one.
fn scheme_end(url: &str) -> Result<Option<usize>, String> {
    for (at, byte) in url.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            b':' => return Ok(Some(at)),
            _ => return Ok(None),
        }
    }
    Ok(None)
}

fn authority(text: &str) -> Result<(), String> {
    let host = match text.rsplit_once('@') {
        Some((user, host)) => {
            let known =
                |byte: u8| byte.is_ascii_alphanumeric() || b"-._:~!$&'()*+,;=%@".contains(&byte);
            self::host(host)?;
            if !user.bytes().all(known) {
                return Err("net/url: invalid userinfo".to_owned());
            }
            escapes(user)?;
            return Ok(());
        }
        None => text,
    };
    self::host(host)
}

fn host(text: &str) -> Result<(), String> {
    if text.starts_with('[') {
        let Some(end) = text.rfind(']') else {
            return Err("missing ']' in host".to_owned());
        };
        return port(&text[end + 1..]);
    }
    if let Some(at) = text.rfind(':') {
        port(&text[at..])?;
    }
    escapes(text)?;
    let refused =
        |c: &char| matches!(c, ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}');
    match text.chars().find(refused) {
        Some(c) => Err(format!("invalid character {} in host name", quoted(&c.to_string()))),
        None => Ok(()),
    }
}

/// A port with its colon, or nothing.
fn port(text: &str) -> Result<(), String> {
    let good = text.is_empty()
        || text
            .strip_prefix(':')
            .is_some_and(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    if good { Ok(()) } else { Err(format!("invalid port {} after host", quoted(text))) }
}

fn escapes(text: &str) -> Result<(), String> {
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        rest = &rest[at..];
        let digits = rest.as_bytes().get(1..3);
        if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
            let shown: String = rest.chars().take(3).collect();
            return Err(format!("invalid URL escape {}", quoted(&shown)));
        }
        rest = &rest[3..];
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_go_refuses() {
        for (url, why) in [
            ("http://h/%zz.git", "invalid URL escape \"%zz\""),
            ("http://h/%a", "invalid URL escape \"%a\""),
            ("http://h:abc/x", "invalid port \":abc\" after host"),
            ("http://[::1/x", "missing ']' in host"),
            ("http://a b/x", "invalid character \" \" in host name"),
            ("http://us er@h/x", "net/url: invalid userinfo"),
            ("http://h/\u{1}", "net/url: invalid control character in URL"),
            ("::nonsense/", "missing protocol scheme"),
            ("127.0.0.1:28004/b", "first path segment in URL cannot contain colon"),
        ] {
            assert_eq!(go_url_refusal(url), Some(format!("parse {}: {why}", quoted(url))));
        }
    }

    #[test]
    fn says_where_nobody_can_dial() {
        for (url, why) in [
            ("http://h:70000/x", Some("dial tcp: address 70000: invalid port")),
            ("ssh://git@[::1]:99999", Some("dial tcp: address 99999: invalid port")),
            ("http://", Some("http: no Host in request URL")),
            ("http:///x.git", Some("http: no Host in request URL")),
            ("http://h:65535/x:70000", None),
            ("http://[::1]/x", None),
            ("http://h:/x", None),
        ] {
            assert_eq!(go_dial_refusal(url).as_deref(), why, "{url}");
        }
    }

    #[test]
    fn takes_what_go_takes() {
        for url in [
            "http://h:99999/a b?c=%zz",
            "https://u:p%40@h/x.git",
            "http:///x",
            "nonsense",
            "mailto:a@b",
            "http://[::1]:80/x",
            "http://h/%2f#frag",
            "",
        ] {
            assert_eq!(go_url_refusal(url), None, "{url}");
        }
        assert!(go_url_refusal("http://h/#%zz").is_some_and(|why| why.contains("#%zz")));
    }
}
