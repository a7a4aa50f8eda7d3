//! index.yaml: read as far as it is asked.
//!
//! Follows helm pkg/repo/v1/index.go; differs in: the entries of a chart are read when somebody
//! asks for that chart, so a mistake elsewhere in the file does not matter, unless
//! [`Index::check`] is called.

use std::ops::Range;

use bytes::Bytes;
use gitops_core::{Class, Classify, VersionRangeError, json_kind};
use gitops_yaml::{Duplicates, Flavour, ReadOptions};
use indexmap::IndexMap;
use serde_json::{Map, Value, value::RawValue};

use crate::{
    chart::ChartError,
    decode::DocumentError,
    repository::{
        layout::{self, Block, Layout},
        versions::{ChartVersion, choose, sort},
    },
};

/// The index of a chart repository.
///
/// ```
/// use gitops_helm::Index;
///
/// let text = "apiVersion: v1\nentries:\n  web:\n  - {name: web, version: 1.2.0, urls: [a.tgz]}\n";
/// let index = Index::read(text.as_bytes().to_vec())?;
/// assert_eq!(index.get("web", "^1.0")?.urls, ["a.tgz"]);
/// # Ok::<(), gitops_helm::IndexError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Index {
    text: Bytes,
    /// Sorted by name.
    entries: Vec<(String, Place)>,
    json: bool,
}

#[derive(Clone, Debug)]
enum Place {
    /// In the text.
    Block(Range<usize>),
    /// Read already.
    Value(Value),
}

/// An index that cannot be used, or that has not what is asked for. The chain of causes, joined
/// by `: `, is Helm's text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// The file has no content.
    #[error("empty index.yaml file")]
    Empty,
    /// It has no `apiVersion`.
    #[error("no API version specified")]
    NoApiVersion,
    /// It is malformed.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// It does not list the chart.
    #[error("no chart name found")]
    NoName,
    /// It lists the chart without any version.
    #[error("no chart version found")]
    NoVersion,
    /// The wanted version is no range.
    #[error(transparent)]
    Range(VersionRangeError),
    /// No version is in the range.
    #[error("no '{name}' chart with version matching '{wanted}' found")]
    NoMatch {
        /// The chart.
        name: String,
        /// The range.
        wanted: String,
    },
}

impl Classify for IndexError {
    fn class(&self) -> Class {
        match self {
            Self::NoName | Self::NoVersion | Self::NoMatch { .. } => Class::NotFound,
            _ => Class::Invalid,
        }
    }
}

/// The versions of a chart, the highest first.
#[derive(Clone, Debug, Default)]
pub struct Listing {
    /// Those that can be used.
    pub versions: Vec<ChartVersion>,
    /// Those that cannot.
    pub skipped: Vec<Skipped>,
}

/// An entry of an index that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skipped {
    /// The chart.
    pub name: String,
    /// Its version, as far as one is there.
    pub version: String,
    /// Why.
    pub reason: String,
}

impl Index {
    /// Looks through the text of an index; entries are read later.
    ///
    /// # Errors
    /// When it is empty, malformed, has no `apiVersion`, or names a chart twice.
    pub fn read(text: impl Into<Bytes>) -> Result<Self, IndexError> {
        let text: Bytes = text.into();
        if text.is_empty() {
            return Err(IndexError::Empty);
        }
        let trimmed = text.trim_ascii_start();
        if trimmed.first() == Some(&b'{')
            && let Ok(index) = Self::read_json(&text)
        {
            return index;
        }
        match layout::scan(&text) {
            Some(layout) => Self::read_blocks(text, layout),
            None => Self::read_whole(text),
        }
    }

    /// `Err` when the text is no JSON.
    fn read_json(text: &Bytes) -> Result<Result<Self, IndexError>, serde_json::Error> {
        let place = |raw: &RawValue| {
            let start = raw.get().as_ptr() as usize - text.as_ptr() as usize;
            start..start + raw.get().len()
        };
        let fields: IndexMap<String, &RawValue> = serde_json::from_slice(text)?;
        let version = fields.get("apiVersion").map(|raw| raw.get());
        let mut entries = Vec::new();
        if let Some(raw) = fields.get("entries") {
            let blocks: Option<IndexMap<String, &RawValue>> = serde_json::from_str(raw.get())?;
            let blocks = blocks.unwrap_or_default();
            entries.extend(blocks.into_iter().map(|(name, raw)| (name, Place::Block(place(raw)))));
        }
        let has_version = !matches!(version, None | Some("null" | "\"\""));
        Ok(Self::new(text.clone(), entries, has_version, true))
    }

