//! Primes for RSA keys.
//!
//! Candidates are walked from a random start; small divisors are sieved out before the test that
//! takes long. That test is Miller's and Rabin's with the rounds that FIPS 186-5 (table B.1) wants for
//! random candidates, and one more.

use rsa::{BigUint, RsaPrivateKey};

use super::{rng::HostRng, witness::two_is_witness};
use crate::{CallError, Context, Host};

const EXPONENT: u32 = 65_537;

/// How many candidates are looked at in a row before the walk starts anew.
const WINDOW: usize = 1 << 13;

/// A key of two primes of half the bits each.
pub(super) fn rsa_key(context: &mut Context<'_>, bits: usize) -> Result<RsaPrivateKey, CallError> {
    // As long as it takes: the time grows with the fourth power.
    let doubled = bits as u64 / 1024;
    context.spend(250_000 * doubled.pow(3), 0)?;
    let small = small_primes();
    let exponent = BigUint::from(EXPONENT);
    loop {
        let p = prime(context, bits / 2, &small)?;
        let q = prime(context, bits / 2, &small)?;
        if p == q {
            return Err(CallError::new("the host's random bytes are all the same"));
        }
        if let Ok(key) = RsaPrivateKey::from_p_q(p, q, exponent.clone()) {
            return Ok(key);
        }
    }
}

fn small_primes() -> Vec<u32> {
    let mut composite = vec![false; 1 << 14];
    let mut primes = Vec::new();
    for number in 2..composite.len() {
        if !composite[number] {
            primes.extend(u32::try_from(number));
            (number * number..composite.len()).step_by(number).for_each(|at| composite[at] = true);
        }
    }
    primes
}

/// A prime whose two highest bits are set, so that the product of two has all its bits, and that is
/// not 1 modulo the exponent.
fn prime(context: &mut Context<'_>, bits: usize, small: &[u32]) -> Result<BigUint, CallError> {
    let host = context.host();
    // More starts than a fair host could ever need.
    for _ in 0..64 {
        context.spend(1, 0)?;
        let mut bytes = vec![0; bits / 8];
        host.random(&mut bytes);
        bytes[0] |= 0xc0;
        if let Some(last) = bytes.last_mut() {
            *last |= 1;
        }
        let start = BigUint::from_bytes_be(&bytes);
        if let Some(prime) = first_prime(&start, bits, small, host) {
            return Ok(prime);
        }
    }
    Err(CallError::new("the host's random bytes lead to no prime"))
}

fn first_prime(start: &BigUint, bits: usize, small: &[u32], host: &dyn Host) -> Option<BigUint> {
    // Of each odd number from the start on, whether it has a small divisor.
    let mut divisible = vec![false; WINDOW];
    for prime in &small[1..] {
        let rest = small_rest(start, *prime);
        // The first k with start + 2k divisible: k = (-rest) / 2 modulo the prime.
        let need = (prime - rest) % prime;
        let first = if need.is_multiple_of(2) { need / 2 } else { (need + prime) / 2 };
        let step = *prime as usize;
        (first as usize..WINDOW).step_by(step).for_each(|at| divisible[at] = true);
    }
    let mut open = (0..WINDOW).filter(|at| !divisible[*at]);
    open.find_map(|at| {
        let candidate = start + BigUint::from(2 * at);
        let fits = candidate.bits() == bits && small_rest(&candidate, EXPONENT) != 1;
        (fits && is_prime(&candidate, bits, host)).then_some(candidate)
    })
}

fn small_rest(number: &BigUint, divisor: u32) -> u32 {
    let rest = number % BigUint::from(divisor);
    rest.to_bytes_le().iter().rev().fold(0, |all, byte| all << 8 | u32::from(*byte))
}

fn is_prime(candidate: &BigUint, bits: usize, host: &dyn Host) -> bool {
    let rounds = match bits {
        ..512 => 16,
        512..1024 => 8,
        1024..1536 => 5,
        _ => 4,
    };
    let one = BigUint::from(1_u32);
    let two = BigUint::from(2_u32);
    let minus_one = candidate - &one;
    let halvings = minus_one.trailing_zeros().unwrap_or(0);
    let odd = &minus_one >> halvings;
    let mut rng = HostRng(host);
    let witness = |base: &BigUint| {
        let mut power = base.modpow(&odd, candidate);
        if power == one || power == minus_one {
            return false;
        }
        for _ in 1..halvings {
            power = power.modpow(&two, candidate);
            if power == minus_one {
                return false;
            }
        }
        true
    };
    // Most candidates fail with the cheapest base.
    if two_is_witness(candidate, &odd, halvings) {
        return false;
    }
    (1..rounds).all(|_| {
        let mut bytes = vec![0; bits / 8 - 1];
        rsa::rand_core::RngCore::fill_bytes(&mut rng, &mut bytes);
        let base = BigUint::from_bytes_be(&bytes) + &two;
        !witness(&base)
    })
}

/// The numbers of a DSA key with 2048 and 256 bits.
#[derive(Debug)]
pub(super) struct Dsa {
    pub(super) p: BigUint,
    pub(super) q: BigUint,
    pub(super) g: BigUint,
    pub(super) y: BigUint,
    pub(super) x: BigUint,
}

/// A DSA key of its own parameters, as FIPS 186-4 makes them.
#[expect(clippy::many_single_char_names, reason = "they are the names of the standard")]
pub(super) fn dsa_key(context: &mut Context<'_>) -> Result<Dsa, CallError> {
    const P_BITS: usize = 2048;
    context.spend(4_000_000, 0)?;
    let small = small_primes();
    let one = BigUint::from(1_u32);
    let q = prime(context, 256, &small)?;
    let twice = &q * 2_u32;
    let host = context.host();
    let random = |bytes: usize| {
        let mut random = vec![0; bytes];
        host.random(&mut random);
        random
    };
    for _ in 0..4 * P_BITS {
        let mut bytes = random(P_BITS / 8);
        bytes[0] |= 0x80;
        let start = BigUint::from_bytes_be(&bytes);
        // A multiple of 2q, and one more.
        let p = &start - &start % &twice + &one;
        let divides = |prime: &u32| small_rest(&p, *prime) == 0;
        if p.bits() != P_BITS || small.iter().any(divides) || !is_prime(&p, P_BITS, host) {
            continue;
        }
        let cofactor = (&p - &one) / &q;
        let bases = (2_u32..).map(|base| BigUint::from(base).modpow(&cofactor, &p));
        let Some(g) = bases.take(64).find(|g| *g != one) else { continue };
        let x = BigUint::from_bytes_be(&random(40)) % (&q - &one) + &one;
        let y = g.modpow(&x, &p);
        return Ok(Dsa { p, q, g, y, x });
    }
    Err(CallError::new("the host's random bytes lead to no prime"))
}
