//! When somebody saves a file.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use notify::{EventKind, RecursiveMode, Watcher as _};
use tokio::{sync::Notify, time::sleep};

/// Editors save in several steps; what comes within this time is one edit.
const TOGETHER: Duration = Duration::from_millis(100);

/// A running watch of a directory.
#[derive(Debug)]
pub(super) struct Edits {
    /// An edit is over.
    over: Arc<Notify>,
    _watcher: notify::RecommendedWatcher,
    debounce: tokio::task::JoinHandle<()>,
}

impl Drop for Edits {
    fn drop(&mut self) {
        self.debounce.abort();
    }
}

pub(super) fn watch(root: &Path) -> anyhow::Result<Edits> {
    let edited = Arc::new(Notify::new());
    let told = Arc::clone(&edited);
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let Ok(event) = event else { return told.notify_one() };
        let in_git = |path: &Path| path.components().any(|part| part.as_os_str() == ".git");
        let is_read = matches!(event.kind, EventKind::Access(_));
        if !is_read && !event.paths.iter().all(|path| in_git(path)) {
            told.notify_one();
        }
    })
    .context("cannot watch for edits")?;
    watcher
        .watch(root, RecursiveMode::Recursive)
        .with_context(|| format!("cannot watch {}", root.display()))?;
    let over = Arc::new(Notify::new());
    // Files may have been saved between the first look at them and this watch.
    over.notify_one();
    let tell = Arc::clone(&over);
    // A task of its own: whoever waits for the end of an edit may stop waiting at any time, and must
    // not take the edit along.
    let debounce = tokio::spawn(async move {
        loop {
            edited.notified().await;
            sleep(TOGETHER).await;
            tell.notify_one();
        }
    });
    Ok(Edits { over, _watcher: watcher, debounce })
}

/// Completes when an edit is over; never without a watch.
///
/// # Cancel safety
/// No edit is lost when the future is dropped.
pub(super) async fn next(edits: Option<&Edits>) {
    match edits {
        Some(edits) => edits.over.notified().await,
        None => std::future::pending().await,
    }
}
