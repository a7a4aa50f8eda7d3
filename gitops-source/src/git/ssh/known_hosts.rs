//! Which keys a host may have. Follows OpenSSH's `known_hosts`; what is said of a key that does not
//! fit follows golang.org/x/crypto `ssh/knownhosts`.

use ring::hmac;
use russh::keys::{
    Algorithm, PublicKey,
    ssh_key::{
        HashAlg,
        known_hosts::{Entry, HostPatterns, Marker},
    },
};

use super::super::location::SshLocation;

/// Shorter RSA keys can be broken.
const LEAST_RSA_BITS: u32 = 2048;

/// The text of a `known_hosts` file, read.
#[derive(Clone, Debug)]
pub(super) struct KnownHosts {
    entries: Vec<Entry>,
}

impl KnownHosts {
    /// Reads a file. A line with a kind of key that is not known is passed over.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(text).map_err(|_| "knownhosts: not a text".to_owned())?;
        let mut entries = Vec::new();
        for line in text.lines() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let words: Vec<&str> = line.split_whitespace().collect();
            let entry = words.join(" ").parse::<Entry>();
            entries.push(entry.map_err(|error| refusal(&words, &error))?);
        }
        Ok(Self { entries })
    }

    /// The kinds of keys that are known of a host, the best first.
    pub(super) fn algorithms(&self, host: &SshLocation) -> Vec<Algorithm> {
        let mut algorithms = Vec::new();
        for entry in self.of(host).filter(|entry| entry.marker().is_none()) {
            match entry.public_key().algorithm() {
                Algorithm::Rsa { .. } => algorithms.extend([
                    Algorithm::Rsa { hash: Some(HashAlg::Sha512) },
                    Algorithm::Rsa { hash: Some(HashAlg::Sha256) },
                ]),
                other => algorithms.push(other),
            }
        }
        let mut seen = Vec::new();
        algorithms.retain(|algorithm| {
            let is_new = !seen.contains(algorithm);
            seen.push(algorithm.clone());
            is_new
        });
        algorithms
    }

    /// Whether a host is known by a key.
    pub(super) fn check(&self, host: &SshLocation, key: &PublicKey) -> Result<(), String> {
        let same = |entry: &&Entry| entry.public_key().key_data() == key.key_data();
        let is_revoked = |entry: &Entry| entry.marker() == Some(&Marker::Revoked);
        if self.entries.iter().filter(|entry| is_revoked(entry)).any(|entry| same(&entry)) {
            return Err("knownhosts: key is revoked".to_owned());
        }
        if let Some(rsa) = key.key_data().rsa()
            && rsa.key_size() < LEAST_RSA_BITS
        {
            let bits = rsa.key_size();
            return Err(format!(
                "knownhosts: RSA key of {bits} bits is too short, {LEAST_RSA_BITS} are required"
            ));
        }
        let mut known = self.of(host).filter(|entry| entry.marker().is_none()).peekable();
        if known.peek().is_none() {
            return Err("knownhosts: key is unknown".to_owned());
        }
        if known.any(|entry| same(&entry)) {
            return Ok(());
        }
        Err("knownhosts: key mismatch".to_owned())
    }

    fn of<'k>(&'k self, host: &'k SshLocation) -> impl Iterator<Item = &'k Entry> {
        self.entries.iter().filter(|entry| names(entry.host_patterns(), host))
    }
}

/// What is wrong with a line of these words.
fn refusal(words: &[&str], error: &dyn std::fmt::Display) -> String {
    let marked = usize::from(words.first().is_some_and(|word| word.starts_with('@')));
    match words.len() - marked {
        0 | 1 => "knownhosts: knownhosts: missing host pattern".to_owned(),
        2 => "knownhosts: knownhosts: missing key type pattern".to_owned(),
        _ => format!("knownhosts: {error}"),
    }
}

