//! Exponential back-off.

use std::time::Duration;

/// Doubles from a first delay up to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    /// The delay after the first failure.
    pub first: Duration,
    /// No delay is longer.
    pub limit: Duration,
}

impl Backoff {
    /// Flux's `--min-retry-delay` and `--max-retry-delay`.
    pub const FLUX: Self =
        Self { first: Duration::from_millis(750), limit: Duration::from_mins(15) };

    /// The delay after a number of failures in a row; zero failures give no delay.
    pub fn delay(self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(1) else {
            return Duration::ZERO;
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.limit)
    }

    /// `base` moved by up to `percent` in either direction; `random` is in `0.0..1.0`.
    pub fn jitter(base: Duration, percent: u8, random: f64) -> Duration {
        let share = f64::from(percent.min(99)) / 100.0;
        base.mul_f64(1.0 + share * (2.0 * random.clamp(0.0, 1.0) - 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_to_the_limit() {
        let delays: Vec<_> = (0..5).map(|n| Backoff::FLUX.delay(n).as_millis()).collect();
        assert_eq!(delays, [0, 750, 1500, 3000, 6000]);
        for failures in [20, 32, 33, u32::MAX] {
            assert_eq!(Backoff::FLUX.delay(failures), Duration::from_mins(15));
        }
    }

    #[test]
    fn jitter_stays_within_its_share() {
        let base = Duration::from_secs(100);
        assert_eq!(Backoff::jitter(base, 0, 0.3), base);
        assert_eq!(Backoff::jitter(base, 5, 0.0), Duration::from_secs(95));
        assert_eq!(Backoff::jitter(base, 5, 1.0), Duration::from_secs(105));
    }
}
