//! Charts from files and repositories: what is packaged, and under which version.

#![allow(clippy::unwrap_used, reason = "a failed assertion is the purpose")]

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use gitops_core::{MemoryTree, Scope};
use gitops_helm::{Chart, LoadOptions};
use gitops_source::{
    BuiltChart, ChartBuildError, ChartBuildOptions, ChartRepositories, ChartRepository,
    ChartVersion, FindChartError, LocalChart, SourceError, StoredChart, build_local, build_remote,
    choose_version, normalize_url,
};

const CHART: &str = "apiVersion: v2\nname: web\nversion: 1.2.3\n";

/// A repository in memory, and all that a test needs of repositories.
#[derive(Clone, Default)]
struct Known(Arc<BTreeMap<String, Bytes>>);

#[async_trait]
impl ChartRepository for Known {
    async fn find(
        &self,
        chart: &str,
        range: &str,
        _: &Scope,
    ) -> Result<ChartVersion, FindChartError> {
        let all = self.0.keys().filter_map(|key| key.split_once('@'));
        let own = all.filter(|(name, _)| *name == chart);
        let versions = own.map(|(name, version)| ChartVersion::new(name, version, &["x"], ""));
        Ok(choose_version(versions.collect(), chart, range)?)
    }

    async fn verify(&self, _: &ChartVersion, _: &Scope) -> Result<(), SourceError> {
        Err(SourceError::Denied("no matching signatures were found for 'x'".into()))
    }

    async fn download(&self, version: &ChartVersion, _: &Scope) -> Result<Bytes, SourceError> {
        Ok(self.0[&format!("{}@{}", version.name, version.version)].clone())
    }

    async fn provenance(&self, _: &ChartVersion, _: &Scope) -> Result<Bytes, SourceError> {
        Err(SourceError::NotFound("nobody signed it".into()))
    }
}

#[async_trait]
impl ChartRepositories for Known {
    async fn repository(
        &self,
        url: &str,
    ) -> Result<Arc<dyn ChartRepository>, Box<dyn std::error::Error + Send + Sync>> {
        if url != "https://charts.example.com/" {
            return Err(format!("no chart repository for URL '{url}'").into());
        }
        Ok(Arc::new(self.clone()))
    }
}

async fn local(
    files: &[(&str, &str)],
    path: &str,
    options: ChartBuildOptions,
    known: &Known,
) -> Result<(BuiltChart, Option<Chart>), String> {
    let owned = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
    let tree = Arc::new(owned.collect::<MemoryTree>());
    let local = LocalChart { tree, path: path.into(), root: "/root".into() };
    let scope = Scope::background();
    let built = build_local(&local, known, &options, &scope, &mut |_| {}).await;
    let built = built.map_err(|error| gitops_core::one_line(&error))?;
    let load = |package: &Bytes| Chart::from_archive(package, &LoadOptions::default()).unwrap();
    let chart = built.package.as_ref().map(load);
    Ok((built, chart))
}

async fn package(files: &[(&str, &str)]) -> Bytes {
    let built = local(files, ".", ChartBuildOptions::default(), &Known::default()).await;
    built.unwrap().0.package.unwrap()
}

#[tokio::test]
async fn directories_are_packaged_alike_each_time() {
    let files = [
        ("c/Chart.yaml", CHART),
        ("c/values.yaml", "b: 2 # kept\n"),
        ("c/templates/a.yaml", "x"),
        ("c/.helmignore", "*.tmp\n"),
        ("c/junk.tmp", ""),
    ];
    let known = Known::default();
    let (built, chart) = local(&files, "./c", ChartBuildOptions::default(), &known).await.unwrap();
    assert_eq!(built.summary(true), "packaged 'web' chart with version '1.2.3'");
    let chart = chart.unwrap();
    assert_eq!(chart.templates.len(), 1);
    assert!(chart.raw.iter().any(|file| file.data == "b: 2 # kept\n"));
    assert!(chart.raw.iter().all(|file| file.name != "junk.tmp"));
    let (again, _) = local(&files, "c/../c", ChartBuildOptions::default(), &known).await.unwrap();
    assert_eq!(again.package, built.package, "the same chart gives the same bytes");

    let stored =
        StoredChart { name: "web".into(), version: "1.2.3".into(), ..StoredChart::default() };
    let options = ChartBuildOptions { stored: Some(stored), ..ChartBuildOptions::default() };
    let (kept, _) = local(&files, "c", options, &known).await.unwrap();
    assert_eq!((kept.package, kept.packaged), (None, true), "what is stored is not built again");
}

