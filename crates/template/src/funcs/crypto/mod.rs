//! Hashes, passwords, keys and certificates.
//!
//! Follows sprig's `crypto.go`. All randomness comes from the host.

mod certificate;
mod der;
mod hash;
mod key;
mod password;
mod pem;
mod prime;
mod rng;
mod witness;

pub(in crate::funcs) use certificate::CERTIFICATES;
pub(in crate::funcs) use hash::HASHES;
pub(in crate::funcs) use password::PASSWORDS;

#[cfg(test)]
mod tests;
