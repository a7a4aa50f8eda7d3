//! A bar on the terminal.

use std::{fmt, sync::Arc};

use gitops_core::{Progress, Stage};
use indicatif::{ProgressBar, ProgressStyle};

/// Shows how far a download is, where stderr is a terminal.
#[derive(Debug)]
pub(super) struct Bar(ProgressBar);

impl Bar {
    pub(super) fn new() -> Arc<Self> {
        // Draws on stderr, and not at all where that is no terminal.
        let bar = ProgressBar::no_length();
        bar.set_style(style("{spinner} {msg} {bytes} {bytes_per_sec}"));
        Arc::new(Self(bar))
    }

    pub(super) fn clear(&self) {
        self.0.finish_and_clear();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).expect("the template is one of ours")
}

impl Progress for Bar {
    fn enter(&self, _: Stage, detail: fmt::Arguments<'_>) {
        self.0.set_message(detail.to_string());
    }

    fn advance(&self, _: Stage, done: u64, total: Option<u64>) {
        if total.is_some() && self.0.length() != total {
            self.0.set_style(style("{msg} {wide_bar} {bytes}/{total_bytes} {bytes_per_sec}"));
            self.0.set_length(total.unwrap_or_default());
        }
        self.0.set_position(done);
    }
}
