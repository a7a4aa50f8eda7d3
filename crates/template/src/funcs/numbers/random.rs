//! Chance: random text, numbers and UUIDs. All of it comes from the host.
//!
//! Follows sprig's `crypto.go`, goutils' `cryptorandomstringutils.go` and google/uuid.

use crate::{Arguments, CallError, Context, Function, Host, Type, Value, funcs::encoding::base64};

const COUNT: &[Type] = &[Type::INT];

pub(in crate::funcs) const RANDOM: &[Function] = &[
    Function::new("randAlphaNum", COUNT, alphanumeric),
    Function::new("randAlpha", COUNT, alphabetic),
    Function::new("randNumeric", COUNT, numeric),
    Function::new("randAscii", COUNT, ascii),
    Function::new("randBytes", COUNT, rand_bytes),
    Function::new("uuidv4", &[], uuid),
    Function::new("shuffle", &[Type::String], shuffle),
];

type Outcome = Result<Value, CallError>;

/// Random bytes, asked from the host in pieces.
pub(in crate::funcs) struct Chance<'h> {
    host: &'h dyn Host,
    buffer: [u8; 64],
    used: usize,
}

impl<'h> Chance<'h> {
    pub(in crate::funcs) fn of(host: &'h dyn Host) -> Self {
        Self { host, buffer: [0; 64], used: 64 }
    }

    fn byte(&mut self) -> u8 {
        if self.used == self.buffer.len() {
            self.host.random(&mut self.buffer);
            self.used = 0;
        }
        self.used += 1;
        self.buffer[self.used - 1]
    }

    fn word(&mut self) -> u64 {
        (0..8).fold(0, |word, _| word << 8 | u64::from(self.byte()))
    }

    /// A number below `end`, each with the same chance.
    pub(in crate::funcs) fn below(&mut self, end: u64) -> u64 {
        // What is left over when `end` is taken out of all words as often as it fits. A host whose
        // numbers are all the same must not keep us here for ever.
        let limit = u64::MAX - u64::MAX % end;
        for _ in 0..128 {
            let word = self.word();
            if word < limit {
                return word % end;
            }
        }
        self.word() % end
    }
}

fn text_of(context: &mut Context<'_>, arguments: Arguments<'_>, alphabet: &[u8]) -> Outcome {
    // A negative count is an error that sprig drops.
    let count = u64::try_from(arguments.int(0)).unwrap_or(0);
    context.spend(count, count)?;
    let mut chance = Chance::of(context.host());
    let text: String = (0..count)
        .map(|_| {
            let at = usize::try_from(chance.below(alphabet.len() as u64));
            char::from(alphabet[at.expect("it is an index")])
        })
        .collect();
    Ok(Value::from(text))
}

const LETTERS_AND_DIGITS: &[u8; 62] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

fn alphanumeric(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    text_of(context, arguments, LETTERS_AND_DIGITS)
}

fn alphabetic(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    text_of(context, arguments, &LETTERS_AND_DIGITS[..52])
}

fn numeric(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    text_of(context, arguments, &LETTERS_AND_DIGITS[52..])
}

fn ascii(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let printable: Vec<u8> = (b' '..=b'~').collect();
    text_of(context, arguments, &printable)
}

fn rand_bytes(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let Ok(count) = usize::try_from(arguments.int(0)) else {
        return Err(CallError::new("runtime error: makeslice: len out of range"));
    };
    context.spend(1, (count as u64).saturating_mul(3))?;
    let mut bytes = vec![0; count];
    context.host().random(&mut bytes);
    Ok(Value::from(base64::encode(&bytes)))
}

fn uuid(context: &mut Context<'_>, _: Arguments<'_>) -> Outcome {
    let mut bytes = [0; 16];
    context.host().random(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let digits = hex::encode(bytes);
    let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
    Ok(Value::from(parts.join("-")))
}

fn shuffle(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let mut chars: Vec<char> = arguments.text(0).chars().collect();
    context.spend(chars.len() as u64, 0)?;
    let mut chance = Chance::of(context.host());
    for last in (1..chars.len()).rev() {
        let other = chance.below(last as u64 + 1);
        chars.swap(last, usize::try_from(other).expect("it is an index"));
    }
    Ok(Value::from(chars.into_iter().collect::<String>()))
}

/// A number from `min` on and below `max`.
pub(in crate::funcs) fn rand_int(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let (min, max) = (arguments.int(0), arguments.int(1));
    let range = max.wrapping_sub(min);
    if range <= 0 {
        return Err(CallError::new("invalid argument to Intn"));
    }
    let chosen = Chance::of(context.host()).below(range.unsigned_abs());
    Ok(Value::int(min.wrapping_add_unsigned(chosen)))
}
