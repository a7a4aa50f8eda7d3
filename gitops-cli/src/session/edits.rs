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
    edited: Arc<Notify>,
    _watcher: notify::RecommendedWatcher,
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
    Ok(Edits { edited, _watcher: watcher })
}

/// Completes when an edit is over; never without a watch.
pub(super) async fn next(edits: Option<&Edits>) {
    let Some(edits) = edits else { return std::future::pending().await };
    edits.edited.notified().await;
    sleep(TOGETHER).await;
}
