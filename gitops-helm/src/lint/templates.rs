//! The templates and what they give, and the manifests of `crds/`.

use std::sync::LazyLock;

use gitops_core::{Scope, quoted};
use gitops_template::bytes::from_bytes;
use regex::Regex;
use serde_json::Value;

use super::{
    Linter, Severity, deprecations, names,
    resources::{self, Resource},
};
use crate::{
    Capabilities, Compat, EngineOptions, ReleaseInfo,
    chart::Chart,
    decode::read_value,
    dependency::process_dependencies,
    engine::render_templates,
    values::{coalesce, validate_schema},
};

const FOLDER: &str = "templates/";

impl Linter<'_> {
    pub(super) fn templates(&mut self) {
        let four = self.options.compat == Compat::Helm4;
        match self.tree.stat(&self.path.join("templates")) {
            Err(error) if error.is_not_found() => {
                let absent = Err("directory does not exist".to_owned());
                if four && !self.check(Severity::Warning, FOLDER, absent) {
                    return;
                }
            }
            Ok(entry) if !entry.is_dir() => {
                let severity = if four { Severity::Error } else { Severity::Warning };
                self.check(severity, FOLDER, Err("not a directory".to_owned()));
                return;
            }
            _ => {}
        }
        let chart = match &self.chart {
            Ok(chart) => chart.clone(),
            Err(error) => {
                let text = error.helm_text();
                self.check(Severity::Error, FOLDER, Err(text));
                return;
            }
        };
        match self.render(&chart) {
            None => {}
            Some(Err(text)) => {
                self.check(Severity::Error, FOLDER, Err(text));
            }
            Some(Ok(rendered)) => {
                for file in &chart.templates {
                    let path = format!("{}/{}", chart.name(), file.name);
                    let rendered = rendered.get(&path).map_or("", String::as_str);
                    if !self.template(&file.name, &file.data, rendered) {
                        return;
                    }
                }
            }
        }
    }

    /// The rendered templates, an error that is told, or nothing: some errors are not.
    fn render(
        &self,
        chart: &Chart,
    ) -> Option<Result<std::collections::BTreeMap<String, String>, String>> {
        let compat = self.options.compat;
        let mut capabilities = Capabilities::new(compat);
        if let Some(version) = &self.options.kube_version {
            capabilities.kube_version = version.clone();
        }
        let mut chart = chart.clone();
        // Warnings of values are those of rendering, not of lint.
        let warnings = &mut Vec::new();
        process_dependencies(&mut chart, self.values, compat, warnings).ok()?;
        let values = coalesce(&chart, self.values, compat, warnings).ok()?;
        // Quirk: values are coalesced twice.
        let values = match coalesce(&chart, &values, compat, warnings) {
            Ok(values) => values,
            Err(error) => return Some(Err(error.to_string())),
        };
        if !self.options.skip_schema_validation
            && let Err(error) = validate_schema(&chart, &values)
        {
            return Some(Err(format!(
                "values don't meet the specifications of the schema(s) in the following \
                 chart(s):\n{error}"
            )));
        }
        let release = ReleaseInfo {
            name: "test-release".to_owned(),
            namespace: self.options.namespace.clone(),
            revision: 0,
            is_upgrade: false,
        };
        let mut options = EngineOptions::new(compat);
        options.lint = true;
        let scope = Scope::background();
        let rendered =
            render_templates(&chart, &values, &release, &capabilities, &options, self.host, &scope);
        Some(rendered.map_err(|error| error.to_string()))
    }

    /// Checks a template and what it gave; whether the next one is looked at.
    fn template(&mut self, name: &str, source: &[u8], rendered: &str) -> bool {
        let three = self.options.compat == Compat::Helm3;
        self.check(Severity::Error, name, extension(name));
        if three {
            let source = String::from_utf8_lossy(source);
            self.check(Severity::Warning, name, crd_hook(&source));
            self.check(Severity::Error, name, release_time(&source));
        }
        let is_yaml = match name.rsplit_once('.') {
            Some((_, extension)) if three => extension == "yaml",
            Some((_, extension)) => {
                ["yaml", "yml"].iter().any(|e| extension.eq_ignore_ascii_case(e))
            }
            None => false,
        };
        if !is_yaml || rendered.trim().is_empty() {
            return true;
        }
        self.check(Severity::Warning, name, indentation(rendered));
        for resource in resources::read(rendered, self.options.compat) {
            let resource = match resource {
                Ok(resource) => resource,
                Err(error) => {
                    let text = format!("unable to parse YAML: {error}");
                    self.check(Severity::Error, name, Err(text));
                    return false;
                }
            };
            let minor = self.minor();
            self.check(Severity::Warning, name, object_name(&resource));
            let deprecated = deprecations::warning(&resource.api_version, &resource.kind, minor);
            self.check(Severity::Warning, name, deprecated.map_or(Ok(()), Err));
            self.check(Severity::Error, name, selector(&resource, rendered));
            self.check(Severity::Error, name, list_annotations(&resource, rendered));
        }
        true
    }

    /// The version of Kubernetes that decides what is deprecated.
    fn minor(&self) -> u32 {
        let assumed = Capabilities::new(self.options.compat).kube_version;
        let version = self.options.kube_version.as_ref().unwrap_or(&assumed);
        version.minor.parse().unwrap_or(0)
    }

    pub(super) fn crds(&mut self) {
        let folder = "crds/";
        match self.tree.stat(&self.path.join("crds")) {
            Err(_) => return,
            Ok(entry) if !entry.is_dir() => {
                self.check(Severity::Error, folder, Err("not a directory".to_owned()));
                return;
            }
            Ok(_) => {}
        }
        let crds = match &self.chart {
            Ok(chart) => chart.crds(),
            Err(error) => {
                let text = error.helm_text();
                self.check(Severity::Error, folder, Err(text));
                return;
            }
        };
        for crd in crds {
            for resource in resources::read(&from_bytes(&crd.data), Compat::Helm4) {
                let resource = match resource {
                    Ok(resource) => resource,
                    Err(error) => {
                        let text = format!("unable to parse YAML: {error}");
                        self.check(Severity::Error, &crd.name, Err(text));
                        return;
                    }
                };
                if !resource.api_version.starts_with("apiextensions.k8s.io") {
                    let text = "apiVersion is not in 'apiextensions.k8s.io'".to_owned();
                    self.check(Severity::Error, &crd.name, Err(text));
                }
                if resource.kind != "CustomResourceDefinition" {
                    let text = "object kind is not 'CustomResourceDefinition'".to_owned();
                    self.check(Severity::Error, &crd.name, Err(text));
                }
            }
        }
    }
}

