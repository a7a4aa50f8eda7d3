//! A commit on top of another: only what changes is made anew.

use std::{
    collections::BTreeMap,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use bytes::Bytes;
use gitops_core::Tree;
use gix::{
    ObjectId,
    bstr::BString,
    hash::Kind as HashKind,
    objs::{
        FindExt as _, Kind, TreeRefIter, WriteTo as _,
        tree::{Entry, EntryKind},
    },
};
use jiff::Timestamp;
use parking_lot::Mutex;

use super::pack::Pack;
use crate::{
    SourceError,
    git::{hostile::hostile_name, objects::Objects, signature::GitSigner},
};

/// What happens to a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GitChange {
    /// It has this content. A file that is there keeps its mode.
    Write(Bytes),
    /// It goes, and directories with it that become empty.
    Remove,
}

/// A name and an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GitPerson {
    /// The name.
    pub name: String,
    /// The address of mail.
    pub email: String,
}

/// What a commit says beside its files.
#[derive(Debug)]
pub struct CommitOptions<'c> {
    /// Who made the change, and the commit.
    pub author: GitPerson,
    /// When.
    pub at: Timestamp,
    /// The message; it gets a line's end where it has none.
    pub message: &'c str,
    /// Who signs.
    pub signer: Option<&'c GitSigner>,
}

/// A commit to build on, with its files.
#[derive(Clone, Debug)]
pub struct GitBase {
    pub(super) id: Option<ObjectId>,
    pub(super) tree: Option<ObjectId>,
    pub(super) format: HashKind,
    pub(super) objects: Option<Arc<Mutex<Objects>>>,
    pub(super) files: Arc<dyn Tree>,
}

/// A commit that exists only here.
#[derive(Debug)]
pub struct GitCommit {
    pub(super) id: ObjectId,
    pub(super) base: Option<ObjectId>,
    pub(super) pack: Pack,
}

impl GitBase {
    /// The files of the commit.
    pub fn files(&self) -> &Arc<dyn Tree> {
        &self.files
    }

    /// The commit's id in hexadecimal; none in an empty repository.
    pub fn id(&self) -> Option<String> {
        self.id.map(|id| id.to_string())
    }

    /// Makes a commit with some changes; `None` when the files are the same afterwards. Blocks.
    ///
    /// # Errors
    /// When a path leads outside, means a repository's own files, or through a file.
    pub fn commit(
        &self,
        changes: &BTreeMap<PathBuf, GitChange>,
        options: &CommitOptions<'_>,
    ) -> Result<Option<GitCommit>, SourceError> {
        let mut edit = Edit { base: self, pack: Pack::new(self.format) };
        let mut root = Changes::default();
        for (path, change) in changes {
            root.add(path, change)?;
        }
        let tree = edit.directory(self.tree, &root, Path::new(""))?;
        let tree = match tree {
            Some(tree) => tree,
            None => edit.pack.add(Kind::Tree, Vec::new())?,
        };
        if self.tree == Some(tree) || self.tree.is_none() && edit.pack.len() <= 1 {
            return Ok(None);
        }
        let raw = encode(tree, self.id, self.format, options)?;
        let id = edit.pack.add(Kind::Commit, raw)?;
        Ok(Some(GitCommit { id, base: self.id, pack: edit.pack }))
    }
}

impl GitCommit {
    /// The id in hexadecimal.
    pub fn id(&self) -> String {
        self.id.to_string()
    }

    /// The commit object as it will be stored.
    pub fn raw(&self) -> &[u8] {
        self.pack.get(&self.id).unwrap_or_default()
    }
}

/// The changes of a directory, by name.
#[derive(Default)]
struct Changes<'c>(BTreeMap<String, Node<'c>>);

enum Node<'c> {
    File(&'c GitChange),
    Directory(Changes<'c>),
}

impl<'c> Changes<'c> {
    fn add(&mut self, path: &Path, change: &'c GitChange) -> Result<(), SourceError> {
        let refused = |why: &str| {
            SourceError::Invalid(format!("cannot change '{}': {why}", path.display()).into())
        };
        let mut names = Vec::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => {
                    let name = name.to_str().ok_or_else(|| refused("name is not UTF-8"))?;
                    if let Some(why) = hostile_name(name) {
                        return Err(refused(why));
                    }
                    names.push(name);
                }
                Component::CurDir => {}
                _ => return Err(refused("path leads outside")),
            }
        }
        let file = names.pop().ok_or_else(|| refused("no name"))?;
        let mut at = self;
        for name in names {
            let node = at.0.entry(name.to_owned());
            match node.or_insert_with(|| Node::Directory(Changes::default())) {
                Node::Directory(inner) => at = inner,
                Node::File(_) => return Err(refused("a part of its path is a file")),
            }
        }
        match at.0.insert(file.to_owned(), Node::File(change)) {
            None => Ok(()),
            Some(_) => Err(refused("it is a directory")),
        }
    }
}

