//! Go's `fmt`: `print`, `println` and `printf` of template values.

mod float;
mod printer;
mod verbs;

use crate::Value;
use printer::{Flags, Printer};

/// Go's `fmt.Sprint`: a space between two operands when neither is a string.
pub(crate) fn sprint(out: &mut String, arguments: &[Value]) {
    let mut printer = Printer { out, flags: Flags::default() };
    let mut before_string = true;
    for (number, argument) in arguments.iter().enumerate() {
        let is_string = matches!(argument, Value::Str(_));
        if number > 0 && !is_string && !before_string {
            printer.out.push(' ');
        }
        printer.argument(argument, 'v');
        before_string = is_string;
    }
}

/// Go's `fmt.Sprintln`.
pub(crate) fn sprintln(out: &mut String, arguments: &[Value]) {
    for (number, argument) in arguments.iter().enumerate() {
        out.push_str(if number > 0 { " " } else { "" });
        print(out, argument);
    }
    out.push('\n');
}

/// A value as an action writes it: Go's `%v`.
pub(crate) fn print(out: &mut String, value: &Value) {
    match value {
        Value::Str(text) => out.push_str(text),
        _ => Printer { out, flags: Flags::default() }.argument(value, 'v'),
    }
}

/// Go's `%v` of a value as a text of its own.
pub(crate) fn text(value: &Value) -> String {
    let mut out = String::new();
    print(&mut out, value);
    out
}

/// A value with one verb and no flags, such as `%s` in Go's own error messages.
pub(crate) fn verb(value: &Value, verb: char) -> String {
    let mut out = String::new();
    Printer { out: &mut out, flags: Flags::default() }.argument(value, verb);
    out
}

pub(crate) use verbs::sprintf;
