//! The `ValueAddTransformer` plugin: writes one value into fields of many objects.

use gitops_yaml::Node;

use super::{Namespace, Transform, selector::Matcher};
use crate::{
    build::Build,
    config::split,
    error::{Error, ErrorKind, Result},
    resource::set_untagged,
    set::ResourceSet,
};

/// Writes a value.
#[derive(Debug)]
pub(crate) struct ValueAdd {
    pub(crate) value: String,
    pub(crate) targets: Vec<AddTarget>,
}

/// Where the value goes.
#[derive(Debug)]
pub(crate) struct AddTarget {
    /// All objects where there is none.
    pub(crate) matcher: Option<Matcher>,
    pub(crate) field_path: String,
    /// Counted from 1; the value is put in front of this part of a path. 0 replaces the field.
    pub(crate) file_path_position: usize,
}

impl Transform for ValueAdd {
    fn run(&self, set: &mut ResourceSet, build: &Build<'_>) -> Result<()> {
        for target in &self.targets {
            let places: Vec<usize> = match &target.matcher {
                Some(matcher) => matcher.select(set),
                None => (0..set.len()).collect(),
            };
            for place in places {
                let resource = set.get_mut(place);
                if target.field_path == "metadata/namespace" {
                    Namespace::new(&self.value, &[]).apply(resource)?;
                } else {
                    target.write(resource.node_mut(), &self.value)?;
                }
                resource.refresh(&build.schema);
            }
        }
        Ok(())
    }
}

impl AddTarget {
    fn write(&self, object: &mut Node, value: &str) -> Result<()> {
        let mut node = object;
        let parts = split(&self.field_path, '/');
        for (at, part) in parts.iter().enumerate() {
            if node.is_null() {
                return Ok(());
            }
            let Some(mapping) = node.as_mapping_mut() else {
                return Err(Error::new(
                    ErrorKind::Field,
                    format!("wrong node kind at '{}'", self.field_path),
                ));
            };
            if part.parse::<u64>().is_ok() {
                return Err(Error::new(
                    ErrorKind::Field,
                    "wrong node kind: expected SequenceNode but got MappingNode",
                ));
            }
            let last = at + 1 == parts.len();
            node = mapping.get_or_insert_with(part, || {
                if last { Node::string("") } else { Node::from(gitops_yaml::Mapping::new()) }
            });
        }
        if node.as_scalar().is_none() {
            return Err(Error::new(
                ErrorKind::Field,
                format!("wrong node kind at '{}'", self.field_path),
            ));
        }
        let old = node.text().unwrap_or_default();
        let new = match self.file_path_position {
            0 => value.to_owned(),
            position => insert_part(old, position - 1, value),
        };
        set_untagged(node, &new);
        Ok(())
    }
}

/// Puts a part into a path; a leading slash stays.
fn insert_part(path: &str, position: usize, part: &str) -> String {
    let (root, rest) = path.strip_prefix('/').map_or(("", path), |rest| ("/", rest));
    let mut parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    parts.insert(position.min(parts.len()), part);
    format!("{root}{}", parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inserts_into_paths() {
        for (path, position, wanted) in [
            ("", 0, "PEACH"),
            ("/", 0, "/PEACH"),
            ("pie", 0, "PEACH/pie"),
            ("/raw", 5, "/raw/PEACH"),
            ("/a/nice/warm/pie", 3, "/a/nice/warm/PEACH/pie"),
        ] {
            assert_eq!(insert_part(path, position, "PEACH"), wanted);
        }
    }
}
