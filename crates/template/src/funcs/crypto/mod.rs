//! Hashes, passwords, keys and certificates.
//!
//! Follows sprig's `crypto.go`. All randomness comes from the host.

mod hash;
mod password;

pub(in crate::funcs) use hash::HASHES;
pub(in crate::funcs) use password::PASSWORDS;
