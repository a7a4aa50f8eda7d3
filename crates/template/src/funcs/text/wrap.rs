//! Breaking lines: `wrap` and `wrapWith`.
//!
//! Follows goutils' `WrapCustom`. Columns are bytes.

use crate::{
    Arguments, CallError, Context, Value,
    bytes::{from_bytes, to_bytes},
};

/// Long words stay whole.
pub(in crate::funcs) fn wrap(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
) -> Result<Value, CallError> {
    wrapped(context, arguments.text(1), arguments.int(0), "\n", false)
}

/// Lines end with a given text, and long words are cut.
pub(in crate::funcs) fn wrap_with(
    context: &mut Context<'_>,
    arguments: Arguments<'_>,
) -> Result<Value, CallError> {
    let line_end = match arguments.text(1) {
        "" => "\n",
        given => given,
    };
    wrapped(context, arguments.text(2), arguments.int(0), line_end, true)
}

fn wrapped(
    context: &mut Context<'_>,
    text: &str,
    width: i64,
    line_end: &str,
    cut_words: bool,
) -> Result<Value, CallError> {
    let line_end = to_bytes(line_end);
    let width = usize::try_from(width).unwrap_or(1).max(1);
    let bytes = to_bytes(text);
    let mut rest = &*bytes;
    let mut out: Vec<u8> = Vec::with_capacity(bytes.len());
    while rest.len() > width {
        if rest[0] == b' ' {
            rest = &rest[1..];
            continue;
        }
        let space = rest[..=width].iter().rposition(|byte| *byte == b' ');
        let (line, skipped) = match space {
            Some(space) => (space, 1),
            None if cut_words => (width, 0),
            None => match rest[width..].iter().position(|byte| *byte == b' ') {
                Some(space) => (width + space, 1),
                None => break,
            },
        };
        context.spend(1, (line + line_end.len()) as u64)?;
        out.extend_from_slice(&rest[..line]);
        out.extend_from_slice(&line_end);
        rest = &rest[line + skipped..];
    }
    out.extend_from_slice(rest);
    Ok(Value::from(&*from_bytes(&out)))
}
