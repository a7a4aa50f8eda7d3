//! OpenPGP signatures (RFC 4880 and RFC 9580).

use jiff::Timestamp;
use pgp::{
    composed::{Deserializable as _, DetachedSignature, SignedPublicKey, SignedPublicSubKey},
    crypto::hash::HashAlgorithm,
    packet::{Signature, SignatureType},
    types::{KeyDetails as _, Tag},
};

/// Keys of a ring and signatures of a block that are looked at.
const MOST: usize = 1000;

/// Verifies a detached signature with any key of some armored rings; returns the id of the primary
/// key behind it in hexadecimal.
pub(super) fn verify(
    signature: &str,
    payload: &[u8],
    rings: &[Vec<u8>],
    now: Timestamp,
) -> Result<String, String> {
    let signatures = DetachedSignature::from_armor_many(signature.as_bytes());
    let signatures: Vec<Signature> = signatures
        .map(|(found, _)| found.take(MOST).filter_map(Result::ok).map(|s| s.signature).collect())
        .unwrap_or_default();
    let mut unreadable = None;
    let mut read_any = false;
    for ring in rings {
        let keys = match read_ring(ring) {
            Ok(keys) => keys,
            Err(why) => {
                unreadable.get_or_insert(format!("unable to read armored key ring: {why}"));
                continue;
            }
        };
        read_any = true;
        for key in &keys {
            if signatures.iter().any(|signature| made_by(key, signature, payload, now)) {
                return Ok(key.primary_key.legacy_key_id().to_string().to_uppercase());
            }
        }
    }
    match unreadable {
        Some(why) if !read_any => Err(why),
        _ => {
            Err("unable to verify payload with any of the given key rings: no matching key"
                .to_owned())
        }
    }
}

fn read_ring(ring: &[u8]) -> Result<Vec<SignedPublicKey>, String> {
    if memchr::memmem::find(ring, b"-----BEGIN ").is_none() {
        return Err("openpgp: invalid argument: no armored data found".to_owned());
    }
    let (keys, _) = SignedPublicKey::from_armor_many(ring).map_err(|why| why.to_string())?;
    // A key of a kind that is not known does not make the others useless.
    let keys: Vec<SignedPublicKey> = keys.take(MOST).filter_map(Result::ok).collect();
    if keys.is_empty() {
        return Err("no key found".to_owned());
    }
    Ok(keys)
}

/// Whether a signature is one of a key, or a subkey of it, that may sign now.
fn made_by(key: &SignedPublicKey, signature: &Signature, payload: &[u8], now: Timestamp) -> bool {
    let is_document = matches!(signature.typ(), Some(SignatureType::Binary | SignatureType::Text));
    if !is_document || is_weak(signature) || has_ended(signature, now) {
        return false;
    }
    let Some(own) = primary_binding(key, now) else {
        return false;
    };
    let flags = own.key_flags();
    // A key that says nothing of what it is for may sign.
    let may_sign = flags.sign() || !says_usage(own);
    if may_sign && signature.verify(&key.primary_key, payload).is_ok() {
        return true;
    }
    key.public_subkeys.iter().any(|subkey| {
        subkey_may_sign(key, subkey, now) && signature.verify(&subkey.key, payload).is_ok()
    })
}

/// The newest valid signature of the key about itself; `None` when there is none, or when it says
/// that the key is revoked or that its time is over.
fn primary_binding(key: &SignedPublicKey, now: Timestamp) -> Option<&Signature> {
    let primary = &key.primary_key;
    let revoked = key
        .details
        .revocation_signatures
        .iter()
        .any(|revocation| revocation.verify_key(primary).is_ok());
    if revoked {
        return None;
    }
    let direct = key.details.direct_signatures.iter().filter(|own| own.verify_key(primary).is_ok());
    let named = key.details.users.iter().filter_map(|user| {
        let valid = |own: &&Signature| {
            own.verify_certification(primary, Tag::UserId, &user.id).is_ok() && !has_ended(own, now)
        };
        let newest = newest(user.signatures.iter().filter(valid))?;
        // A name that was withdrawn speaks for the key no longer.
        (newest.typ() != Some(SignatureType::CertRevocation)).then_some(newest)
    });
    let own = newest(direct.chain(named).filter(|own| !has_ended(own, now)))?;
    let over = own.key_expiration_time().is_some_and(|lifetime| {
        lifetime.as_secs() > 0
            && ends(primary.created_at().as_secs(), lifetime.as_secs()) <= now.as_second()
    });
    (!over).then_some(own)
}

fn subkey_may_sign(key: &SignedPublicKey, subkey: &SignedPublicSubKey, now: Timestamp) -> bool {
    let primary = &key.primary_key;
    let bindings = subkey.signatures.iter().filter(|binding| {
        binding.verify_subkey_binding(primary, &subkey.key).is_ok() && !has_ended(binding, now)
    });
    let bindings: Vec<&Signature> = bindings.collect();
    if bindings.iter().any(|own| own.typ() == Some(SignatureType::SubkeyRevocation)) {
        return false;
    }
    let Some(binding) = newest(bindings.into_iter()) else {
        return false;
    };
    let over = binding.key_expiration_time().is_some_and(|lifetime| {
        lifetime.as_secs() > 0
            && ends(subkey.key.created_at().as_secs(), lifetime.as_secs()) <= now.as_second()
    });
    // The subkey must say that it belongs to the key, or anyone could claim it.
    let claimed = binding.embedded_signature().is_some_and(|back| {
        back.verify_primary_key_binding(&subkey.key, primary).is_ok() && !has_ended(back, now)
    });
    !over && binding.key_flags().sign() && claimed
}

fn newest<'s>(signatures: impl Iterator<Item = &'s Signature>) -> Option<&'s Signature> {
    signatures.max_by_key(|signature| signature.created().map(pgp::types::Timestamp::as_secs))
}

fn says_usage(own: &Signature) -> bool {
    use pgp::packet::SubpacketData;
    own.config().is_some_and(|config| {
        config.hashed_subpackets().any(|packet| matches!(packet.data, SubpacketData::KeyFlags(_)))
    })
}

/// Whether a signature is from the future, or its time is over.
fn has_ended(signature: &Signature, now: Timestamp) -> bool {
    let Some(created) = signature.created().map(pgp::types::Timestamp::as_secs) else {
        return true;
    };
    let lifetime = signature.signature_expiration_time().map_or(0, pgp::types::Duration::as_secs);
    i64::from(created) > now.as_second()
        || (lifetime > 0 && ends(created, lifetime) <= now.as_second())
}

fn ends(from: u32, lifetime: u32) -> i64 {
    i64::from(from) + i64::from(lifetime)
}

/// Hashes for which two contents with one signature can be made.
fn is_weak(signature: &Signature) -> bool {
    matches!(
        signature.hash_alg(),
        None | Some(HashAlgorithm::Md5 | HashAlgorithm::Sha1 | HashAlgorithm::Ripemd160)
    )
}
