//! `gitops kustomize build` as a user calls it.
#![expect(clippy::unwrap_used, reason = "a failure is the test's")]

use std::{fs, path::Path, process::Command};

fn gitops(arguments: &[&str], directory: &Path) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_gitops"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn builds_the_example_fleet() {
    let fleet = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fleet");
    let (code, out, errors) = gitops(&["kustomize", "build", "apps/production"], &fleet);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert!(
        out.contains("kind: StatefulSet") && out.contains("kind: PodDisruptionBudget"),
        "{out}"
    );
    for directory in ["infrastructure/controllers", "infrastructure/configs"] {
        assert_eq!(gitops(&["kustomize", "build", directory], &fleet).0, Some(0), "{directory}");
    }
}

#[test]
fn writes_a_file_for_each_object() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::write(root.join("kustomization.yaml"), "resources: [r.yaml]\nnamespace: apps\n").unwrap();
    let objects = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n\
                   apiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: 'x:y'}\n";
    fs::write(root.join("r.yaml"), objects).unwrap();
    fs::create_dir(root.join("out")).unwrap();
    let (code, out, _) = gitops(&["kustomize", "build", ".", "-o", "out"], root);
    assert_eq!((code, out.as_str()), (Some(0), ""));
    let mut names: Vec<String> = fs::read_dir(root.join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["apps_v1_configmap_a.yaml", "rbac.authorization.k8s.io_v1_clusterrole_x-y.yaml"]
    );
}

#[test]
fn errors_name_the_file_and_the_exit_code_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::write(root.join("kustomization.yaml"), "resources: [absent.yaml]\n").unwrap();
    let (code, out, errors) = gitops(&["kustomize", "build", "."], root);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(errors.contains("absent.yaml"), "{errors}");
    let (code, _, errors) = gitops(&["kustomize", "build", "nowhere"], root);
    assert_eq!(code, Some(1));
    assert!(errors.contains("'nowhere' doesn't exist"), "{errors}");
    assert_eq!(gitops(&["kustomize", "grow"], root).0, Some(2));
}
