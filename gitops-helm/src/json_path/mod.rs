//! Kubernetes' `JSONPath`, as `helm show values --jsonpath` asks for parts of values.
//!
//! Follows k8s.io/client-go util/jsonpath.

mod find;
mod parse;

use gitops_core::Scope;
use gitops_template::{Functions, HelmVersion, Options, Sealed, Templates, helm};
use serde_json::Value;

use crate::values::Values;
use find::{Item, Search};
use parse::{Node, parse};

/// A template of texts and paths: `{.image.tag}`, `{range .list[*]}{.name}{"\n"}{end}`.
///
/// ```
/// use gitops_helm::JsonPath;
///
/// let values = serde_json::json!({"list": [{"name": "a"}, {"name": "b"}]});
/// let path = JsonPath::parse("names: {.list[*].name}")?;
/// assert_eq!(path.text(values.as_object().unwrap()), "names: a b");
/// # Ok::<(), gitops_helm::JsonPathError>(())
/// ```
#[derive(Clone, Debug)]
pub struct JsonPath {
    nodes: Vec<Node>,
}

/// A text that is no path.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JsonPathError(pub(crate) String);

impl JsonPath {
    /// Understands a template.
    ///
    /// # Errors
    /// In the words of the original.
    pub fn parse(text: &str) -> Result<Self, JsonPathError> {
        Ok(Self { nodes: parse(text).map_err(JsonPathError)? })
    }

    /// What the template gives for values; nothing where one of its paths leads nowhere, as in Helm.
    pub fn text(&self, values: &Values) -> String {
        let values = Value::Object(values.clone());
        let Ok(results) = Search::new(&self.nodes).all(&values) else { return String::new() };
        let printer = Printer::new();
        let mut text = String::new();
        for group in results {
            let texts: Vec<String> = group.iter().map(|item| printer.printed(item)).collect();
            text.push_str(&texts.join(" "));
        }
        text
    }
}

/// Go's way to print values, for as many as a template names.
struct Printer(Templates);

impl Printer {
    const PLAIN: &str = "{{ print . }}";
    const JSON: &str = "{{ toJson . }}";

    fn new() -> Self {
        let mut templates = Templates::new(Functions::builtin().with(helm(HelmVersion::V4)));
        for text in [Self::PLAIN, Self::JSON] {
            let added = templates.add(text, text);
            debug_assert!(added.is_ok(), "{text} is a template");
        }
        Self(templates)
    }

    fn printed(&self, item: &Item<'_>) -> String {
        match item {
            Item::Json(Value::String(text)) => text.clone(),
            Item::Json(Value::Null) => "null".to_owned(),
            Item::Json(value @ (Value::Array(_) | Value::Object(_))) => self.go(value, Self::JSON),
            Item::Json(value) => self.go(value, Self::PLAIN),
            Item::Text(text) => text.clone(),
            Item::Bool(flag) => flag.to_string(),
            Item::Int(number) => number.to_string(),
            Item::Float(number) => self.go(&Value::from(*number), Self::PLAIN),
        }
    }

    /// A value as Go prints it.
    fn go(&self, value: &Value, template: &str) -> String {
        let value = crate::engine::go_value(value);
        let printed =
            self.0.render(template, value, Options::default(), &Sealed, &Scope::background());
        printed.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_give_what_helm_gives() {
        let values = serde_json::json!({
            "image": {"tag": "v1"}, "list": [{"name": "a", "n": 1.0}, {"name": "b"}], "f": 1.5,
            "big": 12_345_678.0, "t": true, "n": null, "nested": {"a": {"b": 1.0}}
        });
        for (path, text) in [
            ("{.image.tag}", "v1"),
            ("{.image}", "{\"tag\":\"v1\"}"),
            (".image.tag", ".image.tag"),
            ("{.f} {.big} {.t} {.n}", "1.5 1.2345678e+07 true null"),
            ("{.list[-1].name}", "b"),
            ("{.list[0:1].name}", "a"),
            ("{.list[*].name}", "a b"),
            ("{.list[0,1].name}", "a b"),
            ("{range .list[*]}[{.name}]{end}.", "[a][b]."),
            ("{range .list[*]}{.name}{\"\\t\"}{end}", "a\tb\t"),
            ("{.list[?(@.name==\"b\")].name}", "b"),
            ("{.list[?(@.name!='b')].name}", "a"),
            ("{.list[?(@.n)].name}", "a"),
            ("{.nested..b}", "1"),
            ("{['image']['tag']}", "v1"),
            ("{$.image.tag}{'-'}{@.f}", "v1-1.5"),
            ("a {.nope} b", ""),
            ("{.list[5]}", ""),
            ("{.list[?(@.n==1)].name}", ""),
            ("{.list[?(@.n==1.0)].name}", ""),
            ("{.list[?(@.name>\"a\")].name}", "b"),
            ("{5}{true}", "5true"),
            ("{.image.tag[0]}", ""),
        ] {
            let found = JsonPath::parse(path).unwrap().text(values.as_object().unwrap());
            assert_eq!(found, text, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_told() {
        for (path, told) in [
            ("{.image", "unclosed action"),
            ("{.list[0", "unterminated array"),
            ("{.list[a]}", "invalid array index a"),
            ("{.list[?(@.a==1}", "unterminated filter"),
            ("{\"a}", "unterminated quoted string"),
            ("{|}", "unrecognized character in action: U+007C '|'"),
        ] {
            assert_eq!(JsonPath::parse(path).unwrap_err().to_string(), told, "{path}");
        }
    }
}
