//! Chart.yaml.

use gitops_core::{Version, one_line, quoted};
use gitops_template::is_request_url;
use gitops_yaml::{Flavour, ReadOptions};
use serde_json::{Map, Value};

use super::{Linter, Severity, go_type};
use crate::{
    Compat,
    chart::{Dependency, Maintainer, Metadata},
    decode::{DocumentError, read_value},
};

const FILE: &str = "Chart.yaml";

impl Linter<'_> {
    pub(super) fn chart_file(&mut self) {
        let path = self.path.join(FILE);
        let is_directory = self.tree.stat(&path).is_ok_and(|entry| entry.is_dir());
        let rule = if is_directory { fail("should be a file, not a directory") } else { Ok(()) };
        self.check(Severity::Error, FILE, rule);
        let mut metadata = Metadata::default();
        let read = match self.tree.read(&path) {
            Ok(text) => read_value(&text)
                .and_then(|value| metadata.decode(&value).map(|()| (text, value)))
                .map_err(|error| one_line(&error.of(self.options.compat))),
            Err(error) => Err(error.to_string()),
        };
        let (text, document) = match read {
            Ok(read) => read,
            Err(error) => {
                self.check(Severity::Error, FILE, Err(format!("unable to parse YAML\n\t{error}")));
                return;
            }
        };
        if self.options.compat == Compat::Helm4 {
            let rule = strict(&text, &document).map_err(|error| {
                format!("failed to strictly parse chart metadata file\n\t{}", one_line(&error))
            });
            self.check(Severity::Warning, FILE, rule);
        }
        for (severity, rule) in rules(&metadata, &document) {
            self.check(severity, FILE, rule);
        }
        if self.options.compat == Compat::Helm4
            && semver::Version::parse(&metadata.version).is_err()
        {
            let text = format!("version '{}' is not a valid SemVerV2", metadata.version);
            self.check(Severity::Warning, FILE, Err(text));
        }
    }
}

fn rules(metadata: &Metadata, document: &Value) -> Vec<(Severity, Result<(), String>)> {
    let error = Severity::Error;
    let icon = match metadata.icon.as_str() {
        "" => Ok(()),
        icon if is_request_url(icon) => Ok(()),
        icon => Err(format!("invalid icon URL '{icon}'")),
    };
    let presence = if metadata.icon.is_empty() { fail("icon is recommended") } else { Ok(()) };
    vec![
        (error, name(metadata)),
        (error, api_version(&metadata.api_version)),
        (error, is_text(document, "version")),
        (error, version(&metadata.version)),
        (error, is_text(document, "appVersion")),
        (error, metadata.maintainers.iter().try_for_each(maintainer)),
        (
            error,
            metadata.sources.iter().try_for_each(|source| {
                if is_request_url(source) {
                    Ok(())
                } else {
                    Err(format!("invalid source URL '{source}'"))
                }
            }),
        ),
        (Severity::Info, presence),
        (error, icon),
        (error, only_v2(metadata, !metadata.kind.is_empty(), "chart type is", "It is")),
        (
            error,
            only_v2(metadata, !metadata.dependencies.is_empty(), "dependencies are", "They are"),
        ),
    ]
}

fn name(metadata: &Metadata) -> Result<(), String> {
    let name = &metadata.name;
    if name.is_empty() {
        return fail("name is required");
    }
    if name.contains('/') {
        return Err(format!("chart name {} is invalid", quoted(name)));
    }
    Ok(())
}

fn api_version(version: &str) -> Result<(), String> {
    match version {
        "v1" | "v2" => Ok(()),
        "" => fail("apiVersion is required. The value must be either \"v1\" or \"v2\""),
        other => Err(format!(
            "apiVersion '{other}' is not valid. The value must be either \"v1\" or \"v2\""
        )),
    }
}

fn version(version: &str) -> Result<(), String> {
    if version.is_empty() {
        return fail("version is required");
    }
    let Some(parsed) = Version::parse(version) else {
        return Err(format!("version '{version}' is not a valid SemVer"));
    };
    let least = Version::parse("0.0.0-0").expect("a constant version");
    if parsed <= least {
        return Err(format!("version {parsed} is less than or equal to 0.0.0-0"));
    }
    Ok(())
}

fn is_text(document: &Value, key: &str) -> Result<(), String> {
    match document.get(key) {
        None | Some(Value::String(_)) => Ok(()),
        Some(other) => {
            // What Go decodes of JSON has one type of number.
            let found = if other.is_number() { "float64" } else { go_type(other) };
            Err(format!("{key} should be of type string but it's of type {found}"))
        }
    }
}

fn maintainer(maintainer: &Maintainer) -> Result<(), String> {
    let Maintainer { name, email, url } = maintainer;
    if maintainer.is_null() {
        fail("a maintainer entry is empty")
    } else if name.is_empty() {
        fail("each maintainer requires a name")
    } else if !email.is_empty() && !is_email(email) {
        Err(format!("invalid email '{email}' for maintainer '{name}'"))
    } else if !url.is_empty() && !is_url(url) {
        Err(format!("invalid url '{url}' for maintainer '{name}'"))
    } else {
        Ok(())
    }
}

fn only_v2(metadata: &Metadata, used: bool, what: &str, they: &str) -> Result<(), String> {
    if !used || metadata.api_version == "v2" {
        return Ok(());
    }
    let version = &metadata.api_version;
    let place = if what.starts_with("dependencies") { "in the Chart file with" } else { "in" };
    Err(format!("{what} not valid {place} apiVersion '{version}'. {they} valid in apiVersion 'v2'"))
}

/// Refuses keys that stand twice, and the first field that nobody knows.
fn strict(text: &[u8], document: &Value) -> Result<(), DocumentError> {
    ReadOptions::flavour(Flavour::V2).read_first(text)?;
    let known = |object: &Map<String, Value>, known: &dyn Fn(&str) -> bool| {
        let mut keys: Vec<_> = object.keys().collect();
        keys.sort_unstable();
        match keys.into_iter().find(|key| !known(key)) {
            None => Ok(()),
            Some(key) => Err(DocumentError::Shape(format!("json: unknown field {}", quoted(key)))),
        }
    };
    let Some(object) = document.as_object() else { return Ok(()) };
    known(object, &Metadata::has_field)?;
    for (field, fields) in
        [("dependencies", Dependency::FIELDS), ("maintainers", Maintainer::FIELDS)]
    {
        let items = object.get(field).and_then(Value::as_array).into_iter().flatten();
        for item in items.filter_map(Value::as_object) {
            known(item, &|key| fields.iter().any(|field| field.eq_ignore_ascii_case(key)))?;
        }
    }
    Ok(())
}

fn is_url(text: &str) -> bool {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = host.rsplit('@').next().unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default();
    !text.contains(char::is_whitespace)
        && !host.is_empty()
        && !host.starts_with(['.', '-'])
        && host.chars().all(|c| c.is_alphanumeric() || "-._[]".contains(c))
        && (host.contains('.') || host == "localhost" || text.contains("://"))
}

fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let allowed = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let labels: Vec<_> = domain.split('.').collect();
    !local.is_empty()
        && local.chars().all(allowed)
        && !local.starts_with('.')
        && !local.ends_with('.')
        && !local.contains("..")
        && labels.len() > 1
        && labels.iter().all(|label| {
            !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || "-_~".contains(c))
        })
        && labels.last().is_some_and(|last| last.starts_with(char::is_alphabetic))
}

fn fail<T>(text: &str) -> Result<T, String> {
    Err(text.to_owned())
}
