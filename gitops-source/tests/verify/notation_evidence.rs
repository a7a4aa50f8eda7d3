//! What speaks for notation's signatures: envelopes in COSE, timestamps, answers about revocation;
//! good, old, tampered, and by the wrong people.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use crate::notary::{Image, JWS, statement};
use crate::pki::{About, ExtendedKeyUsageKind as Usage, Holder};
use axum::{Router, body::Bytes, extract::State, http::StatusCode, http::Uri};
use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use gitops_core::{Digest, one_line};
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};

const COSE: &str = "application/cose";
const NOW: &str = "2026-02-01T00:00:00Z";
/// When the certificate of the signer has ended.
const LATER: &str = "2028-01-01T00:00:00Z";
/// Seconds of 2026-01-01T12:00:00Z.
const SIGNED: i64 = 1_767_268_800;

fn payload(image: &Digest) -> String {
    json!({"targetArtifact": {
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": image.to_string(), "size": 1,
    }})
    .to_string()
}

/// CBOR of a kind and a number, and what follows.
fn cbor(kind: u8, number: u64, rest: &[u8]) -> Vec<u8> {
    let head = match number {
        0..24 => vec![(kind << 5) | u8::try_from(number).unwrap()],
        24..256 => vec![(kind << 5) + 24, u8::try_from(number).unwrap()],
        256..65_536 => {
            [&[(kind << 5) + 25][..], &u16::try_from(number).unwrap().to_be_bytes()].concat()
        }
        _ => [&[(kind << 5) + 26][..], &u32::try_from(number).unwrap().to_be_bytes()].concat(),
    };
    [&head, rest].concat()
}

fn text(text: &str) -> Vec<u8> {
    cbor(3, text.len() as u64, text.as_bytes())
}

fn bytes(bytes: &[u8]) -> Vec<u8> {
    cbor(2, bytes.len() as u64, bytes)
}

fn at(seconds: i64) -> Vec<u8> {
    cbor(6, 1, &cbor(0, u64::try_from(seconds).unwrap(), &[]))
}

fn map(members: &[Vec<u8>]) -> Vec<u8> {
    cbor(5, members.len() as u64, &members.concat())
}

fn protected(critical: &[&str], more: &[Vec<u8>]) -> Vec<u8> {
    let critical: Vec<Vec<u8>> = critical.iter().map(|name| text(name)).collect();
    let critical = cbor(4, critical.len() as u64, &critical.concat());
    let mut members = vec![
        [cbor(0, 1, &[]), cbor(1, 6, &[])].concat(),
        [cbor(0, 2, &[]), critical].concat(),
        [cbor(0, 3, &[]), text("application/vnd.cncf.notary.payload.v1+json")].concat(),
        [text("io.cncf.notary.signingScheme"), text("notary.x509")].concat(),
        [text("io.cncf.notary.signingTime"), at(SIGNED)].concat(),
    ];
    members.extend_from_slice(more);
    map(&members)
}

const CRITICAL: &[&str] = &["io.cncf.notary.signingScheme"];

fn cose(chain: &[&Holder], protected: &[u8], payload: &str) -> Vec<u8> {
    let signed = [
        cbor(4, 4, &[]),
        text("Signature1"),
        bytes(protected),
        bytes(b""),
        bytes(payload.as_bytes()),
    ];
    let signature = chain[0].sign_fixed(&signed.concat());
    let certificates: Vec<Vec<u8>> = chain.iter().map(|own| bytes(&own.certificate)).collect();
    let certificates = cbor(4, certificates.len() as u64, &certificates.concat());
    let unprotected = map(&[[cbor(0, 33, &[]), certificates].concat()]);
    let parts = [bytes(protected), unprotected, bytes(payload.as_bytes()), bytes(&signature)];
    cbor(6, 18, &cbor(4, 4, &parts.concat()))
}

