//! Certificates: `genCA`, `genSelfSignedCert`, `genSignedCert` and their relatives.
//!
//! Follows sprig's `crypto.go` and Go's `x509.CreateCertificate`.

use std::net::IpAddr;

use jiff::{SignedDuration, Timestamp, tz::TimeZone};
use sha2::{Digest as _, Sha256};

use super::{
    der::{
        self, BIT_STRING, BOOLEAN, CONTEXT, CONTEXT_PRIMITIVE, GENERALIZED_TIME, OCTET_STRING, OID,
        PRINTABLE_STRING, Reader, SEQUENCE, SET, UTC_TIME, UTF8_STRING, element, oid, sequence,
    },
    key::Key,
    pem,
};
use crate::{
    Arguments, CallError, Context, Field, Function, Record,
    bytes::to_bytes,
    format,
    funcs::encoding::base64,
    value::{List, Type, Value},
};

const PAIR: &str = "sprig.certificate";

pub(in crate::funcs) const CERTIFICATES: &[Function] = &[
    Function::new("genPrivateKey", &[Type::String], private_key),
    Function::new("buildCustomCert", &[Type::String, Type::String], custom),
    Function::new("genCA", &[Type::String, Type::INT], authority),
    Function::new("genCAWithKey", &[Type::String, Type::INT, Type::String], authority_with_key),
    Function::new(
        "genSelfSignedCert",
        &[Type::String, Type::LIST, Type::LIST, Type::INT],
        self_signed,
    ),
    Function::new(
        "genSelfSignedCertWithKey",
        &[Type::String, Type::LIST, Type::LIST, Type::INT, Type::String],
        self_signed_with_key,
    ),
    Function::new(
        "genSignedCert",
        &[Type::String, Type::LIST, Type::LIST, Type::INT, Type::Named(PAIR)],
        signed,
    ),
    Function::new(
        "genSignedCertWithKey",
        &[Type::String, Type::LIST, Type::LIST, Type::INT, Type::Named(PAIR), Type::String],
        signed_with_key,
    ),
];

type Outcome = Result<Value, CallError>;

fn failed<T>(message: impl Into<String>) -> Result<T, CallError> {
    Err(CallError::new(message))
}

fn private_key(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let key = match arguments.text(0) {
        "" | "rsa" => Key::new_rsa(context, 4096)?,
        "dsa" => Key::new_dsa(context)?,
        "ecdsa" => Key::new_ecdsa(context)?,
        "ed25519" => Key::new_ed25519(context)?,
        other => return Ok(Value::from(format!("Unknown type {other}"))),
    };
    key.to_pem().map(Value::from)
}

/// What templates get: the PEM of a certificate and its key.
fn pair(certificate: String, key: String) -> Value {
    let field = |name, value: String| Field {
        name,
        key: name,
        omit_empty: false,
        value: Value::from(value),
    };
    let fields = vec![field("Cert", certificate), field("Key", key)];
    Value::object(Record { type_name: PAIR, fields })
}

fn custom(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let decoded = |index: usize| {
        base64::decode(&to_bytes(arguments.text(index)))
            .ok()
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    };
    let Some(certificate) = decoded(0) else {
        return failed("unable to decode base64 certificate");
    };
    let Some(key) = decoded(1) else { return failed("unable to decode base64 private key") };
    let Some(block) = pem::decode(&certificate) else {
        return failed("unable to decode certificate");
    };
    if Known::of(&block.bytes).is_none() {
        return failed(format!("error parsing certificate: decodedCert.Bytes: {MALFORMED}"));
    }
    if let Err(error) = Key::parse(&key) {
        return failed(format!("error parsing private key: {error}"));
    }
    Ok(pair(certificate, key))
}

const MALFORMED: &str = "x509: malformed certificate";

/// What a certificate is to say.
struct Request {
    name: String,
    addresses: Vec<IpAddr>,
    hosts: Vec<String>,
    days: i64,
    authority: bool,
}

impl Request {
    fn of(arguments: Arguments<'_>) -> Result<Self, CallError> {
        Ok(Self {
            name: arguments.text(0).to_owned(),
            addresses: addresses(arguments.list(1))?,
            hosts: hosts(arguments.list(2))?,
            days: arguments.int(3),
            authority: false,
        })
    }

    fn of_authority(arguments: Arguments<'_>) -> Self {
        let (name, days) = (arguments.text(0).to_owned(), arguments.int(1));
        Self { name, addresses: Vec::new(), hosts: Vec::new(), days, authority: true }
    }
}

fn addresses(list: &List) -> Result<Vec<IpAddr>, CallError> {
    let address = |item: &Value| match item {
        Value::Str(text) => text.parse().or_else(|_| failed(format!("error parsing ip: {text}"))),
        other => failed(format!("error parsing ip: {} is not a string", format::text(other))),
    };
    list.items().iter().map(address).collect()
}

