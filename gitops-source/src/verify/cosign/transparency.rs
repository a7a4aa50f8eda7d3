//! Proofs that a transparency log holds a signature.
//!
//! Follows RFC 6962 for the tree, the signed-note format for checkpoints, and Rekor's entries of
//! its first and second version.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use serde_json::Value;

use super::{
    super::{VerifyError, key::PublicKey},
    bundle::{LogEntry, Proof},
    payload::decoded,
    trusted_root::TrustedRoot,
};

/// What an entry must say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Claim<'a> {
    /// What was signed, before it was wrapped.
    pub(super) message: &'a [u8],
    /// What exactly the signature is over.
    pub(super) signed: &'a [u8],
    pub(super) signature: &'a [u8],
    /// The signer's certificate in DER.
    pub(super) certificate: &'a [u8],
}

/// Checks that a log holds an entry and that the entry is about a claim. Returns when the log took
/// it in, where the log signed that time.
pub(super) fn check(
    entry: &LogEntry,
    claim: Claim<'_>,
    root: &TrustedRoot,
) -> Result<Option<Timestamp>, VerifyError> {
    let bad = |why: &str| VerifyError::unverified(format!("transparency log entry: {why}"));
    let log = root.log(&entry.log_id.key_id).ok_or_else(|| bad("unknown log"))?;
    let mut proved = false;
    let mut time = None;
    if let Some(promise) = &entry.inclusion_promise {
        let at = i64::try_from(entry.integrated_time).ok();
        let at = at.and_then(|at| Timestamp::from_second(at).ok());
        let at = at.filter(|at| log.valid.holds(*at)).ok_or_else(|| bad("log of another time"))?;
        if !log.key.verify(promised(entry).as_bytes(), &promise.signed_entry_timestamp) {
            return Err(bad("invalid signed entry timestamp"));
        }
        proved = true;
        time = Some(at);
    }
    if let Some(proof) = &entry.inclusion_proof {
        check_proof(&entry.canonicalized_body, proof, &log.key).map_err(bad)?;
        proved = true;
    }
    if !proved {
        return Err(bad("no proof of inclusion"));
    }
    if !is_about(&entry.canonicalized_body, claim) {
        return Err(bad("is about another signature"));
    }
    Ok(time)
}

/// What a log signs when it promises to take an entry in; keys in this order, without spaces.
fn promised(entry: &LogEntry) -> String {
    format!(
        "{{\"body\":\"{}\",\"integratedTime\":{},\"logID\":\"{}\",\"logIndex\":{}}}",
        STANDARD.encode(&entry.canonicalized_body),
        entry.integrated_time,
        hex::encode(&entry.log_id.key_id),
        entry.log_index
    )
}

fn check_proof(body: &[u8], proof: &Proof, key: &PublicKey) -> Result<(), &'static str> {
    if proof.hashes.len() > 64 {
        return Err("malformed proof of inclusion");
    }
    let hashes: Option<Vec<Vec<u8>>> = proof.hashes.iter().map(|text| decoded(text)).collect();
    let hashes = hashes.ok_or("malformed proof of inclusion")?;
    let root = root_hash(&hash(&[&[0], body]), proof.log_index, proof.tree_size, &hashes);
    let root = root.filter(|root| root[..] == proof.root_hash);
    let root = root.ok_or("invalid proof of inclusion")?;
    let envelope = &proof.checkpoint.envelope;
    let (text, signatures) = envelope.split_once("\n\n").ok_or("malformed checkpoint")?;
    let mut lines = text.lines().skip(1);
    let size = lines.next().and_then(|size| size.parse::<u64>().ok());
    let own_root = lines.next().and_then(decoded);
    if size != Some(proof.tree_size) || own_root.as_deref() != Some(&root[..]) {
        return Err("checkpoint of another tree");
    }
    let text = format!("{text}\n");
    // `— <name> <base64 of 4 bytes of the key's id and the signature>`
    let signed = signatures.lines().take(16).any(|line| {
        let signature = line.strip_prefix("— ").and_then(|line| line.rsplit_once(' '));
        let signature = signature.and_then(|(_, signature)| decoded(signature));
        signature.is_some_and(|bytes| bytes.len() > 4 && key.verify(text.as_bytes(), &bytes[4..]))
    });
    if signed { Ok(()) } else { Err("checkpoint is not signed by the log") }
}

