//! Stack for what is nested.

/// Stack that must be left for one more level, and what is taken when it is not.
const RED_ZONE: usize = 256 << 10;
const MORE_STACK: usize = 4 << 20;

/// Runs `work` with enough stack for one level more.
pub(crate) fn deeper<T>(work: impl FnOnce() -> T) -> T {
    stacker::maybe_grow(RED_ZONE, MORE_STACK, work)
}
