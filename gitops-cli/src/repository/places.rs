//! Where in the repository an object is written: file and line.

use std::{
    collections::{BTreeMap, HashMap},
    path::{Path, PathBuf},
    sync::Arc,
};

use gitops_controllers::runtime::Place;
use gitops_core::{EntryKind, MemoryTree, Tree};

use super::field;

/// More objects are not remembered.
const OBJECTS_LIMIT: usize = 100_000;

/// Files over this size hold data, not manifests.
const FILE_LIMIT: usize = 4 << 20;

/// The places of the objects of a tree: as the builds told them, and of what was not built, by kind
/// and name.
#[derive(Debug)]
pub(crate) struct Places {
    tree: Arc<dyn Tree>,
    /// By `Kind/namespace/name`.
    pub(crate) built: BTreeMap<String, Place>,
    known: HashMap<(String, String), Vec<(PathBuf, u32)>>,
    count: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self {
            tree: Arc::new(MemoryTree::default()),
            built: BTreeMap::new(),
            known: HashMap::new(),
            count: 0,
        }
    }
}

impl Places {
    /// Reads all YAML files of a tree; what cannot be read has no places.
    pub(crate) fn of(tree: Arc<dyn Tree>) -> Self {
        let mut places = Self { tree: Arc::clone(&tree), ..Self::default() };
        places.directory(&*tree, Path::new(""), 0);
        places
    }

    /// `file:line` of what a message says of an object with an id `Kind/namespace/name` or
    /// `Kind/name`: of the field that it names, if the object's file has it; or else of the object.
    pub(crate) fn find(&self, id: &str, message: &str) -> Option<String> {
        let (file, line) = self.object(id)?;
        let line = self.field(&file, line, message).unwrap_or(line);
        Some(format!("{}:{line}", file.display()))
    }

    /// The line of a field of the object that begins at `line` of `file`.
    fn field(&self, file: &Path, line: u32, message: &str) -> Option<u32> {
        let bytes = self.tree.read(file).ok()?;
        let text = std::str::from_utf8(&bytes).ok().filter(|text| text.len() <= FILE_LIMIT)?;
        let documents = gitops_yaml::read_all(text).ok()?;
        let object = documents.iter().find(|document| document.place().line() == line)?;
        field::line(message, object)
    }

    /// File and line of an object, as its build told it. Of what was not built, if there is exactly
    /// one of that kind and name; a name may have grown a prefix and a suffix on its way, then the
    /// longest that it contains is taken.
    fn object(&self, id: &str) -> Option<(PathBuf, u32)> {
        if let Some(place) = self.built.get(id) {
            return Some((PathBuf::from(&*place.file), place.line));
        }
        let (kind, name) = (id.split('/').next()?, id.rsplit('/').next()?);
        let exact = self.known.get(&(kind.to_owned(), name.to_owned()));
        let found = exact.or_else(|| {
            let within = self.known.iter().filter(|((of, base), _)| {
                of == kind && base.len() > 2 && name.contains(base.as_str())
            });
            within.max_by_key(|((_, base), _)| base.len()).map(|(_, places)| places)
        })?;
        match &found[..] {
            [place] => Some(place.clone()),
            _ => None,
        }
    }

    fn directory(&mut self, tree: &dyn Tree, directory: &Path, depth: usize) {
        let Ok(entries) = tree.list(directory) else { return };
        for entry in entries {
            let path = directory.join(&entry.name);
            match entry.kind {
                EntryKind::Directory if depth < 64 => self.directory(tree, &path, depth + 1),
                EntryKind::File { .. }
                    if path.extension().is_some_and(|end| end == "yaml" || end == "yml") =>
                {
                    self.file(tree, &path);
                }
                _ => {}
            }
        }
    }

    fn file(&mut self, tree: &dyn Tree, path: &Path) {
        if self.count >= OBJECTS_LIMIT {
            return;
        }
        let Ok(bytes) = tree.read(path) else { return };
        let Ok(text) = std::str::from_utf8(&bytes) else { return };
        if text.len() > FILE_LIMIT {
            return;
        }
        for document in gitops_yaml::read_all(text).unwrap_or_default() {
            let (Some(kind), Some(name)) = (
                document.get("kind").and_then(gitops_yaml::Node::as_str),
                document.at(["metadata", "name"]).and_then(gitops_yaml::Node::as_str),
            ) else {
                continue;
            };
            self.count += 1;
            let place = (path.to_owned(), document.place().line());
            self.known.entry((kind.to_owned(), name.to_owned())).or_default().push(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_found_by_kind_and_name() {
        let tree = MemoryTree::from_iter([
            (
                "a/b.yaml",
                "kind: ConfigMap\nmetadata: {name: one}\n---\nkind: Secret\nmetadata: {name: web}\n",
            ),
            (
                "c.yaml",
                "kind: ConfigMap\nmetadata: {name: twice}\n---\nkind: ConfigMap\nmetadata: {name: twice}\n",
            ),
            ("broken.yaml", "a: [\n"),
        ]);
        let mut places = Places::of(Arc::new(tree));
        assert_eq!(places.find("ConfigMap/ns/one", "").unwrap(), "a/b.yaml:1");
        assert_eq!(places.find("Secret/ns/dev-web-7f9k", "").unwrap(), "a/b.yaml:4");
        assert_eq!(places.find("ConfigMap/ns/twice", ""), None, "it could be either");
        let place = Place { file: Arc::from("c.yaml"), line: 4 };
        places.built.insert("ConfigMap/ns/twice".into(), place);
        assert_eq!(places.find("ConfigMap/ns/twice", "").unwrap(), "c.yaml:4");
        assert_eq!(
            places.find("ConfigMap/ns/one", "metadata.name: too short").unwrap(),
            "a/b.yaml:2"
        );
        assert_eq!(places.find("ConfigMap/other/twice", ""), None, "that one was not built");
    }
}
