//! What is read can be printed, and what is printed reads as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(documents) = gitops_yaml::read_all(data) else { return };
    for document in documents {
        drop(gitops_yaml::to_yaml_styled(&document));
        let Ok(text) = gitops_yaml::to_yaml(&document) else { continue };
        // As go-yaml does, the printer writes this key without quotes, and it merges when it is read.
        if text.contains("<<") {
            continue;
        }
        let again = gitops_yaml::read(&text).expect("what was printed is YAML");
        assert_eq!(gitops_yaml::to_yaml(&again).expect("it was printed before"), text);
    }
});
