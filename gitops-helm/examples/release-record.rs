//! Prints the Secret in which Helm keeps a release, for the chart in a directory:
//! `cargo run -p gitops-helm --example release-record -- DIR NAME REVISION TIME | kubectl apply -f -`.
//! `helm list`, `history`, `get`, `rollback` and `uninstall` take it for a release of their own.

use std::error::Error;

use gitops_core::{DiskTree, Scope};
use gitops_helm::{
    Chart, Compat, LoadOptions, Record, RecordHook, RecordInfo, ReleaseInfo, ReleaseStatus,
    RenderOptions, Values, encode_record_text, render,
};
use gitops_template::Sealed;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [directory, name, revision, time] = &words[..] else {
        return Err("wanted: DIR NAME REVISION TIME, where TIME is 2026-01-02T15:04:05Z".into());
    };
    let tree = DiskTree::open(directory)?;
    let chart = Chart::load(&tree, ".".as_ref(), &LoadOptions::default())?;
    let mut release = ReleaseInfo::install(name, "default");
    release.revision = revision.parse()?;
    let mut record = Record {
        name: name.clone(),
        namespace: release.namespace.clone(),
        version: revision.parse()?,
        chart: (&chart).into(),
        apply_method: "ssa".to_owned(),
        ..Record::default()
    };
    let options = RenderOptions::new(Compat::Helm4);
    let rendered =
        render(chart, &Values::new(), &release, &options, &Sealed, &Scope::background())?;
    record.manifest = rendered.manifest_stream();
    record.hooks = rendered.hooks.into_iter().map(RecordHook::from).collect();
    record.info = RecordInfo {
        first_deployed: time.clone(),
        last_deployed: time.clone(),
        description: "Install complete".to_owned(),
        status: ReleaseStatus::Deployed,
        notes: rendered.notes,
        ..RecordInfo::default()
    };
    print(&json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": { "name": record.object_name(), "labels": record.labels() },
        "stringData": { "release": encode_record_text(&record)? },
    }));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a program prints")]
fn print(object: &serde_json::Value) {
    println!("{object}");
}
