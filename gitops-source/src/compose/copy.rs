//! Copies after the manner of `cp`.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use bytes::Bytes;
use gitops_core::{
    Class, Classify, EntryKind, Limits, MemoryTree, Scope, Tree, TreeError, clean_path, json_kind,
    unpack,
};
use gitops_yaml::{Flavour, Node};
use serde_json::{Map, Value};

use super::{
    glob::{Glob, Stars},
    hash::content_hash,
    paths::{is_archive, joined, lexical, literal_prefix, walk},
};

/// One thing to copy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyRule {
    /// `@<source>/<path>`, perhaps with wildcards.
    pub from: String,
    /// `@artifact/<path>`; with a slash at its end a directory.
    pub to: String,
    /// Patterns of what stays out.
    pub exclude: Vec<String>,
    /// What becomes of files that exist.
    pub strategy: CopyStrategy,
}

/// What becomes of files that exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyStrategy {
    /// They are replaced.
    #[default]
    Overwrite,
    /// YAML is merged into them.
    Merge,
    /// What is copied are archives, and it is their files that are copied.
    Extract,
}

/// Why files could not be composed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// A copy failed.
    #[error(
        "failed to apply copy operations: failed to apply copy operation from '{from}' to '{to}'"
    )]
    Copy {
        /// What was copied.
        from: Box<str>,
        /// Where to.
        to: Box<str>,
        /// Why it failed.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The result has no hash.
    #[error("failed to hash staging dir: {0}")]
    Hash(Box<str>),
    /// Stopped from outside.
    #[error(transparent)]
    Cancelled(#[from] gitops_core::Cancelled),
}

impl Classify for ComposeError {
    fn class(&self) -> Class {
        match self {
            Self::Cancelled(error) => error.class(),
            _ => Class::Invalid,
        }
    }
}

/// Composed files.
#[derive(Clone, Debug)]
pub struct Composition {
    /// The files.
    pub tree: MemoryTree,
    /// The hash of their content and paths, which names the artifact.
    pub hash: String,
}

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Applies rules in their order; later ones win. `name` takes part in the hash. Blocks.
///
/// # Errors
/// [`ComposeError`], in Flux's words.
pub fn compose(
    rules: &[CopyRule],
    sources: &BTreeMap<String, Arc<MemoryTree>>,
    name: &str,
    scope: &Scope,
) -> Result<Composition, ComposeError> {
    let mut out = Staging { tree: MemoryTree::new(), bytes: 0, limits: Limits::default() };
    for rule in rules {
        scope.check()?;
        out.apply(rule, sources).map_err(|source| ComposeError::Copy {
            from: rule.from.as_str().into(),
            to: rule.to.as_str().into(),
            source,
        })?;
    }
    let hash = content_hash(&out.tree, name).map_err(|why| ComposeError::Hash(why.into()))?;
    Ok(Composition { tree: out.tree, hash })
}

struct Staging {
    tree: MemoryTree,
    bytes: u64,
    limits: Limits,
}

/// A rule that was read.
struct Copy<'r> {
    from: &'r MemoryTree,
    exclude: Vec<Glob>,
    strategy: CopyStrategy,
    /// Excludes are also relative to this.
    base: String,
}

impl Copy<'_> {
    fn excludes(&self, path: &str) -> bool {
        let below = match self.base.as_str() {
            "" | "." => None,
            base => path.strip_prefix(base).and_then(|rest| rest.strip_prefix('/')),
        };
        self.exclude
            .iter()
            .any(|glob| glob.excludes(path) || below.is_some_and(|below| glob.excludes(below)))
    }
}

