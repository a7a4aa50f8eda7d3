//! What a document says of itself: enough to sort it.

use gitops_template::bytes::to_bytes;
use gitops_yaml::{Content, Flavour, Mapping, Node, ScalarType};
use serde_json::Value;

use crate::{
    Compat,
    decode::{DocumentError, decode_record, mismatch, text},
};

/// The fields of a document that decide where it goes. Those that are absent are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Head {
    /// `apiVersion`.
    pub api_version: String,
    /// `kind`.
    pub kind: String,
    /// `metadata.name`.
    pub name: String,
    /// `metadata.annotations`.
    pub annotations: Vec<(String, String)>,
}

impl Head {
    /// Reads the first document of a text; the whole of it must be YAML that JSON can hold.
    pub(super) fn read(document: &str, compat: Compat) -> Result<Self, DocumentError> {
        let node = gitops_yaml::read_first(to_bytes(document), Flavour::V2)?;
        if let Some(head) = plain_head(&node) {
            return Ok(head);
        }
        Self::decode(&node.to_json_v2()?, compat)
    }

    /// An annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.annotations.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }

    fn decode(value: &Value, compat: Compat) -> Result<Self, DocumentError> {
        let go_type = match compat {
            Compat::Helm3 => "releaseutil.SimpleHead",
            Compat::Helm4 => "util.SimpleHead",
        };
        let mut head = Self::default();
        let fields = &["apiVersion", "kind", "metadata"];
        decode_record(
            value,
            "SimpleHead",
            go_type,
            fields,
            None,
            |field, value, at| match field {
                "apiVersion" => text(value, at, &mut head.api_version),
                "kind" => text(value, at, &mut head.kind),
                _ => {
                    let go_type = "struct { Name string \"json:\\\"name\\\"\"; Annotations \
                               map[string]string \"json:\\\"annotations\\\"\" }";
                    let fields = &["name", "annotations"];
                    decode_record(value, "", go_type, fields, Some(at), |field, value, at| {
                        if field == "name" {
                            return text(value, at, &mut head.name);
                        }
                        match value {
                            Value::Null => Ok(()),
                            Value::Object(object) => object.iter().try_for_each(|(key, value)| {
                                let mut annotation = String::new();
                                text(value, at, &mut annotation)?;
                                head.annotations.push((key.clone(), annotation));
                                Ok(())
                            }),
                            other => Err(mismatch(other, "map[string]string", Some(at))),
                        }
                    })
                }
            },
        )?;
        Ok(head)
    }
}

/// The head of a document without anything odd, read without making JSON of it.
fn plain_head(node: &Node) -> Option<Head> {
    let mut head = Head::default();
    if node.is_null() {
        return Some(head);
    }
    let fields = node.as_mapping()?;
    if !is_plain(node) {
        return None;
    }
    for (key, value) in fields.iter() {
        match key {
            "apiVersion" => plain_text(value)?.clone_into(&mut head.api_version),
            "kind" => plain_text(value)?.clone_into(&mut head.kind),
            "metadata" => plain_metadata(value.as_mapping()?, &mut head)?,
            other if is_other_case(other, &["apiVersion", "kind", "metadata"]) => return None,
            _ => {}
        }
    }
    Some(head)
}

fn plain_metadata(fields: &Mapping, head: &mut Head) -> Option<()> {
    for (key, value) in fields.iter() {
        match key {
            "name" => plain_text(value)?.clone_into(&mut head.name),
            "annotations" if value.is_null() => {}
            "annotations" => {
                for (key, value) in value.as_mapping()?.iter() {
                    head.annotations.push((key.to_owned(), plain_text(value)?.to_owned()));
                }
            }
            other if is_other_case(other, &["name", "annotations"]) => return None,
            _ => {}
        }
    }
    Some(())
}

fn plain_text(node: &Node) -> Option<&str> {
    node.as_scalar()
        .filter(|scalar| scalar.kind() == ScalarType::Str)
        .map(gitops_yaml::Scalar::text)
}

fn is_other_case(key: &str, fields: &[&str]) -> bool {
    fields.iter().any(|field| field.eq_ignore_ascii_case(key))
}

/// Whether all keys are text that stands once, and all numbers are ones that JSON knows.
fn is_plain(node: &Node) -> bool {
    match node.content() {
        Content::Scalar(scalar) => match scalar.kind() {
            ScalarType::Float => {
                scalar.as_number().is_some_and(|number| number.as_f64().is_finite())
            }
            _ => true,
        },
        Content::Sequence(_) => node.as_sequence().unwrap_or_default().iter().all(is_plain),
        Content::Mapping(mapping) => mapping.entries().iter().all(|entry| {
            entry.key.as_scalar().is_some_and(|key| key.kind() == ScalarType::Str)
                && is_plain(&entry.value)
        }),
    }
}
