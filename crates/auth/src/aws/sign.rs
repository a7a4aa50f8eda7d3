//! Signature version 4.

use gitops_core::Clock;
use jiff::{Timestamp, tz::TimeZone};
use ring::{digest, hmac};
use url::Url;

use super::AwsCredentials;

/// Who signs, and for what.
#[derive(Clone, Copy, Debug)]
pub struct AwsSigner<'s> {
    /// The keys.
    pub credentials: &'s AwsCredentials,
    /// The region, e.g. `eu-central-1`.
    pub region: &'s str,
    /// The service, e.g. `ecr`.
    pub service: &'s str,
}

/// What of the body is signed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Payload<'p> {
    /// All of it.
    Bytes(&'p [u8]),
    /// As CodeCommit wants it for Git: nothing, not even that there is none.
    Absent,
}

impl AwsSigner<'_> {
    /// The headers that sign a request with these further ones (names in lower case): the given
    /// ones, `host` left out, and `authorization`, `x-amz-date` and, for temporary keys,
    /// `x-amz-security-token`.
    pub fn headers(
        &self,
        method: &str,
        url: &Url,
        headers: &[(&str, &str)],
        body: &[u8],
        clock: &dyn Clock,
    ) -> Vec<(String, String)> {
        let date = stamp(clock.now()) + "Z";
        let host = authority(url);
        let mut all: Vec<(String, String)> =
            headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        all.push(("host".to_owned(), host));
        all.push(("x-amz-date".to_owned(), date.clone()));
        if let Some(token) = &self.credentials.session_token {
            let token = token.expose_str().unwrap_or_default().to_owned();
            all.push(("x-amz-security-token".to_owned(), token));
        }
        all.sort();
        let signature = self.sign(method, url, &all, Payload::Bytes(body), &date);
        let names: Vec<&str> = all.iter().map(|(name, _)| name.as_str()).collect();
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={signature}",
            self.credentials.access_key,
            self.scope(&date),
            names.join(";")
        );
        all.retain(|(name, _)| name != "host");
        all.push(("authorization".to_owned(), authorization));
        all
    }

    /// The signature of a request with these headers, sorted by their names in lower case.
    pub(super) fn sign(
        &self,
        method: &str,
        url: &Url,
        headers: &[(String, String)],
        payload: Payload<'_>,
        date: &str,
    ) -> String {
        let mut canonical = format!("{method}\n{}\n{}\n", path(url), query(url));
        for (name, value) in headers {
            canonical.extend([name.as_str(), ":", value.trim(), "\n"]);
        }
        let names: Vec<&str> = headers.iter().map(|(name, _)| name.as_str()).collect();
        canonical.extend(["\n", &names.join(";"), "\n"]);
        if let Payload::Bytes(body) = payload {
            canonical.push_str(&sha256(body));
        }
        let scope = self.scope(date);
        let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let secret = [b"AWS4", self.credentials.secret_key.expose()].concat();
        let mut key = mac(&secret, &date.as_bytes()[..8]);
        for part in [self.region, self.service, "aws4_request"] {
            key = mac(key.as_ref(), part.as_bytes());
        }
        hex::encode(mac(key.as_ref(), text.as_bytes()))
    }

    fn scope(&self, date: &str) -> String {
        format!("{}/{}/{}/aws4_request", &date[..8], self.region, self.service)
    }
}

/// A time as `20260101T120000`.
pub(super) fn stamp(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC).strftime("%Y%m%dT%H%M%S").to_string()
}

/// Host and, where it is not the scheme's, port.
pub(super) fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn mac(key: &[u8], text: &[u8]) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text)
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

/// All services but S3 escape the path once more, and the URL has it escaped already.
fn path(url: &Url) -> String {
    let path = url.path();
    if path.is_empty() { "/".to_owned() } else { escaped(path, true) }
}

fn query(url: &Url) -> String {
    let mut pairs: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| (escaped(&name, false), escaped(&value, false)))
        .collect();
    pairs.sort();
    let pairs: Vec<String> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.join("&")
}

fn escaped(text: &str, keep_slash: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            b'/' if keep_slash => out.push('/'),
            _ => out.extend(["%", &hex::encode_upper([byte])]),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use gitops_core::{FixedClock, Secret};

    use super::*;

    /// From AWS's "Signature Version 4 test suite": get-vanilla-query-order-key-case and
    /// post-x-www-form-urlencoded.
    #[test]
    fn the_test_suite_of_aws() {
        let credentials = AwsCredentials {
            access_key: "AKIDEXAMPLE".into(),
            secret_key: Secret::from("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
            session_token: None,
            expires_at: None,
        };
        let signer =
            AwsSigner { credentials: &credentials, region: "us-east-1", service: "service" };
        let clock = FixedClock::new("2015-08-30T12:36:00Z".parse().unwrap());
        let sign = |method: &str, url: &str, headers: &[(&str, &str)], body: &[u8]| {
            let headers = signer.headers(method, &url.parse().unwrap(), headers, body, &clock);
            let header = headers.into_iter().find(|(name, _)| name == "authorization").unwrap().1;
            header.rsplit_once('=').unwrap().1.to_owned()
        };
        assert_eq!(
            sign("GET", "https://example.amazonaws.com/?Param2=value2&Param1=value1", &[], b""),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"
        );
        let form = [("content-type", "application/x-www-form-urlencoded")];
        assert_eq!(
            sign("POST", "https://example.amazonaws.com/", &form, b"Param1=value1"),
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"
        );
    }
}
