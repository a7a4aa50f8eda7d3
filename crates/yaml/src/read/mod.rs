//! From bytes to nodes.

mod compose;
mod encoding;
mod faults;
mod go_syntax;
mod mapping;
mod parse;
mod quick;
mod scan;
mod spans;

use std::borrow::Cow;

use crate::{
    error::{Error, ErrorKind},
    node::Node,
    resolve::Flavour,
};

use compose::{Composer, Next};
pub(crate) use go_syntax::go_value;
pub use spans::Spans;

/// How a stream is read, and what is too much.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Whose typing rules apply.
    pub flavour: Flavour,
    /// What happens when a mapping has a key twice.
    pub duplicates: Duplicates,
    /// The largest stream, in bytes.
    pub max_bytes: usize,
    /// The most documents.
    pub max_documents: usize,
    /// The most levels of nesting.
    pub max_depth: usize,
    /// How many nodes aliases may add in one stream.
    pub max_expansion: usize,
}

/// What happens when a mapping has a key twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicates {
    /// It is an error that names both lines.
    #[default]
    Refuse,
    /// The first one counts; [`Node::doubled`] tells of it.
    First,
    /// The last one counts, at the place of the first.
    Last,
}

impl Default for ReadOptions {
    /// yaml.v3's typing, 256 MiB, 1 000 000 documents, 1000 levels, 400 000 nodes by aliases.
    fn default() -> Self {
        Self {
            flavour: Flavour::V3,
            duplicates: Duplicates::Refuse,
            max_bytes: 256 << 20,
            max_documents: 1_000_000,
            max_depth: 1000,
            max_expansion: 400_000,
        }
    }
}

impl ReadOptions {
    /// The default options with other typing rules.
    pub fn flavour(flavour: Flavour) -> Self {
        Self { flavour, ..Self::default() }
    }

    /// The documents of a stream. Documents without content are left out, as every tool of
    /// Kubernetes does.
    ///
    /// # Errors
    /// When the bytes are no YAML, or exceed a limit.
    pub fn read_all(&self, stream: &[u8]) -> Result<Vec<Node>, Error> {
        let mut documents = Vec::new();
        self.each(stream, |node| {
            documents.push(node);
            Ok(())
        })?;
        Ok(documents)
    }

    /// Calls `take` with each document as it is read, so that only one is held at a time.
    ///
    /// # Errors
    /// When the bytes are no YAML or exceed a limit, or when `take` fails.
    pub fn each(
        &self,
        stream: &[u8],
        mut take: impl FnMut(Node) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let text = self.decode(stream)?;
        let mut composer = Composer::new(&text, self);
        let mut count = 0;
        loop {
            let document = match composer.next_document()? {
                Next::End => return Ok(()),
                Next::Empty => None,
                Next::Document(node) => Some(node),
            };
            count += 1;
            if count > self.max_documents {
                let message = format!("more than {} documents", self.max_documents);
                return Err(Error::new(ErrorKind::Limit, message));
            }
            if let Some(node) = document {
                take(node)?;
            }
        }
    }

    /// The first document of a stream, `null` if there is none. What follows it is not read, nor
    /// checked.
    ///
    /// # Errors
    /// When the first document is no YAML, or exceeds a limit.
    pub fn read_first(&self, stream: &[u8]) -> Result<Node, Error> {
        let text = self.decode(stream)?;
        match Composer::new(&text, self).next_document()? {
            Next::Document(node) => Ok(node),
            Next::Empty | Next::End => Ok(Node::null()),
        }
    }

    fn decode<'s>(&self, stream: &'s [u8]) -> Result<Cow<'s, str>, Error> {
        if stream.len() > self.max_bytes || u32::try_from(stream.len()).is_err() {
            let message = format!("document is larger than {} bytes", self.max_bytes);
            return Err(Error::new(ErrorKind::Limit, message));
        }
        encoding::decode(stream)
    }
}

/// The first document of a text, with yaml.v3's typing.
///
/// # Errors
/// When it is no YAML, or exceeds a default limit.
pub fn read(text: impl AsRef<[u8]>) -> Result<Node, Error> {
    ReadOptions::default().read_first(text.as_ref())
}

/// The first document of a text, with a flavour's typing. As in the originals, yaml.v2 lets the
/// last of several equal keys count, and yaml.v3 refuses them.
///
/// # Errors
/// When it is no YAML, or exceeds a default limit.
pub fn read_first(text: impl AsRef<[u8]>, flavour: Flavour) -> Result<Node, Error> {
    let duplicates = match flavour {
        Flavour::V2 => Duplicates::Last,
        Flavour::V3 => Duplicates::Refuse,
    };
    let options = ReadOptions { duplicates, ..ReadOptions::flavour(flavour) };
    options.read_first(text.as_ref())
}

/// All documents of a text that are not empty, with yaml.v3's typing.
///
/// # Errors
/// When it is no YAML, or exceeds a default limit.
pub fn read_all(text: impl AsRef<[u8]>) -> Result<Vec<Node>, Error> {
    ReadOptions::default().read_all(text.as_ref())
}
