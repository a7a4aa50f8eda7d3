//! What Flux 2.9's kustomize-controller built from the same files: digests and messages were recorded
//! from it.

#![allow(
    clippy::unwrap_used,
    clippy::from_iter_instead_of_collect,
    clippy::format_collect,
    clippy::default_trait_access,
    reason = "tests"
)]

use std::{collections::BTreeMap, sync::Arc};

use gitops_core::{Digest, MemoryTree, Scope, one_line};
use gitops_kustomize::{BuildOptions, Error, Rendered, flux};

fn config_map(name: &str, data: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  {data}\n")
}

fn render(
    files: &[(&str, &str)],
    path: &str,
    options: &flux::FluxOptions,
) -> Result<Rendered, Error> {
    let tree = Arc::new(MemoryTree::from_iter(
        files.iter().map(|(path, text)| (*path, (*text).to_owned())),
    ));
    flux::render(tree, path, options, &BuildOptions::default(), &Scope::background())
}

fn namespace(name: &str) -> flux::FluxOptions {
    flux::FluxOptions { target_namespace: name.to_owned(), ..Default::default() }
}

fn digest(rendered: &Rendered) -> String {
    Digest::sha256(rendered.manifests.to_yaml().as_bytes()).to_string()
}

#[test]
fn a_directory_without_a_kustomization() {
    let account = "apiVersion: v1\nkind: ServiceAccount\nmetadata:\n  name: app\n";
    let map = config_map("app", "a: b");
    let rendered = render(
        &[("basic/cm.yaml", &map), ("basic/sa.yaml", account)],
        "./basic",
        &namespace("ks-apply-basic"),
    )
    .unwrap();
    assert_eq!(
        digest(&rendered),
        "sha256:7caf2a7dddd9b3439592aa5c5a47efa3dee2887b68d7b05612186716a97d063f"
    );
}

#[test]
fn an_empty_directory() {
    let rendered =
        render(&[("nothing/README.md", "nothing\n")], "nothing", &namespace("x")).unwrap();
    assert_eq!(
        digest(&rendered),
        "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    );
}

#[test]
fn components_images_and_patches() {
    let component = "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\npatches:\n- target: {kind: ConfigMap}\n  patch: |\n    - op: add\n      path: /data/fromcomp\n      value: \"yes\"\n";
    let own =
        "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\nresources:\n- cm.yaml\n";
    let map = config_map("comp", "a: b");
    let files = [
        ("comp/base/kustomization.yaml", own),
        ("comp/base/cm.yaml", map.as_str()),
        ("comp/extra/kustomization.yaml", component),
    ];
    let options =
        flux::FluxOptions { components: vec!["../extra".to_owned()], ..namespace("ks-components") };
    let rendered = render(&files, "./comp/base", &options).unwrap();
    assert_eq!(
        digest(&rendered),
        "sha256:2d60639684505cdc7b5cee0d1330ed947576eae09ff1565e10fbcb593e6344b0"
    );

    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\nspec:\n  replicas: 1\n  selector:\n    matchLabels:\n      app: web\n  template:\n    metadata:\n      labels:\n        app: web\n    spec:\n      containers:\n      - name: app\n        image: ghcr.io/stefanprodan/podinfo:6.5.0\n";
    let map = config_map("web", "a: b");
    let options = flux::FluxOptions {
        images: vec![flux::FluxImage {
            name: "ghcr.io/stefanprodan/podinfo".to_owned(),
            new_name: "docker.io/x/podinfo".to_owned(),
            new_tag: "9.9.9".to_owned(),
            ..Default::default()
        }],
        patches: vec![
            flux::FluxPatch {
                patch: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 3}\n".to_owned(),
                target: None,
            },
            flux::FluxPatch {
                patch: "- op: replace\n  path: /data/a\n  value: patched\n".to_owned(),
                target: Some(flux::PatchTarget { kind: "ConfigMap".to_owned(), name: "web".to_owned(), ..Default::default() }),
            },
        ],
        ..namespace("ks-images-patches")
    };
    let rendered =
        render(&[("patch/dep.yaml", deployment), ("patch/cm.yaml", &map)], "./patch", &options)
            .unwrap();
    assert_eq!(
        digest(&rendered),
        "sha256:b87d94db070890d4a776b09c47cbc9e3d5b310b9fbf5bb2d80bb9a0698c8e009"
    );
}

