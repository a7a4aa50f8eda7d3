//! What is read can be printed, and what is printed reads as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(documents) = gitops_yaml::read_all(data) else { return };
    for document in documents {
        let Ok(text) = gitops_yaml::to_yaml(&document) else { continue };
        let again = gitops_yaml::read(&text).expect("what was printed is YAML");
        assert_eq!(gitops_yaml::to_yaml(&again).expect("it was printed before"), text);
    }
});
