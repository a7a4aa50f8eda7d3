//! Go's `text/template` with the functions of sprig and Helm.

mod context;
mod engine;
mod error;
mod exec;
mod funcs;
mod function;
mod host;
mod limits;
mod value;

pub use context::Context;
pub use engine::{Options, Templates};
pub use error::{Error, ErrorKind, Frame};
pub use function::{Arguments, Body, CallError, Function};
pub use host::{Host, Sealed};
pub use limits::Limits;
pub use value::{
    Field, IntKind, Kind, List, ListKind, Map, MapKind, Method, Object, Record, Text, Type, Value,
};