impl Staging {
    fn apply(
        &mut self,
        rule: &CopyRule,
        sources: &BTreeMap<String, Arc<MemoryTree>>,
    ) -> Result<(), Fault> {
        let from = rule.from.strip_prefix('@').and_then(|from| from.split_once('/'));
        let (alias, pattern) =
            from.ok_or_else(|| format!("invalid copy source '{}'", rule.from))?;
        let to = rule.to.strip_prefix("@artifact/");
        let to = to.ok_or_else(|| format!("invalid copy destination '{}'", rule.to))?;
        let source =
            sources.get(alias).ok_or_else(|| format!("source alias '{alias}' not found"))?;
        let exclude = rule.exclude.iter().map(|pattern| {
            Glob::parse(pattern, Stars::Double)
                .ok_or_else(|| format!("invalid exclude pattern '{pattern}'"))
        });
        let outside = match lexical(to) {
            path if path == ".." || path.starts_with("../") => Some(".."),
            _ if to.starts_with('/') => Some("/"),
            _ => None,
        };
        if let Some(place) = outside {
            let doing = "failed to create destination directory";
            return Err(format!("{doing}: mkdirat {place}: path escapes from parent").into());
        }
        let mut copy = Copy {
            from: source,
            exclude: exclude.collect::<Result<_, _>>()?,
            strategy: rule.strategy,
            base: String::new(),
        };
        if !pattern.contains(['*', '?', '[', ']']) {
            return self.single(&mut copy, pattern, to);
        }
        copy.base = literal_prefix(pattern);
        let stars = match rule.strategy {
            CopyStrategy::Extract => Stars::Double,
            _ => Stars::Single,
        };
        let glob = Glob::parse(pattern, stars)
            .ok_or_else(|| format!("invalid glob pattern '{pattern}': syntax error in pattern"))?;
        let mut matches = Vec::new();
        walk(source, Path::new(""), &mut |path| {
            if glob.matches(path) {
                matches.push(path.to_owned());
            }
        })?;
        if matches.is_empty() {
            return Err(format!("no files match pattern '{pattern}' in source '{alias}'").into());
        }
        matches.retain(|path| !copy.excludes(path));
        if matches.is_empty() {
            let why =
                format!("all files matching pattern '{pattern}' in source '{alias}' were excluded");
            return Err(why.into());
        }
        for path in matches {
            if rule.strategy == CopyStrategy::Extract {
                if is_archive(&path) && !source.stat(path.as_ref())?.is_dir() {
                    self.extract(&copy, &path, to)?;
                }
                continue;
            }
            // The contents of a directory are copied without it, as by `cp -r dir/** to`.
            let below = pattern
                .strip_suffix("/**")
                .and_then(|prefix| path.strip_prefix(prefix)?.strip_prefix('/'));
            let target = joined(to, below.unwrap_or(&path));
            self.copy(&copy, &path, &target).map_err(|error| {
                format!("failed to copy file '{path}' to '{}': {error}", target.display())
            })?;
        }
        Ok(())
    }

    fn single(&mut self, copy: &mut Copy<'_>, path: &str, to: &str) -> Result<(), Fault> {
        let clean = clean_path(path.as_ref()).map_err(|_| {
            let path = lexical(path);
            format!("failed to stat source '{path}': statat {path}: path escapes from parent")
        })?;
        let clean = clean.display().to_string();
        let entry = copy.from.stat(clean.as_ref()).map_err(|error| -> Fault {
            if error.is_not_found() {
                format!("source '{clean}' does not exist").into()
            } else {
                error.into()
            }
        })?;
        let name = clean.rsplit('/').next().unwrap_or_default().to_owned();
        if entry.is_dir() {
            if copy.strategy == CopyStrategy::Extract {
                let why =
                    format!("extract strategy is not supported for directories, got '{clean}'");
                return Err(why.into());
            }
            copy.base.clone_from(&clean);
            return self.copy(copy, &clean, &joined(to, &name));
        }
        if copy.excludes(&clean) {
            return Ok(());
        }
        if copy.strategy == CopyStrategy::Extract {
            if !is_archive(&clean) {
                let why = format!(
                    "extract strategy requires tarball file (.tar.gz or .tgz), got '{clean}'"
                );
                return Err(why.into());
            }
            return self.extract(copy, &clean, to);
        }
        let is_directory = to.is_empty()
            || to.ends_with('/')
            || self.tree.stat(to.as_ref()).is_ok_and(|entry| entry.is_dir());
        let target = if is_directory { joined(to, &name) } else { joined(to, "") };
        self.copy(copy, &clean, &target)
    }

    /// Copies a file, or a directory with everything in it.
    fn copy(&mut self, copy: &Copy<'_>, path: &str, to: &Path) -> Result<(), Fault> {
        let entry = copy.from.stat(path.as_ref())?;
        match entry.kind {
            EntryKind::Directory => self.directory(copy, path, to),
            EntryKind::File { executable } => {
                let content = copy.from.read(path.as_ref())?;
                if copy.strategy == CopyStrategy::Merge
                    && self.tree.stat(to).is_ok_and(|entry| !entry.is_dir())
                {
                    let merged = merged(&self.tree.read(to)?, &content)?;
                    return self.put(to, merged.into(), false);
                }
                self.put(to, content, executable)
            }
            EntryKind::Link | EntryKind::Special => Ok(()),
        }
    }

