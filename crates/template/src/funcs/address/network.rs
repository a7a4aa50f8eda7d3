//! Names of hosts.

use crate::{Arguments, CallError, Context, Function, Type, Value};

pub(in crate::funcs) const NETWORK: &[Function] =
    &[Function::new("getHostByName", &[Type::String], address)];

/// An address of a host; empty unless the host of the templates looks up names.
fn address(context: &mut Context<'_>, arguments: Arguments<'_>) -> Result<Value, CallError> {
    Ok(Value::from(context.host().address_of(arguments.text(0))))
}