/// Whether an entry is about a host.
fn names(patterns: &HostPatterns, host: &SshLocation) -> bool {
    let SshLocation { host, port, .. } = host;
    let host = host.to_ascii_lowercase();
    let name = if *port == 22 { host.clone() } else { format!("[{host}]:{port}") };
    match patterns {
        HostPatterns::HashedName { salt, hash } => {
            let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, salt);
            hmac::verify(&key, name.as_bytes(), hash).is_ok()
        }
        HostPatterns::Patterns(patterns) => {
            let mut found = false;
            for pattern in patterns {
                let (negated, pattern) = match pattern.strip_prefix('!') {
                    Some(pattern) => (true, pattern),
                    None => (false, pattern.as_str()),
                };
                let pattern = pattern.to_ascii_lowercase();
                if matches(pattern.as_bytes(), name.as_bytes())
                    // An IPv6 address may stand with its brackets.
                    || *port == 22 && pattern.trim_matches(['[', ']']) == host
                {
                    if negated {
                        return false;
                    }
                    found = true;
                }
            }
            found
        }
    }
}

/// Shell-like: `*` stands for anything, `?` for one character. Linear in the text for each star.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
            }
            Some(&byte) if byte == b'?' || byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match retry {
                Some((after, from)) => {
                    (p, t) = (after, from + 1);
                    retry = Some((after, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

    fn check(file: &str, host: &str, port: u16) -> Result<(), String> {
        let known = KnownHosts::parse(file.replace("KEY", KEY).replace("OTHER", OTHER).as_bytes());
        let path = String::new();
        let location = SshLocation { user: "git".into(), host: host.into(), port, path };
        known.unwrap().check(&location, &KEY.parse().unwrap())
    }

    #[test]
    fn hosts_are_found_by_name_pattern_and_hash() {
        // The hashes were made with `ssh-keygen -H`.
        for (file, host, port) in [
            (
                "|1|0lj81iMgXBPDjSD4Gtp4yE+BNmM=|LfyI6aqlrDcTS8ZjG0U1XvhZ5hs= KEY",
                "git.example.com",
                22,
            ),
            (
                "|1|L+GWRbdnUqWAiE4OCIaU/5vhQz8=|d18wnURGdo1hyFD+M+kn/y+P/bc= KEY",
                "git.example.com",
                2222,
            ),
            ("h KEY", "h", 22),
            ("H,x KEY", "h", 22),
            ("# a comment\n\nh OTHER\nh KEY\n", "h", 22),
            ("*.example.com KEY", "git.example.com", 22),
            ("[h]:2222 KEY", "h", 2222),
            ("::1 KEY", "::1", 22),
            ("h\tKEY me@there", "h", 22),
        ] {
            assert_eq!(check(file, host, port), Ok(()), "{file}");
        }
    }

    #[test]
    fn all_others_are_refused() {
        for (file, host, port, why) in [
            ("", "h", 22, "unknown"),
            ("x KEY", "h", 22, "unknown"),
            ("h KEY", "h", 2222, "unknown"),
            (
                "|1|0lj81iMgXBPDjSD4Gtp4yE+BNmM=|LfyI6aqlrDcTS8ZjG0U1XvhZ5hs= KEY",
                "git.example.com",
                2222,
                "unknown",
            ),
            ("*,!h KEY", "h", 22, "unknown"),
            ("h OTHER", "h", 22, "mismatch"),
            ("h KEY\n@revoked * KEY", "h", 22, "revoked"),
            ("@cert-authority h KEY", "h", 22, "unknown"),
        ] {
            let error = check(file, host, port).unwrap_err();
            assert!(error.contains(why), "{file}: {error}");
        }
        for (line, why) in [
            ("nonsense", "knownhosts: knownhosts: missing host pattern"),
            ("@revoked h", "knownhosts: knownhosts: missing host pattern"),
            ("h ssh-ed25519", "knownhosts: knownhosts: missing key type pattern"),
        ] {
            assert_eq!(KnownHosts::parse(line.as_bytes()).unwrap_err(), why);
        }
        assert!(KnownHosts::parse(b"h ssh-ed25519 garbage").is_err());
    }

    #[test]
    fn a_pattern_of_stars_takes_no_time() {
        let pattern = "*a".repeat(200) + "b";
        assert!(!matches(pattern.as_bytes(), "a".repeat(10_000).as_bytes()));
        assert!(matches(b"a*c?e", b"abcccde"));
    }
}