    fn directory(&mut self, copy: &Copy<'_>, path: &str, to: &Path) -> Result<(), Fault> {
        self.check_parents(to, "mkdirat")?;
        self.tree.insert_directory(to)?;
        for entry in copy.from.list(path.as_ref())? {
            let below =
                if path.is_empty() { entry.name.clone() } else { format!("{path}/{}", entry.name) };
            if copy.excludes(&below) {
                continue;
            }
            let to = to.join(&entry.name);
            match entry.kind {
                EntryKind::Directory => self.directory(copy, &below, &to)?,
                // Files of a directory replace what is there, whatever the strategy.
                EntryKind::File { executable } => {
                    self.put(&to, copy.from.read(below.as_ref())?, executable)?;
                }
                EntryKind::Link | EntryKind::Special => {}
            }
        }
        Ok(())
    }

    fn extract(&mut self, copy: &Copy<'_>, path: &str, to: &str) -> Result<(), Fault> {
        let archive = copy.from.read(path.as_ref())?;
        let left = Limits { bytes: self.limits.bytes.saturating_sub(self.bytes), ..self.limits };
        let unpacked = unpack(&archive[..], &left)
            .map_err(|error| format!("failed to extract tarball '{path}' to '{to}': {error}"))?;
        self.tree.insert_directory(joined(to, ""))?;
        let mut files = Vec::new();
        for (path, content) in unpacked.files() {
            files.push((path.to_owned(), content.clone(), is_executable(&unpacked, path)?));
        }
        for (path, content, executable) in files {
            self.put(&joined(to, &path.display().to_string()), content, executable)?;
        }
        Ok(())
    }

    fn put(&mut self, to: &Path, content: Bytes, executable: bool) -> Result<(), Fault> {
        let to = clean_path(to)?;
        self.check_parents(&to, "openat")?;
        if self.tree.stat(&to).is_ok_and(|entry| entry.is_dir()) {
            return Err(format!("open {}: is a directory", to.display()).into());
        }
        self.bytes += content.len() as u64;
        if self.bytes > self.limits.bytes {
            return Err(format!("more than {} bytes", self.limits.bytes).into());
        }
        if executable {
            self.tree.insert_executable(to, content)?;
        } else {
            self.tree.insert(to, content)?;
        }
        Ok(())
    }

    /// Whether all above a path can be a directory; `last` is the call that Go fails with on the
    /// path itself.
    fn check_parents(&self, path: &Path, last: &str) -> Result<(), Fault> {
        let is_file = |path: &Path| self.tree.stat(path).is_ok_and(|entry| !entry.is_dir());
        let mut below = path;
        for parent in path.ancestors().skip(1).filter(|parent| !parent.as_os_str().is_empty()) {
            if is_file(parent) {
                let shown = below.display();
                let why = if below == path {
                    format!("{last} {shown}: not a directory")
                } else {
                    let doing = "failed to create destination directory";
                    format!("{doing}: mkdirat {shown}: not a directory")
                };
                return Err(why.into());
            }
            below = parent;
        }
        Ok(())
    }
}

fn is_executable(tree: &MemoryTree, path: &Path) -> Result<bool, TreeError> {
    Ok(tree.stat(path)?.kind == EntryKind::File { executable: true })
}

/// YAML over YAML: maps are merged in depth, all else is replaced.
fn merged(base: &[u8], over: &[u8]) -> Result<String, Fault> {
    let mut values = documents(base)?;
    gitops_helm::merge(&mut values, documents(over)?);
    Ok(gitops_yaml::to_yaml(&Node::from_json(Value::Object(values)))?)
}

