//! SSH signatures, as `ssh-keygen -Y sign -n git` makes them.

use russh::keys::ssh_key::{HashAlg, PublicKey, SshSig};

/// What the signature must say that it is for.
const NAMESPACE: &str = "git";
/// Shorter RSA keys are refused, as OpenSSH does by default.
const LEAST_RSA_BITS: usize = 1024;

/// Verifies a signature with any of some files of `authorized_keys`; returns the fingerprint of the
/// key that made it.
pub(super) fn verify(signature: &str, payload: &[u8], files: &[Vec<u8>]) -> Result<String, String> {
    let signature = SshSig::from_pem(signature)
        .map_err(|why| format!("unable to unarmor SSH signature: {why}"))?;
    let mut unreadable = None;
    let mut read_any = false;
    let mut reasons: Vec<String> = Vec::new();
    for file in files {
        let keys = match authorized_keys(file) {
            Ok(keys) => keys,
            Err(why) => {
                unreadable.get_or_insert(format!("unable to parse authorized keys: {why}"));
                continue;
            }
        };
        read_any = true;
        for key in keys {
            match check(&key, &signature, payload) {
                Ok(()) => return Ok(key.fingerprint(HashAlg::Sha256).to_string()),
                Err(why) if reasons.iter().any(|known| known == why) => {}
                Err(why) => reasons.push(why.to_owned()),
            }
        }
    }
    if let (false, Some(why)) = (read_any, unreadable) {
        return Err(why);
    }
    let mut text =
        "unable to verify payload with any of the given authorized keys: no matching key"
            .to_owned();
    for why in reasons {
        text.push('\n');
        text.push_str(&why);
    }
    Err(text)
}

fn check(key: &PublicKey, signature: &SshSig, payload: &[u8]) -> Result<(), &'static str> {
    if key.key_data() != signature.public_key() {
        return Err("public key does not match");
    }
    if signature.namespace() != NAMESPACE {
        return Err("namespace does not match");
    }
    if let Some(rsa) = key.key_data().rsa()
        && (rsa.key_size() as usize) < LEAST_RSA_BITS
    {
        return Err("RSA key is too short");
    }
    key.verify(NAMESPACE, payload, signature).map_err(|_| "signature does not match")
}

fn authorized_keys(file: &[u8]) -> Result<Vec<PublicKey>, String> {
    let text = std::str::from_utf8(file).map_err(|_| "not a text".to_owned())?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let entry = line.parse::<russh::keys::ssh_key::authorized_keys::Entry>();
            let entry = entry.map_err(|why| format!("unable to parse authorized key: {why}"))?;
            Ok(entry.public_key().clone())
        })
        .collect()
}
