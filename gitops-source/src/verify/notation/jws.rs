//! Notation's envelope in JSON: a JSON Web Signature with the certificates of who signed.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use jiff::Timestamp;
use serde::Deserialize;

use super::{
    super::VerifyError,
    envelope::{Algorithm, Envelope, Header, Parts, bad},
};

/// The media type of envelopes.
pub(super) const MEDIA_TYPE: &str = "application/jose+json";

#[derive(Deserialize)]
struct Outer {
    payload: String,
    protected: String,
    header: Unprotected,
    signature: String,
}

#[derive(Deserialize)]
struct Unprotected {
    #[serde(default)]
    x5c: Vec<String>,
    #[serde(rename = "io.cncf.notary.timestampSignature")]
    timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Protected {
    alg: String,
    #[serde(default)]
    crit: Vec<String>,
    cty: String,
    #[serde(rename = "io.cncf.notary.signingScheme")]
    scheme: String,
    #[serde(rename = "io.cncf.notary.signingTime")]
    signing_time: Option<Timestamp>,
    #[serde(rename = "io.cncf.notary.authenticSigningTime")]
    authentic_time: Option<Timestamp>,
    #[serde(rename = "io.cncf.notary.expiry")]
    expiry: Option<Timestamp>,
}

pub(super) fn parse(json: &[u8]) -> Result<Envelope, VerifyError> {
    let outer: Outer = serde_json::from_slice(json).map_err(bad)?;
    let malformed = || bad("malformed base64");
    let url = |text: &str| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed());
    let decoded = |text: &String| STANDARD.decode(text).map_err(|_| malformed());
    let protected: Protected = serde_json::from_slice(&url(&outer.protected)?).map_err(bad)?;
    let algorithm = match protected.alg.as_str() {
        "PS256" => Algorithm::Ps256,
        "PS384" => Algorithm::Ps384,
        "PS512" => Algorithm::Ps512,
        "ES256" => Algorithm::Es256,
        "ES384" => Algorithm::Es384,
        other => return Err(Algorithm::unknown(other)),
    };
    Envelope::new(Parts {
        header: Header {
            content_type: protected.cty,
            critical: protected.crit,
            scheme: protected.scheme,
            signing_time: protected.signing_time,
            authentic_time: protected.authentic_time,
            expiry: protected.expiry,
        },
        payload: &url(&outer.payload)?,
        algorithm,
        signed: format!("{}.{}", outer.protected, outer.payload).into_bytes(),
        signature: url(&outer.signature)?,
        chain: outer.header.x5c.iter().map(decoded).collect::<Result<_, _>>()?,
        timestamp: outer.header.timestamp.as_ref().map(decoded).transpose()?,
    })
}