#[test]
fn missing_components() {
    let map = config_map("a", "a: b");
    let files = [("app/cm.yaml", map.as_str())];
    let options =
        flux::FluxOptions { components: vec!["../nope".to_owned()], ..Default::default() };
    let error = render(&files, "app", &options).unwrap_err();
    assert_eq!(
        one_line(&error),
        "kustomize build failed: accumulating components: loader.New \"must build at directory: not a valid directory: evalsymlink failure on '/nope' : lstat /nope: no such file or directory\"",
    );
    let options = flux::FluxOptions { ignore_missing_components: true, ..options };
    assert_eq!(render(&files, "app", &options).unwrap().manifests.len(), 1);
    let options = flux::FluxOptions {
        components: vec!["https://example.com/x".to_owned()],
        ..Default::default()
    };
    let error = render(&files, "app", &options).unwrap_err();
    assert_eq!(
        one_line(&error),
        "component path 'https://example.com/x' must be local and relative"
    );
}

#[test]
fn messages() {
    let own = |extra: &str| {
        format!("apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n{extra}")
    };
    let broken = own("resources:\n- missing.yaml\n");
    let dup = config_map("dup", "a: b");
    let bad = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n data:\n";
    let files = [
        ("broken/kustomization.yaml", broken.as_str()),
        ("badyaml/x.yaml", bad),
        ("dups/a.yaml", &dup),
        ("dups/b.yaml", &dup),
        ("nokind/x.yaml", "a: b\n"),
    ];
    let patches = vec![flux::FluxPatch {
        patch: "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: absent}\n".to_owned(),
        target: None,
    }];
    for (path, patches, message) in [
        (
            "broken",
            Vec::new(),
            "kustomize build failed: accumulating resources: accumulation err='accumulating resources from 'missing.yaml': open /broken/missing.yaml: no such file or directory': must build at directory: not a valid directory: evalsymlink failure on '/broken/missing.yaml' : lstat /broken/missing.yaml: no such file or directory",
        ),
        (
            "badyaml",
            Vec::new(),
            "failed to decode Kubernetes YAML from /badyaml/x.yaml: MalformedYAMLError: yaml: line 4: did not find expected key",
        ),
        (
            "dups",
            Vec::new(),
            "kustomize build failed: accumulating resources: accumulation err='merging resources from './b.yaml': may not add resource with an already registered id: ConfigMap.v1.[noGrp]/dup.[noNs]': must build at directory: '/dups/b.yaml': file is not directory",
        ),
        (
            "nodir",
            Vec::new(),
            "kustomization path not found: stat /nodir: no such file or directory",
        ),
        (
            "dups/..//dups",
            patches.clone(),
            "kustomize build failed: accumulating resources: accumulation err='merging resources from './b.yaml': may not add resource with an already registered id: ConfigMap.v1.[noGrp]/dup.[noNs]': must build at directory: '/dups/b.yaml': file is not directory",
        ),
    ] {
        let options = flux::FluxOptions { patches, ..Default::default() };
        assert_eq!(one_line(&render(&files, path, &options).unwrap_err()), message);
    }
    let options = flux::FluxOptions { patches, ..Default::default() };
    let error = render(&[("one/a.yaml", dup.as_str())], "one", &options).unwrap_err();
    assert_eq!(
        one_line(&error),
        "kustomize build failed: no resource matches strategic merge patch \"Deployment.v1.apps/absent.[noNs]\": no matches for Id Deployment.v1.apps/absent.[noNs]; failed to find unique target for patch Deployment.v1.apps/absent.[noNs]",
    );
    let error = render(&files, "nokind", &Default::default()).unwrap_err();
    assert_eq!((error.file(), error.line()), (Some("nokind/x.yaml"), Some(1)));
}

/// The kustomization has no `resources`, and so Flux asks for origins.
#[test]
fn the_root_of_the_artifact_is_shown_as_a_directory() {
    let files = [("kustomization.yaml", "resources: [a.yaml]\n"), ("Kustomization", "")];
    let tree = Arc::new(MemoryTree::from_iter(files.map(|(path, text)| (path, text.to_owned()))));
    let options = BuildOptions { shown_root: "/tmp/k".to_owned(), ..BuildOptions::default() };
    let error = flux::render(tree, "./", &namespace("x"), &options, &Scope::background());
    assert_eq!(
        one_line(&error.unwrap_err()).trim_end(),
        "kustomize build failed: Found multiple kustomization files under: /tmp/k"
    );
}