fn hosts(list: &List) -> Result<Vec<String>, CallError> {
    let host = |item: &Value| match item {
        Value::Str(text) => Ok(text.to_string()),
        other => failed(format!(
            "error processing alternate dns name: {} is not a string",
            format::text(other)
        )),
    };
    list.items().iter().map(host).collect()
}

/// The key that was given as PEM.
fn given_key(arguments: Arguments<'_>, index: usize) -> Result<Key, CallError> {
    Key::parse(arguments.text(index))
        .map_err(|error| CallError::new(format!("parsing private key: {error}")))
}

fn authority(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let key = Key::new_rsa(context, 2048)?;
    issue(context, &Request::of_authority(arguments), &key, None)
}

fn authority_with_key(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let key = given_key(arguments, 2)?;
    issue(context, &Request::of_authority(arguments), &key, None)
}

fn self_signed(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let request = Request::of(arguments)?;
    let key = Key::new_rsa(context, 2048)?;
    issue(context, &request, &key, None)
}

fn self_signed_with_key(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let key = given_key(arguments, 4)?;
    issue(context, &Request::of(arguments)?, &key, None)
}

fn signed(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let issuer = Issuer::of(arguments.any(4))?;
    let request = Request::of(arguments)?;
    let key = Key::new_rsa(context, 2048)?;
    issue(context, &request, &key, Some(&issuer))
}

fn signed_with_key(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let key = given_key(arguments, 5)?;
    let issuer = Issuer::of(arguments.any(4))?;
    issue(context, &Request::of(arguments)?, &key, Some(&issuer))
}

/// Who signs, if it is not the certificate's own key.
struct Issuer {
    subject: Vec<u8>,
    public: Vec<u8>,
    key_id: Option<Vec<u8>>,
    key: Key,
}

impl Issuer {
    fn of(authority: &Value) -> Result<Self, CallError> {
        let field = |name: &str| match authority {
            Value::Object(object) => object.field(name),
            _ => None,
        };
        let text = |name| field(name).as_ref().and_then(Value::as_str).unwrap_or("").to_owned();
        let certificate = text("Cert");
        let Some(block) = pem::decode(&certificate) else {
            return failed("unable to decode certificate");
        };
        let Some(known) = Known::of(&block.bytes) else {
            return failed(format!(
                "error parsing certificate: decodedSignerCert.Bytes: {MALFORMED}"
            ));
        };
        let key = Key::parse(&text("Key"))
            .map_err(|error| CallError::new(format!("error parsing private key: {error}")))?;
        Ok(Self {
            subject: known.subject.to_vec(),
            public: known.public.to_vec(),
            key_id: known.key_id.map(<[u8]>::to_vec),
            key,
        })
    }
}

/// The parts of a certificate that count for those which it signs.
struct Known<'d> {
    subject: &'d [u8],
    public: &'d [u8],
    key_id: Option<&'d [u8]>,
}

impl<'d> Known<'d> {
    fn of(bytes: &'d [u8]) -> Option<Self> {
        let mut body = Reader(Reader(Reader(bytes).take(SEQUENCE)?).take(SEQUENCE)?);
        body.take(CONTEXT);
        body.take(der::INTEGER)?;
        body.take(SEQUENCE)?;
        body.take(SEQUENCE)?;
        body.take(SEQUENCE)?;
        let (subject, _) = body.whole()?;
        let (public, _) = body.whole()?;
        let mut key_id = None;
        if let Some(extensions) = body.take(CONTEXT + 3) {
            let mut extensions = Reader(Reader(extensions).take(SEQUENCE)?);
            while let Some(extension) = extensions.take(SEQUENCE) {
                let mut extension = Reader(extension);
                if extension.take(OID)? == oid::SUBJECT_KEY_ID {
                    extension.take(BOOLEAN);
                    key_id = Reader(extension.take(OCTET_STRING)?).take(OCTET_STRING);
                }
            }
        }
        Some(Self { subject, public, key_id })
    }
}

fn name(common: &str) -> Vec<u8> {
    if common.is_empty() {
        return sequence(&[]);
    }
    let printable = |byte: u8| byte.is_ascii_alphanumeric() || b" '()+,-./:=?".contains(&byte);
    let all_printable = common.bytes().all(printable);
    let tag = if all_printable { PRINTABLE_STRING } else { UTF8_STRING };
    let attribute = sequence(&[&element(OID, oid::COMMON_NAME), &element(tag, &to_bytes(common))]);
    sequence(&[&element(SET, &attribute)])
}

fn time(at: Timestamp) -> Vec<u8> {
    let when = TimeZone::UTC.to_datetime(at);
    let rest = format!(
        "{:02}{:02}{:02}{:02}{:02}Z",
        when.month(),
        when.day(),
        when.hour(),
        when.minute(),
        when.second()
    );
    if (1950..2050).contains(&when.year()) {
        let year = when.year() % 100;
        return element(UTC_TIME, format!("{year:02}{rest}").as_bytes());
    }
    element(GENERALIZED_TIME, format!("{:04}{rest}", when.year()).as_bytes())
}

