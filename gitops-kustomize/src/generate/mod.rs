//! ConfigMaps and Secrets from literals, files and env files.
//!
//! Follows kustomize's `api/internal/generators` and `api/kv`.

mod env;
mod hash;
mod helm;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use gitops_yaml::{Mapping, Node, Scalar, ScalarStyle, ScalarType, Schema};
use indexmap::IndexMap;

pub(crate) use hash::name_hash;
pub(crate) use helm::{check as check_chart, helm_chart, read_plugin as read_helm_plugin};

use crate::{
    error::{Error, ErrorKind, Result},
    file::{GeneratorArgs, GeneratorOptions},
    load::{Loader, path},
    resource::{Behavior, Resource, made_key, made_string},
};

/// Makes a ConfigMap; `all` are the options for all generators.
pub(crate) fn config_map(
    args: &GeneratorArgs,
    all: Option<&GeneratorOptions>,
    loader: &Loader<'_>,
    schema: &Schema,
) -> Result<Resource> {
    generate("ConfigMap", args, all, loader, schema)
}

/// Makes a Secret.
pub(crate) fn secret(
    args: &GeneratorArgs,
    all: Option<&GeneratorOptions>,
    loader: &Loader<'_>,
    schema: &Schema,
) -> Result<Resource> {
    generate("Secret", args, all, loader, schema)
}

fn generate(
    kind: &str,
    args: &GeneratorArgs,
    all: Option<&GeneratorOptions>,
    loader: &Loader<'_>,
    schema: &Schema,
) -> Result<Resource> {
    if args.name.is_empty() {
        return Err(Error::new(ErrorKind::Field, "a configmap must have a name")
            .at_field("name")
            .expecting("`name`, to which a hash of the content is added"));
    }
    let options = GeneratorOptions::merged(args.options.as_ref(), all);
    let data = read_data(kind, args, loader)
        .map_err(|error| error.about(format_args!("{kind}/{}", args.name)))?;
    let mut metadata = Mapping::new();
    metadata.insert("name", made_string(&args.name));
    if !args.namespace.is_empty() {
        metadata.insert("namespace", made_string(&args.namespace));
    }
    for (field, pairs) in [("labels", &options.labels), ("annotations", &options.annotations)] {
        if !pairs.is_empty() {
            let mut made = Mapping::with_capacity(pairs.len());
            for (key, value) in pairs {
                made.push(made_key(key), made_string(value));
            }
            metadata.insert(field, made);
        }
    }
    let mut object = Mapping::new();
    object.insert("apiVersion", "v1");
    object.insert("kind", kind);
    object.insert("metadata", metadata);
    if kind == "Secret" {
        let secret_type = if args.secret_type.is_empty() { "Opaque" } else { &args.secret_type };
        object.insert("type", secret_type);
        let mut secrets = Mapping::with_capacity(data.len());
        for (key, value) in data {
            secrets.push(made_key(&key), Node::string(wrapped_base64(&value)));
        }
        object.insert("data", secrets);
    } else {
        for (key, value) in data {
            match String::from_utf8(value) {
                Ok(text) => {
                    object.mapping_or_insert("data").push(made_key(&key), text_node(text));
                }
                Err(bytes) => {
                    let bytes = wrapped_base64(bytes.as_bytes());
                    let binary = object.mapping_or_insert("binaryData");
                    binary.push(made_key(&key), Node::string(bytes));
                }
            }
        }
    }
    if options.immutable {
        object.insert("immutable", true);
    }
    let mut resource = Resource::new(Node::from(object), schema);
    resource.is_generated = true;
    resource.needs_hash = !options.disable_name_suffix_hash;
    resource.behavior = Behavior::from_text(&args.behavior);
    Ok(resource)
}

fn text_node(text: String) -> Node {
    let style = if text.contains('\n') { ScalarStyle::Literal } else { ScalarStyle::Plain };
    Node::from(Scalar::new(text, ScalarType::Str, style))
}

/// Merges the `data` and `binaryData` of an object that is there under those of a generated one.
pub(crate) fn merge_data(resource: &mut Resource, old: &Resource) {
    for field in ["data", "binaryData"] {
        let mut merged: IndexMap<String, Node> = IndexMap::new();
        let is_secret = old.id().gvk.kind == "Secret";
        for side in [old.node(), resource.node()] {
            if field == "data"
                && is_secret
                && let Some(plain) = side.get("stringData").and_then(Node::as_mapping)
            {
                for (key, value) in plain.iter() {
                    let text = wrapped_base64(value.text().unwrap_or_default().as_bytes());
                    merged.insert(key.to_owned(), Node::string(text));
                }
            }
            let entries = side.get(field).and_then(Node::as_mapping);
            for (key, value) in entries.into_iter().flat_map(Mapping::iter) {
                // The original holds these as texts, whatever their type was.
                let text = if value.is_null() { "" } else { value.text().unwrap_or_default() };
                merged.insert(key.to_owned(), Node::string(text));
            }
        }
        let object = resource.node_mut().make_mapping();
        object.remove(field);
        if !merged.is_empty() {
            let mut made = Mapping::with_capacity(merged.len());
            for (key, value) in merged {
                made.push(made_key(&key), value);
            }
            object.insert(field, made);
        }
    }
}