/// An envelope in JSON. `stamp` makes a timestamp of the signature.
fn jws(chain: &[&Holder], image: &Digest, stamp: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Value {
    let protected = json!({
        "alg": "ES256", "cty": "application/vnd.cncf.notary.payload.v1+json",
        "crit": ["io.cncf.notary.signingScheme"], "io.cncf.notary.signingScheme": "notary.x509",
        "io.cncf.notary.signingTime": "2026-01-01T12:00:00Z",
    });
    let (payload, protected) =
        (URL_SAFE_NO_PAD.encode(payload(image)), URL_SAFE_NO_PAD.encode(protected.to_string()));
    let signature = chain[0].sign_fixed(format!("{protected}.{payload}").as_bytes());
    let mut envelope = json!({
        "payload": payload, "protected": protected,
        "header": {"x5c": chain.iter().map(|own| STANDARD.encode(&own.certificate))
            .collect::<Vec<_>>()},
        "signature": URL_SAFE_NO_PAD.encode(&signature),
    });
    if let Some(stamp) = stamp(&signature) {
        envelope["header"]["io.cncf.notary.timestampSignature"] = STANDARD.encode(stamp).into();
    }
    envelope
}

fn signer<'a>() -> About<'a> {
    let usage = Some(Usage::CodeSigning);
    About { name: "signer", usage, until: Some(2027), ..About::default() }
}

async fn refused(image: &Image, statement: &Value, roots: &[&Holder], now: &str, why: &str) {
    let roots = roots.iter().map(|own| own.certificate.clone()).collect();
    let error = one_line(&image.verify(statement, roots, now).await.unwrap_err());
    assert!(error.contains(why), "{error}");
}

async fn accepted(image: &Image, statement: &Value, roots: &[&Holder], now: &str) {
    let roots = roots.iter().map(|own| own.certificate.clone()).collect();
    let verified = image.verify(statement, roots, now).await.unwrap();
    assert!(verified.signer.unwrap().contains("signer"));
}

#[tokio::test]
async fn envelopes_in_cose() {
    let authority = Holder::authority("authority");
    let own = authority.issue(&signer());
    let chain = [&own, &authority];
    let strict = statement("strict", "x509.subject: C=US, ST=WA, O=acme");
    let image = Image::new().await;
    let about = payload(&image.digest);
    let good = cose(&chain, &protected(CRITICAL, &[]), &about);
    image.push(COSE, good.clone());
    accepted(&image, &strict, &[&authority], NOW).await;
    refused(&image, &strict, &[&Holder::authority("other")], NOW, "any trusted certificate").await;
    refused(&image, &strict, &[&authority], LATER, "is not valid at").await;

    let expiry = [text("io.cncf.notary.expiry"), at(SIGNED + 60)].concat();
    let both = &["io.cncf.notary.signingScheme", "io.cncf.notary.expiry"];
    let foreign = [text("x"), cbor(0, 1, &[])].concat();
    let naked = [text("io.cncf.notary.authenticSigningTime"), cbor(0, 5, &[])].concat();
    let with = |protected: Vec<u8>| cose(&chain, &protected, &about);
    let tampered = {
        let mut bytes = good.clone();
        let at = bytes.windows(9).position(|own| own == b"mediaType").unwrap();
        bytes[at + 12] ^= 1;
        bytes
    };
    let other = payload(&Digest::sha256(b"other"));
    for (envelope, why) in [
        (tampered, "signature is invalid"),
        (cose(&chain, &protected(CRITICAL, &[]), &other), "is about another image"),
        (with(protected(both, std::slice::from_ref(&expiry))), "has expired"),
        (with(protected(CRITICAL, &[expiry])), "expiry' must be critical"),
        (with(protected(&[], &[])), "signingScheme' must be critical"),
        (with(protected(&["x", CRITICAL[0]], &[foreign])), "'x' is critical"),
        (with(protected(CRITICAL, &[naked])), "malformed time"),
        (with(map(&[])), "no algorithm"),
        (good[1..].to_vec(), "malformed COSE"),
        (good[..good.len() - 1].to_vec(), "malformed COSE"),
        ([good.as_slice(), &[0]].concat(), "malformed COSE"),
        (vec![0xd2, 0x9f], "malformed COSE"),
        (Vec::new(), "malformed COSE"),
    ] {
        let image = Image::new().await;
        image.push(COSE, envelope);
        refused(&image, &strict, &[&authority], NOW, why).await;
    }
}

#[tokio::test]
async fn timestamps_say_when_it_was_signed() {
    let authority = Holder::authority("authority");
    let own = authority.issue(&signer());
    let chain = [&own, &authority];
    let timing = Holder::authority("time authority");
    let usage = Some(Usage::TimeStamping);
    let tsa = timing.issue(&About { name: "time", usage, ..About::default() });
    let sha256 = |bytes: &[u8]| digest(&SHA256, bytes).as_ref().to_vec();
    let mut stamped = statement("strict", "*");
    stamped["trustStores"] = json!(["ca:s", "tsa:t"]);
    let roots = [&authority, &timing];
    let image_with = async |stamp: &dyn Fn(&[u8]) -> Option<Vec<u8>>| {
        let image = Image::new().await;
        let envelope = jws(&chain, &image.digest, stamp);
        image.push(JWS, envelope.to_string());
        image
    };
    let then = "2026-06-01T00:00:00Z";
    let image = image_with(&|signature| Some(tsa.stamp(&sha256(signature), None, then))).await;
    accepted(&image, &stamped, &roots, NOW).await;
    accepted(&image, &stamped, &roots, LATER).await;
    // Nobody whom the policy names vouches for the time.
    refused(&image, &statement("strict", "*"), &roots, LATER, "is not valid at").await;
    refused(&image, &stamped, &[&authority], LATER, "certificate is not trusted").await;

    let none = image_with(&|_| None).await;
    refused(&none, &stamped, &roots, NOW, "no timestamp countersignature").await;
    let mut lazy = stamped.clone();
    lazy["signatureVerification"]["verifyTimestamp"] = "afterCertExpiry".into();
    accepted(&none, &lazy, &roots, NOW).await;
    refused(&none, &lazy, &roots, LATER, "no timestamp countersignature").await;
    let mut permissive = stamped.clone();
    permissive["signatureVerification"]["level"] = "permissive".into();
    accepted(&none, &permissive, &roots, LATER).await;

    let elsewhere = image_with(&|_| Some(tsa.stamp(&sha256(b"other"), None, then))).await;
    refused(&elsewhere, &stamped, &roots, NOW, "is about something else").await;
    let wrong = timing.issue(&About { name: "web", ..About::default() });
    let wrong = image_with(&|signature| Some(wrong.stamp(&sha256(signature), None, then))).await;
    refused(&wrong, &stamped, &roots, NOW, "certificate is not trusted").await;
    let late = "2027-01-01T00:00:00Z";
    let late = image_with(&|signature| Some(tsa.stamp(&sha256(signature), None, late))).await;
    // The signer's certificate ended in that second, and the time is right to one.
    refused(&late, &stamped, &roots, LATER, "is not valid at").await;
    for place in [20, 90, 200] {
        let broken = image_with(&|signature| {
            let mut token = tsa.stamp(&sha256(signature), None, then);
            let at = token.len() - place;
            token[at] ^= 1;
            Some(token)
        })
        .await;
        refused(&broken, &stamped, &roots, NOW, "timestamp: ").await;
    }
}

type Answers = Arc<Mutex<(BTreeMap<String, Vec<u8>>, Vec<String>)>>;

async fn answer(State(answers): State<Answers>, uri: Uri) -> (StatusCode, Bytes) {
    let mut answers = answers.lock().unwrap();
    let kind = uri.path().trim_start_matches('/').split('/').next().unwrap_or_default().to_owned();
    answers.1.push(kind.clone());
    match answers.0.get(&kind) {
        Some(bytes) => (StatusCode::OK, bytes.clone().into()),
        None => (StatusCode::NOT_FOUND, Bytes::new()),
    }
}

#[tokio::test]
async fn certificates_may_be_taken_back() {
    let answers = Answers::default();
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(Arc::clone(&answers));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let (responder, list) = (format!("{base}/ocsp"), format!("{base}/list"));

    let authority = Holder::authority("authority");
    let about = About { responder: Some(&responder), list: Some(&list), ..signer() };
    let own = authority.issue(&about);
    let neighbour = authority.issue(&About { name: "neighbour", ..signer() });
    let usage = Some(Usage::OcspSigning);
    let delegate = authority.issue(&About { name: "delegate", usage, ..About::default() });
    let stranger = Holder::authority("stranger");
    let image = Image::new().await;
    image.push(JWS, jws(&[&own, &authority], &image.digest, |_| None).to_string());
    let strict = statement("strict", "*");
    let set = |name: &str, bytes: Option<Vec<u8>>| {
        let mut answers = answers.lock().unwrap();
        match bytes {
            Some(bytes) => answers.0.insert(name.to_owned(), bytes),
            None => answers.0.remove(name),
        };
    };
    let roots = [&authority];
    let unknown = "revocation status is unknown";
    refused(&image, &strict, &roots, NOW, unknown).await;
    assert_eq!(answers.lock().unwrap().1, ["ocsp", "list"], "the list decides in the end");

    let next = "2026-03-01T00:00:00Z";
    set("ocsp", Some(authority.ocsp(&authority, &own, "good", next)));
    accepted(&image, &strict, &roots, NOW).await;
    set("ocsp", Some(delegate.ocsp(&authority, &own, "good", next)));
    accepted(&image, &strict, &roots, NOW).await;
    set("ocsp", Some(authority.ocsp(&authority, &own, "2026-01-05T00:00:00Z", next)));
    refused(&image, &strict, &roots, NOW, "signing certificate with subject").await;
    refused(&image, &strict, &roots, NOW, "is revoked").await;
    for level in ["permissive", "audit"] {
        accepted(&image, &statement(level, "*"), &roots, NOW).await;
    }
    let mut skip = strict.clone();
    skip["signatureVerification"]["override"] = json!({"revocation": "skip"});
    answers.lock().unwrap().1.clear();
    accepted(&image, &skip, &roots, NOW).await;
    assert!(answers.lock().unwrap().1.is_empty(), "nobody was asked");

    // Answers that are none: the list is looked at, which is not there.
    let tampered = {
        let mut answer = authority.ocsp(&authority, &own, "good", next);
        let at = answer.windows(4).position(|own| own == b"resp").unwrap();
        answer[at] ^= 1;
        answer
    };
    for answer in [
        authority.ocsp(&authority, &own, "unknown", next),
        authority.ocsp(&authority, &own, "good", "2026-01-31T00:00:00Z"),
        authority.ocsp(&authority, &neighbour, "good", next),
        stranger.ocsp(&authority, &own, "good", next),
        neighbour.ocsp(&authority, &own, "good", next),
        tampered,
        b"0".to_vec(),
        Vec::new(),
    ] {
        set("ocsp", Some(answer));
        refused(&image, &strict, &roots, NOW, unknown).await;
    }
    set("list", Some(authority.list(&[&neighbour], 2027)));
    accepted(&image, &strict, &roots, NOW).await;
    set("list", Some(authority.list(&[&neighbour, &own], 2027)));
    refused(&image, &strict, &roots, NOW, "is revoked").await;
    for list in [
        authority.list(&[], 2026),
        stranger.list(&[], 2027),
        authority.list(&[], 2027)[..90].to_vec(),
        vec![0; 17 << 20],
    ] {
        set("list", Some(list));
        refused(&image, &strict, &roots, NOW, unknown).await;
    }
    // Whoever is not trusted cannot make us ask.
    answers.lock().unwrap().1.clear();
    let audit = statement("audit", "*");
    let verified = image.verify(&audit, vec![stranger.certificate.clone()], NOW).await.unwrap();
    assert!(verified.skipped && answers.lock().unwrap().1.is_empty());
}