#[tokio::test]
async fn values_are_merged_and_versions_tell() {
    let files = [
        ("c/Chart.yaml", CHART),
        ("c/values.yaml", "a: 1\nm: {x: 1, big: 10000000}\n"),
        ("prod.yaml", "m: {z: null}\nl: [1.5]\n"),
    ];
    let options = |files: &[&str], ignore_missing| ChartBuildOptions {
        version_metadata: Some("abc.7".into()),
        values_files: files.iter().map(|file| (*file).to_owned()).collect(),
        ignore_missing,
        ..ChartBuildOptions::default()
    };
    let known = Known::default();
    let all = ["c/values.yaml", "../prod.yaml", "none.yaml"];
    let (built, chart) = local(&files, "c", options(&all, true), &known).await.unwrap();
    assert_eq!(
        built.summary(true),
        "packaged 'web' chart with version '1.2.3+abc.7' and merged values files \
         [c/values.yaml ../prod.yaml]"
    );
    let chart = chart.unwrap();
    assert_eq!(chart.metadata.version, "1.2.3+abc.7");
    let values = chart.raw.iter().find(|file| file.name == "values.yaml").unwrap();
    assert_eq!(values.data, "a: 1\nl:\n- 1.5\nm:\n  big: 10000000\n  x: 1\n  z: null\n");
    let error = local(&files, "c", options(&all, false), &known).await.unwrap_err();
    assert_eq!(
        error,
        "values files merge error: no values file found at path '/none.yaml' (reference \
         'none.yaml')"
    );
}

#[tokio::test]
async fn dependencies_come_along() {
    let remote = package(&[("Chart.yaml", "apiVersion: v2\nname: far\nversion: 2.0.1\n")]).await;
    let known = Known(Arc::new([("far@2.0.1".to_owned(), remote)].into()));
    let parent = |repository: &str, version: &str| {
        format!(
            "{CHART}dependencies:\n- {{name: near, version: 1.x, repository: \"file://../near\", \
             alias: other}}\n- {{name: far, version: {version}, repository: \"{repository}\"}}\n"
        )
    };
    let build = |text: String| {
        let known = known.clone();
        async move {
            let files = [
                ("c/Chart.yaml", text.as_str()),
                ("near/Chart.yaml", "apiVersion: v2\nname: near\nversion: 1.0.0\n"),
            ];
            local(&files, "c", ChartBuildOptions::default(), &known).await
        }
    };
    let (built, chart) = build(parent("https://charts.example.com", "^2")).await.unwrap();
    assert_eq!(built.dependencies, 2);
    let chart = chart.unwrap();
    let mut names: Vec<_> = chart.dependencies.iter().map(Chart::name).collect();
    names.sort_unstable();
    assert_eq!(names, ["far", "other"]);
    for (repository, version, text) in [
        ("https://charts.example.com", "^3", "no 'far' chart with version matching '^3' found"),
        ("https://other.example.com", "^2", "no chart repository for URL"),
        ("@stable", "^2", "aliased repository dependency is not supported: @stable/"),
        ("ftp://h", "^2", "invalid dependency repository URL"),
        ("file://../../../none", "^2", "no chart found at '/none'"),
        ("file://../near", "^2", "can't get a valid version for constraint '^2'"),
    ] {
        let error = build(parent(repository, version)).await.unwrap_err();
        assert!(error.starts_with("dependency build error: failed to add "), "{error}");
        assert!(error.contains(text), "{error}");
    }
}

#[tokio::test]
async fn what_is_no_chart_says_where() {
    let known = Known::default();
    for (files, path, text) in [
        (
            &[("a", "")][..],
            "./none",
            "invalid chart reference: stat /root/none: no such file or directory",
        ),
        (
            &[("c/a", "")],
            "c",
            "invalid chart reference: open /root/c/Chart.yaml: no such file or directory",
        ),
        (
            &[("c/Chart.yaml", "name: ../x\nversion: 1.0.0\n")],
            "c",
            "invalid chart reference: validation: chart.metadata.name \"../x\" is invalid",
        ),
        (
            &[("c/Chart.yaml", "name: x\nversion: x\n")],
            "c",
            "invalid chart reference: validation: chart.metadata.version \"x\" is invalid",
        ),
        (&[("c/Chart.yaml", "a: [\n")], "c", "invalid chart reference: "),
        (&[("c.tgz", "no archive")], "c.tgz", "invalid chart reference: "),
        (&[("c/Chart.yaml", CHART), ("c/values.yaml", "a: [\n")], "c", "chart package error: "),
    ] {
        let error = local(files, path, ChartBuildOptions::default(), &known).await.unwrap_err();
        assert!(error.starts_with(text), "{error}");
    }
}

