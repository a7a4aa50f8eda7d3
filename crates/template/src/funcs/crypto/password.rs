//! Passwords: `bcrypt`, `htpasswd`, `derivePassword`, and AES with a password for a key.

use aes::cipher::{BlockCipherDecrypt as _, BlockCipherEncrypt as _, KeyInit as _};
use base64::{
    Engine as _, alphabet,
    engine::{GeneralPurpose, general_purpose::NO_PAD},
};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;

use crate::{
    Arguments, CallError, Context, Function,
    bytes::{from_bytes, to_bytes},
    funcs::encoding::base64 as text,
    value::{IntKind, Type, Value},
};

const ONE: &[Type] = &[Type::String];
const TWO: &[Type] = &[Type::String, Type::String];
const DERIVED: &[Type] =
    &[Type::Int(IntKind::Uint32), Type::String, Type::String, Type::String, Type::String];

pub(in crate::funcs) const PASSWORDS: &[Function] = &[
    Function::new("bcrypt", ONE, bcrypt),
    Function::new("htpasswd", TWO, htpasswd),
    Function::new("derivePassword", DERIVED, derive_password),
    Function::new("encryptAES", TWO, encrypt_aes),
    Function::new("decryptAES", TWO, decrypt_aes),
];

type Outcome = Result<Value, CallError>;

/// What a function that takes long on purpose costs.
const SLOW: u64 = 1_000_000;

/// Go's `bcrypt.GenerateFromPassword` with its default cost; the error is the text.
fn hashed(context: &mut Context<'_>, password: &[u8]) -> Result<String, CallError> {
    const COST: u32 = 10;
    const LONGEST: usize = 72;
    if password.len() > LONGEST {
        return Ok(
            "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes"
                .to_owned(),
        );
    }
    context.spend(SLOW, 60)?;
    let mut salt = [0; 16];
    context.host().random(&mut salt);
    // A null byte ends the password, and counts.
    let mut ended = [password, &[0]].concat();
    ended.truncate(LONGEST);
    let hash = bcrypt::bcrypt(COST, salt, &ended);
    let (salt, hash) = (BCRYPT_BASE64.encode(salt), BCRYPT_BASE64.encode(&hash[..23]));
    Ok(format!("$2a${COST}${salt}{hash}"))
}

/// The alphabet of bcrypt is one of its own.
const BCRYPT_BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, NO_PAD);

fn bcrypt(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    hashed(context, &to_bytes(arguments.text(0))).map(Value::from)
}

fn htpasswd(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let user = arguments.text(0);
    if user.contains(':') {
        return Ok(Value::from(format!("invalid username: {user}")));
    }
    let hash = hashed(context, &to_bytes(arguments.text(1)))?;
    Ok(Value::from(format!("{user}:{hash}")))
}

/// The shapes of passwords by their type; each letter is a class of characters.
fn shapes(kind: &str) -> Option<&'static [&'static str]> {
    Some(match kind {
        "maximum" => &["anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"],
        "long" => &[
            "CvcvnoCvcvCvcv",
            "CvcvCvcvnoCvcv",
            "CvcvCvcvCvcvno",
            "CvccnoCvcvCvcv",
            "CvccCvcvnoCvcv",
            "CvccCvcvCvcvno",
            "CvcvnoCvccCvcv",
            "CvcvCvccnoCvcv",
            "CvcvCvccCvcvno",
            "CvcvnoCvcvCvcc",
            "CvcvCvcvnoCvcc",
            "CvcvCvcvCvccno",
            "CvccnoCvccCvcv",
            "CvccCvccnoCvcv",
            "CvccCvccCvcvno",
            "CvcvnoCvccCvcc",
            "CvcvCvccnoCvcc",
            "CvcvCvccCvccno",
            "CvccnoCvcvCvcc",
            "CvccCvcvnoCvcc",
            "CvccCvcvCvccno",
        ],
        "medium" => &["CvcnoCvc", "CvcCvcno"],
        "short" => &["Cvcn"],
        "basic" => &["aaanaaan", "aannaaan", "aaannaaa"],
        "pin" => &["nnnn"],
        _ => return None,
    })
}

fn characters(class: u8) -> &'static [u8] {
    match class {
        b'V' => b"AEIOU",
        b'C' => b"BCDFGHJKLMNPQRSTVWXYZ",
        b'v' => b"aeiou",
        b'c' => b"bcdfghjklmnpqrstvwxyz",
        b'A' => b"AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        b'a' => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        b'n' => b"0123456789",
        b'o' => b"@&%?,=[]_:-+*$#!'^~;()/.",
        _ => b"AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()",
    }
}