/// All pairs: of env files, then literals, then files. Keys must be valid and differ.
fn read_data(
    kind: &str,
    args: &GeneratorArgs,
    loader: &Loader<'_>,
) -> Result<std::collections::BTreeMap<String, Vec<u8>>> {
    let fail = |what: &str, sources: &[String]| {
        format!("loading KV pairs: {what} [{}]", sources.join(" "))
    };
    let mut pairs: Vec<(String, Vec<u8>)> = Vec::new();
    for (index, file) in args.envs.iter().enumerate() {
        let read = read_source(loader, file, "envs", index).and_then(|content| {
            env::parse(&content).map_err(|error| error.in_file(loader.name_of(file)))
        });
        pairs.extend(read.map_err(|error| error.context(fail("env source files:", &args.envs)))?);
    }
    for (index, literal) in args.literals.iter().enumerate() {
        let pair = env::parse_literal(literal).map_err(|error| {
            let (error, shown) = if kind == "Secret" {
                (error.without(literal), args.literals.iter().map(|one| masked(one)).collect())
            } else {
                (error, args.literals.clone())
            };
            let error = error.at_index(index).at_field("literals");
            error.context(fail("literal sources", &shown))
        });
        pairs.push(pair?);
    }
    for (index, source) in args.files.iter().enumerate() {
        let split =
            split_file_source(source).map_err(|error| error.at_index(index).at_field("files"));
        let read = split.and_then(|(key, file)| {
            let content = read_source(loader, file, "files", index)?;
            Ok((key.to_owned(), content.to_vec()))
        });
        pairs.push(read.map_err(|error| error.context(fail("file sources:", &args.files)))?);
    }
    let mut data = std::collections::BTreeMap::new();
    for (key, value) in pairs {
        env::check_key(&key)?;
        if data.contains_key(&key) {
            let message = format!("configmap {} illegally repeats the key `{key}`", args.name);
            return Err(Error::new(ErrorKind::Conflict, message)
                .with_hint("literals, files and env files share one set of keys"));
        }
        data.insert(key, value);
    }
    Ok(data)
}

/// A literal of a Secret as messages show it.
fn masked(literal: &str) -> String {
    match literal.split_once('=') {
        Some((key, _)) => format!("{key}=***"),
        None => "***".to_owned(),
    }
}

/// A file that the element at `index` of `field` names.
fn read_source(
    loader: &Loader<'_>,
    file: &str,
    field: &'static str,
    index: usize,
) -> Result<bytes::Bytes> {
    loader.read(file).map_err(|error| {
        let error = loader.suggest(error, file);
        error.at_index(index).at_field(field)
    })
}

/// `key=path`, or a path whose last part is the key.
fn split_file_source(source: &str) -> Result<(&str, &str)> {
    let fail = |message: String| {
        Err(Error::new(ErrorKind::Field, message).expecting("`path` or `key=path`"))
    };
    match source.split_once('=') {
        None => Ok((path::base_name(source), source)),
        Some((_, rest)) if rest.contains('=') => {
            fail(format!("source {source:?} key name or file path contains '='"))
        }
        Some(("", file)) => {
            fail(format!("missing key name for file path {file:?} in source {source:?}"))
        }
        Some((key, "")) => {
            fail(format!("missing file path for key name {key:?} in source {source:?}"))
        }
        Some((key, file)) => Ok((key, file)),
    }
}

/// Base64 in lines of 70 characters, each with a line feed, if there is more than one.
fn wrapped_base64(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    if text.len() < 70 {
        return text;
    }
    let mut wrapped = String::with_capacity(text.len() + text.len() / 70 + 1);
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(70));
        wrapped.push_str(line);
        wrapped.push('\n');
        rest = more;
    }
    wrapped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wraps_long_texts() {
        assert_eq!(wrapped_base64(b"x"), "eA==");
        let long = wrapped_base64(&[0; 60]);
        assert_eq!(long.lines().map(str::len).collect::<Vec<_>>(), [70, 10]);
        assert!(long.ends_with('\n'));
    }

    #[test]
    fn file_sources() {
        assert_eq!(split_file_source("./a/b.txt").unwrap(), ("b.txt", "./a/b.txt"));
        assert_eq!(split_file_source("k=a/b").unwrap(), ("k", "a/b"));
        for bad in ["=a", "a=", "a=b=c"] {
            assert!(split_file_source(bad).is_err(), "{bad}");
        }
    }
}
