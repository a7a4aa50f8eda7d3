//! Trusted roots from a repository of The Update Framework, as Sigstore installations publish them.

mod metadata;
mod refresh;

use std::{fmt, sync::Arc, time::Duration};

use gitops_core::{Clock, one_line};
use jiff::Timestamp;
use tokio::sync::Mutex;
use url::Url;

use super::{super::VerifyError, TrustedRoot};
use crate::http_client::HttpClients;
use refresh::{Mirror, Trusted};

pub use refresh::FirstRoot;

/// Sigstore's public good instance.
const PUBLIC_GOOD: &str = "https://tuf-repo-cdn.sigstore.dev";
const PUBLIC_GOOD_ROOT: u64 = 16;
const PUBLIC_GOOD_DIGEST: &str = "cab3eaf1fe33bbae925e1ee1afbec52dce58b290a035858074e7a9a998ae9a64";
const TARGET: &str = "trusted_root.json";
/// How long it is not asked again whether there is another root, unless what was said expires.
const FRESH: Duration = Duration::from_hours(24);
/// How long a root is used further on that could not be refreshed.
const LATER: Duration = Duration::from_mins(10);
/// How long a failure stands for all who ask.
const PATIENCE: Duration = Duration::from_secs(15);
const TIMEOUT: Duration = Duration::from_mins(1);

/// The trusted root of a Sigstore installation, kept up to date.
///
/// It is fetched when it is first asked for, and held in memory: for a day, or until what the
/// repository said expires. What was seen is never replaced by something older, as long as the
/// process lives. When a refresh fails, a root that has not expired is used further on. Cheap to
/// clone; clones share what they hold.
#[derive(Clone)]
pub struct TrustedRootRepository {
    mirror: Mirror,
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<State>>,
}

struct State {
    first: FirstRoot,
    /// `None` until the first root is there.
    trusted: Option<Trusted>,
    current: Option<(TrustedRoot, Timestamp)>,
    failed: Option<(Box<str>, Timestamp)>,
}

impl State {
    fn expires(&self) -> Timestamp {
        self.trusted.as_ref().map_or(Timestamp::MIN, Trusted::expires)
    }
}

impl fmt::Debug for TrustedRootRepository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrustedRootRepository")
            .field("base", &self.mirror.base.as_str())
            .finish_non_exhaustive()
    }
}

impl TrustedRootRepository {
    /// The repository at a URL, with the root that trust in it begins with.
    pub fn new(base: Url, first: FirstRoot, clock: Arc<dyn Clock>) -> Self {
        let state = State { first, trusted: None, current: None, failed: None };
        let mirror = Mirror { clients: HttpClients::default(), base };
        Self { mirror, clock, state: Arc::new(Mutex::new(state)) }
    }

    /// The repository of Sigstore's public good instance. Trust begins with its root 16, which
    /// expires in April 2027 but leads to those that come after it.
    #[expect(clippy::missing_panics_doc, reason = "the URL is a constant")]
    pub fn public_good(clock: Arc<dyn Clock>) -> Self {
        let base = PUBLIC_GOOD.parse().expect("is a URL");
        let sha256 = PUBLIC_GOOD_DIGEST.into();
        Self::new(base, FirstRoot::Digest { version: PUBLIC_GOOD_ROOT, sha256 }, clock)
    }

    /// The trusted root, fetched where that is due.
    ///
    /// # Errors
    /// When the repository cannot be reached, or what it says is not signed as it must be, is
    /// older than what it said before, or has expired.
    ///
    /// # Cancel safety
    /// When it is dropped, what was fetched is forgotten; it can be called again.
    pub async fn trusted_root(&self) -> Result<TrustedRoot, VerifyError> {
        let mut state = self.state.lock().await;
        let now = self.clock.now();
        if let Some((root, until)) = &state.current
            && now < *until
        {
            return Ok(root.clone());
        }
        if let Some((why, until)) = &state.failed
            && now < *until
        {
            return Err(VerifyError::Invalid(why.clone()));
        }
        let late = || VerifyError::invalid("TUF repository: context deadline exceeded");
        let fetched = tokio::time::timeout(TIMEOUT, self.fetch(&mut state, now)).await;
        let error = match fetched.unwrap_or_else(|_| Err(late())) {
            Ok(root) => {
                let until = later(now, FRESH).min(state.expires());
                state.current = Some((root.clone(), until));
                state.failed = None;
                return Ok(root);
            }
            Err(error) => error,
        };
        let expires = state.expires();
        if let Some((root, until)) = state.current.as_mut().filter(|_| now < expires) {
            *until = later(now, LATER).min(expires);
            tracing::warn!(error = one_line(&error), "cannot refresh the trusted root");
            return Ok(root.clone());
        }
        state.failed = Some((one_line(&error).into(), later(now, PATIENCE)));
        Err(error)
    }

    async fn fetch(&self, state: &mut State, now: Timestamp) -> Result<TrustedRoot, VerifyError> {
        let trusted = match &mut state.trusted {
            Some(trusted) => trusted,
            none => none.insert(Trusted::first(&state.first, &self.mirror).await?),
        };
        trusted.refresh(&self.mirror, now).await?;
        TrustedRoot::parse(&trusted.target(&self.mirror, TARGET).await?)
    }
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}
