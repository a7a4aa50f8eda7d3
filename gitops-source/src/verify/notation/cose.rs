//! Notation's envelope in COSE: one signature (RFC 9052, `COSE_Sign1`).

use jiff::Timestamp;

use super::{
    super::VerifyError,
    cbor::{self, Item},
    envelope::{Algorithm, Envelope, Header, Parts, bad},
};

/// The media type of envelopes.
pub(super) const MEDIA_TYPE: &str = "application/cose";
const SIGN1: u64 = 18;
const ALGORITHM: Item<'static> = Item::Integer(1);
const CRITICAL: Item<'static> = Item::Integer(2);
const CONTENT_TYPE: Item<'static> = Item::Integer(3);
const CHAIN: Item<'static> = Item::Integer(33);

pub(super) fn parse(bytes: &[u8]) -> Result<Envelope, VerifyError> {
    let malformed = || bad("malformed COSE");
    let Some(Item::Tagged(SIGN1, message)) = Item::parse(bytes) else { return Err(malformed()) };
    let Some([protected, unprotected, payload, signature]) = message.items() else {
        return Err(malformed());
    };
    let protected = protected.bytes().ok_or_else(malformed)?;
    let payload = payload.bytes().ok_or_else(malformed)?;
    let signature = signature.bytes().ok_or_else(malformed)?;
    let header = Item::parse(protected).ok_or_else(malformed)?;
    let text = |name: &'static str| header.get(&Item::Text(name)).and_then(Item::text);
    let critical = header.get(&CRITICAL).and_then(Item::items).unwrap_or_default();
    let critical = critical.iter().map(|label| match label {
        Item::Text(name) => Ok((*name).to_owned()),
        // The content type is understood; the algorithm must not be named here.
        Item::Integer(number) => Ok(number.to_string()),
        _ => Err(malformed()),
    });
    let algorithm = match header.get(&ALGORITHM) {
        Some(Item::Integer(-7)) => Algorithm::Es256,
        Some(Item::Integer(-35)) => Algorithm::Es384,
        Some(Item::Integer(-37)) => Algorithm::Ps256,
        Some(Item::Integer(-38)) => Algorithm::Ps384,
        Some(Item::Integer(-39)) => Algorithm::Ps512,
        Some(Item::Integer(other)) => return Err(Algorithm::unknown(&other.to_string())),
        _ => return Err(bad("no algorithm")),
    };
    let chain = unprotected.get(&CHAIN).and_then(Item::items).unwrap_or_default();
    let chain = chain.iter().map(|der| der.bytes().map(<[u8]>::to_vec).ok_or_else(malformed));
    let timestamp = unprotected.get(&Item::Text(super::envelope::TIMESTAMP));
    Envelope::new(Parts {
        header: Header {
            content_type: header.get(&CONTENT_TYPE).and_then(Item::text).unwrap_or_default().into(),
            critical: critical.collect::<Result<_, _>>()?,
            scheme: text(super::envelope::SCHEME).unwrap_or_default().to_owned(),
            signing_time: time(&header, super::envelope::SIGNING_TIME)?,
            authentic_time: time(&header, super::envelope::AUTHENTIC_TIME)?,
            expiry: time(&header, super::envelope::EXPIRY)?,
        },
        payload,
        algorithm,
        signed: to_be_signed(protected, payload),
        signature: signature.to_vec(),
        chain: chain.collect::<Result<_, _>>()?,
        timestamp: timestamp.and_then(Item::bytes).map(<[u8]>::to_vec),
    })
}

/// A time, which must be tagged as seconds since 1970.
fn time(header: &Item<'_>, name: &'static str) -> Result<Option<Timestamp>, VerifyError> {
    let malformed = || bad(format_args!("malformed time in '{name}'"));
    match header.get(&Item::Text(name)) {
        None => Ok(None),
        Some(Item::Tagged(1, seconds)) => match **seconds {
            Item::Integer(seconds) => {
                Timestamp::from_second(seconds).map(Some).map_err(|_| malformed())
            }
            _ => Err(malformed()),
        },
        Some(_) => Err(malformed()),
    }
}

/// What a signature is over (RFC 9052, 4.4).
fn to_be_signed(protected: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0x84];
    cbor::write(3, b"Signature1", &mut out);
    cbor::write(2, protected, &mut out);
    cbor::write(2, b"", &mut out);
    cbor::write(2, payload, &mut out);
    out
}
