//! Paths, query options and content negotiation.

use http::{HeaderMap, Method, header};
use serde_json::Value;

use crate::status::{Cause, Refusal, Result, go_quote};

/// What a path names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Path {
    Resource(ResourcePath),
    Other,
}

/// A path below `/api/v1` or `/apis/<group>/<version>` with at least a resource.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResourcePath {
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) namespace: Option<String>,
    pub(crate) resource: String,
    pub(crate) name: Option<String>,
    pub(crate) subresource: Option<String>,
    /// The old `/watch/` prefix.
    pub(crate) watch: bool,
}

/// The query options that the verbs know.
#[expect(clippy::struct_excessive_bools, reason = "as many as the API has")]
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    pub(crate) dry_run: bool,
    /// A value of `dryRun` that there is not.
    pub(crate) odd_dry_run: Option<String>,
    pub(crate) field_manager: Option<String>,
    pub(crate) field_validation: FieldValidation,
    pub(crate) force: Option<bool>,
    pub(crate) label_selector: String,
    pub(crate) field_selector: String,
    pub(crate) limit: usize,
    pub(crate) continue_token: String,
    pub(crate) resource_version: String,
    pub(crate) resource_version_match: String,
    pub(crate) watch: bool,
    pub(crate) allow_bookmarks: bool,
    pub(crate) send_initial_events: Option<bool>,
    pub(crate) timeout_seconds: Option<u64>,
    pub(crate) grace_period_seconds: Option<i64>,
    pub(crate) propagation_policy: Option<String>,
    pub(crate) orphan_dependents: Option<bool>,
    pub(crate) pretty: bool,
    pub(crate) include_object: String,
}

/// What happens with fields that the schema does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum FieldValidation {
    Ignore,
    #[default]
    Warn,
    Strict,
}

/// How the client wants to see objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum View {
    #[default]
    Whole,
    Table(Included),
    PartialMetadata,
}

/// What of an object stands beside its row in a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Included {
    Nothing,
    #[default]
    Metadata,
    Object,
}

impl View {
    /// A table with what `includeObject` asks for; other views stay.
    pub(crate) fn including(self, wanted: &str) -> Result<Self> {
        let Self::Table(_) = self else { return Ok(self) };
        Ok(Self::Table(match wanted {
            "" | "Metadata" => Included::Metadata,
            "Object" => Included::Object,
            "None" => Included::Nothing,
            other => {
                return Err(Refusal::bad_request(format!(
                    "Unable to convert to Table as requested: includeObject: Invalid value: {}: \
                     must be 'Metadata', 'Object', 'None', or empty",
                    go_quote(other)
                )));
            }
        }))
    }
}

impl Path {
    pub(crate) fn parse(path: &str) -> Self {
        let parts: Vec<String> =
            path.split('/').filter(|part| !part.is_empty()).map(percent_decode).collect();
        let mut parts = parts.into_iter();
        let (group, version) = match parts.next().as_deref() {
            Some("api") => (Some(String::new()), parts.next()),
            Some("apis") => (parts.next(), parts.next()),
            _ => return Self::Other,
        };
        let (Some(group), Some(version)) = (group, version) else { return Self::Other };
        let mut rest: Vec<String> = parts.collect();
        let watch = rest.first().is_some_and(|part| part == "watch");
        if watch {
            rest.remove(0);
        }
        let mut namespace = None;
        // `namespaces/x/status` and `namespaces/x/finalize` are of the namespace itself.
        if rest.len() > 2
            && rest[0] == "namespaces"
            && !(rest.len() == 3 && matches!(rest[2].as_str(), "status" | "finalize"))
        {
            namespace = Some(rest[1].clone());
            rest.drain(..2);
        }
        let mut rest = rest.into_iter();
        let Some(resource) = rest.next() else { return Self::Other };
        let (name, subresource) = (rest.next(), rest.next());
        let namespace = match (&namespace, resource.as_str(), &name) {
            // Policy about a namespace object is policy within it.
            (None, "namespaces", Some(name)) if group.is_empty() => Some(name.clone()),
            _ => namespace,
        };
        Self::Resource(ResourcePath {
            group,
            version,
            namespace,
            resource,
            name,
            subresource,
            watch,
        })
    }
}