/// The root of a tree in which a leaf stands, by the audit path (RFC 9162, 2.1.3.2).
fn root_hash(leaf: &[u8; 32], index: u64, size: u64, path: &[Vec<u8>]) -> Option<[u8; 32]> {
    if index >= size {
        return None;
    }
    let (mut node, mut last) = (index, size - 1);
    let mut root = *leaf;
    for sibling in path {
        if last == 0 {
            return None;
        }
        if node & 1 == 1 || node == last {
            root = hash(&[&[1], sibling, &root]);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            root = hash(&[&[1], &root, sibling]);
        }
        node >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(root)
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = ring::digest::Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    context.finish().as_ref().try_into().expect("SHA-256 has 32 bytes")
}

/// Whether an entry says that this signature was made with this certificate.
fn is_about(body: &[u8], claim: Claim<'_>) -> bool {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return false };
    let kind = (body["kind"].as_str(), body["apiVersion"].as_str());
    let spec = &body["spec"];
    match kind {
        (Some("hashedrekord"), Some("0.0.1")) => {
            let hash = spec["data"]["hash"]["value"].as_str();
            hash == Some(&sha256_hex(claim.signed))
                && same(&spec["signature"]["content"], claim.signature)
                && is_certificate(&spec["signature"]["publicKey"]["content"], claim)
        }
        (Some("hashedrekord"), Some("0.0.2")) => {
            let spec = &spec["hashedRekordV002"];
            same(&spec["data"]["digest"], digest(&SHA256, claim.signed).as_ref())
                && same(&spec["signature"]["content"], claim.signature)
                && same_certificate(&spec["signature"]["verifier"], claim)
        }
        (Some("dsse"), Some("0.0.1")) => {
            let hash = spec["payloadHash"]["value"].as_str();
            hash == Some(&sha256_hex(claim.message))
                && each(&spec["signatures"]).any(|one| {
                    same(&one["signature"], claim.signature)
                        && is_certificate(&one["verifier"], claim)
                })
        }
        (Some("dsse"), Some("0.0.2")) => {
            let spec = &spec["dsseV002"];
            same(&spec["payloadHash"]["digest"], digest(&SHA256, claim.message).as_ref())
                && each(&spec["signatures"]).any(|one| {
                    same(&one["content"], claim.signature)
                        && same_certificate(&one["verifier"], claim)
                })
        }
        (Some("intoto"), Some("0.0.2")) => {
            let content = &spec["content"];
            let hash = content["payloadHash"]["value"].as_str();
            hash == Some(&sha256_hex(claim.message))
                && each(&content["envelope"]["signatures"]).any(|one| {
                    // The signature, which is base64 already, is encoded once more.
                    let inner = one["sig"].as_str().and_then(decoded);
                    let inner = inner.and_then(|text| String::from_utf8(text).ok());
                    inner.and_then(|text| decoded(&text)).as_deref() == Some(claim.signature)
                        && is_certificate(&one["publicKey"], claim)
                })
        }
        _ => false,
    }
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn same(value: &Value, bytes: &[u8]) -> bool {
    value.as_str().and_then(decoded).as_deref() == Some(bytes)
}

fn same_certificate(verifier: &Value, claim: Claim<'_>) -> bool {
    same(&verifier["x509Certificate"]["rawBytes"], claim.certificate)
}

/// Base64 of the certificate in PEM.
fn is_certificate(value: &Value, claim: Claim<'_>) -> bool {
    use rustls::pki_types::{CertificateDer, pem::PemObject as _};
    let pem = value.as_str().and_then(decoded);
    let der = pem.and_then(|pem| CertificateDer::from_pem_slice(&pem).ok());
    der.is_some_and(|der| *der == *claim.certificate)
}

fn sha256_hex(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The audit path of a leaf, and the root, by the definition of the tree.
    fn tree(leaves: &[[u8; 32]], index: usize) -> (Vec<Vec<u8>>, [u8; 32]) {
        if leaves.len() == 1 {
            return (Vec::new(), leaves[0]);
        }
        let half = leaves.len().next_power_of_two() / 2;
        let (left, right) = leaves.split_at(half);
        let (mut path, own, other, is_left) = if index < half {
            let (path, own) = tree(left, index);
            (path, own, tree(right, 0).1, true)
        } else {
            let (path, own) = tree(right, index - half);
            (path, own, tree(left, 0).1, false)
        };
        path.push(other.to_vec());
        let root = if is_left { hash(&[&[1], &own, &other]) } else { hash(&[&[1], &other, &own]) };
        (path, root)
    }

    #[test]
    fn proofs_of_every_leaf_of_small_trees() {
        for size in 1_usize..20 {
            let leaves: Vec<[u8; 32]> =
                (0..size).map(|leaf| hash(&[&[0], &leaf.to_be_bytes()])).collect();
            for index in 0..size {
                let (path, root) = tree(&leaves, index);
                let (at, of) = (index as u64, size as u64);
                assert_eq!(root_hash(&leaves[index], at, of, &path), Some(root));
                assert_ne!(root_hash(&[9; 32], at, of, &path), Some(root));
                if size > 1 {
                    let other = (at + 1) % of;
                    assert_ne!(root_hash(&leaves[index], other, of, &path), Some(root));
                    assert_ne!(root_hash(&leaves[index], at, of, &path[1..]), Some(root));
                }
                assert_eq!(root_hash(&leaves[index], of, of, &path), None);
            }
        }
    }
}
