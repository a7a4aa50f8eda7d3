//! The controller of Kustomizations with everything that queues their turns.

use std::sync::Arc;

use gitops_api::kustomize::SubstituteKind;
use gitops_apply::{Cluster, Record, RecordOptions};
use gitops_source::ArtifactFetcher;

use super::{Kustomizations, Options, seams::Build, triggers::Known};
use crate::runtime::{Context, Controller};

/// What a controller of Kustomizations needs beside the context.
#[derive(Debug)]
pub struct Parts {
    /// Downloads artifacts.
    pub fetcher: ArtifactFetcher,
    /// Builds overlays.
    pub build: Arc<dyn Build>,
    /// The flags.
    pub options: Options,
    /// How far the record of applied objects is trusted.
    pub record: RecordOptions,
    /// `--watch-label-selector`.
    pub selector: Option<String>,
    /// `--watch-configs-label-selector`; absent with the gate `DisableConfigWatchers`.
    pub config_selector: Option<String>,
    /// `--concurrent`.
    pub workers: usize,
}

/// A controller whose turns are queued by changes of Kustomizations, of the sources that they refer
/// to, and of labelled ConfigMaps and Secrets that they read.
pub fn controller(context: Context, parts: Parts) -> Controller<Kustomizations> {
    let cluster = Cluster::new(context.client.clone());
    let record = Record::new(cluster.clone(), parts.record);
    let known = Known::new(context.caches.clone());
    let mut options = parts.options;
    options.dependency_interval = context.timing.dependency;
    let reconciler = Kustomizations::new(
        cluster,
        record,
        parts.fetcher,
        parts.build,
        known.clone(),
        Arc::new(options),
        Arc::clone(&context.observer),
    );
    let controller = Controller::new(reconciler, context, parts.selector.as_deref(), parts.workers);
    known.connect(controller.cache(), controller.queue());
    if let Some(selector) = &parts.config_selector {
        known.watch_config(SubstituteKind::ConfigMap, selector);
        known.watch_config(SubstituteKind::Secret, selector);
    }
    controller
}
