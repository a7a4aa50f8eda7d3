//! Go's `fmt`: `print`, `println` and `printf` of template values.

mod float;
mod printer;
mod verbs;

use crate::{CallError, Error, ErrorKind, Value};
use printer::Printer;

/// What one value, or one call of a printing function, may print; a map that holds itself has no end.
const LARGEST: usize = 64 << 20;

/// The same for values in error messages.
const LARGEST_QUOTED: usize = 64 << 10;

/// More than [`LARGEST`] would have been printed.
#[derive(Debug)]
pub(crate) struct TooLarge;

impl From<TooLarge> for CallError {
    fn from(_: TooLarge) -> Self {
        let message = format!("a value prints more than {LARGEST} bytes");
        Self::template(Error::exec(ErrorKind::Limit, message))
    }
}

/// Go's `fmt.Sprint`: a space between two operands when neither is a string.
pub(crate) fn sprint(out: &mut String, arguments: &[Value]) -> Result<(), TooLarge> {
    let mut printer = Printer::new(out, LARGEST);
    let mut before_string = true;
    for (number, argument) in arguments.iter().enumerate() {
        let is_string = matches!(argument, Value::Str(_));
        if number > 0 && !is_string && !before_string {
            printer.out.push(' ');
        }
        printer.argument(argument, 'v');
        before_string = is_string;
    }
    printer.finish()
}

/// Go's `fmt.Sprintln`.
pub(crate) fn sprintln(out: &mut String, arguments: &[Value]) -> Result<(), TooLarge> {
    let mut printer = Printer::new(out, LARGEST);
    for (number, argument) in arguments.iter().enumerate() {
        printer.out.push_str(if number > 0 { " " } else { "" });
        printer.argument(argument, 'v');
    }
    printer.out.push('\n');
    printer.finish()
}

/// A value as an action writes it: Go's `%v`.
pub(crate) fn print(out: &mut String, value: &Value) -> Result<(), TooLarge> {
    if let Value::Str(text) = value {
        out.push_str(text);
        return Ok(());
    }
    let mut printer = Printer::new(out, LARGEST);
    printer.behind_pointer(value);
    printer.finish()
}

/// What a pointer leads to, or the value itself, as a text for messages.
pub(crate) fn text_behind_pointer(value: &Value) -> String {
    let mut out = String::new();
    Printer::new(&mut out, LARGEST_QUOTED).behind_pointer(value);
    out
}

/// Go's `%v` of a value as a text of its own, for messages: cut where it is very long.
pub(crate) fn text(value: &Value) -> String {
    verb(value, 'v')
}

/// A value with one verb and no flags, such as `%s` in Go's own error messages.
pub(crate) fn verb(value: &Value, verb: char) -> String {
    let mut out = String::new();
    Printer::new(&mut out, LARGEST_QUOTED).argument(value, verb);
    out
}

pub(crate) use verbs::sprintf;
