//! `.Capabilities`

use std::any::Any;

use gitops_template::{
    CallError, Context, Field, Kind, List, ListKind, Method, Object, Record, Type, Value,
};

use crate::{Capabilities, Compat, KubeVersion};

/// What templates see.
pub(super) fn capabilities(capabilities: &Capabilities, compat: Compat) -> Value {
    let version = VersionObject { version: capabilities.kube_version.clone(), compat };
    let api_versions = ApiVersions { versions: capabilities.api_versions.clone(), compat };
    let fields = [
        ("KubeVersion", Value::object(version)),
        ("APIVersions", Value::object(api_versions)),
        ("HelmVersion", helm_version(capabilities, compat)),
    ];
    let fields = fields.map(|(name, value)| field(name, name, value));
    let type_name = match compat {
        Compat::Helm4 => "*common.Capabilities",
        Compat::Helm3 => "*chartutil.Capabilities",
    };
    Value::object(Record { type_name, fields: fields.into() })
}

fn field(name: &'static str, key: &'static str, value: Value) -> Field {
    Field { name, key, omit_empty: false, value }
}

/// `.Capabilities.HelmVersion`: which Helm is followed.
fn helm_version(capabilities: &Capabilities, compat: Compat) -> Value {
    let client = match compat {
        Compat::Helm4 => Some("v1.37"),
        Compat::Helm3 => None,
    };
    let text = |name, key, omit_empty, text: &'static str| Field {
        name,
        key,
        omit_empty,
        value: Value::from(text),
    };
    let mut fields = vec![
        text("Version", "version", true, capabilities.helm_version),
        text("GitCommit", "git_commit", true, ""),
        text("GitTreeState", "git_tree_state", true, ""),
        text("GoVersion", "go_version", true, "go1.26.8"),
    ];
    if let Some(client) = client {
        fields.push(text("KubeClientVersion", "kube_client_version", false, client));
    }
    Value::object(Record { type_name: "version.BuildInfo", fields })
}

#[derive(Debug)]
struct VersionObject {
    version: KubeVersion,
    compat: Compat,
}

impl Object for VersionObject {
    fn type_name(&self) -> &'static str {
        match self.compat {
            Compat::Helm4 => "common.KubeVersion",
            Compat::Helm3 => "chartutil.KubeVersion",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Struct
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn field(&self, name: &str) -> Option<Value> {
        let mut fields = self.fields().into_iter();
        fields.find(|field| field.name == name && field.key != "-").map(|field| field.value)
    }

    fn method(&self, name: &str) -> Option<Method> {
        matches!(name, "String" | "GitVersion").then_some(Method { params: &[], variadic: false })
    }

    fn call(&self, name: &str, _: &[Value], _: &mut Context<'_>) -> Result<Value, CallError> {
        Ok(Value::string(if name == "String" { self.string() } else { &self.version.version }))
    }

    fn printed(&self) -> Option<String> {
        Some(self.string().to_owned())
    }

    fn fields(&self) -> Vec<Field> {
        let text = |name, text: &str| field(name, name, Value::string(text));
        let mut fields = vec![
            text("Version", &self.version.version),
            text("Major", &self.version.major),
            text("Minor", &self.version.minor),
        ];
        if self.compat == Compat::Helm4 {
            let value = Value::string(&self.version.normalized);
            fields.insert(1, field("normalizedVersion", "-", value));
        }
        fields
    }
}

impl VersionObject {
    fn string(&self) -> &str {
        match self.compat {
            Compat::Helm4 => &self.version.normalized,
            Compat::Helm3 => &self.version.version,
        }
    }
}

/// `.Capabilities.APIVersions`
#[derive(Debug)]
struct ApiVersions {
    versions: Vec<String>,
    compat: Compat,
}

impl Object for ApiVersions {
    fn type_name(&self) -> &'static str {
        match self.compat {
            Compat::Helm4 => "common.VersionSet",
            Compat::Helm3 => "chartutil.VersionSet",
        }
    }

    fn kind(&self) -> Kind {
        Kind::Slice
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn method(&self, name: &str) -> Option<Method> {
        (name == "Has").then_some(Method { params: &[Type::String], variadic: false })
    }

    fn call(&self, _: &str, arguments: &[Value], _: &mut Context<'_>) -> Result<Value, CallError> {
        let wanted = arguments.first().and_then(Value::as_str).unwrap_or_default();
        Ok(Value::Bool(self.versions.iter().any(|version| version == wanted)))
    }

    fn list(&self) -> Option<List> {
        Some(List::new(ListKind::String, self.versions.iter().map(Value::string).collect()))
    }
}
