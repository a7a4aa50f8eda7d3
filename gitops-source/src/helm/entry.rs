//! What an index says of one version of a chart.

use std::collections::BTreeMap;

use gitops_core::{Class, Classify};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// A version of a chart as an index lists it. Fields are in the order in which Helm writes them.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ChartEntry {
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    pub(super) name: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    home: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "Vec::is_empty")]
    sources: Vec<String>,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    pub(super) version: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "Vec::is_empty")]
    keywords: Vec<String>,
    #[serde(deserialize_with = "lax", skip_serializing_if = "Vec::is_empty")]
    maintainers: Vec<Option<Maintainer>>,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    icon: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    api_version: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    condition: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    tags: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    app_version: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "is_false")]
    deprecated: bool,
    #[serde(deserialize_with = "lax", skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    kube_version: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "Vec::is_empty")]
    dependencies: Vec<Option<Dependency>>,
    #[serde(rename = "type", deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    kind: String,
    urls: Option<Vec<String>>,
    #[serde(deserialize_with = "lax")]
    created: Time,
    #[serde(deserialize_with = "lax", skip_serializing_if = "is_false")]
    removed: bool,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    digest: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    checksum: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    engine: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    tiller_version: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    url: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
struct Maintainer {
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    email: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    url: String,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default)]
struct Dependency {
    #[serde(deserialize_with = "lax")]
    name: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    version: String,
    #[serde(deserialize_with = "lax")]
    repository: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    condition: String,
    #[serde(deserialize_with = "lax", skip_serializing_if = "Vec::is_empty")]
    tags: Vec<String>,
    #[serde(deserialize_with = "lax", skip_serializing_if = "is_false")]
    enabled: bool,
    #[serde(
        rename = "import-values",
        deserialize_with = "lax",
        skip_serializing_if = "Vec::is_empty"
    )]
    import_values: Vec<Value>,
    #[serde(deserialize_with = "lax", skip_serializing_if = "String::is_empty")]
    alias: String,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
fn is_false(value: &bool) -> bool {
    !value
}

/// `null` is what is not there, as in Go.
fn lax<'de, T: Default + Deserialize<'de>, D: Deserializer<'de>>(input: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(input)?.unwrap_or_default())
}

/// A moment as Go writes it: RFC 3339 with as many digits of the second as needed.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Time(String);

impl Default for Time {
    fn default() -> Self {
        Self("0001-01-01T00:00:00Z".into())
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Self::parse(&text).ok_or_else(|| {
            let text = crate::go::quoted(&text);
            serde::de::Error::custom(format!(
                "parsing time {text} as \"2006-01-02T15:04:05Z07:00\": cannot parse"
            ))
        })
    }
}

impl Time {
    pub(super) fn parse(text: &str) -> Option<Self> {
        // What Go writes for no time lies before what can be computed with.
        if text != "0001-01-01T00:00:00Z" && text.parse::<jiff::Timestamp>().is_err() {
            return None;
        }
        let Some((seconds, rest)) = text.split_once('.') else {
            return Some(Self(text.to_owned()));
        };
        let zone = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let fraction = rest[..zone].trim_end_matches('0');
        let dot = if fraction.is_empty() { "" } else { "." };
        Some(Self(format!("{seconds}{dot}{fraction}{}", &rest[zone..])))
    }
}

/// The fields that hold a text, and all others, of each record.
struct Shape {
    texts: &'static [&'static str],
    lists: &'static [&'static str],
    others: &'static [&'static str],
}

const ENTRY: Shape = Shape {
    texts: &[
        "name",
        "home",
        "version",
        "description",
        "icon",
        "apiVersion",
        "condition",
        "tags",
        "appVersion",
        "kubeVersion",
        "type",
        "created",
        "digest",
        "checksum",
        "engine",
        "tillerVersion",
        "url",
    ],
    lists: &["sources", "keywords", "urls"],
    others: &["maintainers", "deprecated", "annotations", "dependencies", "removed"],
};
const MAINTAINER: Shape = Shape { texts: &["name", "email", "url"], lists: &[], others: &[] };
const DEPENDENCY: Shape = Shape {
    texts: &["name", "version", "repository", "condition", "alias"],
    lists: &["tags"],
    others: &["enabled", "import-values"],
};

impl ChartEntry {
    /// An entry of a YAML index: numbers and booleans become text where text is wanted, and
    /// fields that Helm does not know are errors.
    pub(super) fn from_yaml(mut value: Value) -> Result<Option<Self>, String> {
        if let Value::Object(entry) = &mut value {
            conform(entry, &ENTRY)?;
            for (list, shape) in [("maintainers", &MAINTAINER), ("dependencies", &DEPENDENCY)] {
                for item in entry.get_mut(list).and_then(Value::as_array_mut).into_iter().flatten()
                {
                    if let Value::Object(item) = item {
                        conform(item, shape)?;
                    }
                }
            }
            if let Some(Value::Object(annotations)) = entry.get_mut("annotations") {
                annotations.values_mut().for_each(to_text);
            }
        }
        serde_json::from_value(value).map_err(|error| format!("json: {error}"))
    }

