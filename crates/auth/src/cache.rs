//! Tokens that are good for a while yet.

use std::{fmt, sync::Arc, time::Duration};

use gitops_core::Clock;
use indexmap::IndexMap;
use jiff::Timestamp;
use parking_lot::Mutex;
use ring::digest;
use tokio::time::Instant;

use crate::{AuthError, Token};

/// What makes a token another token: provider, identity, audience, scope, proxy and so on.
///
/// Only a digest of the parts is kept, so secrets may be among them.
#[derive(Clone)]
pub struct CacheKey(digest::Context);

impl CacheKey {
    /// A key of a kind of token.
    pub fn new(kind: &str) -> Self {
        Self(digest::Context::new(&digest::SHA256)).with("kind", kind)
    }

    /// The same with one more thing that matters.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        for part in [name.as_bytes(), value.as_ref()] {
            self.0.update(&(part.len() as u64).to_be_bytes());
            self.0.update(part);
        }
        self
    }

    fn digest(&self) -> [u8; 32] {
        let digest = self.0.clone().finish();
        digest.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

impl fmt::Debug for CacheKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CacheKey({})", hex::encode(&self.digest()[..8]))
    }
}

/// Whether a token was there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It was.
    Hit,
    /// It had to be fetched.
    Miss,
}

/// Tokens by key. Of several callers that want the same token one fetches it while the others
/// wait; other keys are not held up.
///
/// A token is given out until 80 % of its lifetime have passed, or the longest time that the cache
/// allows, by the wall clock and by the monotonic clock: the earlier counts.
#[derive(Debug)]
pub struct TokenCache {
    slots: Mutex<IndexMap<[u8; 32], Arc<Slot>>>,
    most: usize,
    longest: Duration,
    clock: Arc<dyn Clock>,
    counters: Mutex<TokenCounters>,
}

/// What a [`TokenCache`] did so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCounters {
    /// How often a token was given out.
    pub succeeded: u64,
    /// How often none could be fetched.
    pub failed: u64,
    /// How many tokens had to make room for others.
    pub evicted: u64,
}

type Slot = tokio::sync::Mutex<Option<Held>>;

#[derive(Debug)]
struct Held {
    token: Token,
    until: Timestamp,
    until_monotonic: Instant,
}

impl TokenCache {
    /// A cache of at most `most` tokens (0: none is kept), each for at most `longest`.
    pub fn new(most: usize, longest: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { slots: Mutex::default(), most, longest, clock, counters: Mutex::default() }
    }

    /// The token of a key; fetched where none is kept, or its time is over. Failures are not kept.
    ///
    /// # Errors
    /// Those of `fetch`.
    ///
    /// # Cancel safety
    /// Nothing is kept when dropped; one who waits fetches in its place.
    pub async fn get_or_fetch<F>(
        &self,
        key: &CacheKey,
        fetch: impl FnOnce() -> F,
    ) -> Result<(Token, Lookup), AuthError>
    where
        F: Future<Output = Result<Token, AuthError>>,
    {
        let found = self.kept_or_fetched(key, fetch).await;
        let mut counters = self.counters.lock();
        match &found {
            Ok(_) => counters.succeeded += 1,
            Err(_) => counters.failed += 1,
        }
        found
    }

    async fn kept_or_fetched<F>(
        &self,
        key: &CacheKey,
        fetch: impl FnOnce() -> F,
    ) -> Result<(Token, Lookup), AuthError>
    where
        F: Future<Output = Result<Token, AuthError>>,
    {
        if self.most == 0 {
            return Ok((fetch().await?, Lookup::Miss));
        }
        let slot = self.slot(key.digest());
        let mut held = slot.lock().await;
        let now = self.clock.now();
        if let Some(held) = held.as_ref()
            && now < held.until
            && Instant::now() < held.until_monotonic
        {
            return Ok((held.token.clone(), Lookup::Hit));
        }
        *held = None;
        let token = fetch().await?;
        let lifetime = Duration::try_from(token.expires_at.duration_since(now)).unwrap_or_default();
        let keep = lifetime.mul_f64(0.8).min(self.longest);
        *held = Some(Held {
            token: token.clone(),
            until: now.saturating_add(keep).unwrap_or(Timestamp::MAX),
            until_monotonic: Instant::now() + keep,
        });
        Ok((token, Lookup::Miss))
    }

    /// Forgets a token that turned out to be refused.
    pub fn forget(&self, key: &CacheKey) {
        self.slots.lock().shift_remove(&key.digest());
    }

