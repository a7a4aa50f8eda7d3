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
    assert_eq!(names, ["rbac.authorization.k8s.io_v1_clusterrole_x:y.yaml", "v1_configmap_a.yaml"]);
}

#[test]
fn errors_name_the_file_and_the_exit_code_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::write(root.join("kustomization.yaml"), "commonLabels: {a: b}\nresources: [absent.yaml]\n")
        .unwrap();
    let (code, out, errors) = gitops(&["kustomize", "build", "."], root);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(errors.contains("absent.yaml"), "{errors}");
    // What was remarked before stands before it.
    let lines: Vec<&str> = errors.lines().collect();
    assert!(lines[0].starts_with("# Warning: 'commonLabels' is deprecated."), "{errors}");
    assert!(lines[1].starts_with("Error: accumulating resources: "), "{errors}");
    let (code, _, errors) = gitops(&["kustomize", "build", "nowhere"], root);
    assert_eq!(code, Some(1));
    assert!(
        errors.starts_with("Error: must build at directory: not a valid directory: "),
        "{errors}"
    );
    assert!(errors.contains("/nowhere: no such file or directory"), "{errors}");
    // As with kustomize.
    assert_eq!(gitops(&["kustomize", "grow"], root).0, Some(1));
}

#[test]
fn fields_are_explained() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for (file, text) in [
        ("prod/kustomization.yaml", "resources:\n- ../base\nreplicas:\n- {name: web, count: 3}\n"),
        ("base/kustomization.yaml", "resources:\n- web.yaml\n"),
        (
            "base/web.yaml",
            "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: 1\n",
        ),
    ] {
        fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
        fs::write(root.join(file), text).unwrap();
    }
    let explain = |question: &str, more: &[&str]| {
        let arguments = [&["kustomize", "build", "prod", "--explain", question], more].concat();
        gitops(&arguments, root)
    };
    let question = "Deployment/web.spec.replicas";
    let text = "Deployment/web spec.replicas = 3\n  \
                base/web.yaml:5:13           = 1  as read  (base/kustomization.yaml:2:3)\n  \
                prod/kustomization.yaml:4:3  = 3  by ReplicaCountTransformer\n";
    assert_eq!(explain(question, &[]), (Some(0), text.to_owned(), String::new()));
    let (code, out, _) = explain(question, &["--explain-format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &json["value"]), (Some(0), &3.into()));
    assert_eq!(json["changes"][0]["place"]["file"], "base/web.yaml");
    assert_eq!(json["changes"][1]["by"], "ReplicaCountTransformer");
    let (code, out, errors) = explain("Deployment/wbe.spec.replicas", &["--error-format=full"]);
    assert_eq!((code, out.as_str()), (Some(1), ""));
    assert!(errors.contains("hint: did you mean \"web\"?"), "{errors}");
    assert_eq!(explain(question, &["-o", "x.yaml"]).0, Some(1));
}

#[test]
fn errors_have_a_form_for_people_and_one_for_machines() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    for (file, text) in [
        ("prod/kustomization.yaml", "namePrefix: p-\nresources:\n- ../base\n"),
        ("base/kustomization.yaml", "resources:\n- ap.yaml\n"),
        ("base/app.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"),
    ] {
        fs::create_dir_all(root.join(file).parent().unwrap()).unwrap();
        fs::write(root.join(file), text).unwrap();
    }
    let build = |format: &[&str]| {
        let (code, out, errors) =
            gitops(&[&["kustomize", "build", "."], format].concat(), &root.join("prod"));
        assert_eq!((code, out.as_str()), (Some(1), ""));
        errors
    };
    // Without a terminal there is only what kustomize says.
    let line = build(&[]);
    assert!(
        line.starts_with("Error: accumulating resources: ") && line.lines().count() == 1,
        "{line}"
    );
    assert_eq!(line, build(&["--error-format", "line"]));
    let full = build(&["--error-format", "full"]);
    assert!(full.starts_with(line.trim_end()), "{full}");
    for part in [
        "\n  --> ../base/kustomization.yaml:2:3\n",
        "\n 2 | - ap.yaml\n   |   ^\n",
        "\n  chain: kustomization.yaml:3 → ../base/kustomization.yaml:2\n",
        "\n  hint: did you mean \"app.yaml\"?\n",
    ] {
        assert!(full.contains(part), "{part} is not in {full}");
    }
    let json: serde_json::Value = serde_json::from_str(&build(&["--error-format=json"])).unwrap();
    assert_eq!(format!("Error: {}\n", json["message"].as_str().unwrap()), line);
    assert_eq!((&json["code"], &json["line"]), (&"not-found".into(), &2.into()));
    assert_eq!(json["chain"][1]["file"], "../base/kustomization.yaml");
    let arguments = ["kustomize", "build", "good", "-o", "no/such/file", "--error-format", "json"];
    fs::create_dir(root.join("good")).unwrap();
    fs::write(root.join("good/kustomization.yaml"), "namePrefix: p-\n").unwrap();
    let (code, _, errors) = gitops(&arguments, root);
    let other: serde_json::Value = serde_json::from_str(&errors).unwrap();
    assert_eq!((code, &other["code"]), (Some(1), &"io".into()));
    let fields = |value: &serde_json::Value| {
        value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>()
    };
    assert_eq!(fields(&other), fields(&json));
}

