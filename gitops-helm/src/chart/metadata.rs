//! Chart.yaml, requirements.yaml and what they declare.

use std::{collections::BTreeSet, sync::LazyLock};

use gitops_core::{Version, quoted};
use indexmap::IndexMap;
use regex::Regex;
use serde_json::{Map, Value};

use crate::{
    chart::ChartError,
    decode::{DocumentError, Position, boolean, decode_record, items, mismatch, text, texts},
};

/// What Chart.yaml says of a chart. Fields that are absent are empty.
///
/// Follows helm pkg/chart/v2/metadata.go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Metadata {
    /// Its name: one path component.
    pub name: String,
    /// The project's home page.
    pub home: String,
    /// Where its source is.
    pub sources: Vec<String>,
    /// Its version, as written.
    pub version: String,
    /// One sentence about it.
    pub description: String,
    /// Words to find it by.
    pub keywords: Vec<String>,
    /// Who maintains it.
    pub maintainers: Vec<Maintainer>,
    /// Address of an image.
    pub icon: String,
    /// `v1` or `v2`; `v1` where nothing is said.
    pub api_version: String,
    /// The path of a value that switches it on, as a dependency.
    pub condition: String,
    /// Tags, as Helm 2 wrote them.
    pub tags: String,
    /// The version of what it installs.
    pub app_version: String,
    /// Whether it should no longer be used.
    pub deprecated: bool,
    /// Free text by key.
    pub annotations: IndexMap<String, String>,
    /// The range of Kubernetes versions it works with.
    pub kube_version: String,
    /// What it depends on.
    pub dependencies: Vec<Dependency>,
    /// Whether there is a list of that, be it empty: Go tells such a one from none.
    pub lists_dependencies: bool,
    /// `application`, `library` or empty, which means `application`.
    pub kind: String,
}

/// A person or team.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintainer {
    /// Name.
    pub name: String,
    /// Mail address.
    pub email: String,
    /// Address of a page.
    pub url: String,
}

/// A chart that another chart wants below `charts/`.
///
/// Follows helm pkg/chart/v2/dependency.go.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Dependency {
    /// The name of the chart.
    pub name: String,
    /// The range of versions.
    pub version: String,
    /// The address of its repository, `alias:` or `@` and a name, or `file://` and a path.
    pub repository: String,
    /// Paths of values, divided by commas; the first that is a boolean decides.
    pub condition: String,
    /// Tags, any of which switches it on.
    pub tags: Vec<String>,
    /// Whether it takes part; written by Helm itself.
    pub enabled: bool,
    /// Which of its values its parent takes: names, or objects with `child` and `parent`.
    pub import_values: Vec<Value>,
    /// The name under which the parent uses it.
    pub alias: String,
}

const METADATA_FIELDS: &[&str] = &[
    "name",
    "home",
    "sources",
    "version",
    "description",
    "keywords",
    "maintainers",
    "icon",
    "apiVersion",
    "condition",
    "tags",
    "appVersion",
    "deprecated",
    "annotations",
    "kubeVersion",
    "dependencies",
    "type",
];

impl Metadata {
    /// Whether dependencies are listed, be it none: Helm treats a chart without a list another way.
    pub(crate) fn has_dependency_list(&self) -> bool {
        self.lists_dependencies || !self.dependencies.is_empty()
    }

    /// Reads a document over what is there already, as requirements.yaml is read over Chart.yaml.
    pub(crate) fn decode(&mut self, value: &Value) -> Result<(), DocumentError> {
        let go_type = "v2.Metadata";
        decode_record(value, "Metadata", go_type, METADATA_FIELDS, None, |field, value, at| {
            match field {
                "name" => text(value, at, &mut self.name),
                "home" => text(value, at, &mut self.home),
                "sources" => texts(value, at, &mut self.sources),
                "version" => text(value, at, &mut self.version),
                "description" => text(value, at, &mut self.description),
                "keywords" => texts(value, at, &mut self.keywords),
                "maintainers" => {
                    let items = items(value, at, "[]*v2.Maintainer")?;
                    self.maintainers = items
                        .iter()
                        .map(|item| Maintainer::decode(item, at))
                        .collect::<Result<_, _>>()?;
                    Ok(())
                }
                "icon" => text(value, at, &mut self.icon),
                "apiVersion" => text(value, at, &mut self.api_version),
                "condition" => text(value, at, &mut self.condition),
                "tags" => text(value, at, &mut self.tags),
                "appVersion" => text(value, at, &mut self.app_version),
                "deprecated" => boolean(value, at, &mut self.deprecated),
                "annotations" => self.decode_annotations(value, at),
                "kubeVersion" => text(value, at, &mut self.kube_version),
                "dependencies" => {
                    self.dependencies = Dependency::decode_list(value, at)?;
                    self.lists_dependencies = value.is_array();
                    Ok(())
                }
                _ => text(value, at, &mut self.kind),
            }
        })
    }

