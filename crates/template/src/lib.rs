//! Go's `text/template` with the functions of sprig and Helm: the same texts, the same errors, within
//! limits.
//!
//! ```
//! use gitops_core::Scope;
//! use gitops_template::{Functions, Map, Options, Sealed, Templates};
//!
//! let mut templates = Templates::new(Functions::builtin());
//! templates.add("greeting", "{{ range .names }}Hello {{ printf \"%q\" . }}!\n{{ end }}")?;
//! let names = ["Ada", "Grace"].into_iter().map(Into::into).collect::<gitops_template::List>();
//! let dot = Map::from_iter([("names", names)]).into();
//! let text = templates.render("greeting", dot, Options::default(), &Sealed, &Scope::background())?;
//! assert_eq!(text, "Hello \"Ada\"!\nHello \"Grace\"!\n");
//! # Ok::<(), gitops_template::Error>(())
//! ```
//!
//! * [`Templates`]: parsed once, shared by threads. [`Functions`] says what they may call.
//! * [`Value`]: Go's values with Go's types; [`Object`] for what has fields and methods.
//! * [`Host`]: all that a template sees of the world: time, randomness, a cluster.
//! * [`Context::watch`] traces a run: which action of which template wrote a line, and from which
//!   values.
//! * [`Limits`]: what one run may cost. A hostile template ends with an [`Error`].
//!
//! Invariant: no process state; the same templates, values and host give the same text.

mod ast;
mod context;
mod engine;
mod error;
mod exec;
mod format;
mod funcs;
mod function;
mod host;
mod lexer;
mod limits;
mod parser;
mod quote;
pub mod re2;
mod stack;
mod token;
mod trace;
mod value;

pub use context::Context;
pub use engine::{MissingKey, Options, Templates};
pub use error::{Error, ErrorKind, Frame};
pub use exec::strip_missing;
pub use funcs::{
    HelmVersion, encoding::yaml_text as to_yaml, helm, hermetic, is_request_url, sprig,
};
pub use function::{Arguments, Body, CallError, Function, Functions};
pub use host::{Host, Sealed};
pub use limits::Limits;
pub use trace::{Origin, Site, Written};
pub use value::{
    Entries, Field, IntKind, Kind, List, ListKind, Map, MapKind, Method, Object, Record, Text,
    Type, Value, bytes,
};