    /// What was done so far.
    pub fn counters(&self) -> TokenCounters {
        *self.counters.lock()
    }

    /// How many tokens are kept.
    pub fn len(&self) -> usize {
        self.slots.lock().len()
    }

    /// Whether no token is kept.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The slot of a key, which becomes the one used last.
    fn slot(&self, key: [u8; 32]) -> Arc<Slot> {
        let mut slots = self.slots.lock();
        let slot = slots.shift_remove(&key).unwrap_or_default();
        if slots.len() >= self.most {
            slots.shift_remove_index(0);
            self.counters.lock().evicted += 1;
        }
        slots.insert(key, Arc::clone(&slot));
        slot
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use gitops_core::{FixedClock, Secret};

    use super::*;

    fn cache(most: usize) -> (TokenCache, FixedClock) {
        let clock = FixedClock::new("2026-01-01T00:00:00Z".parse().unwrap());
        (TokenCache::new(most, Duration::from_secs(3600), Arc::new(clock.clone())), clock)
    }

    async fn get(cache: &TokenCache, clock: &FixedClock, name: &str, seconds: u64) -> Lookup {
        let ends = clock.now() + Duration::from_secs(seconds);
        let fetch = || async move { Ok(Token::new(Secret::from("t"), ends)) };
        cache.get_or_fetch(&CacheKey::new(name), fetch).await.unwrap().1
    }

    #[tokio::test]
    async fn a_token_is_kept_for_four_fifths_of_its_life() {
        let (cache, clock) = cache(2);
        assert_eq!(get(&cache, &clock, "a", 100).await, Lookup::Miss);
        clock.advance(Duration::from_secs(79));
        assert_eq!(get(&cache, &clock, "a", 100).await, Lookup::Hit);
        clock.advance(Duration::from_secs(1));
        assert_eq!(get(&cache, &clock, "a", 100_000).await, Lookup::Miss);
        clock.advance(Duration::from_secs(3599));
        assert_eq!(get(&cache, &clock, "a", 1).await, Lookup::Hit);
        clock.advance(Duration::from_secs(1));
        assert_eq!(get(&cache, &clock, "a", 1).await, Lookup::Miss, "the longest time is over");
    }

    #[tokio::test]
    async fn the_one_not_used_for_longest_goes_first() {
        let (cache, clock) = cache(2);
        for name in ["a", "b", "a", "c"] {
            get(&cache, &clock, name, 100).await;
        }
        assert_eq!(get(&cache, &clock, "a", 100).await, Lookup::Hit);
        assert_eq!(get(&cache, &clock, "b", 100).await, Lookup::Miss);
        assert_eq!(cache.len(), 2);
        // `b` made room for `c`, and `c` for `b`.
        let counted = TokenCounters { succeeded: 6, failed: 0, evicted: 2 };
        assert_eq!(cache.counters(), counted);
    }

    #[tokio::test]
    async fn those_who_want_the_same_wait_for_one() {
        let (cache, clock) = cache(2);
        let fetched = AtomicUsize::new(0);
        let ends = clock.now() + Duration::from_secs(100);
        let key = CacheKey::new("a");
        let one = || async {
            let fetch = || async {
                fetched.fetch_add(1, Ordering::SeqCst);
                tokio::task::yield_now().await;
                Ok(Token::new(Secret::from("t"), ends))
            };
            cache.get_or_fetch(&key, fetch).await.unwrap()
        };
        tokio::join!(one(), one(), one());
        assert_eq!(fetched.load(Ordering::SeqCst), 1);
    }

    #[tokio::test]
    async fn failures_are_not_kept_and_none_means_none() {
        let (one, clock) = cache(1);
        let key = CacheKey::new("a");
        let failed = one.get_or_fetch(&key, || async { Err(AuthError::network("down")) }).await;
        assert!(failed.is_err());
        assert_eq!(one.counters().failed, 1);
        assert_eq!(get(&one, &clock, "a", 100).await, Lookup::Miss);
        let (none, clock) = cache(0);
        get(&none, &clock, "a", 100).await;
        assert_eq!(get(&none, &clock, "a", 100).await, Lookup::Miss);
        assert!(none.is_empty());
    }

    #[test]
    fn keys_have_no_seams_and_no_secrets() {
        let key = |a: &str, b: &str| CacheKey::new("k").with("a", a).with("b", b).digest();
        assert_ne!(key("x", "yz"), key("xy", "z"));
        let shown = format!("{:?}", CacheKey::new("k").with("password", "s3cret"));
        assert!(!shown.contains("s3cret"));
    }
}
