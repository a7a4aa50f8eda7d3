//! Charts as packages.
//!
//! Follows Helm's `chartutil.Save`: the same files in the same order, with the marks that Helm
//! leaves in the header. Differs in that times are zero, so that the same chart gives the same
//! bytes.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::{Compression, GzBuilder};
use gitops_helm::{Chart, Dependency, Metadata};
use serde_json::{Map, Value, json};

/// What Helm writes into the header of the compressed stream.
const HEADER: &[u8] = b"+aHR0cHM6Ly95b3V0dS5iZS96OVV6MWljandyTQo=";

/// The package of a chart, with those that it depends on.
///
/// # Errors
/// When a name or file cannot stand in a package.
pub(super) fn package(chart: &Chart) -> io::Result<Bytes> {
    let gzip = GzBuilder::new()
        .extra(HEADER)
        .comment("Helm")
        .mtime(0)
        .operating_system(255)
        .write(Vec::new(), Compression::new(6));
    let mut archive = tar::Builder::new(gzip);
    write_chart(&mut archive, chart, "")?;
    Ok(archive.into_inner()?.finish()?.into())
}

fn write_chart<W: Write>(
    archive: &mut tar::Builder<W>,
    chart: &Chart,
    prefix: &str,
) -> io::Result<()> {
    let name = chart.name();
    if name.is_empty() || name.contains(['/', '\\']) || matches!(name, "." | "..") {
        return Err(io::Error::other(format!(
            "{} is not a valid chart name",
            crate::go::quoted(name)
        )));
    }
    let base = format!("{prefix}{name}");
    let mut put = |file: &str, data: &[u8]| {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Regular);
        header.set_mode(0o644);
        header.set_mtime(0);
        header.set_size(data.len() as u64);
        archive.append_data(&mut header, format!("{base}/{file}"), data)
    };
    put("Chart.yaml", yaml(metadata(&chart.metadata))?.as_bytes())?;
    if chart.metadata.api_version == "v2"
        && let Some(lock) = &chart.lock
    {
        let lock = json!({
            "generated": lock.generated,
            "digest": lock.digest,
            "dependencies": lock.dependencies.iter().map(dependency).collect::<Vec<_>>(),
        });
        put("Chart.lock", yaml(lock)?.as_bytes())?;
    }
    if let Some(values) = chart.raw.iter().find(|file| file.name == "values.yaml") {
        put("values.yaml", &values.data)?;
    }
    if let Some(schema) = &chart.schema {
        if serde_json::from_slice::<serde::de::IgnoredAny>(schema).is_err() {
            return Err(io::Error::other("invalid JSON in values.schema.json"));
        }
        put("values.schema.json", schema)?;
    }
    for file in chart.templates.iter().chain(&chart.files) {
        put(&file.name, &file.data)?;
    }
    let below = format!("{base}/charts/");
    chart.dependencies.iter().try_for_each(|chart| write_chart(archive, chart, &below))
}

/// YAML as `sigs.k8s.io/yaml` writes it.
pub(super) fn yaml(value: Value) -> io::Result<String> {
    gitops_yaml::to_yaml(&gitops_yaml::Node::from_json(value)).map_err(io::Error::other)
}

struct Fields(Map<String, Value>);

impl Fields {
    /// Adds a field unless it is empty.
    fn some(mut self, key: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        let empty = match &value {
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::Bool(value) => !value,
            Value::Null => true,
            Value::Number(_) => false,
        };
        if !empty {
            self.0.insert(key.to_owned(), value);
        }
        self
    }
}

fn metadata(own: &Metadata) -> Value {
    let text = |text: &String| Value::from(text.as_str());
    // Charts of version v1 have their dependencies in requirements.yaml.
    let dependencies: &[Dependency] = if own.api_version == "v1" { &[] } else { &own.dependencies };
    let maintainers = own.maintainers.iter().map(|person| {
        let fields = Fields(Map::new())
            .some("name", text(&person.name))
            .some("email", text(&person.email))
            .some("url", text(&person.url));
        Value::Object(fields.0)
    });
    let annotations: Map<String, Value> =
        own.annotations.iter().map(|(key, value)| (key.clone(), text(value))).collect();
    let fields = Fields(Map::new())
        .some("name", text(&own.name))
        .some("home", text(&own.home))
        .some("sources", own.sources.clone())
        .some("version", text(&own.version))
        .some("description", text(&own.description))
        .some("keywords", own.keywords.clone())
        .some("maintainers", maintainers.collect::<Vec<_>>())
        .some("icon", text(&own.icon))
        .some("apiVersion", text(&own.api_version))
        .some("condition", text(&own.condition))
        .some("tags", text(&own.tags))
        .some("appVersion", text(&own.app_version))
        .some("deprecated", own.deprecated)
        .some("annotations", annotations)
        .some("kubeVersion", text(&own.kube_version))
        .some("dependencies", dependencies.iter().map(dependency).collect::<Vec<_>>())
        .some("type", text(&own.kind));
    Value::Object(fields.0)
}

fn dependency(own: &Dependency) -> Value {
    let text = |text: &String| Value::from(text.as_str());
    // Name and repository are there even when they are empty.
    let fields = Map::from_iter([
        ("name".to_owned(), text(&own.name)),
        ("repository".to_owned(), text(&own.repository)),
    ]);
    let fields = Fields(fields)
        .some("version", text(&own.version))
        .some("condition", text(&own.condition))
        .some("tags", own.tags.clone())
        .some("enabled", own.enabled)
        .some("import-values", own.import_values.clone())
        .some("alias", text(&own.alias));
    Value::Object(fields.0)
}
