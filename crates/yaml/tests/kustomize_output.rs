//! What kustomize printed is read and printed again: the bytes must be the same.
//!
//! The data are the expected outputs of the corpus that stands beside the checkout.

#![expect(clippy::unwrap_used, reason = "a failure is the test's")]

use std::path::PathBuf;

use gitops_core::{Limits, Tree, unpack};

#[test]
fn printed_documents_print_the_same() {
    let shared = std::env::var_os("GITOPS_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let archive = shared.join("corpus/kustomize.tar.gz");
    let Ok(archive) = std::fs::File::open(&archive) else {
        println!("SKIPPED: {} is not there", archive.display());
        return;
    };
    let tree = unpack(archive, &Limits::default()).unwrap();
    let (mut files, mut failed) = (0, Vec::new());
    for path in outputs(&tree) {
        let text = tree.read(path.as_ref()).unwrap();
        files += 1;
        match gitops_yaml::read_all(&text) {
            Ok(documents) => {
                let printed: Result<Vec<String>, _> =
                    documents.iter().map(gitops_yaml::to_yaml).collect();
                match printed {
                    Ok(printed) if printed.join("---\n").as_bytes() == &text[..] => {}
                    Ok(printed) => failed.push(difference(&path, &printed.join("---\n"), &text)),
                    Err(error) => failed.push(format!("{path}: {error}")),
                }
            }
            Err(error) => failed.push(format!("{path}: {error:#}")),
        }
    }
    println!("{} passed, {} failed", files - failed.len(), failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

fn outputs(tree: &dyn Tree) -> Vec<String> {
    let mut found = Vec::new();
    let mut directories = vec![String::from("kustomize")];
    while let Some(directory) = directories.pop() {
        for entry in tree.list(directory.as_ref()).unwrap() {
            let path = format!("{directory}/{}", entry.name);
            // What stands under `fs` is input.
            if entry.is_dir() && entry.name != "fs" {
                directories.push(path);
            } else if !entry.is_dir()
                && (entry.name.starts_with("expected") || directory.ends_with("/expected"))
            {
                found.push(path);
            }
        }
    }
    found
}

fn difference(path: &str, printed: &str, text: &[u8]) -> String {
    let wanted = String::from_utf8_lossy(text);
    let differs = printed.lines().zip(wanted.lines()).position(|(a, b)| a != b);
    let Some(line) = differs else {
        return format!("{path}: the lengths differ");
    };
    let show = |text: &str| text.lines().nth(line).unwrap_or_default().to_owned();
    format!("{path}:{}: printed {:?}, wanted {:?}", line + 1, show(printed), show(&wanted))
}
