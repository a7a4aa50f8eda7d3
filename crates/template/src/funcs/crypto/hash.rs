//! Checksums.

use sha1::Sha1;
use sha2::{Digest, Sha256, Sha512};

use crate::{Arguments, CallError, Context, Function, Type, Value, bytes::to_bytes};

const ONE: &[Type] = &[Type::String];

pub(in crate::funcs) const HASHES: &[Function] = &[
    Function::new("sha1sum", ONE, sum::<Sha1>),
    Function::new("sha256sum", ONE, sum::<Sha256>),
    Function::new("sha512sum", ONE, sum::<Sha512>),
    Function::new("adler32sum", ONE, adler32),
];

/// Hexadecimal digits of the longest sum.
const LONGEST: usize = 128;

type Outcome = Result<Value, CallError>;

fn sum<D: Digest>(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let bytes = to_bytes(arguments.text(0));
    context.spend(1 + bytes.len() as u64 / 64, 0)?;
    let digest = D::digest(&*bytes);
    let mut digits = [0; LONGEST];
    let digits = &mut digits[..2 * digest.len()];
    let written = hex::encode_to_slice(&digest, digits);
    debug_assert!(written.is_ok(), "there is room for all digits");
    Ok(Value::from(str::from_utf8(digits).unwrap_or_default()))
}

fn adler32(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    const BASE: u32 = 65_521;
    let (mut low, mut high) = (1_u32, 0_u32);
    // So many bytes cannot overflow the sums.
    for part in to_bytes(arguments.text(0)).chunks(5552) {
        for byte in part {
            low += u32::from(*byte);
            high += low;
        }
        (low, high) = (low % BASE, high % BASE);
    }
    Ok(Value::from((high << 16 | low).to_string()))
}
