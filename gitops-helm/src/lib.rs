//! Charts, values and what `helm template` makes of them, as a library: files come in through
//! [`Tree`](gitops_core::Tree), nothing is read from the disk, the network or the clock.
//!
//! ```
//! use gitops_core::MemoryTree;
//! use gitops_helm::{Chart, LoadOptions};
//!
//! let tree = MemoryTree::from_iter([
//!     ("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.2.3\n"),
//!     ("web/values.yaml", "replicas: 2\n"),
//! ]);
//! let chart = Chart::load(&tree, "web".as_ref(), &LoadOptions::default())?;
//! assert_eq!(chart.metadata.version, "1.2.3");
//! # Ok::<(), gitops_helm::ChartError>(())
//! ```
//!
//! * [`Chart`], [`Values`] and [`render`]: a [`Release`] of manifests, hooks and notes.
//! * [`Prepared`]: one template, or any text, in the context of a chart.
//! * [`Release::explain`]: which template and which values a line of a traced release comes from.
//! * [`lint`], [`Package`], [`Index`], [`Record`]: what else Helm does with charts.
//!
//! Invariant: no process state; the same chart and values give the same bytes.

mod capabilities;
mod chart;
mod compat;
mod decode;
mod dependency;
mod engine;
mod failure;
mod json_path;
mod lint;
mod manifest;
mod package;
mod post_render;
mod prepared;
#[cfg(feature = "provenance")]
mod provenance;
mod record;
mod render;
mod repository;
mod show;
mod trace;
mod values;
mod warning;

pub use capabilities::{Capabilities, KubeVersion, KubeVersionError};
pub use chart::{
    Chart, ChartError, ChartLimits, ChartWarning, Crd, Dependency, File, IgnoreRules, LoadOptions,
    Lock, Maintainer, Metadata, ValuesFileError, check_archive,
};
pub use compat::Compat;
pub use decode::DocumentError;
pub use dependency::{
    ResolveError, list_dependencies, missing_dependencies, process_dependencies,
    resolve_dependencies,
};
pub use engine::{Diagnostic, EngineError, EngineOptions, Place, ReleaseInfo, render_templates};
pub use json_path::{JsonPath, JsonPathError};
pub use lint::{LintMessage, LintOptions, Severity, lint};
pub use manifest::{
    Head, Hook, HookEvent, KindOrder, Manifest, ManifestError, SortedManifests, sort_manifests,
    split_manifests,
};
pub use package::{ArchiveError, Package, PackageError, PackageOptions};
pub use post_render::{PostRenderStrategy, PostRenderer};
pub use prepared::Prepared;
#[cfg(feature = "provenance")]
pub use provenance::{ChartSigner, Keyring, ProvenanceError, Verification};
pub use record::{
    Record, RecordChart, RecordError, RecordHook, RecordInfo, ReleaseStatus, decode_record_text,
    encode_record_text,
};
pub use render::{Release, RenderError, RenderOptions, Shown, render};
pub use repository::{ChartVersion, Index, IndexError, Listing, Skipped};
pub use show::{Show, ShowError};
pub use trace::{
    ExplainError, ExplainedLine, ExplainedValue, Explanation, GivenValues, LineOrigin, Setting,
};
pub use values::{
    CoalesceError, SchemaError, SetError, SetMode, Values, coalesce, merge, read_values, set,
    set_file, set_json, validate_schema,
};
pub use warning::Warning;

/// Whether a path matches a pattern of Go's `filepath.Match`, in which `*` and `?` stay within a
/// component. A malformed pattern matches nothing.
pub fn match_path(pattern: &str, path: &str) -> bool {
    chart::match_path(pattern, path) == Some(true)
}
