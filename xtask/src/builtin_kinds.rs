//! Writes the table of built-in kinds of `gitops-apiserver` from Kubernetes' own descriptions.
//!
//! `cargo run -p xtask -- builtin-kinds --openapi-v3 FILE` reads aggregated discovery and OpenAPI
//! v2 from `$GITOPS_SHARED/schema` (or `../shared/schema`). What v2 does not say comes from two other
//! places: enumerations and defaults from FILE, the `components.schemas` of the OpenAPI v3 documents
//! of a server of the same version, merged into one object; pointers, names of Go types and which
//! fields are always written from the Go types themselves (`go_types/`, which needs Go).

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, bail};
use serde_json::Value;

const TABLE: &str = "crates/apiserver/src/registry/builtin.txt";

/// Runs the command.
pub(crate) fn run(root: &Path, arguments: &[String]) -> anyhow::Result<std::process::ExitCode> {
    let [flag, v3] = arguments else { bail!("usage: builtin-kinds --openapi-v3 FILE") };
    anyhow::ensure!(flag == "--openapi-v3", "unknown option '{flag}'");
    let shared =
        std::env::var_os("GITOPS_SHARED").map_or_else(|| root.join("../shared"), PathBuf::from);
    let read = |path: &Path| -> anyhow::Result<Value> {
        let bytes = std::fs::read(path).with_context(|| format!("read {}", path.display()))?;
        Ok(serde_json::from_slice(&bytes)?)
    };
    let schema = |name: &str| read(&shared.join("schema").join(name));
    let v2 = schema("kubernetes-1.36-openapi-v2.json")?;
    let v3 = read(Path::new(v3))?;
    let go = go_types()?;
    let mut types = Types::new(&v2["definitions"], &v3, &go);
    let mut out = String::from(
        "# Kubernetes 1.36: resources, then types. Written by `cargo run -p xtask -- builtin-kinds`.\n",
    );
    for name in ["kubernetes-1.36-discovery-api.json", "kubernetes-1.36-discovery-apis.json"] {
        resources(&schema(name)?, &mut types, &mut out)?;
    }
    types.write(&mut out)?;
    std::fs::write(root.join(TABLE), &out)?;
    println!("{TABLE}: {} bytes, {} types", out.len(), types.order.len());
    Ok(std::process::ExitCode::SUCCESS)
}

/// What the Go program says, by definition and field: `{type, pointer, always}`.
fn go_types() -> anyhow::Result<Value> {
    let directory = std::env::temp_dir().join(format!("go-types-{}", std::process::id()));
    std::fs::create_dir_all(&directory)?;
    std::fs::write(directory.join("go.mod"), include_str!("go_types/go.mod.txt"))?;
    std::fs::write(directory.join("main.go"), include_str!("go_types/main.go.txt"))?;
    let output = Command::new("go")
        .args(["run", "."])
        .env("GOFLAGS", "-mod=mod")
        .current_dir(&directory)
        .output()
        .context("go run")?;
    std::fs::remove_dir_all(&directory)?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// `R group version plural singular Kind N|C verbs shortNames categories type` and, below each,
/// `S name group/version/Kind verbs type`.
fn resources(discovery: &Value, types: &mut Types<'_>, out: &mut String) -> anyhow::Result<()> {
    for group in array(&discovery["items"]) {
        let name = text(&group["metadata"]["name"]);
        for version in array(&group["versions"]) {
            let served = text(&version["version"]);
            for resource in array(&version["resources"]) {
                let kind = text(&resource["responseKind"]["kind"]);
                let id = types.of_kind(name, served, kind)?;
                writeln!(
                    out,
                    "R {} {served} {} {} {kind} {} {} {} {} {id}",
                    dash(name),
                    text(&resource["resource"]),
                    text(&resource["singularResource"]),
                    if resource["scope"] == "Namespaced" { "N" } else { "C" },
                    list(&resource["verbs"]),
                    dash(&list(&resource["shortNames"])),
                    dash(&list(&resource["categories"])),
                )?;
                for sub in array(&resource["subresources"]) {
                    let response = &sub["responseKind"];
                    let (sub_group, sub_version) = match text(&response["version"]) {
                        "" => (name, served),
                        version => (text(&response["group"]), version),
                    };
                    let kind = text(&response["kind"]);
                    let id = types
                        .of_kind(sub_group, sub_version, kind)
                        .map_or_else(|_| "-".to_owned(), |id| id.to_string());
                    writeln!(
                        out,
                        "S {} {}/{sub_version}/{kind} {} {id}",
                        text(&sub["subresource"]),
                        dash(sub_group),
                        list(&sub["verbs"]),
                    )?;
                }
            }
        }
    }
    Ok(())
}

/// Types in the order in which they are first needed; a type's number is its place.
struct Types<'d> {
    v2: &'d Value,
    v3: &'d Value,
    go: &'d Value,
    kinds: BTreeMap<(String, String, String), &'d str>,
    numbers: BTreeMap<&'d str, usize>,
    order: Vec<&'d str>,
}

