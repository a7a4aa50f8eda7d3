//! Keeps a panic of one turn within that turn.

use std::panic::AssertUnwindSafe;

use futures::FutureExt as _;
use gitops_core::{Class, Failure, Stage};

use crate::runtime::{Done, Fault, Stop, Turn};

/// Runs a turn; a panic is its failure.
pub(in crate::runtime) async fn catch(
    turn: impl Future<Output = Turn>,
) -> Result<Result<Done, Stop>, Failure> {
    match AssertUnwindSafe(turn).catch_unwind().await {
        Ok(turn) => Ok(turn),
        Err(panic) => {
            let text = panic
                .downcast_ref::<&str>()
                .map(ToString::to_string)
                .or_else(|| panic.downcast_ref::<String>().cloned())
                .unwrap_or_default();
            tracing::error!(panic = %text, "Observed a panic in reconciler");
            let fault = Fault::new(Class::Internal, format!("panic: {text} [recovered]"));
            Err(Failure::new(Stage::Apply, fault))
        }
    }
}