    fn read_blocks(text: Bytes, layout: Layout) -> Result<Self, IndexError> {
        let Layout { fields, entries } = layout;
        let slice = |range: &Range<usize>| &text[range.clone()];
        let mut has_version = false;
        for Block { name, lines } in &fields {
            match slice(name) {
                b"apiVersion" => {
                    let value = read_block(slice(lines))?;
                    has_version = !matches!(&value, Value::Null) && value != "";
                }
                b"entries" | b"generated" | b"publicKeys" | b"annotations" | b"serverInfo" => {}
                other => {
                    let other = String::from_utf8_lossy(other);
                    return Err(
                        DocumentError::Shape(format!("json: unknown field {other:?}")).into()
                    );
                }
            }
        }
        let entries = entries
            .into_iter()
            .map(|Block { name, lines }| {
                (String::from_utf8_lossy(slice(&name)).into_owned(), Place::Block(lines))
            })
            .collect();
        Self::new(text, entries, has_version, false)
    }

    fn read_whole(text: Bytes) -> Result<Self, IndexError> {
        let options = strict();
        let node = options.read_first(&text).map_err(DocumentError::Yaml)?;
        let mut fields = match node.to_json_v2().map_err(DocumentError::Yaml)? {
            Value::Object(fields) => fields,
            Value::Null => Map::new(),
            other => return Err(wrong_kind(&other, "repo.IndexFile").into()),
        };
        let entries = match fields.remove("entries") {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(entries)) => entries,
            Some(other) => return Err(wrong_kind(&other, "map[string]repo.ChartVersions").into()),
        };
        let has_version =
            fields.get("apiVersion").is_some_and(|version| !version.is_null() && version != "");
        let entries =
            entries.into_iter().map(|(name, value)| (name, Place::Value(value))).collect();
        Self::new(text, entries, has_version, false)
    }

    fn new(
        text: Bytes,
        mut entries: Vec<(String, Place)>,
        has_version: bool,
        json: bool,
    ) -> Result<Self, IndexError> {
        if !has_version {
            return Err(IndexError::NoApiVersion);
        }
        entries.sort_by(|a, b| a.0.cmp(&b.0));
        for pair in entries.windows(2) {
            if pair[0].0 == pair[1].0 && !json {
                let message = format!("json: duplicate field {:?}", pair[0].0);
                return Err(DocumentError::Shape(message).into());
            }
        }
        Ok(Self { text, entries, json })
    }

    /// The names of the charts, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }

    /// The versions of a chart, the highest first.
    ///
    /// # Errors
    /// [`IndexError::NoName`] when it is not listed, [`IndexError::Document`] when what is listed
    /// is malformed.
    pub fn versions(&self, name: &str) -> Result<Listing, IndexError> {
        // Of equal names in JSON the last one counts.
        let end = self.entries.partition_point(|(entry, _)| entry.as_str() <= name);
        let Some((_, place)) =
            end.checked_sub(1).map(|index| &self.entries[index]).filter(|(entry, _)| entry == name)
        else {
            return Err(IndexError::NoName);
        };
        let read;
        let value = match place {
            Place::Value(value) => value,
            Place::Block(range) if self.json => {
                read = serde_json::from_slice(&self.text[range.clone()])
                    .map_err(|error| DocumentError::Shape(format!("json: {error}")))?;
                &read
            }
            Place::Block(range) => {
                read = read_block(&self.text[range.clone()])?;
                &read
            }
        };
        listing(name, value, !self.json)
    }

    /// The version of a chart that an exact version, a range or an empty text (the highest
    /// release) means. Of versions that differ in build metadata only, the newest is taken.
    ///
    /// # Errors
    /// [`IndexError`] says which part is missing.
    pub fn get(&self, name: &str, version: &str) -> Result<ChartVersion, IndexError> {
        let listing = self.versions(name)?;
        choose(name, &listing.versions, version).cloned()
    }

    /// Reads every entry once, one chart at a time, and tells what Helm would leave out.
    ///
    /// # Errors
    /// [`IndexError::Document`] for the first chart whose entries are malformed.
    pub fn check(&self) -> Result<Vec<Skipped>, IndexError> {
        let mut skipped = Vec::new();
        for (name, _) in &self.entries {
            skipped.extend(self.versions(name)?.skipped);
        }
        Ok(skipped)
    }
}

fn listing(name: &str, value: &Value, strict: bool) -> Result<Listing, IndexError> {
    let items = match value {
        Value::Null => &[],
        Value::Array(items) => items.as_slice(),
        other => return Err(wrong_kind(other, "repo.ChartVersions").into()),
    };
    let mut listing = Listing::default();
    for item in items {
        if item.is_null() {
            listing.skipped.push(Skipped {
                name: name.to_owned(),
                version: String::new(),
                reason: "empty entry".to_owned(),
            });
            continue;
        }
        let mut version = ChartVersion::decode(item, strict)?;
        match version.metadata.validate() {
            Ok(()) => listing.versions.push(version),
            Err(error) if is_skippable(&error) => listing.versions.push(version),
            Err(error) => listing.skipped.push(Skipped {
                name: name.to_owned(),
                version: version.metadata.version.clone(),
                reason: error.helm_text(),
            }),
        }
    }
    sort(&mut listing.versions);
    Ok(listing)
}