fn extension(id: &[u8], critical: bool, content: &[u8]) -> Vec<u8> {
    let critical = if critical { element(BOOLEAN, &[0xff]) } else { Vec::new() };
    sequence(&[&element(OID, id), &critical, &element(OCTET_STRING, content)])
}

fn extensions(request: &Request, bits: &[u8], issuer: Option<&Issuer>) -> Vec<u8> {
    // Digital signature, key encipherment, and for an authority the signing of certificates.
    let usage: &[u8] = if request.authority { &[2, 0xa4] } else { &[5, 0xa0] };
    let purposes = sequence(&[&element(OID, oid::SERVER_AUTH), &element(OID, oid::CLIENT_AUTH)]);
    let authority = if request.authority { element(BOOLEAN, &[0xff]) } else { Vec::new() };
    let mut all = vec![
        extension(oid::KEY_USAGE, true, &element(BIT_STRING, usage)),
        extension(oid::EXT_KEY_USAGE, false, &purposes),
        extension(oid::BASIC_CONSTRAINTS, true, &sequence(&[&authority])),
    ];
    if request.authority {
        // RFC 7093: the first 20 bytes of a SHA-256.
        let id = element(OCTET_STRING, &Sha256::digest(bits)[..20]);
        all.push(extension(oid::SUBJECT_KEY_ID, false, &id));
    }
    if let Some(id) = issuer.and_then(|issuer| issuer.key_id.as_deref()) {
        let id = sequence(&[&element(CONTEXT_PRIMITIVE, id)]);
        all.push(extension(oid::AUTHORITY_KEY_ID, false, &id));
    }
    let names = request
        .hosts
        .iter()
        .map(|host| element(CONTEXT_PRIMITIVE + 2, host.as_bytes()))
        .chain(request.addresses.iter().map(|address| match address {
            IpAddr::V4(address) => element(CONTEXT_PRIMITIVE + 7, &address.octets()),
            IpAddr::V6(address) => match address.to_ipv4_mapped() {
                Some(address) => element(CONTEXT_PRIMITIVE + 7, &address.octets()),
                None => element(CONTEXT_PRIMITIVE + 7, &address.octets()),
            },
        }))
        .collect::<Vec<_>>();
    if !names.is_empty() {
        let names = element(SEQUENCE, &names.concat());
        all.push(extension(oid::SUBJECT_ALT_NAME, request.name.is_empty(), &names));
    }
    element(CONTEXT + 3, &element(SEQUENCE, &all.concat()))
}

/// Writes and signs a certificate for a key.
fn issue(
    context: &mut Context<'_>,
    request: &Request,
    key: &Key,
    issuer: Option<&Issuer>,
) -> Outcome {
    let create = |why: &str| CallError::new(format!("error creating certificate: {why}"));
    let unsupported = || create("x509: only RSA, ECDSA and Ed25519 keys supported");
    let signer = issuer.map_or(key, |issuer| &issuer.key);
    if signer.is_too_small() {
        return Err(create(
            "crypto/rsa: 512-bit keys are insecure (see https://go.dev/pkg/crypto/rsa#hdr-Minimum_key_size)",
        ));
    }
    let algorithm = signer.signature_algorithm().ok_or_else(unsupported)?;
    let (kind, bits) = key.public().ok_or_else(|| {
        create(&format!("x509: unsupported public key type: {}", public_type(key)))
    })?;
    if let Some(hosts) = request.hosts.iter().find(|host| !host.is_ascii()) {
        return Err(create(&format!(
            "x509: {} cannot be encoded as an IA5String",
            crate::quote::quoted(hosts)
        )));
    }
    let mut serial = [0; 16];
    context.host().random(&mut serial);
    let start = context.host().now();
    // Go counts in a duration of 64 bits.
    let life = request.days.wrapping_mul(86_400_000_000_000);
    let end = start.checked_add(SignedDuration::from_nanos(life));
    let end = end.map_err(|_| create("x509: cannot represent time as GeneralizedTime"))?;
    let subject = name(&request.name);
    let body = sequence(&[
        &element(CONTEXT, &der::integer(&[2])),
        &der::integer(&serial),
        &algorithm,
        issuer.map_or(&subject, |issuer| &issuer.subject),
        &sequence(&[&time(start), &time(end)]),
        &subject,
        &sequence(&[&kind, &der::bits(&bits)]),
        &extensions(request, &bits, issuer.filter(|issuer| issuer.subject != subject)),
    ]);
    if let Some(issuer) = issuer {
        let (kind, bits) = issuer.key.public().ok_or_else(unsupported)?;
        if sequence(&[&kind, &der::bits(&bits)]) != issuer.public {
            return Err(create("x509: provided PrivateKey doesn't match parent's PublicKey"));
        }
    }
    let signature = signer.sign(&body, context.host()).ok_or_else(unsupported)?;
    let certificate = sequence(&[&body, &algorithm, &der::bits(&signature)]);
    Ok(pair(pem::encode("CERTIFICATE", &certificate), key.to_pem()?))
}

fn public_type(key: &Key) -> String {
    key.go_type().replace("PrivateKey", "PublicKey")
}
