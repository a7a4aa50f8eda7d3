//! Charts as directories of a [`Tree`].
//!
//! Follows helm pkg/chart/v2/loader/directory.go; links are followed as far as the tree lets them
//! be.

use std::path::{Path, PathBuf};

use gitops_core::{Name, NameKind, Tree, quoted};

use crate::chart::{
    ChartError, File,
    archive::{Budget, without_mark},
    ignore::IgnoreRules,
};

/// The files of a directory that .helmignore leaves, sorted as a walk meets them.
pub(super) fn read(
    tree: &dyn Tree,
    root: &Path,
    budget: &mut Budget,
) -> Result<Vec<File>, ChartError> {
    let ignore = match tree.read(&root.join(".helmignore")) {
        Ok(text) => String::from_utf8_lossy(&text).into_owned(),
        Err(error) if error.is_not_found() => String::new(),
        Err(error) => return Err(error.into()),
    };
    let mut walk =
        Walk { tree, root, rules: IgnoreRules::parse(&ignore)?, budget, files: Vec::new() };
    walk.directory(&mut PathBuf::new(), 0)?;
    Ok(walk.files)
}

struct Walk<'w> {
    tree: &'w dyn Tree,
    root: &'w Path,
    rules: IgnoreRules,
    budget: &'w mut Budget,
    files: Vec<File>,
}

impl Walk<'_> {
    fn directory(&mut self, path: &mut PathBuf, depth: usize) -> Result<(), ChartError> {
        // Links can make a tree endless.
        if depth > self.budget.limits().path_depth {
            let depth = self.budget.limits().path_depth;
            return Err(ChartError::Limit(format!(
                "chart has directories more than {depth} levels deep"
            )));
        }
        for Name { name, kind } in self.tree.names(&self.root.join(&path))? {
            path.push(&name);
            let full = self.root.join(&path);
            let kind = match kind {
                NameKind::Link => self.tree.stat(&full)?.kind.into(),
                kind => kind,
            };
            let name = slashed(path);
            if !self.rules.ignores(&name, kind == NameKind::Directory) {
                match kind {
                    NameKind::Directory => self.directory(path, depth + 1)?,
                    NameKind::File => self.file(name, &full)?,
                    _ => return Err(ChartError::Irregular(full.display().to_string())),
                }
            }
            path.pop();
        }
        Ok(())
    }

    fn file(&mut self, name: String, full: &Path) -> Result<(), ChartError> {
        let limit = self.budget.limits().file_bytes;
        let Some(data) = self.tree.read_within(full, limit)? else {
            let base = name.rsplit('/').next().unwrap_or(&name);
            return Err(ChartError::Limit(format!(
                "chart file {} is larger than the maximum file size {limit}",
                quoted(base)
            )));
        };
        self.budget.take(data.len() as u64)?;
        self.files.push(File { name, data: without_mark(data) });
        Ok(())
    }
}

fn slashed(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}