/// Helm forgives what one kind of repository is known to have wrong: it drops aliases.
fn is_skippable(error: &ChartError) -> bool {
    error.to_string().starts_with("validation: more than one dependency with name or alias")
}

fn strict() -> ReadOptions {
    ReadOptions { duplicates: Duplicates::Refuse, ..ReadOptions::flavour(Flavour::V2) }
}

/// The value below the one name of a block.
fn read_block(block: &[u8]) -> Result<Value, DocumentError> {
    let node = strict().read_first(block)?;
    match node.to_json_v2()? {
        Value::Object(object) => {
            Ok(object.into_iter().next().map_or(Value::Null, |(_, value)| value))
        }
        other => Err(wrong_kind(&other, "repo.IndexFile")),
    }
}

fn wrong_kind(value: &Value, go_type: &str) -> DocumentError {
    DocumentError::Shape(format!(
        "json: cannot unmarshal {} into Go value of type {go_type}",
        json_kind(value)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
apiVersion: v1
entries:
  web:
  - {name: web, version: 1.0.0, apiVersion: v2, urls: [web-1.0.0.tgz]}
  - name: web
    version: 1.2.0+b
    created: \"2020-01-01T00:00:00Z\"
    urls: [old.tgz]
  - name: web
    version: 1.2.0+a
    created: \"2021-01-01T00:00:00Z\"
    urls: [new.tgz]
  - name: web
    version: 2.0.0-rc.1
  -
  - name: ../web
    version: 1.9.0
  - name: web
    version: x
  other: []
generated: \"2020-01-01T00:00:00Z\"
";

    #[test]
    fn versions_are_chosen_as_flux_does() {
        let index = Index::read(TEXT.as_bytes().to_vec()).unwrap();
        assert_eq!(index.names().collect::<Vec<_>>(), ["other", "web"]);
        for (wanted, version) in [
            ("", "1.2.0+a"),
            ("*", "1.2.0+a"),
            ("1.2.0+b", "1.2.0+b"),
            ("1.2.0", "1.2.0+a"),
            ("~1.0", "1.0.0"),
            (">=1-0", "2.0.0-rc.1"),
        ] {
            assert_eq!(index.get("web", wanted).unwrap().metadata.version, version, "{wanted}");
        }
        let message = |name, wanted| index.get(name, wanted).unwrap_err().to_string();
        assert_eq!(message("nope", ""), "no chart name found");
        assert_eq!(message("other", ""), "no chart version found");
        assert_eq!(message("web", "^9"), "no 'web' chart with version matching '^9' found");
        assert_eq!(message("web", "?"), "improper constraint: \"?\"");
    }

    #[test]
    fn broken_entries_are_left_out() {
        let index = Index::read(TEXT.as_bytes().to_vec()).unwrap();
        let skipped = index.check().unwrap();
        let reasons: Vec<_> = skipped.iter().map(|skipped| skipped.reason.as_str()).collect();
        assert_eq!(
            reasons,
            [
                "empty entry",
                "validation: chart.metadata.name \"../web\" is invalid",
                "validation: chart.metadata.version \"x\" is invalid",
            ]
        );
    }

    #[test]
    fn json_is_an_index_too() {
        let text =
            r#"{"apiVersion":"v1","entries":{"a":[{"name":"a","version":"1.0.0","new":1}]}}"#;
        let index = Index::read(text.as_bytes().to_vec()).unwrap();
        assert_eq!(index.get("a", "").unwrap().metadata.version, "1.0.0");
    }

    #[test]
    fn a_name_may_stand_once_and_fields_must_be_known() {
        let error = |text: &str| Index::read(text.as_bytes().to_vec()).unwrap_err();
        assert!(matches!(error(""), IndexError::Empty));
        assert!(matches!(error("entries: {}\n"), IndexError::NoApiVersion));
        assert!(matches!(
            error("apiVersion: v1\nentries:\n  a: []\n  a: []\n"),
            IndexError::Document(_)
        ));
        assert!(matches!(error("apiVersion: v1\nfoo: 1\n"), IndexError::Document(_)));
        let text = "apiVersion: v1\nentries:\n  a:\n  - name: a\n    foo: 1\n";
        let index = Index::read(text.as_bytes().to_vec()).unwrap();
        assert!(matches!(index.versions("a"), Err(IndexError::Document(_))));
    }

    /// The scan and the reader of whole texts agree.
    #[test]
    fn whole_texts_give_the_same() {
        let blocks = Index::read(TEXT.as_bytes().to_vec()).unwrap();
        let whole = Index::read_whole(Bytes::from_static(TEXT.as_bytes())).unwrap();
        for name in blocks.names() {
            assert_eq!(
                blocks.versions(name).unwrap().versions,
                whole.versions(name).unwrap().versions
            );
        }
    }
}