impl<'d> Types<'d> {
    fn new(v2: &'d Value, v3: &'d Value, go: &'d Value) -> Self {
        let mut kinds = BTreeMap::new();
        for (name, definition) in v2.as_object().into_iter().flatten() {
            let named = array(&definition["x-kubernetes-group-version-kind"]);
            // Types such as DeleteOptions claim many groups; they are no resource of any.
            if let [kind] = named {
                let key = ["group", "version", "kind"].map(|part| text(&kind[part]).to_owned());
                kinds.insert(key.into(), name.as_str());
            }
        }
        Self { v2, v3, go, kinds, numbers: BTreeMap::new(), order: Vec::new() }
    }

    fn of_kind(&mut self, group: &str, version: &str, kind: &str) -> anyhow::Result<usize> {
        let name = self
            .kinds
            .get(&(group.to_owned(), version.to_owned(), kind.to_owned()))
            .with_context(|| format!("no definition of {group}/{version} {kind}"))?;
        Ok(self.number(name))
    }

    fn number(&mut self, name: &'d str) -> usize {
        *self.numbers.entry(name).or_insert_with(|| {
            self.order.push(name);
            self.order.len() - 1
        })
    }

    /// `T GoName[!][@package]`, `!` for an atomic one, the package if it is not `v1`, then the
    /// fields: the name, `*` if required, `!` if always written, `?` if a pointer, `@` and the Go
    /// type if it does not follow from the expression, `&` and the embedded struct that has the
    /// field, `:` and the expression.
    fn write(&mut self, out: &mut String) -> anyhow::Result<()> {
        let mut next = 0;
        while let Some(name) = self.order.get(next).copied() {
            next += 1;
            let (v2, v3) = (self.v2, self.v3);
            let definition = &v2[name];
            let required: BTreeSet<&str> =
                array(&definition["required"]).iter().map(text).collect();
            let go_name = name.rsplit('.').next().unwrap_or(name);
            let atomic = if definition["x-kubernetes-map-type"] == "atomic" { "!" } else { "" };
            write!(out, "T {go_name}{atomic}")?;
            match package(name) {
                "v1" => {}
                package => write!(out, "@{package}")?,
            }
            for (field, schema) in definition["properties"].as_object().into_iter().flatten() {
                let more = &v3[name]["properties"][field];
                let star = if required.contains(field.as_str()) { "*" } else { "" };
                let go = &self.go[name][field];
                let written = match go["always"].as_bool() {
                    Some(true) => "!",
                    None if go.is_null() && more.get("default").is_some() => "!",
                    _ => "",
                };
                let pointer = if go["pointer"] == true { "?" } else { "" };
                write!(out, " {field}{star}{written}{pointer}")?;
                let expression = self.expression(schema, more)?;
                match text(&go["type"]) {
                    "" => {}
                    named if named == self.go_type(&expression) => {}
                    named => write!(out, "@{named}")?,
                }
                match text(&go["within"]) {
                    "" | "TypeMeta" => {}
                    within => write!(out, "&{within}")?,
                }
                write!(out, ":{expression}")?;
                match &more["default"] {
                    Value::String(text) if !text.is_empty() => write!(out, "={text}")?,
                    Value::Number(number) if number.as_i64() != Some(0) => {
                        write!(out, "={number}")?;
                    }
                    _ => {}
                }
            }
            out.push('\n');
        }
        Ok(())
    }

