//! What the API says when it refuses: `Status` objects with the real server's texts.

use std::fmt::Write as _;

use http::StatusCode;
use serde_json::{Map, Value, json};

/// A refusal. Its `Display` is the message that clients show.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Refusal {
    pub(crate) code: StatusCode,
    pub(crate) reason: &'static str,
    pub(crate) message: String,
    pub(crate) details: Option<Box<Value>>,
}

pub(crate) type Result<T> = std::result::Result<T, Refusal>;

/// One complaint about one field, as in `spec.replicas: Invalid value: -1: must be …`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Cause {
    pub(crate) field: String,
    pub(crate) kind: CauseKind,
    pub(crate) detail: String,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum CauseKind {
    Required,
    Invalid(Value),
    /// Invalid, where the value is too much to show.
    InvalidUnshown,
    TypeInvalid(Value),
    Unsupported(Value, Vec<String>),
    Duplicate(Value),
    Forbidden,
    TooLong,
    TooMany(usize),
    NotFound(Value),
}

impl Refusal {
    pub(crate) fn new(code: StatusCode, reason: &'static str, message: impl Into<String>) -> Self {
        Self { code, reason, message: message.into(), details: None }
    }

    fn about(mut self, group: &str, kind: &str, name: &str) -> Self {
        let mut details = Map::new();
        for (key, value) in [("name", name), ("group", group), ("kind", kind)] {
            if !value.is_empty() {
                details.insert(key.to_owned(), value.into());
            }
        }
        self.details = Some(Box::new(Value::Object(details)));
        self
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message)
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
    }

    /// `group` and `plural` of the resource.
    pub(crate) fn not_found(group: &str, plural: &str, name: &str) -> Self {
        let message = format!("{} \"{name}\" not found", qualified(plural, group));
        Self::new(StatusCode::NOT_FOUND, "NotFound", message).about(group, plural, name)
    }

    /// The path leads nowhere.
    pub(crate) fn no_such_path() -> Self {
        let mut refusal = Self::new(
            StatusCode::NOT_FOUND,
            "NotFound",
            "the server could not find the requested resource",
        );
        refusal.details = Some(Box::new(json!({})));
        refusal
    }

    pub(crate) fn already_exists(group: &str, plural: &str, name: &str) -> Self {
        let message = format!("{} \"{name}\" already exists", qualified(plural, group));
        Self::new(StatusCode::CONFLICT, "AlreadyExists", message).about(group, plural, name)
    }

    pub(crate) fn conflict(group: &str, plural: &str, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": {why}",
            qualified(plural, group)
        );
        Self::new(StatusCode::CONFLICT, "Conflict", message).about(group, plural, name)
    }

    /// Someone else was faster.
    pub(crate) fn stale(group: &str, plural: &str, name: &str) -> Self {
        let why = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(group, plural, name, why)
    }

    pub(crate) fn forbidden(group: &str, plural: &str, name: &str, why: &str) -> Self {
        let message = match name {
            "" => format!("{} is forbidden: {why}", qualified(plural, group)),
            name => format!("{} \"{name}\" is forbidden: {why}", qualified(plural, group)),
        };
        Self::new(StatusCode::FORBIDDEN, "Forbidden", message).about(group, plural, name)
    }

    /// The object breaks rules; `kind` and not the plural is named.
    pub(crate) fn invalid(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Self {
        // The same complaint twice is told once, and listed twice.
        let texts: indexmap::IndexSet<String> = causes.iter().map(Cause::to_string).collect();
        let texts: Vec<String> = texts.into_iter().collect();
        let all = match &texts[..] {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let message = format!("{} \"{name}\" is invalid: {all}", qualified(kind, group));
        let mut refusal = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
            .about(group, kind, name);
        if let Some(details) = &mut refusal.details {
            details["causes"] = causes
                .iter()
                .map(|cause| json!({"reason": cause.reason(), "message": cause.body(), "field": cause.field}))
                .collect();
        }
        refusal
    }

    pub(crate) fn method_not_allowed() -> Self {
        let mut refusal = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "MethodNotAllowed",
            "the server does not allow this method on the requested resource",
        );
        refusal.details = Some(Box::new(json!({})));
        refusal
    }

    pub(crate) fn unsupported_media_type(accepted: &[&str]) -> Self {
        let message = format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            accepted.join(", ")
        );
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
    }

    /// A patch of a type that there is not.
    pub(crate) fn unknown_patch() -> Self {
        let mut refusal = Self::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            "415: Unsupported Media Type",
        );
        refusal.details = Some(Box::new(json!({})));
        refusal
    }

    /// A JSON patch that cannot be applied; the real server keeps why to itself.
    pub(crate) fn unprocessable() -> Self {
        let mut refusal = Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Invalid",
            "the server rejected our request due to an error in our request",
        );
        refusal.details = Some(Box::new(json!({})));
        refusal
    }

    pub(crate) fn not_acceptable() -> Self {
        Self::new(
            StatusCode::NOT_ACCEPTABLE,
            "NotAcceptable",
            "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf",
        )
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {limit}"),
        )
    }

    pub(crate) fn expired(message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, "Expired", message)
    }

    pub(crate) fn internal(message: impl std::fmt::Display) -> Self {
        let text = message.to_string();
        let mut refusal = Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "InternalError",
            format!("Internal error occurred: {text}"),
        );
        refusal.details = Some(Box::new(json!({"causes": [{"message": text}]})));
        refusal
    }

    /// The `Status` object on the wire.
    pub(crate) fn to_value(&self) -> Value {
        let mut status = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
        });
        if !self.reason.is_empty() {
            status["reason"] = self.reason.into();
        }
        if let Some(details) = &self.details {
            status["details"] = (**details).clone();
        }
        status["code"] = self.code.as_u16().into();
        status
    }
}

