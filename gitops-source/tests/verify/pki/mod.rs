//! Certificates of our own with what is said about them: timestamps, answers about revocation,
//! revocation lists.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData as _,
    date_time_ymd,
};
use ring::{
    digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest},
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm,
    },
};

const SHA_256: &[u8] = &[0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01];
const ECDSA_SHA_256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
const TIMESTAMP_INFO: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x01, 0x04];
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x03];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x04];
const SIGNING_CERTIFICATE: &[u8] =
    &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x10, 0x02, 0x2f];
const OCSP: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01];
const OCSP_BASIC: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x01, 0x01];
const ACCESS: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 1, 1];

/// An element of DER made of others.
pub(crate) fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    let length = match content.len() {
        short @ 0..128 => vec![u8::try_from(short).unwrap()],
        long @ 128..256 => vec![0x81, u8::try_from(long).unwrap()],
        long => [&[0x82][..], &u16::try_from(long).unwrap().to_be_bytes()].concat(),
    };
    [&[tag][..], &length, &content].concat()
}

fn oid(oid: &[u8]) -> Vec<u8> {
    der(0x06, &[oid])
}

fn algorithm(own: &[u8]) -> Vec<u8> {
    der(0x30, &[&oid(own)])
}

fn sha256(bytes: &[u8]) -> Vec<u8> {
    digest(&SHA256, bytes).as_ref().to_vec()
}

/// `2026-01-01T12:00:00Z` as DER has it.
fn time(at: &str) -> Vec<u8> {
    let text: String = at.chars().filter(|c| c.is_ascii_digit() || *c == 'Z').collect();
    der(0x18, &[text.as_bytes()])
}

/// What a certificate says beyond its name.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct About<'a> {
    pub(crate) name: &'a str,
    pub(crate) usage: Option<ExtendedKeyUsageKind>,
    /// The year in whose January it ends; 2035 by default.
    pub(crate) until: Option<i32>,
    pub(crate) responder: Option<&'a str>,
    pub(crate) list: Option<&'a str>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum ExtendedKeyUsageKind {
    CodeSigning,
    TimeStamping,
    OcspSigning,
}

/// Somebody with a certificate.
pub(crate) struct Holder {
    key: KeyPair,
    params: CertificateParams,
    pub(crate) certificate: Vec<u8>,
}

impl Holder {
    /// An authority that issued its own certificate.
    pub(crate) fn authority(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params_of(&About { name, ..About::default() });
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        Self { key, params, certificate }
    }

    /// Issues a certificate.
    pub(crate) fn issue(&self, about: &About<'_>) -> Self {
        let key = KeyPair::generate().unwrap();
        let params = params_of(about);
        let issuer = Issuer::from_params(&self.params, &self.key);
        let certificate = params.signed_by(&key, &issuer).unwrap().der().to_vec();
        Self { key, params, certificate }
    }

    pub(crate) fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    fn sign_as(&self, algorithm: &'static EcdsaSigningAlgorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(algorithm, &self.key.serialize_der(), &random);
        pair.unwrap().sign(&random, message).unwrap().as_ref().to_vec()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.sign_as(&ECDSA_P256_SHA256_ASN1_SIGNING, message)
    }

    /// The signature as two numbers, as JOSE and COSE have it.
    pub(crate) fn sign_fixed(&self, message: &[u8]) -> Vec<u8> {
        self.sign_as(&ECDSA_P256_SHA256_FIXED_SIGNING, message)
    }

