//! What cosign signs: which image, in one of two forms.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

/// The payload of the older form, "simple signing".
#[derive(Deserialize)]
struct SimpleSigning {
    critical: Critical,
}

#[derive(Deserialize)]
struct Critical {
    image: Image,
}

#[derive(Deserialize)]
struct Image {
    #[serde(rename = "docker-manifest-digest")]
    digest: String,
}

/// Whether a payload of the older form is about an image.
pub(super) fn is_about(payload: &[u8], digest: &str) -> bool {
    serde_json::from_slice::<SimpleSigning>(payload)
        .is_ok_and(|signed| signed.critical.image.digest == digest)
}

/// An in-toto statement.
#[derive(Deserialize)]
struct Statement {
    #[serde(rename = "_type")]
    kind: String,
    #[serde(default)]
    subject: Vec<StatementSubject>,
}

#[derive(Deserialize)]
struct StatementSubject {
    #[serde(default)]
    digest: std::collections::BTreeMap<String, String>,
}

/// The payload type of an in-toto statement.
pub(super) const IN_TOTO: &str = "application/vnd.in-toto+json";

/// Whether an in-toto statement is about an image.
pub(super) fn states(payload: &[u8], digest: &str) -> bool {
    let Some((algorithm, hex)) = digest.split_once(':') else { return false };
    serde_json::from_slice::<Statement>(payload).is_ok_and(|statement| {
        statement.kind.starts_with("https://in-toto.io/Statement/")
            && statement
                .subject
                .iter()
                .any(|subject| subject.digest.get(algorithm).is_some_and(|own| own == hex))
    })
}

/// The bytes that a DSSE envelope's signature is over.
pub(super) fn pre_authentication(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

/// Base64 as JSON documents hold it.
pub(super) fn decoded(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_name_their_image() {
        let simple = br#"{"critical":{"image":{"docker-manifest-digest":"sha256:a"}}}"#;
        assert!(is_about(simple, "sha256:a") && !is_about(simple, "sha256:b"));
        assert!(!is_about(b"{}", "sha256:a"));
        let statement = br#"{"_type":"https://in-toto.io/Statement/v1",
            "subject":[{"digest":{"sha512":"z"}},{"digest":{"sha256":"a"}}]}"#;
        assert!(states(statement, "sha256:a"));
        assert!(!states(statement, "sha256:z") && !states(statement, "a"));
        assert!(!states(br#"{"_type":"x","subject":[{"digest":{"sha256":"a"}}]}"#, "sha256:a"));
        assert_eq!(pre_authentication("t/x", b"hi"), b"DSSEv1 3 t/x 2 hi");
    }
}
