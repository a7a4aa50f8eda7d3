//! `.Files`

use std::{any::Any, collections::BTreeMap, rc::Rc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use gitops_template::{
    CallError, Context, Kind, List, ListKind, Map, MapKind, Method, Object, Text, Type, Value,
    bytes::from_bytes,
};

use super::glob::Glob;
use crate::{Compat, File};

/// The files of a chart that are not templates, by path.
#[derive(Clone, Debug)]
pub(super) struct Files {
    files: Rc<BTreeMap<Text, Bytes>>,
    compat: Compat,
}

const NAME: &[Type] = &[Type::String];

impl Files {
    pub(super) fn new(files: &[File], compat: Compat) -> Self {
        let files = files.iter().map(|file| (Text::from(&file.name), file.data.clone())).collect();
        Self { files: Rc::new(files), compat }
    }

    fn text(&self, name: &str) -> Value {
        self.files
            .get(name)
            .map_or_else(|| Value::from(""), |data| Value::string(&*from_bytes(data)))
    }

    /// Those whose path matches; a pattern that is none matches all.
    fn glob(&self, pattern: &str) -> Self {
        let glob = Glob::new(pattern).or_else(|| Glob::new("**"));
        let matches = |name: &str| glob.as_ref().is_some_and(|glob| glob.matches(name));
        let found = self.files.iter().filter(|(name, _)| matches(name));
        let files = found.map(|(name, data)| (name.clone(), data.clone())).collect();
        Self { files: Rc::new(files), compat: self.compat }
    }

    /// A mapping of base names to what is made of their content, as YAML.
    fn as_yaml(&self, make: impl Fn(&Bytes) -> Value) -> Result<Value, CallError> {
        let base = |name: &Text| Text::from(name.rsplit('/').next().unwrap_or(name));
        let entries = self.files.iter().map(|(name, data)| (base(name), make(data))).collect();
        let text = gitops_template::to_yaml(&Value::Map(Map::of(MapKind::String, entries)))?;
        Ok(Value::from(text.trim_end_matches('\n')))
    }

    fn lines(&self, name: &str) -> Value {
        let data = self.files.get(name).filter(|data| !data.is_empty());
        let Some(data) = data else { return Value::List(List::new(ListKind::String, Vec::new())) };
        let text = from_bytes(data.strip_suffix(b"\n").unwrap_or(data));
        Value::List(List::strings(text.split('\n')))
    }
}

impl Object for Files {
    fn type_name(&self) -> &'static str {
        "engine.files"
    }

    fn kind(&self) -> Kind {
        Kind::Map
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn method(&self, name: &str) -> Option<Method> {
        match name {
            "Get" | "GetBytes" | "Glob" | "Lines" => Some(Method { params: NAME, variadic: false }),
            "AsConfig" | "AsSecrets" => Some(Method { params: &[], variadic: false }),
            _ => None,
        }
    }

    fn call(
        &self,
        name: &str,
        arguments: &[Value],
        context: &mut Context<'_>,
    ) -> Result<Value, CallError> {
        let argument = arguments.first().and_then(Value::as_str).unwrap_or_default();
        match name {
            "Get" => {
                context.spend(1, self.files.get(argument).map_or(0, |data| data.len() as u64))?;
                Ok(self.text(argument))
            }
            "GetBytes" => Ok(Value::Bytes(
                self.files.get(argument).map_or_else(Rc::default, |data| Rc::from(&**data)),
            )),
            "Glob" => {
                context.spend(self.files.len() as u64, 0)?;
                Ok(Value::object(self.glob(argument)))
            }
            "Lines" => Ok(self.lines(argument)),
            "AsConfig" => self.as_yaml(|data| Value::string(&*from_bytes(data))),
            _ => self.as_yaml(|data| Value::from(STANDARD.encode(data))),
        }
    }

    fn map(&self) -> Option<Map> {
        let bytes = |data: &Bytes| Value::Bytes(Rc::from(&**data));
        let entries = self.files.iter().map(|(name, data)| (name.clone(), bytes(data))).collect();
        Some(Map::of(MapKind::Bytes, entries))
    }
}