#[test]
fn origins_of_a_kustomization_without_resources() {
    let own = "kind: Kustomization\nunknown: field\nsecretGenerator:\n- name: envs\n  literals: [A=1]\ngeneratorOptions:\n  disableNameSuffixHash: true\n";
    let rendered = render(&[("gen/kustomization.yaml", own)], "gen", &Default::default()).unwrap();
    let json = rendered.manifests.to_json();
    assert_eq!(
        json[0]["metadata"]["annotations"]["config.kubernetes.io/origin"],
        "configuredIn: kustomization.yaml\nconfiguredBy:\n  apiVersion: builtin\n  kind: SecretGenerator\n",
    );
}

fn substituted(strict: bool, vars: &[(&str, &str)]) -> Result<(Rendered, Vec<String>), Error> {
    let data = "a: \"${cluster_env}\"\n  b: \"${region:=eu}\"\n  c: \"${missing}\"\n  d: \"$${literal}\"\n  e: \"${secretv}\"\n  f: \"${cluster_env^^}\"\n  g: \"${num}\"\n  h: \"${withdef:-dflt}\"";
    let map = config_map("subst", data);
    let off = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: nosub\n  annotations:\n    kustomize.toolkit.fluxcd.io/substitute: disabled\ndata:\n  a: \"${cluster_env}\"\n";
    let mut rendered = render(
        &[("subst/cm.yaml", &map), ("subst/nosub.yaml", off)],
        "./subst",
        &namespace("ks-substitute"),
    )?;
    let vars: BTreeMap<String, String> =
        vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let substitution = flux::Substitution { vars, strict, ..Default::default() };
    let warnings = flux::substitute(&mut rendered.manifests, &substitution)?;
    Ok((rendered, warnings.into_iter().map(|warning| warning.message).collect()))
}

#[test]
fn substitution() {
    let vars = [("cluster_env", "prod"), ("num", "seven"), ("missing", "here"), ("secretv", "s1")];
    let (rendered, warnings) = substituted(true, &vars).unwrap();
    assert_eq!(
        digest(&rendered),
        "sha256:d5a446b448931d839ca921f24581b667b2e758006f3781ffc3fa1546168095d0"
    );
    assert_eq!(warnings, [""; 0]);

    let error = substituted(true, &[("cluster_env", "prod"), ("secretv", "a"), ("num", "one")])
        .unwrap_err();
    assert_eq!(
        one_line(&error),
        "post build failed for 'ConfigMap.v1.[noGrp]/subst': envsubst error: variable substitution failed: variable not set (strict mode): \"missing\"",
    );
    let error = substituted(true, &[("bad-name", "x")]).unwrap_err();
    assert_eq!(
        one_line(&error),
        "post build failed for 'ConfigMap.v1.[noGrp]/subst': envsubst error: 'bad-name' var name is invalid, must match '^[_[:alpha:]][_[:alpha:][:digit:]]*$'",
    );
}

#[test]
fn a_number_in_quotes_becomes_one_and_is_told() {
    let vars = [("num", "7"), ("cluster_env", "multi\nline")];
    let (rendered, warnings) = substituted(false, &vars).unwrap();
    let json = rendered.manifests.to_json();
    assert_eq!(json[0]["data"]["g"], 7);
    assert_eq!(json[0]["data"]["a"], "multiline");
    assert!(
        warnings.iter().any(|warning| warning.contains("data.g is a number after substitution")),
        "{warnings:?}"
    );
    let (rendered, warnings) = substituted(false, &[("num", "\"7\"")]).unwrap();
    assert_eq!(rendered.manifests.to_json()[0]["data"]["g"], "7");
    assert!(!warnings.iter().any(|warning| warning.contains("data.g")));
}

#[test]
fn a_value_that_breaks_the_yaml_is_an_error_with_a_hint() {
    let error = substituted(false, &[("num", "a: b: [")]).unwrap_err();
    assert!(one_line(&error).starts_with(
        "post build failed for 'ConfigMap.v1.[noGrp]/subst': envsubst error: YAMLToJSON: yaml: "
    ));
    assert!(error.hint().is_some());
}