impl Options {
    pub(crate) fn parse(query: &str) -> Result<Self> {
        let mut options = Self::default();
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            options.set(&key, &value)?;
        }
        Ok(options)
    }

    /// Refuses an unknown value of `dryRun` as the options of a verb do.
    pub(crate) fn check_dry_run(&self, options: &str) -> Result<()> {
        let Some(value) = &self.odd_dry_run else { return Ok(()) };
        let cause = Cause::unsupported("dryRun", vec![value.clone()], ["All"]);
        Err(Refusal::invalid("meta.k8s.io", options, "", &[cause]))
    }

    /// Takes over what a `DeleteOptions` body says; the query says nothing then.
    pub(crate) fn read_delete_body(&mut self, body: &Value) -> Result<()> {
        self.dry_run = false;
        self.grace_period_seconds = None;
        self.propagation_policy = None;
        self.orphan_dependents = None;
        for (key, value) in body.as_object().into_iter().flatten() {
            match (key.as_str(), value) {
                ("gracePeriodSeconds", value) if value.is_i64() => {
                    self.grace_period_seconds = value.as_i64();
                }
                ("propagationPolicy", Value::String(policy)) => {
                    self.propagation_policy = Some(policy.clone());
                }
                ("orphanDependents", Value::Bool(orphan)) => self.orphan_dependents = Some(*orphan),
                ("dryRun", Value::Array(list)) => {
                    for value in list {
                        self.set("dryRun", value.as_str().unwrap_or_default())?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn set(&mut self, key: &str, value: &str) -> Result<()> {
        let boolean = |value: &str| matches!(value, "true" | "1" | "t" | "T" | "TRUE" | "True");
        match key {
            "dryRun" => match value {
                "All" => self.dry_run = true,
                "" => {}
                other => self.odd_dry_run = Some(other.to_owned()),
            },
            "fieldManager" => self.field_manager = Some(value.to_owned()),
            "fieldValidation" => {
                self.field_validation = match value {
                    "Ignore" => FieldValidation::Ignore,
                    "Warn" | "" => FieldValidation::Warn,
                    "Strict" => FieldValidation::Strict,
                    other => {
                        return Err(Refusal::bad_request(format!(
                            "invalid fieldValidation value: Unsupported value: {other:?}: supported values: \"Ignore\", \"Strict\", \"Warn\""
                        )));
                    }
                }
            }
            "force" => self.force = Some(boolean(value)),
            "labelSelector" => value.clone_into(&mut self.label_selector),
            "fieldSelector" => value.clone_into(&mut self.field_selector),
            "limit" => {
                self.limit =
                    value.parse::<i64>().ok().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
            }
            "continue" => value.clone_into(&mut self.continue_token),
            "resourceVersion" => value.clone_into(&mut self.resource_version),
            "resourceVersionMatch" => value.clone_into(&mut self.resource_version_match),
            "watch" => self.watch = boolean(value),
            "allowWatchBookmarks" => self.allow_bookmarks = boolean(value),
            "sendInitialEvents" => self.send_initial_events = Some(boolean(value)),
            "timeoutSeconds" => self.timeout_seconds = value.parse().ok(),
            "gracePeriodSeconds" => self.grace_period_seconds = value.parse().ok(),
            "propagationPolicy" => self.propagation_policy = Some(value.to_owned()),
            "orphanDependents" => self.orphan_dependents = Some(boolean(value)),
            "includeObject" => value.clone_into(&mut self.include_object),
            "pretty" => self.pretty = boolean(value),
            _ => {}
        }
        Ok(())
    }
}

/// The view that an `Accept` header asks for.
pub(crate) fn accepted(headers: &HeaderMap) -> Result<View> {
    let mut any = false;
    for header in headers.get_all(header::ACCEPT) {
        for range in header.to_str().unwrap_or_default().split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media = parts.next().unwrap_or_default();
            any |= !media.is_empty();
            if !matches!(media, "application/json" | "*/*" | "application/*") {
                continue;
            }
            let mut kind = "";
            let mut group = "";
            for parameter in parts {
                match parameter.split_once('=') {
                    Some(("as", value)) => kind = value,
                    Some(("g", value)) => group = value,
                    _ => {}
                }
            }
            match (group, kind) {
                (_, "") => return Ok(View::Whole),
                ("meta.k8s.io", "Table") => return Ok(View::Table(Included::default())),
                ("meta.k8s.io", "PartialObjectMetadata" | "PartialObjectMetadataList") => {
                    return Ok(View::PartialMetadata);
                }
                _ => {}
            }
        }
    }
    if any { Err(Refusal::not_acceptable()) } else { Ok(View::Whole) }
}

/// The name under which writes are recorded if the request names none.
pub(crate) fn manager_of_agent(headers: &HeaderMap) -> String {
    let agent = headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok()).unwrap_or("");
    let name: String = agent.split('/').next().unwrap_or("").chars().take(128).collect();
    if name.is_empty() { "unknown".to_owned() } else { name }
}

/// The API's verb of a request.
pub(crate) fn verb(method: &Method, path: &ResourcePath, options: &Options) -> &'static str {
    match *method {
        Method::POST => "create",
        Method::PUT => "update",
        Method::PATCH => "patch",
        Method::DELETE if path.name.is_none() => "deletecollection",
        Method::DELETE => "delete",
        _ if path.watch || (options.watch && path.subresource.is_none()) => "watch",
        _ if path.name.is_none() => "list",
        _ => "get",
    }
}

fn percent_decode(part: &str) -> String {
    if !part.contains('%') {
        return part.to_owned();
    }
    // A `+` in a path is a plus sign; the form decoder would make it a space.
    let part = part.replace('+', "%2B");
    url::form_urlencoded::parse(part.as_bytes())
        .next()
        .map_or_else(String::new, |(key, _)| key.into_owned())
}