    /// The Go type that an expression stands for, if nothing else is said.
    fn go_type(&self, expression: &str) -> String {
        let expression = match expression.strip_prefix('~') {
            Some(rest) => rest.split_once(')').map_or(rest, |(_, rest)| rest),
            None => expression,
        };
        let inner = |rest: &str| self.go_type(rest.trim_start_matches(['=', '-', '+']));
        match expression.as_bytes() {
            [b'[', b'%', ..] => {
                let (_, rest) = expression.split_once(')').unwrap_or_default();
                format!("[]{}", self.go_type(rest))
            }
            [b'[', ..] => format!("[]{}", inner(&expression[1..])),
            [b'{', ..] => format!("map[string]{}", inner(&expression[1..])),
            [b'!' | b'#', ..] => {
                let number = expression.trim_start_matches(['!', '#']).parse::<usize>();
                let name = number.ok().and_then(|n| self.order.get(n)).copied().unwrap_or_default();
                format!("{}.{}", package(name), name.rsplit('.').next().unwrap_or(name))
            }
            [b's', ..] => "string".to_owned(),
            b"b" => "bool".to_owned(),
            b"i" => "int32".to_owned(),
            b"l" => "int64".to_owned(),
            b"d" => "float64".to_owned(),
            b"y" => "[]uint8".to_owned(),
            b"t" => "v1.Time".to_owned(),
            b"u" => "v1.MicroTime".to_owned(),
            b"q" => "resource.Quantity".to_owned(),
            b"o" => "intstr.IntOrString".to_owned(),
            b"r" => "runtime.RawExtension".to_owned(),
            _ => String::new(),
        }
    }

    fn expression(&mut self, schema: &'d Value, more: &'d Value) -> anyhow::Result<String> {
        let strategy = match (
            text(&schema["x-kubernetes-patch-strategy"]),
            text(&schema["x-kubernetes-patch-merge-key"]),
        ) {
            ("", _) => String::new(),
            (strategy, "") => format!("~{strategy}()"),
            (strategy, key) => format!("~{strategy}({key})"),
        };
        if let Some(reference) = schema["$ref"].as_str() {
            let name = reference.trim_start_matches("#/definitions/");
            let atomic = if schema["x-kubernetes-map-type"] == "atomic" { "!" } else { "" };
            return Ok(match name.rsplit('.').next().unwrap_or(name) {
                "Quantity" => "q".to_owned(),
                "IntOrString" => "o".to_owned(),
                "Time" => "t".to_owned(),
                "MicroTime" => "u".to_owned(),
                "RawExtension" | "FieldsV1" => "r".to_owned(),
                _ if self.v2[name]["properties"].is_null() && self.v2[name]["type"].is_null() => {
                    "a".to_owned()
                }
                _ => format!("{strategy}{atomic}#{}", self.number(name)),
            });
        }
        Ok(match (text(&schema["type"]), text(&schema["format"])) {
            ("string", "byte") => "y".to_owned(),
            ("string", _) => {
                let allowed = array(&more["enum"]).iter().map(|v| text(v).replace(' ', "_"));
                let allowed: Vec<String> = allowed.collect();
                if allowed.is_empty() {
                    "s".to_owned()
                } else {
                    format!("s<{}>", allowed.join(","))
                }
            }
            ("boolean", _) => "b".to_owned(),
            ("integer", "int32") => "i".to_owned(),
            ("integer", _) => "l".to_owned(),
            ("number", _) => "d".to_owned(),
            ("array", _) => {
                let items = self.expression(&schema["items"], &more["items"])?;
                let sign = match text(&schema["x-kubernetes-list-type"]) {
                    "set" => "=".to_owned(),
                    "map" => format!("%({})", list(&schema["x-kubernetes-list-map-keys"])),
                    _ => "-".to_owned(),
                };
                format!("[{sign}{strategy}{items}")
            }
            ("object", _) => match schema.get("additionalProperties") {
                Some(values) => {
                    let sign = if schema["x-kubernetes-map-type"] == "atomic" { "-" } else { "+" };
                    format!("{{{sign}{}", self.expression(values, &more["additionalProperties"])?)
                }
                None => "r".to_owned(),
            },
            other => bail!("type {other:?} is not known"),
        })
    }
}

/// The Go package of a definition such as `io.k8s.api.core.v1.Pod`.
fn package(definition: &str) -> &str {
    definition.rsplit('.').nth(1).unwrap_or_default()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> String {
    array(value).iter().map(text).collect::<Vec<_>>().join(",")
}

fn dash(text: &str) -> &str {
    if text.is_empty() { "-" } else { text }
}
