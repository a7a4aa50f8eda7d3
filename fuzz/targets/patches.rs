//! Two documents: an object, and a patch of it, strategic or of operations.
#![no_main]

use gitops_yaml::{JsonPatch, Schema, merge_strategic};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Some((object, patch)) = text.split_once("\n---\n") else { return };
    let (Ok(object), Ok(patch)) = (gitops_yaml::read(object), gitops_yaml::read(patch)) else {
        return;
    };
    let mut merged = object.clone();
    if merge_strategic(&mut merged, &patch, &Schema::builtin()).is_ok() {
        drop(gitops_yaml::to_yaml(&merged));
    }
    if let Ok(operations) = JsonPatch::from_node(&patch) {
        let mut patched = object.clone();
        if operations.apply(&mut patched).is_err() {
            assert_eq!(patched, object, "a patch that fails changes nothing");
        }
    }
});
