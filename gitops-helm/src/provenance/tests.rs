//! Tests of provenance files: what verifies, and what does not.

use pgp::composed::{KeyType, SecretKeyParamsBuilder};

use super::*;

/// A new key pair, armored: the secret ring and the public one.
fn keys(name: &str) -> (Secret, String) {
    let mut parameters = SecretKeyParamsBuilder::default();
    parameters.key_type(KeyType::Ed25519Legacy).can_sign(true).primary_user_id(name.to_owned());
    let key = parameters.build().unwrap().generate(rand_pgp::rngs::OsRng).unwrap();
    let public = key.to_public_key().to_armored_string(ArmorOptions::default()).unwrap();
    let secret = key.to_armored_string(ArmorOptions::default()).unwrap();
    (Secret::from(secret), public)
}

fn metadata() -> Metadata {
    Metadata { name: "web".into(), version: "1.0.0".into(), ..Metadata::default() }
}

#[test]
fn what_was_signed_verifies_and_nothing_else() {
    let now = Timestamp::from_second(2_000_000_000).unwrap();
    let (secret, public) = keys("Packer <p@example.org>");
    let signer = ChartSigner::from_keyring(&secret, "p@example.org", None).unwrap();
    let text = signer.sign(b"archive", "web-1.0.0.tgz", &metadata(), now).unwrap();
    assert!(text.contains("name: web\nversion: 1.0.0\n\n...\nfiles:\n  web-1.0.0.tgz: sha256:"));
    let ring = Keyring::read(public.as_bytes()).unwrap();
    let verified = ring.verify(b"archive", &text, "web-1.0.0.tgz", now).unwrap();
    assert_eq!(verified.signed_by, ["Packer <p@example.org>"]);
    let message = |archive: &[u8], text: &str, name| {
        ring.verify(archive, text, name, now).unwrap_err().to_string()
    };
    assert!(message(b"other", &text, "web-1.0.0.tgz").starts_with("sha256 sum does not match for"));
    assert_eq!(
        message(b"archive", &text, "x.tgz"),
        "provenance does not contain a SHA for a file named \"x.tgz\""
    );
    let tampered = text.replace("name: web", "name: wob");
    assert_eq!(
        message(b"archive", &tampered, "web-1.0.0.tgz"),
        "openpgp: signature made by unknown entity"
    );
    assert_eq!(message(b"archive", "nothing", "x"), "signature block not found");
    let (_, stranger) = keys("Stranger <s@example.org>");
    let stranger = Keyring::read(stranger.as_bytes()).unwrap();
    let error = stranger.verify(b"archive", &text, "web-1.0.0.tgz", now).unwrap_err();
    assert!(matches!(error, ProvenanceError::UnknownSigner));
}

#[test]
fn keys_are_found_by_name() {
    let (secret, _) = keys("Packer <p@example.org>");
    let find = |id| ChartSigner::from_keyring(&secret, id, None);
    assert!(find("Packer").is_ok());
    assert!(matches!(find("nobody"), Err(ProvenanceError::NoKey)));
    assert!(matches!(Keyring::read(b"junk"), Err(ProvenanceError::Keyring)));
}