    /// The fields that are not empty, in the order in which Go writes them.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| {
            let is_empty = match &value {
                Value::String(text) => text.is_empty(),
                Value::Array(items) => items.is_empty(),
                Value::Object(object) => object.is_empty(),
                other => *other == Value::Bool(false),
            };
            if !is_empty {
                object.insert(key.to_owned(), value);
            }
        };
        let annotations = self.annotations.iter();
        let annotations = annotations.map(|(key, text)| (key.clone(), text.as_str().into()));
        put("name", self.name.as_str().into());
        put("home", self.home.as_str().into());
        put("sources", self.sources.clone().into());
        put("version", self.version.as_str().into());
        put("description", self.description.as_str().into());
        put("keywords", self.keywords.clone().into());
        put("maintainers", self.maintainers.iter().map(Maintainer::to_json).collect());
        put("icon", self.icon.as_str().into());
        put("apiVersion", self.api_version.as_str().into());
        put("condition", self.condition.as_str().into());
        put("tags", self.tags.as_str().into());
        put("appVersion", self.app_version.as_str().into());
        put("deprecated", self.deprecated.into());
        put("annotations", Value::Object(annotations.collect()));
        put("kubeVersion", self.kube_version.as_str().into());
        put("dependencies", self.dependencies.iter().map(Dependency::to_json).collect());
        put("type", self.kind.as_str().into());
        Value::Object(object)
    }

    /// Whether Chart.yaml knows a field.
    pub(crate) fn has_field(name: &str) -> bool {
        METADATA_FIELDS.iter().any(|field| field.eq_ignore_ascii_case(name))
    }

    fn decode_annotations(
        &mut self,
        value: &Value,
        at: &Position<'_>,
    ) -> Result<(), DocumentError> {
        let object = match value {
            Value::Null => return Ok(()),
            Value::Object(object) => object,
            other => return Err(mismatch(other, "map[string]string", Some(at))),
        };
        for (key, value) in object {
            let mut annotation = String::new();
            text(value, at, &mut annotation)?;
            self.annotations.insert(key.clone(), annotation);
        }
        Ok(())
    }

    /// Cleans the texts of control characters and checks what Helm checks when it loads a chart.
    ///
    /// # Errors
    /// [`ChartError::Invalid`], in Helm's words.
    pub fn validate(&mut self) -> Result<(), ChartError> {
        for text in [
            &mut self.name,
            &mut self.description,
            &mut self.home,
            &mut self.icon,
            &mut self.condition,
            &mut self.tags,
            &mut self.app_version,
            &mut self.kube_version,
        ]
        .into_iter()
        .chain(&mut self.sources)
        .chain(&mut self.keywords)
        {
            sanitize(text);
        }
        self.validate_identity()?;
        for maintainer in &mut self.maintainers {
            if maintainer.is_null() {
                return Err(invalid("maintainers must not contain empty or null nodes"));
            }
            for text in [&mut maintainer.name, &mut maintainer.email, &mut maintainer.url] {
                sanitize(text);
            }
        }
        let mut names = BTreeSet::new();
        for dependency in &mut self.dependencies {
            dependency.validate()?;
            if !names.insert(dependency.local_name()) {
                return Err(invalid(format!(
                    "more than one dependency with name or alias {}",
                    quoted(dependency.local_name())
                )));
            }
        }
        Ok(())
    }

    fn validate_identity(&self) -> Result<(), ChartError> {
        let name = &self.name;
        if self.api_version.is_empty() {
            return Err(invalid("chart.metadata.apiVersion is required"));
        }
        if name.is_empty() {
            return Err(invalid("chart.metadata.name is required"));
        }
        if name == "." || name == ".." {
            return Err(invalid(format!("chart.metadata.name {} is not allowed", quoted(name))));
        }
        // A backslash is no separator where Helm's own tests run; it is one where charts unpack.
        if name.contains(['/', '\\']) {
            return Err(invalid(format!("chart.metadata.name {} is invalid", quoted(name))));
        }
        if self.version.is_empty() {
            return Err(invalid("chart.metadata.version is required"));
        }
        if Version::parse(&self.version).is_none() {
            return Err(invalid(format!(
                "chart.metadata.version {} is invalid",
                quoted(&self.version)
            )));
        }
        if !matches!(self.kind.as_str(), "" | "application" | "library") {
            return Err(invalid("chart.metadata.type must be application or library"));
        }
        Ok(())
    }

    /// Whether this is a library chart, whose own templates are not rendered.
    pub fn is_library(&self) -> bool {
        self.kind == "library"
    }
}

impl Maintainer {
    /// What Chart.yaml may say of one.
    pub(crate) const FIELDS: &[&str] = &["name", "email", "url"];

