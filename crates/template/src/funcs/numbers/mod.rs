//! Numbers: counted with, or drawn by chance.

mod decimal;
mod math;
mod random;

pub(super) use math::{MATH, atoi};
pub(super) use random::RANDOM;
