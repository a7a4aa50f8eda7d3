//! The verbs of the API, one file each; what they share about a request and its answer is here.

mod create;
mod delete;
mod get;
mod list;
mod patch;
mod update;
mod view;
mod watch;
mod write;

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode, header};
use serde_json::Value;

pub(crate) use create::create_system;

use crate::{
    auth::{self, User, Wish},
    registry::{Registry, Resource, Subresource},
    request::{Options, ResourcePath, View, manager_of_agent, verb},
    schema::NodeId,
    server::State,
    service::Answer,
    status::{Refusal, Result},
    storage::{Key, Object},
};

/// A request for a resource, before anything of it was checked.
pub(crate) struct Request<'a> {
    pub(crate) state: &'a State,
    pub(crate) registry: &'a Registry,
    pub(crate) method: &'a Method,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) path: &'a ResourcePath,
    pub(crate) user: &'a User,
    pub(crate) view: View,
}

/// A request that names a resource that is served and that its user may use.
pub(crate) struct Call<'a> {
    pub(crate) state: &'a State,
    pub(crate) registry: &'a Registry,
    pub(crate) resource: &'a Resource,
    pub(crate) subresource: Option<&'a Subresource>,
    pub(crate) namespace: &'a str,
    /// Empty for a collection.
    pub(crate) name: &'a str,
    pub(crate) options: Options,
    pub(crate) manager: String,
    pub(crate) view: View,
    pub(crate) now: String,
    /// The JSON of an object that is created or replaced.
    pub(crate) sent: Option<&'a [u8]>,
}

/// Checks what every verb needs, and calls it.
pub(crate) fn answer(request: &Request<'_>, options: Options, body: &Bytes) -> Result<Answer> {
    let path = request.path;
    let verb = verb(request.method, path, &options);
    permit(request, verb)?;
    let resource = request
        .registry
        .resource(&path.group, &path.version, &path.resource)
        .ok_or_else(Refusal::no_such_path)?;
    let subresource = match &path.subresource {
        Some(name) => Some(resource.subresource(name).ok_or_else(Refusal::no_such_path)?),
        None => None,
    };
    let verbs = subresource.map_or(&resource.verbs, |subresource| &subresource.verbs);
    if !verbs.iter().any(|served| served == verb) {
        return Err(Refusal::method_not_allowed());
    }
    let is_namespace = resource.is("", "namespaces");
    let namespace = path.namespace.as_deref().filter(|_| !is_namespace).unwrap_or_default();
    if path.name.is_none()
        && (matches!(verb, "update" | "patch")
            || (verb == "create" && resource.namespaced && namespace.is_empty()))
    {
        return Err(Refusal::method_not_allowed());
    }
    if resource.namespaced == namespace.is_empty() && (path.name.is_some() || verb == "create") {
        return Err(Refusal::no_such_path());
    }
    match verb {
        "create" => options.check_dry_run("CreateOptions")?,
        "update" => options.check_dry_run("UpdateOptions")?,
        "patch" => options.check_dry_run("PatchOptions")?,
        _ => {}
    }
    let is_json = matches!(verb, "create" | "update")
        && matches!(content_type(request.headers), "application/json" | "");
    let call = Call {
        state: request.state,
        registry: request.registry,
        resource,
        subresource,
        namespace,
        name: path.name.as_deref().unwrap_or_default(),
        manager: match &options.field_manager {
            Some(manager) => manager.clone(),
            None => manager_of_agent(request.headers),
        },
        view: request.view.including(&options.include_object)?,
        options,
        now: request.state.now(),
        sent: is_json.then_some(&body[..]),
    };
    match verb {
        "get" => get::get(&call),
        "list" => list::list(&call),
        "watch" => watch::watch(&call),
        "create" => create::create(&call, request.user, object_of(&call, request.headers, body)?),
        "update" => update::update(&call, object_of(&call, request.headers, body)?),
        "patch" => patch::patch(&call, content_type(request.headers), body),
        "delete" => delete::delete(call, &optional_object(request.headers, body)?),
        _ => delete::delete_collection(call, &optional_object(request.headers, body)?),
    }
}

fn permit(request: &Request<'_>, verb: &str) -> Result<()> {
    let path = request.path;
    let with_subresource;
    let plural = match &path.subresource {
        Some(subresource) => {
            with_subresource = format!("{}/{subresource}", path.resource);
            &with_subresource
        }
        None => &*path.resource,
    };
    let wish = Wish {
        verb,
        group: &path.group,
        resource: plural,
        namespace: path.namespace.as_deref(),
        name: path.name.as_deref().unwrap_or_default(),
    };
    auth::authorize(request.state, request.user, &wish)
}

