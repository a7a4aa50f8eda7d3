//! Renders the chart in a directory: `cargo run -p gitops-helm --example render-chart -- DIR [NAME]`.

use std::error::Error;

use gitops_core::{DiskTree, Scope};
use gitops_helm::{Chart, Compat, LoadOptions, ReleaseInfo, RenderOptions, Shown, Values, render};
use gitops_template::Sealed;

fn main() -> Result<(), Box<dyn Error>> {
    let mut words = std::env::args().skip(1);
    let directory = words.next().ok_or("which directory?")?;
    let release = ReleaseInfo {
        name: words.next().unwrap_or_else(|| "release-name".to_owned()),
        namespace: "default".to_owned(),
        revision: 1,
        is_upgrade: false,
    };
    let tree = DiskTree::open(&directory)?;
    let chart = Chart::load(&tree, ".".as_ref(), &LoadOptions::default())?;
    let options = RenderOptions::new(Compat::Helm4);
    // A sealed host has no clock and no randomness: a chart that makes keys needs another one.
    let rendered =
        render(chart, &Values::new(), &release, &options, &Sealed, &Scope::background())?;
    print(&rendered.text(Shown { crds: false, hooks: true, tests: true }));
    Ok(())
}

#[expect(clippy::print_stdout, reason = "a program prints")]
fn print(text: &str) {
    print!("{text}");
}