#[tokio::test]
async fn remote_charts_are_taken_as_they_are() {
    let plain =
        package(&[("Chart.yaml", CHART), ("values.yaml", "a: 1\n"), ("p.yaml", "a: 2\n")]).await;
    let known = Known(Arc::new([("web@1.2.3".to_owned(), plain.clone())].into()));
    let scope = Scope::background();
    let build = async |chart: &str, range: &str, options: ChartBuildOptions| {
        build_remote(&known, chart, range, &options, &scope, &mut |_| {}).await
    };
    let built = build("web", "1.x", ChartBuildOptions::default()).await.unwrap();
    assert_eq!(built.package.unwrap(), plain, "byte for byte");
    assert!(!built.packaged);
    let options = ChartBuildOptions {
        values_files: vec!["values.yaml".into(), "./p.yaml".into()],
        version_metadata: Some("3".into()),
        ..ChartBuildOptions::default()
    };
    let built = build("web", "*", options).await.unwrap();
    assert_eq!(built.version, "1.2.3+3");
    let chart = Chart::from_archive(&built.package.unwrap(), &LoadOptions::default()).unwrap();
    assert_eq!(chart.values.unwrap()["a"], 2.0);
    for (chart, range, text) in [
        (
            "web",
            "2",
            "invalid chart reference: failed to get chart version for remote reference: no 'web' chart with version matching '2' found",
        ),
        ("Web", "*", "invalid chart reference: invalid chart name 'Web'"),
        ("a/../b", "*", "invalid chart reference: "),
        (
            "none",
            "*",
            "invalid chart reference: failed to get chart version for remote reference: no chart version found",
        ),
    ] {
        let error = build(chart, range, ChartBuildOptions::default()).await.unwrap_err();
        let error = gitops_core::one_line(&error);
        assert!(error.starts_with(text), "{error}");
    }
    // What must be signed and is not is not even downloaded.
    let options = ChartBuildOptions { verify: true, ..ChartBuildOptions::default() };
    let error = build("web", "*", options).await.unwrap_err();
    assert!(matches!(error, ChartBuildError::Verification(_)), "{error}");
}

/// A package of these files, be it a chart or not.
fn archive(files: &[(&str, &str)]) -> Bytes {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut tar = tar::Builder::new(gzip);
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, format!("web/{name}"), text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap().into()
}

#[tokio::test]
async fn packages_that_are_none_say_so() {
    for (archive, text) in [
        (Bytes::new(), "failed to load chart metadata from written chart: EOF"),
        (Bytes::from_static(b"<html>"), "failed to load chart metadata from written chart: "),
        (
            archive(&[("values.yaml", "a: 1\n")]),
            "failed to load chart metadata from written chart: no 'Chart.yaml' found",
        ),
        (
            archive(&[("Chart.yaml", "a: [\n")]),
            "failed to load chart metadata from written chart: cannot load 'Chart.yaml'",
        ),
        (
            archive(&[("Chart.yaml", "apiVersion: v2\nname: web\nversion: x\n")]),
            "failed to validate metadata of written chart: validation: chart.metadata.version",
        ),
    ] {
        let known = Known(Arc::new([("web@1.2.3".to_owned(), archive)].into()));
        let (options, scope) = (ChartBuildOptions::default(), Scope::background());
        let built = build_remote(&known, "web", "*", &options, &scope, &mut |_| {}).await;
        let error = gitops_core::one_line(&built.unwrap_err());
        assert!(error.contains(text), "{error}");
    }
}

#[test]
fn urls_in_one_form() {
    for (url, expected) in [
        ("https://h/charts", "https://h/charts/"),
        ("https://h/charts//", "https://h/charts/"),
        ("https://h", "https://h/"),
        ("oci://h/charts/", "oci://h/charts"),
    ] {
        assert_eq!(normalize_url(url), expected);
    }
}