struct Edit<'b> {
    base: &'b GitBase,
    pack: Pack,
}

impl Edit<'_> {
    /// The directory with its changes; `None` when nothing is left in it.
    fn directory(
        &mut self,
        id: Option<ObjectId>,
        changes: &Changes<'_>,
        path: &Path,
    ) -> Result<Option<ObjectId>, SourceError> {
        let mut entries = self.read(id)?;
        for (name, node) in &changes.0 {
            let own = path.join(name);
            let at = entries.iter().position(|entry| entry.filename == name.as_str());
            let known = at.map(|at| entries[at].clone());
            let changed = match node {
                Node::File(GitChange::Remove) => match known {
                    Some(entry) if entry.mode.is_tree() => {
                        return Err(conflict(&own, "it is a directory"));
                    }
                    _ => None,
                },
                Node::File(GitChange::Write(content)) => {
                    let mode = match known {
                        None => EntryKind::Blob.into(),
                        Some(entry) if entry.mode.is_blob() => entry.mode,
                        Some(_) => return Err(conflict(&own, "it is no file")),
                    };
                    let oid = self.pack.add(Kind::Blob, content.to_vec())?;
                    Some(entry(name, mode, oid))
                }
                Node::Directory(inner) => {
                    let below = match known {
                        None => None,
                        Some(entry) if entry.mode.is_tree() => Some(entry.oid),
                        Some(_) => {
                            return Err(conflict(&own, "a part of its path is no directory"));
                        }
                    };
                    let below = self.directory(below, inner, &own)?;
                    below.map(|oid| entry(name, EntryKind::Tree.into(), oid))
                }
            };
            match (at, changed) {
                (Some(at), Some(changed)) => entries[at] = changed,
                (Some(at), None) => drop(entries.remove(at)),
                (None, Some(changed)) => entries.push(changed),
                (None, None) => {}
            }
        }
        if entries.is_empty() {
            return Ok(None);
        }
        entries.sort();
        let mut data = Vec::new();
        gix::objs::Tree { entries }
            .write_to(&mut data)
            .map_err(|error| SourceError::content(format!("malformed tree: {error}")))?;
        let made = gix::objs::compute_hash(self.base.format, Kind::Tree, &data)
            .map_err(|error| SourceError::content(format!("cannot hash an object: {error}")))?;
        if Some(made) != id {
            self.pack.add(Kind::Tree, data)?;
        }
        Ok(Some(made))
    }

    fn read(&self, id: Option<ObjectId>) -> Result<Vec<Entry>, SourceError> {
        let (Some(id), Some(objects)) = (id, &self.base.objects) else {
            return Ok(Vec::new());
        };
        let malformed = |why: String| SourceError::content(format!("malformed tree '{id}': {why}"));
        let mut buffer = Vec::new();
        let objects = objects.lock();
        let data =
            objects.odb.find(&id, &mut buffer).map_err(|error| malformed(error.to_string()))?;
        let entries = TreeRefIter::from_bytes(data.data, id.kind());
        let entries = entries.map(|entry| entry.map(Entry::from));
        entries.collect::<Result<_, _>>().map_err(|error| malformed(error.to_string()))
    }
}

fn entry(name: &str, mode: gix::objs::tree::EntryMode, oid: ObjectId) -> Entry {
    Entry { mode, filename: BString::from(name), oid }
}

fn conflict(path: &Path, why: &str) -> SourceError {
    SourceError::Invalid(format!("cannot change '{}': {why}", path.display()).into())
}

fn encode(
    tree: ObjectId,
    parent: Option<ObjectId>,
    format: HashKind,
    options: &CommitOptions<'_>,
) -> Result<Vec<u8>, SourceError> {
    let parent = parent.map(|parent| format!("parent {parent}\n")).unwrap_or_default();
    let GitPerson { name, email } = &options.author;
    let who = format!("{} <{}> {} +0000", word(name), word(email), options.at.as_second());
    let head = format!("tree {tree}\n{parent}author {who}\ncommitter {who}\n");
    // A line's end where there is none; NUL would end the message for some readers.
    let message = options.message.replace('\0', "");
    let body = format!("\n{}\n", message.trim_end_matches('\n'));
    let Some(signer) = options.signer else {
        return Ok((head + &body).into_bytes());
    };
    let signature = signer.sign(format!("{head}{body}").as_bytes(), options.at)?;
    let signature = signature.trim_end().replace("\r\n", "\n").replace('\n', "\n ");
    let header = if format == HashKind::Sha256 { "gpgsig-sha256" } else { "gpgsig" };
    Ok(format!("{head}{header} {signature}\n{body}").into_bytes())
}

/// A name without what would end it.
fn word(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control() && !"<>".contains(*c)).collect();
    text.trim().to_owned()
}
