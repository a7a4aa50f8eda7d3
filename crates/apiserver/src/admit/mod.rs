//! Everything between a request's body and the storage, with the observable behaviour of
//! kube-apiserver 1.36.
//!
//! A write passes, in this order, through
//!
//! 1. [`check_identity`] and [`decode()`]: the body is of the kind that the path names, and becomes
//!    what the server's types can hold; unknown fields go, with a warning or a refusal; numbers,
//!    times and quantities get their canonical form;
//! 2. [`default()`] for custom resources, [`default_builtin`] for built-in kinds: absent fields that
//!    have a default get it;
//! 3. [`prepare()`]: what the server decides itself, whatever the client sends (a status that is not
//!    the client's to set, addresses of services, selectors of jobs);
//! 4. [`validate()`]: the rules, with the server's own texts.
//!
//! All of them walk an object along its schema, in time linear in its size, and never panic on what
//! a client sends.

mod decode;
mod default;
mod prepare;
mod quantity;
mod time;
mod validate;

#[cfg(test)]
mod tests;

pub(crate) use decode::{check_identity, decode};
pub(crate) use default::{default, default_builtin};
pub(crate) use prepare::prepare;
pub(crate) use validate::validate;