impl Call<'_> {
    pub(crate) fn key(&self) -> Key {
        Key::new(self.namespace, self.name)
    }

    /// The name of the subresource, empty for the object itself.
    pub(crate) fn subresource_name(&self) -> &str {
        self.subresource.map_or("", |subresource| &*subresource.name)
    }

    /// The type of what is sent: the object's, which `status` has as well.
    pub(crate) fn node(&self) -> NodeId {
        self.resource.node
    }

    pub(crate) fn not_found(&self, name: &str) -> Refusal {
        Refusal::not_found(&self.resource.group, &self.resource.plural, name)
    }

    pub(crate) fn stale(&self, name: &str) -> Refusal {
        Refusal::stale(&self.resource.group, &self.resource.plural, name)
    }

    /// The object as this version of the resource and the accepted view show it.
    pub(crate) fn show(&self, code: StatusCode, object: &Object) -> Answer {
        Answer::json(code, view::bytes(self.resource, self.view, object, self.state.clock.now()))
    }

    /// The same for a state that is not stored.
    pub(crate) fn show_value(&self, code: StatusCode, value: Value) -> Answer {
        self.show(code, &Object::new(value, 0))
    }
}

fn content_type(headers: &HeaderMap) -> &str {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    value.unwrap_or("application/json").split(';').next().unwrap_or_default().trim()
}

/// The object of a body: JSON or YAML.
fn object(headers: &HeaderMap, body: &Bytes) -> Result<Value> {
    let value = match content_type(headers) {
        "application/json" | "" => parse_json(body)?,
        "application/yaml" | "text/yaml" => parse_yaml(body)?,
        _ => {
            return Err(Refusal::unsupported_media_type(&["application/json", "application/yaml"]));
        }
    };
    if !value.is_object() {
        let why = "couldn't get version/kind; json parse error: json: cannot unmarshal value into Go value of type struct";
        return Err(Refusal::bad_request(why));
    }
    Ok(value)
}

/// The object of a body that must be of the kind that the path names.
fn object_of(call: &Call<'_>, headers: &HeaderMap, body: &Bytes) -> Result<Value> {
    object(headers, body).map_err(|mut refusal| {
        if refusal.message.starts_with(UNREADABLE) {
            let (kind, shown) = (&call.resource.kind, summary(body));
            refusal.message = format!(
                "the object provided is unrecognized (must be of type {kind}): {} ({shown})",
                refusal.message
            );
        }
        refusal
    })
}

/// The beginning of a body as complaints show it: text if it looks like JSON.
fn summary(body: &[u8]) -> String {
    const SHOWN: usize = 30;
    let start = &body[..body.len().min(SHOWN)];
    let text = match start.first() {
        None => return "<empty>".to_owned(),
        Some(b'{') => String::from_utf8_lossy(start).into_owned(),
        Some(_) => start.iter().fold(String::new(), |mut text, byte| {
            // Writing into a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        }),
    };
    if body.len() > SHOWN { text + " ..." } else { text }
}

fn optional_object(headers: &HeaderMap, body: &Bytes) -> Result<Value> {
    if body.is_empty() { Ok(Value::Null) } else { object(headers, body) }
}

/// How complaints about a body that is no JSON begin.
const UNREADABLE: &str = "couldn't get version/kind; json parse error: ";

/// What is wrong with a JSON text; its usual end before its time in the real server's words.
pub(crate) fn json_error(error: &serde_json::Error) -> String {
    if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() }
}

pub(crate) fn parse_json(body: &[u8]) -> Result<Value> {
    serde_json::from_slice(body)
        .map_err(|error| Refusal::bad_request(format!("{UNREADABLE}{}", json_error(&error))))
}

pub(crate) fn parse_yaml(body: &[u8]) -> Result<Value> {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    if first == Some(&b'{')
        && let Ok(value) = serde_json::from_slice(body)
    {
        return Ok(value);
    }
    let fail = |why: &dyn std::fmt::Display| {
        Refusal::bad_request(format!("error decoding YAML: error converting YAML to JSON: {why}"))
    };
    let text = std::str::from_utf8(body).map_err(|error| fail(&error))?;
    let mut documents = gitops_yaml::read_all(text).map_err(|error| fail(&error))?;
    match (documents.pop(), documents.is_empty()) {
        (Some(document), true) => document.to_json().map_err(|error| fail(&error)),
        _ => Err(fail(&"one object expected")),
    }
}