    fn decode(value: &Value, outer: &Position<'_>) -> Result<Self, DocumentError> {
        let mut maintainer = Self::default();
        if value.is_null() {
            // An impossible name marks it until the chart is checked.
            NULL_NODE.clone_into(&mut maintainer.name);
            return Ok(maintainer);
        }
        let fields = Self::FIELDS;
        let go_type = "v2.Maintainer";
        decode_record(value, "Maintainer", go_type, fields, Some(outer), |field, value, at| {
            match field {
                "name" => text(value, at, &mut maintainer.name),
                "email" => text(value, at, &mut maintainer.email),
                _ => text(value, at, &mut maintainer.url),
            }
        })?;
        Ok(maintainer)
    }

    pub(crate) fn is_null(&self) -> bool {
        self.name == NULL_NODE
    }

    fn to_json(&self) -> Value {
        let fields = [("name", &self.name), ("email", &self.email), ("url", &self.url)];
        let fields = fields.into_iter().filter(|(_, text)| !text.is_empty());
        Value::Object(fields.map(|(key, text)| (key.to_owned(), text.as_str().into())).collect())
    }
}

impl Dependency {
    /// What Chart.yaml may say of one.
    pub(crate) const FIELDS: &[&str] = &[
        "name",
        "version",
        "repository",
        "condition",
        "tags",
        "enabled",
        "import-values",
        "alias",
    ];

    /// The name under which the parent uses it: the alias, or the chart's own name.
    pub fn local_name(&self) -> &str {
        if self.alias.is_empty() { &self.name } else { &self.alias }
    }

    pub(crate) fn to_json(&self) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value, is_empty: bool| {
            if !is_empty {
                object.insert(key.to_owned(), value);
            }
        };
        put("name", self.name.as_str().into(), false);
        put("version", self.version.as_str().into(), self.version.is_empty());
        put("repository", self.repository.as_str().into(), false);
        put("condition", self.condition.as_str().into(), self.condition.is_empty());
        put("tags", self.tags.clone().into(), self.tags.is_empty());
        put("enabled", self.enabled.into(), !self.enabled);
        put("import-values", self.import_values.clone().into(), self.import_values.is_empty());
        put("alias", self.alias.as_str().into(), self.alias.is_empty());
        Value::Object(object)
    }

    pub(crate) fn decode_list(
        value: &Value,
        at: &Position<'_>,
    ) -> Result<Vec<Self>, DocumentError> {
        let items = items(value, at, "[]*v2.Dependency")?;
        items.iter().map(|item| Self::decode(item, at)).collect()
    }

    fn decode(value: &Value, outer: &Position<'_>) -> Result<Self, DocumentError> {
        let mut dependency = Self::default();
        if value.is_null() {
            NULL_NODE.clone_into(&mut dependency.name);
            return Ok(dependency);
        }
        let fields = Self::FIELDS;
        let go_type = "v2.Dependency";
        decode_record(value, "Dependency", go_type, fields, Some(outer), |field, value, at| {
            match field {
                "name" => text(value, at, &mut dependency.name),
                "version" => text(value, at, &mut dependency.version),
                "repository" => text(value, at, &mut dependency.repository),
                "condition" => text(value, at, &mut dependency.condition),
                "tags" => texts(value, at, &mut dependency.tags),
                "enabled" => boolean(value, at, &mut dependency.enabled),
                "import-values" => {
                    dependency.import_values = items(value, at, "[]interface {}")?.to_vec();
                    Ok(())
                }
                _ => text(value, at, &mut dependency.alias),
            }
        })?;
        Ok(dependency)
    }

    fn validate(&mut self) -> Result<(), ChartError> {
        static ALIAS: LazyLock<Regex> =
            LazyLock::new(|| Regex::new("^[a-zA-Z0-9_-]+$").expect("a constant pattern"));
        if self.name == NULL_NODE {
            return Err(invalid("dependencies must not contain empty or null nodes"));
        }
        for text in [&mut self.name, &mut self.version, &mut self.repository, &mut self.condition]
            .into_iter()
            .chain(&mut self.tags)
        {
            sanitize(text);
        }
        if !self.alias.is_empty() && !ALIAS.is_match(&self.alias) {
            return Err(invalid(format!(
                "dependency {} has disallowed characters in the alias",
                quoted(&self.name)
            )));
        }
        Ok(())
    }
}

/// Stands in the name of a `null` item until validation refuses it. No document can say this:
/// YAML holds no noncharacter U+FFFF.
const NULL_NODE: &str = "\u{ffff}";

fn invalid(message: impl Into<String>) -> ChartError {
    ChartError::Invalid(message.into())
}

/// White space becomes spaces, what cannot be printed goes.
pub(crate) fn sanitize(text: &mut String) {
    if text.bytes().all(|byte| (b' '..0x7f).contains(&byte)) {
        return;
    }
    *text = text
        .chars()
        .filter_map(|character| match character {
            character if character.is_whitespace() => Some(' '),
            character if is_printable(character) => Some(character),
            _ => None,
        })
        .collect();
}

/// Go's `unicode.IsPrint`, as far as Rust's tables tell: what `Debug` would not escape.
fn is_printable(character: char) -> bool {
    matches!(character, '"' | '\'' | '\\') || character.escape_debug().len() == 1
}