fn documents(text: &[u8]) -> Result<Map<String, Value>, Fault> {
    let mut all = Map::new();
    let options = gitops_yaml::ReadOptions::flavour(Flavour::V2);
    let wrong = |why: String| -> Fault { format!("cannot unmarshal YAML document: {why}").into() };
    let read = options.read_all(text);
    for document in
        read.map_err(|error| wrong(format!("error converting YAML to JSON: {error}")))?
    {
        match document.to_json_v2()? {
            Value::Null => {}
            Value::Object(fields) => gitops_helm::merge(&mut all, fields),
            other => {
                let kind = json_kind(&other);
                return Err(wrong(format!(
                    "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal {kind} \
                     into Go value of type map[string]interface {{}}"
                )));
            }
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources() -> BTreeMap<String, Arc<MemoryTree>> {
        let mut inner = Vec::new();
        let packed = MemoryTree::from_iter([("x/y.yaml", "y")]);
        gitops_core::pack(&packed, &|_, _| true, &mut inner, &Scope::background()).unwrap();
        let mut app = MemoryTree::from_iter([
            ("deploy/cm.yaml", "a: 1\nm: {x: 1}\n"),
            ("deploy/sub/sa.yaml", "s"),
            ("docs/readme.md", "r"),
            ("values.yaml", "m: {z: 2}\nl: [1]\n"),
        ]);
        app.insert("charts/one.tgz", inner).unwrap();
        [("app".to_owned(), Arc::new(app))].into()
    }

    fn composed(rules: &[(&str, &str, &[&str], CopyStrategy)]) -> Result<Vec<String>, String> {
        let rules: Vec<_> = rules
            .iter()
            .map(|(from, to, exclude, strategy)| CopyRule {
                from: (*from).into(),
                to: (*to).into(),
                exclude: exclude.iter().map(|text| (*text).to_owned()).collect(),
                strategy: *strategy,
            })
            .collect();
        let out = compose(&rules, &sources(), "n", &Scope::background());
        let out = out.map_err(|error| gitops_core::one_line(&error))?;
        Ok(out.tree.files().map(|(path, _)| path.display().to_string()).collect())
    }

    #[test]
    fn copies_as_cp_does() {
        use CopyStrategy::{Extract, Overwrite};
        for (from, to, exclude, strategy, expected) in [
            ("@app/deploy/**", "@artifact/", &[][..], Overwrite, &["cm.yaml", "sub/sa.yaml"][..]),
            (
                "@app/deploy/",
                "@artifact/",
                &[],
                Overwrite,
                &["deploy/cm.yaml", "deploy/sub/sa.yaml"],
            ),
            ("@app/deploy", "@artifact/d", &["*.md", "sub/**"], Overwrite, &["d/deploy/cm.yaml"]),
            ("@app/deploy/cm.yaml", "@artifact/x.yaml", &[], Overwrite, &["x.yaml"]),
            ("@app/deploy/cm.yaml", "@artifact/x/", &[], Overwrite, &["x/cm.yaml"]),
            ("@app/*/*.md", "@artifact/x", &[], Overwrite, &["x/docs/readme.md"]),
            ("@app/charts/one.tgz", "@artifact/c/", &[], Extract, &["c/x/y.yaml"]),
            ("@app/**", "@artifact/c", &[], Extract, &["c/x/y.yaml"]),
        ] {
            let out = composed(&[(from, to, exclude, strategy)]).unwrap();
            assert_eq!(out, expected, "{from} {to}");
        }
    }

    #[test]
    fn failures_say_which_copy() {
        use CopyStrategy::{Extract, Overwrite};
        for (from, strategy, text) in [
            ("@app/none.yaml", Overwrite, "source 'none.yaml' does not exist"),
            ("@app/none/*", Overwrite, "no files match pattern 'none/*' in source 'app'"),
            ("@other/a", Overwrite, "source alias 'other' not found"),
            ("@app/deploy", Extract, "extract strategy is not supported for directories"),
            ("@app/values.yaml", Extract, "extract strategy requires tarball file"),
            (
                "@app/../x",
                Overwrite,
                "failed to stat source '../x': statat ../x: path escapes from parent",
            ),
            ("@app/[a", Overwrite, "syntax error in pattern"),
        ] {
            let error = composed(&[(from, "@artifact/", &[], strategy)]).unwrap_err();
            assert!(error.contains(text), "{error}");
        }
        let over = [
            ("@app/values.yaml", "@artifact/a", &[][..], Overwrite),
            ("@app/values.yaml", "@artifact/a/b/", &[], Overwrite),
        ];
        let error = composed(&over).unwrap_err();
        let doing = "failed to create destination directory";
        assert!(error.ends_with(&format!("{doing}: mkdirat a/b: not a directory")), "{error}");
        let over = [over[0], ("@app/values.yaml", "@artifact/a/b", &[], Overwrite)];
        let error = composed(&over).unwrap_err();
        assert!(error.ends_with("'@artifact/a/b': openat a/b: not a directory"), "{error}");
        let over = [over[0], ("@app/deploy", "@artifact/a", &[], Overwrite)];
        let error = composed(&over).unwrap_err();
        assert!(error.ends_with("mkdirat a/deploy: not a directory"), "{error}");
        for (to, place) in [("@artifact/../../x", ".."), ("@artifact//x", "/")] {
            let error = composed(&[("@app/values.yaml", to, &[][..], Overwrite)]).unwrap_err();
            let why = format!("mkdirat {place}: path escapes from parent");
            assert!(error.ends_with(&why), "{error}");
        }
    }

    #[test]
    fn merges_maps_and_replaces_lists() {
        let text = merged(b"a: 1\nm: {x: 1}\nl: [1, 2]\n", b"m: {z: 2}\nl: [3]\n").unwrap();
        assert_eq!(text, "a: 1\nl:\n- 3\nm:\n  x: 1\n  z: 2\n");
    }
}
