//! Which of several versions of a chart is meant.

use std::cmp::Ordering;

use gitops_core::{Version, VersionRange};
use serde_json::Value;

use crate::{
    chart::Metadata,
    decode::{DocumentError, Position, boolean, decode_record, text, texts},
    repository::IndexError,
};

/// A version of a chart as an index lists it.
///
/// Follows helm pkg/repo/v1/index.go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ChartVersion {
    /// What the chart's Chart.yaml says.
    pub metadata: Metadata,
    /// Where the archive is; relative addresses are relative to the index.
    pub urls: Vec<String>,
    /// When it was listed, in RFC 3339; empty where nothing is said.
    pub created: String,
    /// Whether it was taken away.
    pub removed: bool,
    /// SHA-256 of the archive in hexadecimal.
    pub digest: String,
}

/// The fields of an entry that are none of Chart.yaml; the last four are Helm 2's.
const OWN_FIELDS: &[&str] =
    &["urls", "created", "removed", "digest", "checksum", "engine", "tillerVersion", "url"];

impl ChartVersion {
    pub(super) fn decode(value: &Value, strict: bool) -> Result<Self, DocumentError> {
        let mut version = Self::default();
        let (mut own, mut metadata) = (serde_json::Map::new(), serde_json::Map::new());
        if let Value::Object(object) = value {
            for (key, value) in object {
                let is_own = OWN_FIELDS.iter().any(|field| field.eq_ignore_ascii_case(key));
                let target = if is_own { &mut own } else { &mut metadata };
                if strict && !is_own && !Metadata::has_field(key) {
                    return Err(DocumentError::Shape(format!("json: unknown field {key:?}")));
                }
                target.insert(key.clone(), value.clone());
            }
        }
        let fields = Value::Object(own);
        let decode = |field: &str, value: &Value, at: &Position<'_>| match field {
            "urls" => texts(value, at, &mut version.urls),
            "created" => text(value, at, &mut version.created),
            "removed" => boolean(value, at, &mut version.removed),
            "digest" => text(value, at, &mut version.digest),
            _ => text(value, at, &mut String::new()),
        };
        let go_type = "repo.ChartVersion";
        decode_record(&fields, "ChartVersion", go_type, OWN_FIELDS, None, decode)?;
        if !version.created.is_empty() && version.created.parse::<jiff::Timestamp>().is_err() {
            return Err(DocumentError::Shape(format!(
                "parsing time {:?} as \"2006-01-02T15:04:05Z07:00\"",
                version.created
            )));
        }
        version.metadata.decode(&Value::Object(metadata))?;
        if version.metadata.api_version.is_empty() {
            "v1".clone_into(&mut version.metadata.api_version);
        }
        Ok(version)
    }

    fn created(&self) -> jiff::Timestamp {
        // Without a time Go has its zero one, which is before all others.
        self.created.parse().unwrap_or(jiff::Timestamp::MIN)
    }
}

/// Sorts versions as Helm sorts those of an index: the highest first.
pub(super) fn sort(versions: &mut Vec<ChartVersion>) {
    let mut keyed: Vec<_> = versions
        .drain(..)
        .map(|version| (Version::parse(&version.metadata.version), version))
        .collect();
    keyed.sort_by(|(a, _), (b, _)| b.cmp(a));
    versions.extend(keyed.into_iter().map(|(_, version)| version));
}

/// The version that a range, an exact version or nothing means: exactly this text is tried first,
/// then the highest version within the range wins, of equal ones the newest.
///
/// # Errors
/// [`IndexError::Range`] and [`IndexError::NoMatch`].
pub(super) fn choose<'v>(
    name: &str,
    versions: &'v [ChartVersion],
    wanted: &str,
) -> Result<&'v ChartVersion, IndexError> {
    if versions.is_empty() {
        return Err(IndexError::NoVersion);
    }
    if let Some(exact) = versions.iter().find(|version| version.metadata.version == wanted)
        && !wanted.is_empty()
    {
        return Ok(exact);
    }
    let range = if wanted.is_empty() { "*" } else { wanted };
    let range: VersionRange = range.parse().map_err(IndexError::Range)?;
    versions
        .iter()
        .filter_map(|version| {
            let parsed = Version::parse(&version.metadata.version)?;
            range.contains(&parsed).then_some((parsed, version))
        })
        .max_by(|(a, first), (b, second)| match a.cmp(b) {
            Ordering::Equal => first.created().cmp(&second.created()),
            other => other,
        })
        .map(|(_, version)| version)
        .ok_or_else(|| IndexError::NoMatch { name: name.to_owned(), wanted: wanted.to_owned() })
}