#[test]
fn flags_are_those_of_kustomize() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    fs::write(root.join("kustomization.yaml"), "resources: [r.yaml]\n").unwrap();
    let objects = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n---\n\
                   apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: x}\n";
    fs::write(root.join("r.yaml"), objects).unwrap();
    let run = |arguments: &str| {
        let words: Vec<&str> =
            ["kustomize", "build"].into_iter().chain(arguments.split_whitespace()).collect();
        gitops(&words, root)
    };
    let functions = "--network --network-name b --mount a --env A=B -e C=D --as-current-user \
                     --enable-alpha-plugins --enable-exec --stack-trace";
    let helm = "--enable-helm --helm-command helm --helm-api-versions a/v1 --helm-kube-version 1.30 \
                --helm-debug";
    assert_eq!(run(&format!("{functions} {helm} .")).0, Some(0));
    let (code, out, errors) = run("--reorder none");
    assert_eq!(code, Some(0));
    assert!(out.find("name: b") < out.find("name: a"), "{out}");
    assert!(errors.starts_with("Flag --reorder has been deprecated, use the new"), "{errors}");
    let (code, out, errors) = run("--enable-managedby-label");
    assert_eq!((code, out.matches("managed-by: kustomize-v5.8.2").count()), (Some(0), 2));
    assert!(errors.contains("Flag --enable-managedby-label has been deprecated"), "{errors}");
    for (arguments, message) in [
        (". ..", "specify one path to kustomization.yaml"),
        (
            "--load-restrictor none .",
            "illegal flag value --load-restrictor none; legal values: [LoadRestrictionsRootOnly LoadRestrictionsNone]",
        ),
        ("--reorder up .", "illegal flag value --reorder up; legal values: [legacy none]"),
        ("--grow .", "--grow"),
        ("-o absent/x.yaml .", "absent/x.yaml"),
        ("r.yaml", "'r.yaml': file is not directory"),
    ] {
        let (code, out, errors) = run(arguments);
        assert_eq!((code, out.as_str()), (Some(1), ""), "{arguments}");
        assert!(errors.contains(message) || errors.contains("file is not directory"), "{errors}");
    }
    // Objects of several namespaces are told apart by them.
    fs::create_dir(root.join("out")).unwrap();
    assert_eq!(run("-o out .").0, Some(0));
    assert!(root.join("out/default_v1_configmap_b.yaml").is_file());
    assert!(root.join("out/x_v1_configmap_a.yaml").is_file());
}

#[test]
fn charts_of_the_tree_are_rendered() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let chart = root.join("charts/web");
    fs::create_dir_all(chart.join("templates")).unwrap();
    fs::write(chart.join("Chart.yaml"), "apiVersion: v2\nname: web\nversion: 1.0.0\n").unwrap();
    fs::write(chart.join("values.yaml"), "size: small\nkeep: yes\n").unwrap();
    let template = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {{ .Release.Name }}-web\n  \
                    namespace: {{ .Release.Namespace }}\ndata:\n  size: {{ .Values.size }}\n";
    fs::write(chart.join("templates/cm.yaml"), template).unwrap();
    fs::write(
        root.join("kustomization.yaml"),
        "namespace: apps\nnamePrefix: p-\nhelmCharts:\n- name: web\n  releaseName: rel\n  valuesInline: {size: large}\n",
    )
    .unwrap();
    let (code, _, errors) = gitops(&["kustomize", "build"], root);
    assert_eq!(code, Some(1));
    assert!(errors.contains("must specify --enable-helm"), "{errors}");
    let (code, out, errors) = gitops(&["kustomize", "build", "--enable-helm"], root);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    assert_eq!(
        out,
        "apiVersion: v1\ndata:\n  size: large\nkind: ConfigMap\nmetadata:\n  name: p-rel-web\n  namespace: apps\n"
    );
}
