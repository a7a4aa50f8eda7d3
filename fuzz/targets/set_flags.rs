//! Expressions of `--set` and its relatives.
#![no_main]

use gitops_helm::{Compat, SetMode, Values, set};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, u8)| {
    let (expression, choice) = input;
    let mode = match choice % 4 {
        0 => SetMode::Typed,
        1 => SetMode::Text,
        2 => SetMode::Json,
        _ => SetMode::Literal,
    };
    let compat = if choice & 4 == 0 { Compat::Helm4 } else { Compat::Helm3 };
    let mut values = Values::new();
    // Set twice: the second time everything is there already.
    let _ = set(expression, &mut values, mode, compat);
    let _ = set(expression, &mut values, mode, compat);
});