/// The algorithm of Master Password (Spectre), version 0.
fn derive_password(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    const SEED: &[u8] = b"com.lyndir.masterpassword";
    let kind = arguments.text(1);
    let Some(shapes) = shapes(kind) else {
        return Ok(Value::from(format!("cannot find password template {kind}")));
    };
    context.spend(4 * SLOW, 32)?;
    let prefixed = |text: &[u8]| {
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes();
        [SEED, &length, text].concat()
    };
    let (password, user, site) =
        (to_bytes(arguments.text(2)), to_bytes(arguments.text(3)), to_bytes(arguments.text(4)));
    let parameters = scrypt::Params::new(15, 8, 2).expect("the parameters are valid");
    let mut key = [0; 64];
    scrypt::scrypt(&password, &prefixed(&user), &parameters, &mut key)
        .expect("the length is valid");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("a key may have any length");
    mac.update(&prefixed(&site));
    let counter = u32::try_from(arguments.int(0) & 0xffff_ffff).unwrap_or(0);
    mac.update(&counter.to_be_bytes());
    let seed = mac.finalize().into_bytes();
    let shape = shapes[usize::from(seed[0]) % shapes.len()];
    let chosen = shape.bytes().zip(&seed[1..]).map(|(class, byte)| {
        let characters = characters(class);
        char::from(characters[usize::from(*byte) % characters.len()])
    });
    Ok(Value::from(chosen.collect::<String>()))
}

const BLOCK: usize = 16;

/// Quirk: the password is the key, cut or filled with zeros.
fn cipher(password: &str) -> aes::Aes256 {
    let password = to_bytes(password);
    let mut key = [0; 32];
    let length = password.len().min(key.len());
    key[..length].copy_from_slice(&password[..length]);
    aes::Aes256::new(&key.into())
}

fn xored(a: &[u8], b: &[u8]) -> [u8; BLOCK] {
    let mut out = [0; BLOCK];
    out.iter_mut().zip(a.iter().zip(b)).for_each(|(out, (a, b))| *out = a ^ b);
    out
}

fn encrypt_aes(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let plain = to_bytes(arguments.text(1));
    if plain.is_empty() {
        return Ok(Value::from(""));
    }
    context.spend(1 + plain.len() as u64 / 16, plain.len() as u64 * 2)?;
    let padding = BLOCK - plain.len() % BLOCK;
    let mut padded = plain.into_owned();
    padded.extend(std::iter::repeat_n(u8::try_from(padding).unwrap_or(0), padding));
    let cipher = cipher(arguments.text(0));
    let mut last = [0; BLOCK];
    context.host().random(&mut last);
    let mut out = last.to_vec();
    for block in padded.chunks(BLOCK) {
        let mut block = xored(block, &last).into();
        cipher.encrypt_block(&mut block);
        last = block.into();
        out.extend_from_slice(&last);
    }
    Ok(Value::from(text::encode(&out)))
}

fn decrypt_aes(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let encoded = to_bytes(arguments.text(1));
    if encoded.is_empty() {
        return Ok(Value::from(""));
    }
    context.spend(1 + encoded.len() as u64 / 16, encoded.len() as u64)?;
    let bytes = text::decode(&encoded).map_err(CallError::new)?;
    if bytes.len() < BLOCK {
        // Go's slice has the capacity that base64 may need.
        let capacity = encoded.len() / 4 * 3;
        return Err(CallError::new(format!(
            "runtime error: slice bounds out of range [:16] with capacity {capacity}"
        )));
    }
    if bytes.len() % BLOCK != 0 {
        return Err(CallError::new("crypto/cipher: input not full blocks"));
    }
    let cipher = cipher(arguments.text(0));
    let mut plain = Vec::with_capacity(bytes.len());
    for pair in bytes.windows(2 * BLOCK).step_by(BLOCK) {
        let (last, block) = pair.split_at(BLOCK);
        let mut decrypted = [0; BLOCK];
        decrypted.copy_from_slice(block);
        let mut decrypted = decrypted.into();
        cipher.decrypt_block(&mut decrypted);
        plain.extend_from_slice(&xored(&decrypted, last));
    }
    let Some(padding) = plain.last().copied().map(usize::from) else {
        return Err(CallError::new("runtime error: index out of range [-1]"));
    };
    let Some(length) = plain.len().checked_sub(padding) else {
        let wanted = plain.len().cast_signed() - padding.cast_signed();
        return Err(CallError::new(format!(
            "runtime error: slice bounds out of range [:{wanted}]"
        )));
    };
    Ok(Value::from(&*from_bytes(&plain[..length])))
}
