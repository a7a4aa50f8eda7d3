//! What charts cost beside their templates: `cargo bench -p gitops-helm --bench charts`.
#![expect(
    clippy::unwrap_used,
    clippy::format_push_string,
    clippy::format_collect,
    reason = "benches"
)]

use divan::{Bencher, black_box};
use gitops_helm::{
    Chart, Compat, File, Index, KindOrder, LoadOptions, PackageOptions, SetMode, Values, coalesce,
    read_values, set, sort_manifests,
};

fn main() {
    divan::main();
}

/// An index of this many charts with twenty versions each, 400 bytes a version.
fn index(charts: usize) -> Vec<u8> {
    let mut text = String::from("apiVersion: v1\nentries:\n");
    for chart in 0..charts {
        text.push_str(&format!("  chart-{chart:06}:\n"));
        for version in 0..20 {
            text.push_str(&format!(
                "  - apiVersion: v2\n    appVersion: 1.{version}.0\n    created: \
                 \"2024-01-{:02}T00:00:00Z\"\n    description: A chart that says something of \
                 itself, and not too little\n    digest: {}\n    home: https://example.org/{chart}\n    \
                 name: chart-{chart:06}\n    urls:\n    - https://example.org/charts/chart-{chart}-\
                 1.{version}.0.tgz\n    version: 1.{version}.0\n",
                version + 1,
                "0123456789abcdef".repeat(4),
            ));
        }
    }
    text.push_str("generated: \"2024-01-01T00:00:00Z\"\n");
    text.into_bytes()
}

/// A lookup in an index of about 100 MB.
#[divan::bench(sample_count = 5)]
fn look_up_in_100_mb(bencher: Bencher<'_, '_>) {
    let text = bytes::Bytes::from(index(12_500));
    bencher.bench(|| {
        let index = Index::read(text.clone()).unwrap();
        index.get(black_box("chart-009999"), "^1.3").unwrap()
    });
}

fn deployments(count: usize) -> String {
    (0..count)
        .map(|index| {
            format!(
                "---\napiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: app-{index}\n  labels:\n    \
                 app.kubernetes.io/name: app-{index}\n    app.kubernetes.io/managed-by: Helm\nspec:\n  \
                 replicas: 2\n  selector:\n    matchLabels:\n      app: app-{index}\n  template:\n    \
                 metadata:\n      labels:\n        app: app-{index}\n    spec:\n      containers:\n        \
                 - name: main\n          image: \"registry.example.org/app:{index}\"\n          ports:\n            \
                 - containerPort: 8080\n              name: http\n          resources:\n            limits: \
                 {{cpu: 100m, memory: 128Mi}}\n"
            )
        })
        .collect()
}

#[divan::bench(args = [100, 1000, 10_000])]
fn split_and_sort(bencher: Bencher<'_, '_>, count: usize) {
    let text = deployments(count);
    bencher.bench(|| {
        let files = [("c/templates/a.yaml", text.as_str())];
        sort_manifests(files, KindOrder::Install, Compat::Helm4, &mut Vec::new()).unwrap()
    });
}

#[divan::bench]
fn set_flags() -> Values {
    let mut values = Values::new();
    let expression = "image.tag=1.2,hosts[3].name=b,port=80,list={a,b,c},x\\.y=z";
    set(black_box(expression), &mut values, SetMode::Typed, Compat::Helm4).unwrap();
    values
}

fn umbrella(charts: usize) -> Chart {
    let values: String =
        (0..200).map(|index| format!("key{index}: {{a: {index}, b: [1, 2]}}\n")).collect();
    let mut files =
        vec![File::new("Chart.yaml", &b"apiVersion: v2\nname: u\nversion: 1.0.0\n"[..])];
    for chart in 0..charts {
        let metadata = format!("apiVersion: v2\nname: c{chart}\nversion: 1.0.0\n");
        files.push(File::new(format!("charts/c{chart}/Chart.yaml"), metadata.into_bytes()));
        files.push(File::new(format!("charts/c{chart}/values.yaml"), values.clone().into_bytes()));
    }
    Chart::from_files(files, &LoadOptions::default()).unwrap()
}

#[divan::bench]
fn coalesce_100_subcharts(bencher: Bencher<'_, '_>) {
    let chart = umbrella(100);
    let given = read_values(b"global: {a: {b: {c: 1}}}", Compat::Helm4).unwrap();
    bencher.bench(|| coalesce(&chart, &given, Compat::Helm4, &mut Vec::new()).unwrap());
}

#[divan::bench]
fn load_100_subcharts(bencher: Bencher<'_, '_>) {
    let archive = umbrella(100).package(&PackageOptions::default()).unwrap().archive;
    bencher.bench(|| Chart::from_archive(&archive, &LoadOptions::default()).unwrap());
}