    /// A timestamp (RFC 3161) over bytes of which the SHA-256 is given; right to the second.
    pub(crate) fn stamp(&self, imprint: &[u8], nonce: Option<&[u8]>, at: &str) -> Vec<u8> {
        let info = der(
            0x30,
            &[
                &der(0x02, &[&[1]]),
                &oid(&[0x2a, 0x03, 0x04]),
                &der(0x30, &[&der(0x30, &[&oid(SHA_256), &[0x05, 0x00]]), &der(0x04, &[imprint])]),
                &der(0x02, &[&[5]]),
                &time(at),
                &der(0x30, &[&der(0x02, &[&[1]])]),
                &nonce.map(|nonce| der(0x02, &[nonce])).unwrap_or_default(),
            ],
        );
        let attribute = |kind: &[u8], value: &[u8]| der(0x30, &[&oid(kind), &der(0x31, &[value])]);
        let own =
            der(0x30, &[&der(0x30, &[&der(0x30, &[&der(0x04, &[&sha256(&self.certificate)])])])]);
        let attributes = [
            attribute(CONTENT_TYPE, &oid(TIMESTAMP_INFO)),
            attribute(MESSAGE_DIGEST, &der(0x04, &[&sha256(&info)])),
            attribute(SIGNING_CERTIFICATE, &own),
        ]
        .concat();
        let signature = self.sign(&der(0x31, &[&attributes]));
        let parsed = x509_parser::parse_x509_certificate(&self.certificate).unwrap().1;
        let id = der(0x30, &[parsed.issuer().as_raw(), &der(0x02, &[parsed.raw_serial()])]);
        let signer = der(
            0x30,
            &[
                &der(0x02, &[&[1]]),
                &id,
                &algorithm(SHA_256),
                &der(0xa0, &[&attributes]),
                &algorithm(ECDSA_SHA_256),
                &der(0x04, &[&signature]),
            ],
        );
        let data = der(
            0x30,
            &[
                &der(0x02, &[&[3]]),
                &der(0x31, &[&algorithm(SHA_256)]),
                &der(0x30, &[&oid(TIMESTAMP_INFO), &der(0xa0, &[&der(0x04, &[&info])])]),
                &der(0xa0, &[&self.certificate]),
                &der(0x31, &[&signer]),
            ],
        );
        der(0x30, &[&oid(SIGNED_DATA), &der(0xa0, &[&data])])
    }