fn extension(name: &str) -> Result<(), String> {
    let base = name.rsplit('/').next().unwrap_or(name);
    let extension = base.rfind('.').map_or("", |index| &base[index..]);
    if [".yaml", ".yml", ".tpl", ".txt"].contains(&extension) {
        return Ok(());
    }
    Err(format!(
        "file extension '{extension}' not valid. Valid extensions are .yaml, .yml, .tpl, or .txt"
    ))
}

fn crd_hook(source: &str) -> Result<(), String> {
    static HOOK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#""?helm\.sh/hook"?:\s+crd-install"#).expect("a constant pattern")
    });
    if HOOK.is_match(source) {
        return Err("manifest is a crd-install hook. This hook is no longer supported in v3 and \
                    all CRDs should also exist the crds/ directory at the top level of the chart"
            .to_owned());
    }
    Ok(())
}

fn release_time(source: &str) -> Result<(), String> {
    if source.contains(".Release.Time") {
        return Err(
            ".Release.Time has been removed in v3, please replace with the `now` function \
                    in your templates"
                .to_owned(),
        );
    }
    Ok(())
}

fn indentation(rendered: &str) -> Result<(), String> {
    match rendered.lines().find(|line| !line.trim().is_empty()) {
        Some(line) if line.starts_with([' ', '\t']) => Err(format!(
            "document starts with an illegal indent: {}, which may cause parsing problems",
            quoted(line)
        )),
        _ => Ok(()),
    }
}

fn object_name(resource: &Resource) -> Result<(), String> {
    let name = quoted(&resource.name);
    let mistakes: Vec<String> = names::check(&resource.kind, &resource.name)
        .into_iter()
        .map(|message| format!("metadata.name: Invalid value: {name}: {message}"))
        .collect();
    let mistakes = match mistakes.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    };
    Err(format!(
        "object name does not conform to Kubernetes naming requirements: {name}: {mistakes}"
    ))
}

fn selector(resource: &Resource, rendered: &str) -> Result<(), String> {
    let needs = ["Deployment", "ReplicaSet", "DaemonSet", "StatefulSet"];
    if !needs.contains(&resource.kind.as_str())
        || rendered.contains("matchLabels")
        || rendered.contains("matchExpressions")
    {
        return Ok(());
    }
    Err(format!(
        "a {} must contain matchLabels or matchExpressions, and {} does not",
        resource.kind,
        quoted(&resource.name)
    ))
}

fn list_annotations(resource: &Resource, rendered: &str) -> Result<(), String> {
    if resource.kind != "List" {
        return Ok(());
    }
    let Ok(list) = read_value(rendered.as_bytes()) else { return Ok(()) };
    let items = list.get("items").and_then(Value::as_array);
    let ignored = items
        .into_iter()
        .flatten()
        .any(|item| item.pointer("/metadata/annotations/helm.sh~1resource-policy").is_some());
    if ignored {
        return Err(
            "annotation 'helm.sh/resource-policy' within List objects are ignored".to_owned()
        );
    }
    Ok(())
}
