//! `kustomize build` as a pure library: a tree of files in, Kubernetes objects out, byte for byte
//! what kustomize v5.8 prints.
//!
//! ```
//! use gitops_core::{MemoryTree, Scope};
//! use gitops_kustomize::{BuildOptions, build};
//!
//! let tree = MemoryTree::from_iter([
//!     ("base/kustomization.yaml", "resources: [app.yaml]\n"),
//!     ("base/app.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: app}\n"),
//!     ("prod/kustomization.yaml", "resources: [../base]\nnamePrefix: prod-\n"),
//! ]);
//! let rendered = build(&tree, "prod".as_ref(), &BuildOptions::default(), &Scope::background())?;
//! assert_eq!(
//!     rendered.manifests.to_yaml(),
//!     "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: prod-app\n",
//! );
//! # Ok::<(), gitops_kustomize::Error>(())
//! ```
//!
//! * [`build`] with [`BuildOptions`]: the verb. Remote bases are asked of [`Remotes`], which refuses
//!   by default, and charts of [`HelmCharts`], of which there is none; programs and containers are
//!   never run.
//! * [`Rendered`], [`Manifests`], [`Manifest`]: the outcome, as nodes, YAML and JSON; [`Warning`]s are
//!   values. [`build_text`] gives the YAML alone, at less memory.
//! * [`Error`]: kustomize's message as a chain; `{:#}` adds place, object, chain and hint, and
//!   [`Error::to_json`] says the same to machines.
//! * [`Manifests::explain`]: who set a field, and where, after a build with [`BuildOptions::trace`].
//! * [`flux`]: what Flux adds: a generated kustomization, fields of a `Kustomization`'s spec, and
//!   post-build substitution.
//!
//! Invariant: reads files only through [`gitops_core::Tree`]; no process state, no clock, no network,
//! no disk. Any number of builds may run at once.

mod accumulate;
mod accumulator;
mod build;
mod config;
mod error;
mod file;
mod finish;
pub mod flux;
mod generate;
mod helm;
mod load;
mod manifests;
mod plugin;
mod read;
mod resource;
mod set;
mod trace;
mod transform;
mod words;

pub use build::{BuildLimits, BuildOptions, Reorder, build, build_text};
pub use error::{Error, ErrorKind, Location};
pub use helm::{ChartReference, HelmCharts, HelmDefaults, HelmRelease};
pub use load::{DenyRemotes, LoadRestriction, Remote, Remotes, RepositoryUrl};
pub use manifests::{
    Manifest, ManifestText, Manifests, Rendered, RenderedText, Source, Warning, WarningKind,
};
pub use trace::{Action, Change, Explanation};
