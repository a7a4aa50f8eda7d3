//! The host's randomness in the form that the crates of keys want.

use rsa::rand_core::{CryptoRng, Error, RngCore};

use crate::Host;

/// Bytes from the host.
pub(super) struct HostRng<'h>(pub(super) &'h dyn Host);

impl RngCore for HostRng<'_> {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.random(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.random(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, buffer: &mut [u8]) {
        self.0.random(buffer);
    }

    fn try_fill_bytes(&mut self, buffer: &mut [u8]) -> Result<(), Error> {
        self.0.random(buffer);
        Ok(())
    }
}

/// [`Host::random`] promises bytes that nobody can guess.
impl CryptoRng for HostRng<'_> {}
