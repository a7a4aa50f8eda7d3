//! How a long call is stopped and watched.

use std::{
    fmt::{self, Debug},
    future::Future,
    sync::Arc,
};

use tokio_util::sync::CancellationToken;

use crate::Stage;

/// What every long call gets: a way to be stopped gracefully, and somewhere to report progress.
/// Cloning is cheap; clones share both.
#[derive(Clone, Debug)]
pub struct Scope {
    cancel: CancellationToken,
    progress: Arc<dyn Progress>,
}

impl Scope {
    /// A scope that nobody cancels and nobody watches.
    pub fn background() -> Self {
        Self::new(CancellationToken::new(), Arc::new(NoProgress))
    }

    /// A scope with its parts.
    pub fn new(cancel: CancellationToken, progress: Arc<dyn Progress>) -> Self {
        Self { cancel, progress }
    }

    /// For synchronous code: fails once the scope is cancelled. Call it between resources.
    ///
    /// # Errors
    /// [`Cancelled`] when the scope is.
    pub fn check(&self) -> Result<(), Cancelled> {
        if self.cancel.is_cancelled() { Err(Cancelled) } else { Ok(()) }
    }

    /// For asynchronous code: runs `work` until it ends or the scope is cancelled; then `work` is
    /// dropped.
    ///
    /// # Errors
    /// [`Cancelled`] when the scope is cancelled first.
    pub async fn run<F: Future>(&self, work: F) -> Result<F::Output, Cancelled> {
        self.cancel.run_until_cancelled(work).await.ok_or(Cancelled)
    }

    /// A scope that ends with this one and can be cancelled alone.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { cancel: self.cancel.child_token(), progress: Arc::clone(&self.progress) }
    }

    /// The same scope with another watcher.
    #[must_use]
    pub fn with_progress(&self, progress: Arc<dyn Progress>) -> Self {
        Self { cancel: self.cancel.clone(), progress }
    }

    /// Cancels this scope and its children.
    pub fn cancel(&self) {
        self.cancel.cancel();
    }

    /// Completes when the scope is cancelled.
    pub async fn cancelled(&self) {
        self.cancel.cancelled().await;
    }

    /// Whether the scope is cancelled.
    pub fn is_cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Tells that a stage begins.
    pub fn enter(&self, stage: Stage, detail: fmt::Arguments<'_>) {
        self.progress.enter(stage, detail);
    }

    /// Tells how far a stage is; `total` is absent while it is unknown.
    pub fn advance(&self, stage: Stage, done: u64, total: Option<u64>) {
        self.progress.advance(stage, done, total);
    }
}

/// Who watches: controllers patch a status, a terminal draws a bar, tests record.
pub trait Progress: Debug + Send + Sync {
    /// A stage begins; `detail` is for people.
    fn enter(&self, stage: Stage, detail: fmt::Arguments<'_>);

    /// `done` of `total` units of a stage are done.
    fn advance(&self, stage: Stage, done: u64, total: Option<u64>) {
        let _ = (stage, done, total);
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn enter(&self, _: Stage, _: fmt::Arguments<'_>) {}
}

/// The call was stopped from outside; nothing half-done is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cancelled")]
pub struct Cancelled;
