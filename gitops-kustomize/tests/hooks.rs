//! What a caller plugs in: remote bases, and charts.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use gitops_core::{MemoryTree, Scope, Tree, one_line};
use gitops_kustomize::{
    BuildOptions, ChartReference, Error, HelmCharts, HelmDefaults, HelmRelease, Remote, Remotes,
    RepositoryUrl, build,
};

fn tree(files: &[(&str, &str)]) -> MemoryTree {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn run(files: &[(&str, &str)], path: &str, options: &BuildOptions) -> Result<String, String> {
    build(&tree(files), path.as_ref(), options, &Scope::background())
        .map(|rendered| rendered.manifests.to_yaml())
        .map_err(|error| one_line(&error))
}

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

/// Two repositories and a file.
#[derive(Debug)]
struct Network;

impl Remotes for Network {
    fn directory(&self, repository: &RepositoryUrl) -> Result<Remote, Error> {
        let files = match (repository.clone_url(), repository.reference()) {
            ("https://github.com/org/base", "v1") => tree(&[
                ("app/kustomization.yaml", "resources: [app.yaml, ../common]\nnamePrefix: v1-\n"),
                ("app/app.yaml", &config_map("app")),
                (
                    "common/kustomization.yaml",
                    "resources: ['https://files.example.com/x/cm.yaml']\n",
                ),
            ]),
            ("git@host:org/cycle.git", "") => {
                tree(&[("kustomization.yaml", "resources: ['git@host:org/cycle.git']\n")])
            }
            ("file:///srv/climbs", "") => tree(&[
                ("a/kustomization.yaml", "resources: [../b/r.yaml]\n"),
                ("b/r.yaml", &config_map("r")),
            ]),
            _ => return Err(Error::remote(format!("no repository {repository:?}"))),
        };
        Ok(Remote { tree: Arc::new(files), path: repository.path().into() })
    }

    fn file(&self, url: &str) -> Result<Bytes, Error> {
        match url {
            "https://files.example.com/x/cm.yaml" => Ok(config_map("remote").into()),
            _ if RepositoryUrl::parse(url).is_some() => Err(Error::not_a_file()),
            _ => Err(Error::remote("status code 404 (Not Found)")),
        }
    }
}

fn connected() -> BuildOptions {
    BuildOptions { remotes: Arc::new(Network), ..BuildOptions::default() }
}

#[test]
fn bases_and_files_come_from_elsewhere() {
    let top = "resources: ['github.com/org/base//app?ref=v1']\nnameSuffix: -top\n";
    let built = run(&[("kustomization.yaml", top)], "", &connected()).unwrap();
    assert_eq!(built, format!("{}---\n{}", config_map("v1-app-top"), config_map("v1-remote-top")));
    let patch =
        "resources: ['https://files.example.com/x/cm.yaml']\nbuildMetadata: [originAnnotations]\n";
    let built = run(&[("kustomization.yaml", patch)], "", &connected()).unwrap();
    assert!(built.contains("repo: https://files.example.com/x/cm.yaml"), "{built}");
}

#[test]
fn origins_name_the_repository() {
    let top = "resources: ['https://github.com/org/base//app?ref=v1']\nbuildMetadata: [originAnnotations]\n";
    let built = run(&[("kustomization.yaml", top)], "", &connected()).unwrap();
    let origin =
        "      path: app/app.yaml\n      repo: https://github.com/org/base\n      ref: v1\n";
    assert!(built.contains(origin), "{built}");
}

#[test]
fn what_is_fetched_stays_within_bounds() {
    for (resource, message) in [
        ("git@host:org/cycle.git", "cycle detected"),
        ("file:///srv/climbs//a", "is not in or below"),
        ("https://u:secret@host/a/b", "no repository"),
        ("https://host/none", "status code 404"),
    ] {
        let top = format!("resources: ['{resource}']\n");
        let error = run(&[("kustomization.yaml", &top)], "", &connected()).unwrap_err();
        assert!(error.contains(message), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }
}

/// Prints what it was asked for.
#[derive(Debug)]
struct Charts;

impl HelmCharts for Charts {
    fn pull(&self, chart: &ChartReference, _: &Scope) -> Result<Remote, Error> {
        if chart.repository != "https://charts.example.com" {
            return Err(Error::remote("no such repository"));
        }
        let files = tree(&[("pulled/values.yaml", "from: repository\nlist: [a]\n")]);
        Ok(Remote { tree: Arc::new(files), path: "pulled".into() })
    }

    fn template(
        &self,
        tree: &dyn Tree,
        directory: &Path,
        release: &HelmRelease,
        _: &Scope,
    ) -> Result<String, Error> {
        tree.read(&directory.join("values.yaml"))
            .map_err(|error| Error::chart(error.kind.to_string()))?;
        let values: Vec<String> = release
            .values
            .iter()
            .map(|values| String::from_utf8(values.to_vec()).unwrap().replace('\n', ";"))
            .collect();
        Ok(format!(
            "{}  namespace: {}\ndata:\n  values: {:?}\n  flags: {:?}\n",
            config_map(&release.name),
            release.namespace,
            values.join(" | "),
            format!(
                "{} {} {} {} {} {}",
                release.api_versions.join(","),
                release.kube_version,
                release.include_crds,
                release.skip_tests,
                release.skip_hooks,
                release.debug
            ),
        ))
    }
}

fn with_charts() -> BuildOptions {
    BuildOptions {
        helm: Some(Arc::new(Charts)),
        helm_defaults: HelmDefaults {
            api_versions: vec!["a/v1".to_owned()],
            kube_version: "1.30.0".to_owned(),
            debug: false,
        },
        ..BuildOptions::default()
    }
}

const VALUES: &str = "from: chart\nlist: [a, b]\nmap: {x: 1, y: 2}\n";

fn chart(fields: &str) -> String {
    format!("namespace: apps\nhelmCharts:\n- name: web\n  releaseName: rel\n{fields}")
}

#[test]
fn values_are_merged() {
    for (fields, values) in [
        ("", "from: chart;list: [a, b];map: {x: 1, y: 2};"),
        (
            "  valuesInline: {from: inline, list: [c], map: {x: null, z: 3}}\n",
            "from: inline;list:;- c;map:;  \\\"y\\\": 2;  z: 3;",
        ),
        (
            "  valuesMerge: merge\n  valuesInline: {from: inline, map: {x: 5, z: 3}}\n",
            "from: chart;list:;- a;- b;map:;  x: 1;  \\\"y\\\": 2;  z: 3;",
        ),
        ("  valuesMerge: replace\n  valuesInline: {only: this}\n", "only: this;"),
        ("  valuesFile: own.yaml\n  additionalValuesFiles: [more.yaml]\n", "own: 1; | more: 2;"),
    ] {
        let top = chart(fields);
        let files = [
            ("kustomization.yaml", top.as_str()),
            ("charts/web/values.yaml", VALUES),
            ("own.yaml", "own: 1\n"),
            ("more.yaml", "more: 2\n"),
        ];
        let built = run(&files, "", &with_charts()).unwrap();
        let values = values.replace("\\\"", "\"");
        assert!(
            built.contains(&format!("values: '{values}'"))
                || built.contains(&format!("values: {values}")),
            "{built}"
        );
    }
}

#[test]
fn charts_keep_their_namespace_and_take_that_of_an_overlay() {
    let base = chart("  namespace: own\n").replace("namespace: apps\n", "");
    let files = [("kustomization.yaml", base.as_str()), ("charts/web/values.yaml", "{}")];
    assert!(run(&files, "", &with_charts()).unwrap().contains("namespace: own\n"));
    let base = chart("").replace("namespace: apps\n", "");
    let files = [
        ("top/kustomization.yaml", "namespace: top\nnamePrefix: p-\nresources: [../base]\n"),
        ("base/kustomization.yaml", base.as_str()),
        ("base/charts/web/values.yaml", "{}"),
    ];
    let built = run(&files, "top", &with_charts()).unwrap();
    assert!(built.contains("name: p-rel\n  namespace: top\n"), "{built}");
}

#[test]
fn flags_and_defaults() {
    let files = |top: String| {
        let files = [("kustomization.yaml", top.as_str()), ("home/web/values.yaml", "{}")];
        run(&files, "", &with_charts()).unwrap()
    };
    let globals = "helmGlobals: {chartHome: home}\n";
    assert!(files(chart(globals)).contains("flags: a/v1 1.30.0 false false false false"));
    let own = "  apiVersions: [b/v1]\n  kubeVersion: '1.31'\n  includeCRDs: true\n  skipTests: true\n  skipHooks: true\n  debug: true\n";
    assert!(
        files(chart(&format!("{own}{globals}"))).contains("flags: b/v1 1.31 true true true true")
    );
    let old =
        "helmChartInflationGenerator:\n- {chartName: web, releaseName: rel, chartHome: home}\n";
    assert!(files(old.to_owned()).contains("name: rel\n"));
    let plugin = "generators:\n- |-\n  apiVersion: builtin\n  kind: HelmChartInflationGenerator\n  metadata: {name: x}\n  name: web\n  releaseName: rel\n  chartHome: home\n";
    assert!(files(plugin.to_owned()).contains("name: rel\n"));
}

#[test]
fn charts_are_pulled_where_they_are_missing() {
    let top =
        chart("  repo: https://charts.example.com\n  version: 1.2.3\n  valuesInline: {own: 1}\n");
    let built = run(&[("kustomization.yaml", &top)], "", &with_charts()).unwrap();
    assert!(built.contains("from: repository;list:;- a;own: 1;"), "{built}");
    // A chart of that version in the home is used as it is.
    let files =
        [("kustomization.yaml", top.as_str()), ("charts/web-1.2.3/web/values.yaml", "from: here")];
    assert!(run(&files, "", &with_charts()).unwrap().contains("from: here;own: 1;"));
}

#[test]
fn charts_that_cannot_be_meant() {
    for (top, options, message) in [
        (chart(""), BuildOptions::default(), "must specify --enable-helm"),
        (chart(""), with_charts(), "no repo specified for pull, no chart found at '/charts/web'"),
        (chart("  repo: https://other\n"), with_charts(), "no such repository"),
        (
            "helmCharts: [{releaseName: x}]\n".to_owned(),
            with_charts(),
            "chart name cannot be empty",
        ),
        (
            "helmCharts: [{name: x, releaseName: --post-renderer}]\n".to_owned(),
            with_charts(),
            "releaseName must not start with '-', got \"--post-renderer\"",
        ),
        (
            chart("  valuesMerge: mix\n"),
            with_charts(),
            "valuesMerge must be one of [merge override replace]",
        ),
        (chart("  values: x\n"), with_charts(), "unknown field \"values\""),
        (
            chart("  valuesFile: ../x.yaml\n  repo: https://charts.example.com\n"),
            with_charts(),
            "x.yaml",
        ),
    ] {
        let error = run(&[("kustomization.yaml", &top)], "", &options).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}
