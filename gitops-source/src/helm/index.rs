//! The index of a chart repository: checked, brought into one form, and looked into.
//!
//! Follows Flux's `repository.IndexFromBytes` (which entries are good, what is an error) and stores
//! the same bytes as Flux: JSON with two spaces, charts by name, versions from the highest. Differs
//! in that neither step holds the index in memory: entries are read one at a time, and a lookup
//! reads over all charts but the one that it is about.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek as _, SeekFrom, Write as _},
    os::unix::fs::FileExt as _,
};

use gitops_core::{go_json_refusal, json_kind};
use gitops_yaml::{Flavour, Node, ReadOptions};
use serde::de::{DeserializeSeed, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::{
    entry::{ChartEntry, Time},
    json::indented,
    split::{Piece, SplitError, split},
};
use crate::go::quoted;

/// The largest index that is read as a whole where its form is unusual, in bytes.
const WHOLE_LIMIT: u64 = 8 << 20;

/// Why a file is no index.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IndexError {
    /// There is nothing in it.
    #[error("empty index.yaml file")]
    Empty,
    /// It names no version of its form.
    #[error("no API version specified")]
    NoApiVersion,
    /// It is not YAML.
    #[error("error converting YAML to JSON: {0}")]
    Yaml(Box<str>),
    /// It is JSON of another shape.
    #[error("{0}")]
    Json(Box<str>),
    /// It is YAML of another shape.
    #[error("error unmarshaling JSON: while decoding JSON: {0}")]
    Shape(Box<str>),
    /// Local disk trouble.
    #[error("cannot read or write a temporary file")]
    Disk(#[from] io::Error),
}

/// Brings an index into the form in which it is stored; gives it from a file without a name, and
/// its size. Blocks.
pub(super) fn convert(index: &mut File) -> Result<(File, u64), IndexError> {
    let size = index.metadata()?.len();
    index.rewind()?;
    let mut head = [0; 512];
    let amount = index.read(&mut head)?;
    let first = head[..amount].iter().find(|byte| !byte.is_ascii_whitespace());
    let Some(first) = first.filter(|_| size > 0) else {
        return Err(IndexError::Empty);
    };
    if *first == b'{' {
        let mut out = Collector::new()?;
        index.rewind()?;
        let mut json = serde_json::Deserializer::from_reader(BufReader::new(&*index));
        match (Index(&mut out)).deserialize(&mut json).and_then(|()| json.end()) {
            Ok(()) => return out.finish(),
            // Not JSON: perhaps YAML in flow style.
            Err(error) if error.is_syntax() || error.is_eof() => {}
            Err(error) => return Err(IndexError::Json(error.to_string().into())),
        }
    }
    index.rewind()?;
    let mut out = Collector::new()?;
    let piecewise =
        match split(BufReader::with_capacity(128 << 10, &*index), |piece| out.piece(piece)) {
            Ok(done) => done.and_then(|()| out.end_of_chart()),
            Err(SplitError::Io(error)) => return Err(error.into()),
            Err(SplitError::Unusual) => Err(IndexError::Yaml("yaml: unusual form of index".into())),
        };
    match piecewise {
        Ok(()) => out.finish(),
        Err(IndexError::Disk(error)) => Err(error.into()),
        Err(_) if size <= WHOLE_LIMIT => whole(index),
        Err(error) => Err(error),
    }
}

/// Reads the document as a whole.
fn whole(index: &mut File) -> Result<(File, u64), IndexError> {
    let mut text = Vec::new();
    index.rewind()?;
    index.read_to_end(&mut text)?;
    let mut out = Collector::new()?;
    match yaml(&text, 0)? {
        Value::Object(fields) => {
            for (key, value) in fields {
                out.field(&key, value)?;
            }
        }
        Value::Null => {}
        other => {
            let why = not_an_object(&other, "Go value of type repo.IndexFile");
            // JSON is not read as YAML, and so told of in fewer words.
            let is_json =
                std::str::from_utf8(&text).is_ok_and(|text| go_json_refusal(text).is_none());
            return Err(match why {
                IndexError::Shape(why) if is_json => IndexError::Json(why),
                why => why,
            });
        }
    }
    out.finish()
}

const VERSIONS: &str = "Go struct field IndexFile.entries of type repo.ChartVersions";
const CHARTS: &str = "Go struct field IndexFile.entries of type map[string]repo.ChartVersions";

fn not_an_object(value: &Value, what: &str) -> IndexError {
    let kind = json_kind(value);
    let why = format!("json: cannot unmarshal {kind} into {what}");
    IndexError::Shape(why.into())
}

fn yaml(text: impl AsRef<[u8]>, line: u32) -> Result<Value, IndexError> {
    let convert = |error: gitops_yaml::Error| {
        let message = error.message();
        let moved = message.strip_prefix("yaml: line ").and_then(|rest| {
            let (number, why) = rest.split_once(':')?;
            Some(format!("yaml: line {}:{why}", number.parse::<u32>().ok()?.checked_add(line)?))
        });
        IndexError::Yaml(moved.unwrap_or_else(|| message.to_owned()).into())
    };
    // A key that stands twice is an error.
    let options = ReadOptions::flavour(Flavour::V2);
    let node: Node = options.read_first(text.as_ref()).map_err(convert)?;
    node.to_json_v2().map_err(convert)
}

/// Where a chart stands in the collector's file.
#[derive(Clone, Copy)]
struct Span {
    start: u64,
    length: u64,
}

/// Takes an index in any order and writes it in ours.
struct Collector {
    api_version: String,
    generated: Time,
    server_info: Map<String, Value>,
    public_keys: Vec<String>,
    annotations: BTreeMap<String, String>,
    has_entries: bool,
    /// The fields that a YAML index had until now.
    seen: BTreeSet<String>,
    charts: BTreeMap<String, Span>,
    body: BufWriter<File>,
    written: u64,
    /// The chart that is being read, and its versions.
    current: Option<(String, Vec<ChartEntry>)>,
}

impl Collector {
    fn new() -> Result<Self, IndexError> {
        Ok(Self {
            api_version: String::new(),
            generated: Time::default(),
            server_info: Map::new(),
            public_keys: Vec::new(),
            annotations: BTreeMap::new(),
            has_entries: false,
            seen: BTreeSet::new(),
            charts: BTreeMap::new(),
            body: BufWriter::with_capacity(128 << 10, tempfile::tempfile()?),
            written: 0,
            current: None,
        })
    }

    /// Takes a piece of a YAML index.
    fn piece(&mut self, piece: Piece) -> Result<(), IndexError> {
        match piece {
            Piece::Field(text) => {
                self.end_of_chart()?;
                let is_entries = text.trim_start().starts_with("entries");
                match yaml(text, 0)? {
                    Value::Object(fields) => {
                        for (key, value) in fields {
                            self.first(&key)?;
                            self.field(&key, value)?;
                        }
                        Ok(())
                    }
                    Value::Null => {
                        if is_entries {
                            self.first("entries")?;
                        }
                        // `entries:` itself, or a comment.
                        self.has_entries = true;
                        Ok(())
                    }
                    other => Err(not_an_object(&other, "Go value of type repo.IndexFile")),
                }
            }
            Piece::Chart(text) => {
                self.end_of_chart()?;
                let chart = yaml(text, 0)?;
                let Value::Object(chart) = chart else {
                    return Err(not_an_object(&chart, CHARTS));
                };
                for (name, value) in chart {
                    self.end_of_chart()?;
                    self.list(name, value)?;
                }
                Ok(())
            }
            Piece::Version { line, text } => match (yaml(text, line)?, &mut self.current) {
                (Value::Array(items), Some((_, versions))) => {
                    items.into_iter().try_for_each(|item| accept(item, versions))
                }
                (other, _) => Err(not_an_object(&other, VERSIONS)),
            },
        }
    }

    /// Notes a field, which must not stand there twice. Where, the document as a whole tells.
    fn first(&mut self, key: &str) -> Result<(), IndexError> {
        if self.seen.insert(key.to_owned()) {
            return Ok(());
        }
        let why = format!("yaml: unmarshal errors:\n  key {} already set in map", quoted(key));
        Err(IndexError::Yaml(why.into()))
    }

    /// Takes a field of a YAML index.
    fn field(&mut self, key: &str, value: Value) -> Result<(), IndexError> {
        let shape = |error: serde_json::Error| IndexError::Shape(format!("json: {error}").into());
        match key {
            "entries" => {
                self.has_entries = true;
                match value {
                    Value::Null => {}
                    Value::Object(charts) => {
                        for (name, versions) in charts {
                            self.list(name, versions)?;
                            self.end_of_chart()?;
                        }
                    }
                    other => return Err(not_an_object(&other, CHARTS)),
                }
                Ok(())
            }
            "apiVersion" | "generated" | "serverInfo" | "publicKeys" | "annotations" => {
                self.head(key, value).map_err(shape)
            }
            _ => {
                let why = format!("json: unknown field {}", quoted(key));
                Err(IndexError::Shape(why.into()))
            }
        }
    }

    /// Takes a field other than the entries; others that Helm does not know are left out.
    fn head(&mut self, key: &str, value: Value) -> Result<(), serde_json::Error> {
        if value.is_null() {
            return Ok(());
        }
        match key {
            "apiVersion" => self.api_version = serde_json::from_value(value)?,
            "generated" => self.generated = serde_json::from_value(value)?,
            "serverInfo" => self.server_info = serde_json::from_value(value)?,
            "publicKeys" => self.public_keys = serde_json::from_value(value)?,
            "annotations" => self.annotations = serde_json::from_value(value)?,
            _ => {}
        }
        Ok(())
    }

    /// Begins a chart with the versions that are known already.
    fn list(&mut self, name: String, versions: Value) -> Result<(), IndexError> {
        if self.charts.contains_key(&name) {
            let why =
                format!("yaml: unmarshal errors:\n  key {} already set in map", quoted(&name));
            return Err(IndexError::Yaml(why.into()));
        }
        let items = match versions {
            Value::Null => Vec::new(),
            Value::Array(items) => items,
            other => return Err(not_an_object(&other, VERSIONS)),
        };
        let mut accepted = Vec::with_capacity(items.len());
        for item in items {
            accept(item, &mut accepted)?;
        }
        self.current = Some((name, accepted));
        Ok(())
    }

    /// Writes the chart that was read.
    fn end_of_chart(&mut self) -> Result<(), IndexError> {
        let Some((name, versions)) = self.current.take() else {
            return Ok(());
        };
        self.chart(name, versions)?;
        Ok(())
    }

    fn chart(&mut self, name: String, mut versions: Vec<ChartEntry>) -> io::Result<()> {
        versions
            .sort_by_cached_key(|entry| std::cmp::Reverse(crate::Version::parse(&entry.version)));
        let text = indented(&versions, 2)?;
        self.body.write_all(&text)?;
        let span = Span { start: self.written, length: text.len() as u64 };
        self.written += span.length;
        // Of two charts of one name in JSON the later counts, as in Go.
        self.charts.insert(name, span);
        Ok(())
    }

    fn finish(mut self) -> Result<(File, u64), IndexError> {
        if self.api_version.is_empty() {
            return Err(IndexError::NoApiVersion);
        }
        self.body.flush()?;
        let body = self.body.into_inner().map_err(io::IntoInnerError::into_error)?;
        let mut out = BufWriter::with_capacity(128 << 10, tempfile::tempfile()?);
        let mut size = 0_u64;
        let mut write = |text: &[u8]| {
            size += text.len() as u64;
            out.write_all(text)
        };
        write(b"{\n")?;
        if !self.server_info.is_empty() {
            write(&field("serverInfo", &self.server_info)?)?;
            write(b",\n")?;
        }
        write(&field("apiVersion", &self.api_version)?)?;
        write(b",\n")?;
        write(&field("generated", &self.generated)?)?;
        write(b",\n  \"entries\": ")?;
        write(match (self.charts.is_empty(), self.has_entries) {
            (true, true) => b"{}",
            (true, false) => b"null",
            (false, _) => b"{",
        })?;
        let mut separator: &[u8] = b"\n";
        let mut piece = vec![0; 128 << 10];
        for (name, span) in &self.charts {
            write(separator)?;
            write(b"    ")?;
            write(&indented(name, 2)?)?;
            write(b": ")?;
            separator = b",\n";
            let (mut start, mut left) = (span.start, span.length);
            while left > 0 {
                let wanted = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                body.read_exact_at(&mut piece[..wanted], start)?;
                write(&piece[..wanted])?;
                start += wanted as u64;
                left -= wanted as u64;
            }
        }
        if !self.charts.is_empty() {
            write(b"\n  }")?;
        }
        if !self.public_keys.is_empty() {
            write(b",\n")?;
            write(&field("publicKeys", &self.public_keys)?)?;
        }
        if !self.annotations.is_empty() {
            write(b",\n")?;
            write(&field("annotations", &self.annotations)?)?;
        }
        write(b"\n}")?;
        out.flush()?;
        let mut file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.seek(SeekFrom::Start(0))?;
        Ok((file, size))
    }
}

fn accept(item: Value, versions: &mut Vec<ChartEntry>) -> Result<(), IndexError> {
    let entry = ChartEntry::from_yaml(item).map_err(|why| IndexError::Shape(why.into()))?;
    versions.extend(usable(entry));
    Ok(())
}

fn field<T: serde::Serialize>(key: &str, value: &T) -> io::Result<Vec<u8>> {
    let mut text = format!("  \"{key}\": ").into_bytes();
    text.extend(indented(value, 1)?);
    Ok(text)
}

/// An entry that can be used.
fn usable(entry: Option<ChartEntry>) -> Option<ChartEntry> {
    entry.and_then(|mut entry| entry.accept().then_some(entry))
}

/// Reads an index in JSON, one chart at a time.
struct Index<'c>(&'c mut Collector);

impl<'de> DeserializeSeed<'de> for Index<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Index<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an index of charts")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<String>()? {
            if key == "entries" {
                self.0.has_entries = true;
                map.next_value_seed(Entries(self.0))?;
            } else {
                self.0.head(&key, map.next_value()?).map_err(A::Error::custom)?;
            }
        }
        Ok(())
    }
}

struct Entries<'c>(&'c mut Collector);

impl<'de> DeserializeSeed<'de> for Entries<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_option(self)
    }
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("charts with their versions")
    }

    fn visit_none<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_some<D: serde::Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_map(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            let versions: Option<Vec<Option<ChartEntry>>> = map.next_value()?;
            let versions = versions.unwrap_or_default().into_iter();
            let versions = versions.filter_map(usable).collect();
            self.0.chart(name, versions).map_err(A::Error::custom)?;
        }
        Ok(())
    }
}