impl Cause {
    fn new(field: impl Into<String>, kind: CauseKind, detail: impl Into<String>) -> Self {
        Self { field: field.into(), kind, detail: detail.into() }
    }

    pub(crate) fn required(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(field, CauseKind::Required, detail)
    }

    pub(crate) fn invalid(
        field: impl Into<String>,
        value: impl Into<Value>,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(field, CauseKind::Invalid(value.into()), detail)
    }

    /// Invalid, without the value.
    pub(crate) fn invalid_unshown(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(field, CauseKind::InvalidUnshown, detail)
    }

    pub(crate) fn not_found(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::new(field, CauseKind::NotFound(value.into()), "")
    }

    pub(crate) fn type_invalid(
        field: impl Into<String>,
        value: impl Into<Value>,
        detail: impl Into<String>,
    ) -> Self {
        Self::new(field, CauseKind::TypeInvalid(value.into()), detail)
    }

    pub(crate) fn forbidden(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(field, CauseKind::Forbidden, detail)
    }

    pub(crate) fn duplicate(field: impl Into<String>, value: impl Into<Value>) -> Self {
        Self::new(field, CauseKind::Duplicate(value.into()), "")
    }

    pub(crate) fn unsupported(
        field: impl Into<String>,
        value: impl Into<Value>,
        supported: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let supported = supported.into_iter().map(Into::into).collect();
        Self::new(field, CauseKind::Unsupported(value.into(), supported), "")
    }

    pub(crate) fn too_long(field: impl Into<String>, limit: usize) -> Self {
        let unit = if limit == 1 { "byte" } else { "bytes" };
        Self::new(field, CauseKind::TooLong, format!("may not be more than {limit} {unit}"))
    }

    pub(crate) fn too_many(field: impl Into<String>, count: usize, limit: usize) -> Self {
        let unit = if limit == 1 { "item" } else { "items" };
        Self::new(field, CauseKind::TooMany(count), format!("must have at most {limit} {unit}"))
    }

    fn reason(&self) -> &'static str {
        match self.kind {
            CauseKind::Required => "FieldValueRequired",
            CauseKind::Invalid(_) | CauseKind::InvalidUnshown => "FieldValueInvalid",
            CauseKind::TypeInvalid(_) => "FieldValueTypeInvalid",
            CauseKind::Unsupported(..) => "FieldValueNotSupported",
            CauseKind::Duplicate(_) => "FieldValueDuplicate",
            CauseKind::Forbidden => "FieldValueForbidden",
            CauseKind::TooLong => "FieldValueTooLong",
            CauseKind::TooMany(_) => "FieldValueTooMany",
            CauseKind::NotFound(_) => "FieldValueNotFound",
        }
    }

    /// The complaint without the field.
    fn body(&self) -> String {
        let head = match &self.kind {
            CauseKind::Required => "Required value".to_owned(),
            CauseKind::Forbidden => "Forbidden".to_owned(),
            CauseKind::InvalidUnshown => "Invalid value".to_owned(),
            CauseKind::TooLong => "Too long".to_owned(),
            CauseKind::TooMany(count) => format!("Too many: {count}"),
            CauseKind::Invalid(value) | CauseKind::TypeInvalid(value) => {
                format!("Invalid value: {}", shown(value))
            }
            CauseKind::Duplicate(value) => format!("Duplicate value: {}", shown(value)),
            CauseKind::NotFound(value) => format!("Not found: {}", shown(value)),
            CauseKind::Unsupported(value, supported) => {
                let names: Vec<String> = supported.iter().map(|name| go_quote(name)).collect();
                let (value, names) = (shown(value), names.join(", "));
                return format!("Unsupported value: {value}: supported values: {names}");
            }
        };
        if self.detail.is_empty() { head } else { format!("{head}: {}", self.detail) }
    }
}

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.body())
    }
}

/// A value as Go prints it in field errors: strings quoted, composites as JSON.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::String(text) => go_quote(text),
        other => serde_json::to_string(other).unwrap_or_default(),
    }
}

/// Go's `%q` for what occurs in names and values.
pub(crate) fn go_quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// `deployments.apps`, or `pods` for the core group.
pub(crate) fn qualified(name: &str, group: &str) -> String {
    if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") }
}
