//! What goes through JSON on its way to YAML, and what that leaves of it.
//!
//! `sigs.k8s.io/yaml` prints a value as JSON, reads that as YAML and prints it again.

use std::borrow::Cow;

use crate::resolve::write_float;

/// Why a text does not get through.
pub(super) struct Refused;

/// What is left of a string: a next-line character folds to a space, and control characters are
/// refused.
pub(super) fn text(text: &str) -> Result<Cow<'_, str>, Refused> {
    const NEXT_LINE: char = '\u{85}';
    // Control characters of ASCII are escaped in JSON, but for the last one.
    if text.is_ascii() && crate::bytes::find(0x7f, text.as_bytes()).is_none() {
        return Ok(text.into());
    }
    let refused =
        |c| matches!(c, '\u{7f}'..='\u{84}' | '\u{86}'..='\u{9f}' | '\u{fffe}'..='\u{ffff}');
    if text.contains(refused) {
        return Err(Refused);
    }
    if !text.contains(NEXT_LINE) {
        return Ok(text.into());
    }
    let mut folded = String::with_capacity(text.len());
    let mut breaks = 0;
    for (number, piece) in text.split(NEXT_LINE).enumerate() {
        breaks += usize::from(number > 0);
        let piece = if number > 0 { piece.trim_start_matches([' ', '\t']) } else { piece };
        if piece.is_empty() {
            continue;
        }
        fold(&mut folded, breaks);
        breaks = 0;
        folded.push_str(piece);
    }
    fold(&mut folded, breaks);
    Ok(folded.into())
}

/// One break is a space, more are one line break less.
fn fold(text: &mut String, breaks: usize) {
    if breaks > 0 {
        text.truncate(text.trim_end_matches([' ', '\t']).len());
    }
    match breaks {
        0 => {}
        1 => text.push(' '),
        more => text.extend(std::iter::repeat_n('\n', more - 1)),
    }
}

/// A whole float that is an integer of 53 bits, which prints as one.
pub(super) fn whole(value: f64) -> Option<i64> {
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    #[expect(clippy::cast_possible_truncation, reason = "it is whole, and in range")]
    (value.fract() == 0.0 && value.abs() < LARGEST).then_some(value as i64)
}

/// JSON writes a whole float below 1e21 without a fraction, and what reads it back takes it for an
/// integer where that fits 64 bits.
pub(super) fn float(value: f64) -> String {
    let whole = value.fract() == 0.0 && value.abs() < 1e21;
    let digits = if whole { format!("{value}") } else { String::new() };
    if digits == "-0" {
        return "0".to_owned();
    }
    if digits.parse::<i64>().is_ok() || digits.parse::<u64>().is_ok() {
        return digits;
    }
    let mut text = String::new();
    write_float(&mut text, value);
    text
}