    /// Fills in what Helm assumes, and says whether the entry can be used. Bad ones are left out
    /// of an index, whose others are no worse for it.
    pub(super) fn accept(&mut self) -> bool {
        if self.api_version.is_empty() {
            "v1".clone_into(&mut self.api_version);
        }
        for text in [&mut self.name, &mut self.version, &mut self.description] {
            sanitize(text);
        }
        let name = !matches!(self.name.as_str(), "" | "." | "..")
            && !self.name.contains(['/', '\\'])
            && !self.name.chars().any(char::is_control);
        let version = crate::Version::parse(&self.version).is_some();
        let kind = matches!(self.kind.as_str(), "" | "application" | "library");
        let aliased = |dependency: &Option<Dependency>| {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            dependency.as_ref().is_some_and(|own| own.alias.chars().all(plain))
        };
        name && version
            && kind
            && self.maintainers.iter().all(Option::is_some)
            && self.dependencies.iter().all(aliased)
    }
}

/// As Helm: white space becomes a space, and what cannot be printed goes.
fn sanitize(text: &mut String) {
    if text.chars().any(|c| c.is_control() || (c.is_whitespace() && c != ' ')) {
        *text = text
            .chars()
            .map(|c| if c.is_whitespace() { ' ' } else { c })
            .filter(|c| !c.is_control())
            .collect();
    }
}

fn conform(record: &mut Map<String, Value>, shape: &Shape) -> Result<(), String> {
    for (key, value) in record.iter_mut() {
        let key = key.as_str();
        if shape.texts.contains(&key) {
            to_text(value);
        } else if shape.lists.contains(&key) {
            value.as_array_mut().into_iter().flatten().for_each(to_text);
        } else if !shape.others.contains(&key) {
            return Err(format!("json: unknown field {}", crate::go::quoted(key)));
        }
    }
    Ok(())
}

fn to_text(value: &mut Value) {
    match value {
        Value::Number(number) => *value = Value::String(number.to_string()),
        Value::Bool(boolean) => *value = Value::String(boolean.to_string()),
        _ => {}
    }
}

/// A version of a chart that can be downloaded.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
#[non_exhaustive]
pub struct ChartVersion {
    /// The chart's name.
    #[serde(deserialize_with = "lax")]
    pub name: String,
    /// Its version.
    #[serde(deserialize_with = "lax")]
    pub version: String,
    /// Where it can be had, absolute or relative to the repository.
    #[serde(deserialize_with = "lax")]
    pub urls: Vec<String>,
    /// When it was packaged, RFC 3339.
    #[serde(deserialize_with = "lax")]
    pub created: String,
    /// The SHA-256 digest of the package in hexadecimal, where the index knows it.
    #[serde(deserialize_with = "lax")]
    pub digest: String,
}

impl ChartVersion {
    /// A version that no index tells of.
    pub fn new(name: &str, version: &str, urls: &[&str], digest: &str) -> Self {
        Self {
            name: name.to_owned(),
            version: version.to_owned(),
            urls: urls.iter().map(|url| (*url).to_owned()).collect(),
            created: String::new(),
            digest: digest.to_owned(),
        }
    }
}

/// Why an index holds no such chart.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChartChoiceError {
    /// The index does not list the chart.
    #[error("no chart name found")]
    Name,
    /// The index lists the chart without a version.
    #[error("no chart version found")]
    Versions,
    /// The range of versions is malformed.
    #[error(transparent)]
    Range(#[from] crate::VersionRangeError),
    /// No version fits.
    #[error("no '{chart}' chart with version matching '{version}' found")]
    NoMatch {
        /// The chart.
        chart: Box<str>,
        /// The range that was asked for.
        version: Box<str>,
    },
}

impl Classify for ChartChoiceError {
    fn class(&self) -> Class {
        match self {
            Self::Range(_) => Class::Invalid,
            _ => Class::NotFound,
        }
    }
}

/// The version of a chart that a range asks for: the very text where it is listed, else the
/// highest that fits, and of equal ones the youngest.
///
/// # Errors
/// When there is none.
pub fn choose_version(
    versions: Vec<ChartVersion>,
    chart: &str,
    range: &str,
) -> Result<ChartVersion, ChartChoiceError> {
    if versions.is_empty() {
        return Err(ChartChoiceError::Versions);
    }
    if let Some(exact) = versions.iter().find(|entry| !range.is_empty() && entry.version == range) {
        return Ok(exact.clone());
    }
    let parsed: crate::VersionRange = if range.is_empty() { "*" } else { range }.parse()?;
    let fitting = versions.into_iter().filter_map(|entry| {
        let version = crate::Version::from_tag(&entry.version)?;
        parsed.contains(&version).then(|| {
            let created = entry.created.parse::<jiff::Timestamp>().ok();
            ((version, created), entry)
        })
    });
    let highest = fitting.max_by(|(one, _), (other, _)| one.cmp(other));
    highest
        .map(|(_, entry)| entry)
        .ok_or_else(|| ChartChoiceError::NoMatch { chart: chart.into(), version: range.into() })
}
