//! Texts as templates: what the lexer and the parser make of them.
#![no_main]

use gitops_template::{Functions, HelmVersion, Templates, helm};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let mut templates = Templates::new(Functions::builtin().with(helm(HelmVersion::V4)));
    if let Err(error) = templates.add("t", text) {
        let (_, line) = error.parse_location().expect("an error of the parser has a place");
        assert!(line as usize <= text.split('\n').count());
    }
});