    /// An answer about a certificate that an authority issued, signed by this one. `status` is
    /// `good`, `unknown`, or the time of a revocation.
    pub(crate) fn ocsp(&self, authority: &Self, about: &Self, status: &str, next: &str) -> Vec<u8> {
        let parsed = x509_parser::parse_x509_certificate(&about.certificate).unwrap().1;
        let sha1 = |bytes: &[u8]| der(0x04, &[digest(&SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref()]);
        let info = authority.key.subject_public_key_info();
        let key = x509_parser::parse_x509_certificate(&authority.certificate).unwrap().1;
        assert_eq!(key.public_key().raw, info);
        let key = key.public_key().subject_public_key.data.to_vec();
        let id = der(
            0x30,
            &[
                &der(0x30, &[&oid(&[0x2b, 0x0e, 0x03, 0x02, 0x1a]), &[0x05, 0x00]]),
                &sha1(parsed.issuer().as_raw()),
                &sha1(&key),
                &der(0x02, &[parsed.raw_serial()]),
            ],
        );
        let status = match status {
            "good" => der(0x80, &[]),
            "unknown" => der(0x82, &[]),
            at => der(0xa1, &[&time(at)]),
        };
        let then = time("2026-01-01T00:00:00Z");
        let one = der(0x30, &[&id, &status, &then, &der(0xa0, &[&time(next)])]);
        let data =
            der(0x30, &[&der(0xa2, &[&der(0x04, &[b"responder"])]), &then, &der(0x30, &[&one])]);
        let signature = self.sign(&data);
        let basic = der(
            0x30,
            &[
                &data,
                &algorithm(ECDSA_SHA_256),
                &der(0x03, &[&[0], &signature]),
                &der(0xa0, &[&der(0x30, &[&self.certificate])]),
            ],
        );
        let bytes = der(0x30, &[&oid(OCSP_BASIC), &der(0x04, &[&basic])]);
        der(0x30, &[&der(0x0a, &[&[0]]), &der(0xa0, &[&bytes])])
    }

    /// A list of the certificates that were revoked.
    pub(crate) fn list(&self, revoked: &[&Self], next_year: i32) -> Vec<u8> {
        let revoked = revoked.iter().map(|own| rcgen::RevokedCertParams {
            serial_number: own.params.serial_number.clone().unwrap(),
            revocation_time: date_time_ymd(2026, 1, 10),
            reason_code: Some(rcgen::RevocationReason::KeyCompromise),
            invalidity_date: None,
        });
        let params = rcgen::CertificateRevocationListParams {
            this_update: date_time_ymd(2025, 1, 1),
            next_update: date_time_ymd(next_year, 1, 1),
            crl_number: 1_u64.into(),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        let issuer = Issuer::from_params(&self.params, &self.key);
        params.signed_by(&issuer).unwrap().der().to_vec()
    }
}

fn params_of(about: &About<'_>) -> CertificateParams {
    let mut params = CertificateParams::default();
    let text = |text: &str| DnValue::Utf8String(text.to_owned());
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CountryName, text("US"));
    params.distinguished_name.push(DnType::StateOrProvinceName, text("WA"));
    params.distinguished_name.push(DnType::OrganizationName, text("acme"));
    params.distinguished_name.push(DnType::CommonName, text(about.name));
    let mut serial = sha256(about.name.as_bytes());
    serial.truncate(16);
    serial[0] = 1;
    params.serial_number = Some(serial.into());
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.not_before = date_time_ymd(2025, 1, 1);
    params.not_after = date_time_ymd(about.until.unwrap_or(2035), 1, 1);
    match about.usage {
        // Timestampers must have the one usage, marked as critical, which the library cannot do.
        Some(ExtendedKeyUsageKind::TimeStamping) => {
            let purpose = oid(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x08]);
            let content = der(0x30, &[&purpose]);
            let mut usage = CustomExtension::from_oid_content(&[2, 5, 29, 37], content);
            usage.set_criticality(true);
            params.custom_extensions.push(usage);
        }
        Some(ExtendedKeyUsageKind::CodeSigning) => {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
        }
        Some(ExtendedKeyUsageKind::OcspSigning) => {
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::OcspSigning];
        }
        None => {}
    }
    if let Some(url) = about.responder {
        let access = der(0x30, &[&der(0x30, &[&oid(OCSP), &der(0x86, &[url.as_bytes()])])]);
        params.custom_extensions.push(CustomExtension::from_oid_content(ACCESS, access));
    }
    if let Some(url) = about.list {
        params.crl_distribution_points =
            vec![rcgen::CrlDistributionPoint { uris: vec![url.to_owned()] }];
    }
    params
}

/// The elements that some bytes of DER are made of: tag and content of each.
pub(crate) fn elements(mut der: &[u8]) -> Vec<(u8, &[u8])> {
    let mut all = Vec::new();
    while let [tag, length, rest @ ..] = der {
        let (length, rest) = match length {
            0x81 => (usize::from(rest[0]), &rest[1..]),
            0x82 => (usize::from(u16::from_be_bytes([rest[0], rest[1]])), &rest[2..]),
            short => (usize::from(*short), rest),
        };
        let (content, after) = rest.split_at(length);
        all.push((*tag, content));
        der = after;
    }
    all
}

/// What a question for a timestamp is about, and its nonce.
pub(crate) fn question(der: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let parts = elements(elements(der)[0].1);
    let imprint = elements(parts[1].1)[1].1.to_vec();
    let nonce = parts[2..].iter().find(|(tag, _)| *tag == 0x02);
    (imprint, nonce.map(|(_, content)| content.to_vec()))
}

/// The answer with a timestamp.
pub(crate) fn granted(token: &[u8]) -> Vec<u8> {
    der(0x30, &[&der(0x30, &[&der(0x02, &[&[0]])]), token])
}
