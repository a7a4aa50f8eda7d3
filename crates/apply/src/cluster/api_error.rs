//! What the API server answered when it refused, as client-go prints it.

use std::fmt;

use gitops_core::{Class, Classify};
use http::StatusCode;
use serde_json::Value;

/// The longest answer that is kept of a peer that does not speak the Kubernetes API.
const SERVER_TEXT_LIMIT: usize = 2048;

/// A refusal of the API server, or a failure to reach it.
///
/// `Display` is the message alone. A message of the API server never contains a newline that
/// could forge a second line of a change log: line breaks are kept, as Flux keeps them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    code: u16,
    reason: String,
    message: String,
    field_manager_conflict: bool,
}

impl ApiError {
    /// An error that did not come from the API server: the network, a missing kind, a timeout.
    pub fn local(message: impl Into<String>) -> Self {
        Self {
            code: 0,
            reason: String::new(),
            message: message.into(),
            field_manager_conflict: false,
        }
    }

    /// The error that an API server gives for an object that does not exist. `resource` is the
    /// plural, with the group where there is one: `kustomizations.kustomize.toolkit.fluxcd.io`.
    pub fn not_found(resource: &str, name: &str) -> Self {
        Self { message: format!("{resource} \"{name}\" not found"), ..Self::no_such_path() }
    }

    /// The error that an API server gives for a path that it does not serve.
    pub(crate) fn no_such_path() -> Self {
        Self {
            code: 404,
            reason: "NotFound".into(),
            message: "the server could not find the requested resource".into(),
            field_manager_conflict: false,
        }
    }

    /// Reads an answer: a `Status` object, or whatever another kind of server says.
    pub(crate) fn from_answer(code: StatusCode, body: &[u8], request: &str) -> Self {
        let status = serde_json::from_slice::<Value>(body)
            .ok()
            .filter(|status| status["kind"] == "Status" && status["message"].is_string());
        let Some(status) = status else {
            return Self::generic(code, body, request);
        };
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let causes = status["details"]["causes"].as_array().cloned().unwrap_or_default();
        Self {
            code: code.as_u16(),
            reason: text(&status["reason"]),
            message: text(&status["message"]),
            field_manager_conflict: causes
                .iter()
                .any(|cause| cause["reason"] == "FieldManagerConflict"),
        }
    }

    pub(crate) fn from_status(status: &kube::core::Status) -> Self {
        Self {
            code: status.code,
            reason: status.reason.clone(),
            message: status.message.clone(),
            field_manager_conflict: false,
        }
    }

    /// Follows client-go's `NewGenericServerResponse`.
    fn generic(code: StatusCode, body: &[u8], request: &str) -> Self {
        let text = String::from_utf8_lossy(&body[..body.len().min(SERVER_TEXT_LIMIT)]);
        let (reason, message) = match code.as_u16() {
            400 => ("BadRequest", "the server rejected our request for an unknown reason".to_owned()),
            401 => ("Unauthorized", "the server has asked for the client to provide credentials".into()),
            403 => ("Forbidden", text.trim().to_owned()),
            404 => ("NotFound", "the server could not find the requested resource".into()),
            405 => {
                ("MethodNotAllowed", "the server does not allow this method on the requested resource".into())
            }
            409 => ("Conflict", "the server reported a conflict".into()),
            410 => ("Gone", "the server reported that the resource is gone".into()),
            422 => ("Invalid", "the server rejected our request due to an error in our request".into()),
            429 => (
                "TooManyRequests",
                "the server has received too many requests and has asked us to try again later".into(),
            ),
            503 => (
                "ServiceUnavailable",
                "the server is currently unable to handle the request".into(),
            ),
            504 => (
                "Timeout",
                "the server was unable to return a response in the time allotted, but may still be processing the request".into(),
            ),
            500.. => (
                "InternalError",
                format!("an error on the server ({:?}) has prevented the request from succeeding", text.trim()),
            ),
            other => ("", format!("the server responded with the status code {other} but did not return more information")),
        };
        Self {
            code: code.as_u16(),
            reason: reason.to_owned(),
            message: format!("{message} ({request})"),
            field_manager_conflict: false,
        }
    }

    /// The HTTP status; 0 if there was no answer.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The API's reason, such as `Forbidden`; empty if it gave none.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The message, as `Display` gives it.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What Flux shows in parentheses: the reason, unless a field manager stands in the way.
    pub(crate) fn display_reason(&self) -> &str {
        if self.field_manager_conflict { "FieldManagerConflict" } else { &self.reason }
    }

    /// Whether the object, its kind or its namespace does not exist.
    pub fn is_not_found(&self) -> bool {
        self.reason == "NotFound" || (self.reason.is_empty() && self.code == 404)
    }

    /// Whether the kind is not served.
    pub(crate) fn is_no_match(&self) -> bool {
        self.code == 0 && self.message.starts_with("no matches for kind")
    }

    /// Whether it is a refusal for lack of rights.
    pub fn is_forbidden(&self) -> bool {
        self.code == 403 || self.code == 401
    }

    /// Whether a watch or a list has to start anew.
    pub(crate) fn is_gone(&self) -> bool {
        self.code == 410 || self.reason == "Expired"
    }

    /// Whether recreating the object would help: what kubectl takes for a changed immutable
    /// field, or what webhooks and CEL rules say of one.
    pub fn is_immutable(&self) -> bool {
        let conflict_or_invalid = matches!(self.reason.as_str(), "Conflict" | "Invalid")
            || (self.reason.is_empty() && matches!(self.code, 409 | 422));
        conflict_or_invalid
            || self.message.contains("is immutable")
            || self.message.contains("immutable field")
    }

    /// The same error with its message changed, to mask what must not be shown.
    pub(crate) fn map_message(mut self, change: impl FnOnce(&str) -> String) -> Self {
        self.message = change(&self.message);
        self
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ApiError {}

impl Classify for ApiError {
    fn class(&self) -> Class {
        match self.code {
            401 | 403 => Class::Denied,
            404 => Class::NotFound,
            400 | 422 => Class::Invalid,
            _ => Class::Transient,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(code: u16, body: &str) -> ApiError {
        let code = StatusCode::from_u16(code).unwrap();
        ApiError::from_answer(code, body.as_bytes(), "patch configmaps a")
    }

    #[test]
    fn a_status_speaks_for_itself() {
        let error = status(
            403,
            r#"{"kind":"Status","reason":"Forbidden","message":"configmaps \"a\" is forbidden"}"#,
        );
        assert_eq!(error.to_string(), "configmaps \"a\" is forbidden");
        assert_eq!(error.display_reason(), "Forbidden");
        assert_eq!(error.class(), Class::Denied);
    }

    #[test]
    fn other_answers_read_like_client_go() {
        for (code, text) in [
            (404, "the server could not find the requested resource (patch configmaps a)"),
            (
                502,
                "an error on the server (\"x\") has prevented the request from succeeding (patch configmaps a)",
            ),
        ] {
            assert_eq!(status(code, "x").to_string(), text);
        }
    }

    #[test]
    fn immutable_fields_are_recognised() {
        for (code, body, expected) in [
            (422, r#"{"kind":"Status","reason":"Invalid","message":"x"}"#, true),
            (409, r#"{"kind":"Status","reason":"Conflict","message":"x"}"#, true),
            (500, r#"{"kind":"Status","message":"admission: field is immutable"}"#, true),
            (403, r#"{"kind":"Status","reason":"Forbidden","message":"no"}"#, false),
        ] {
            assert_eq!(status(code, body).is_immutable(), expected, "{body}");
        }
    }
}
