//! Where the lines of a release come from.

#![allow(clippy::unwrap_used, clippy::from_iter_instead_of_collect, reason = "tests")]

use gitops_core::{MemoryTree, Scope};
use gitops_helm::{
    Chart, Compat, ExplainError, GivenValues, LoadOptions, Release, ReleaseInfo, RenderOptions,
    SetMode, Shown, Values, merge, read_values, render, set,
};
use gitops_template::Sealed;

const FILES: &[(&str, &str)] = &[
    (
        "Chart.yaml",
        "apiVersion: v2\nname: web\nversion: 1.2.3\ndependencies:\n- {name: db, version: 1.x}\n",
    ),
    (
        "values.yaml",
        "# of the chart\nimage:\n  name: nginx\n  tag: v1\nreplicas: 2\nresources:\n  limits: {cpu: 1}\n\
         db:\n  size: 5\nglobal:\n  region: eu\n",
    ),
    (
        "templates/_names.tpl",
        "{{ define \"labels\" }}app: {{ .Chart.Name }}\nteam: {{ .Values.team }}{{ end }}\n",
    ),
    (
        "templates/a.yaml",
        "kind: ConfigMap\nmetadata:\n  name: first\n---\nkind: Deployment\nmetadata:\n  name: web\n  \
         labels:\n    {{- include \"labels\" . | nindent 4 }}\nspec:\n  {{- if .Values.replicas }}\n  \
         replicas: {{ .Values.replicas }}\n  {{- end }}\n  containers:\n  - name: app\n    image: \
         {{ .Values.image.name }}:{{ .Values.image.tag }}\n    resources: \
         {{- toYaml .Values.resources | nindent 6 }}\n  missing: {{ .Values.absent | quote }}\n",
    ),
    (
        "templates/hook.yaml",
        "kind: Job\nmetadata:\n  name: test\n  annotations: {helm.sh/hook: test}\nspec: 1\n",
    ),
    ("crds/x.yaml", "kind: CustomResourceDefinition\n"),
    ("charts/db/Chart.yaml", "apiVersion: v2\nname: db\nversion: 1.0.0\n"),
    ("charts/db/values.yaml", "size: 1\nuser: admin\n"),
    (
        "charts/db/templates/s.yaml",
        "kind: StatefulSet\nmetadata:\n  name: db\n  namespace: other\nspec:\n  size: {{ .Values.size \
         }}\n  user: {{ .Values.user }}\n  region: {{ .Values.global.region }}\n",
    ),
];

fn rendered(trace: bool, compat: Compat) -> (Release, Vec<GivenValues>) {
    let tree = MemoryTree::from_iter(FILES.iter().copied());
    let chart = Chart::load(&tree, "".as_ref(), &LoadOptions::new(compat)).unwrap();
    let file = b"team: blue\nreplicas: 3\n";
    let mut values = read_values(file, compat).unwrap();
    let mut flag = Values::new();
    set("image.tag=v9", &mut flag, SetMode::Typed, compat).unwrap();
    let given =
        vec![GivenValues::file("prod.yaml", file), GivenValues::flag("--set image.tag=v9", &flag)];
    merge(&mut values, flag);
    let mut options = RenderOptions::new(compat);
    options.trace = trace;
    let release = ReleaseInfo::install("my", "default");
    let scope = Scope::background();
    (render(chart, &values, &release, &options, &Sealed, &scope).unwrap(), given)
}

fn told(question: &str) -> String {
    let (release, given) = rendered(true, Compat::Helm4);
    release.explain(question, Shown::ALL, &given).unwrap().to_string()
}

#[test]
fn a_trace_changes_nothing() {
    for compat in [Compat::Helm4, Compat::Helm3] {
        let (traced, given) = rendered(true, compat);
        let (plain, _) = rendered(false, compat);
        assert_eq!(traced.text(Shown::ALL), plain.text(Shown::ALL));
        let error = plain.explain("Deployment/web", Shown::ALL, &given).unwrap_err();
        assert_eq!(error, ExplainError::NotTraced);
    }
}

#[test]
fn fields_name_actions_and_values() {
    assert_eq!(
        told("deployment/web.spec.replicas"),
        "Deployment/web spec.replicas = 3\n  \
         web/templates/a.yaml:12:16  {{.Values.replicas}}\n    \
         within web/templates/a.yaml:11:10  {{if .Values.replicas}}\n    \
         .Values.replicas = 3  prod.yaml:2:11, over web/values.yaml:5:11"
    );
    assert_eq!(
        told("Deployment/web.spec.containers[name=app].image"),
        "Deployment/web spec.containers[name=app].image = \"nginx:v9\"\n  \
         web/templates/a.yaml:16:15  {{.Values.image.name}}\n    \
         .Values.image.name = \"nginx\"  web/values.yaml:3:9\n  \
         web/templates/a.yaml:16:40  {{.Values.image.tag}}\n    \
         .Values.image.tag = \"v9\"  --set image.tag=v9, over web/values.yaml:4:8"
    );
    // An action that wrote nothing left the text.
    assert_eq!(
        told("Deployment/web.spec.missing"),
        "Deployment/web spec.missing\n  missing: \n  web/templates/a.yaml:18:3  text"
    );
    assert_eq!(
        told("Deployment/web.kind"),
        "Deployment/web kind = \"Deployment\"\n  web/templates/a.yaml:5:1  text"
    );
}

#[test]
fn included_lines_name_the_define_and_who_called_it() {
    assert_eq!(
        told("Deployment/web.metadata.labels"),
        "Deployment/web metadata.labels\n    app: web\n  \
         web/templates/_names.tpl:1:30  {{.Chart.Name}}\n    \
         called from web/templates/a.yaml:9:9  {{include \"labels\" . | nindent 4}}\n    \
         team: blue\n  \
         web/templates/_names.tpl:2:10  {{.Values.team}}\n    \
         called from web/templates/a.yaml:9:9  {{include \"labels\" . | nindent 4}}\n    \
         .Values.team = \"blue\"  prod.yaml:1:7"
    );
    assert_eq!(
        told("Deployment/web.spec.containers[0].resources.limits.cpu"),
        "Deployment/web spec.containers[0].resources.limits.cpu = 1\n  \
         web/templates/a.yaml:17:20  {{toYaml .Values.resources | nindent 6}}\n    \
         .Values.resources  web/values.yaml:7:3"
    );
}

#[test]
fn values_of_subcharts_have_the_paths_of_the_release() {
    assert_eq!(
        told("StatefulSet/other/db.spec.size"),
        "StatefulSet/db spec.size = 5\n  \
         web/charts/db/templates/s.yaml:6:12  {{.Values.size}}\n    \
         .Values.db.size = 5  web/values.yaml:9:9, over web/charts/db/values.yaml:1:7"
    );
    assert!(told("StatefulSet/db.spec.user").ends_with("web/charts/db/values.yaml:2:7"));
    assert!(
        told("StatefulSet/db.spec.region")
            .ends_with(".Values.db.global.region = \"eu\"  web/values.yaml:11:11")
    );
}

#[test]
fn lines_of_the_output_are_found() {
    for compat in [Compat::Helm4, Compat::Helm3] {
        let (release, given) = rendered(true, compat);
        for shown in [Shown::ALL, Shown { crds: false, hooks: false, tests: false }] {
            let text = release.text(shown);
            for (index, line) in text.lines().enumerate() {
                let number = (index + 1).to_string();
                let explanation = release.explain(&number, shown, &given).unwrap();
                assert_eq!(explanation.lines[0].text, line, "{text}{number}");
                let of_template = !line.is_empty()
                    && !line.starts_with(['-', '#'])
                    && !line.contains("CustomResourceDefinition");
                assert_eq!(!explanation.lines[0].origins.is_empty(), of_template, "{line:?}");
            }
            let beyond = (text.lines().count() + 1).to_string();
            let error = release.explain(&beyond, shown, &given).unwrap_err();
            assert!(matches!(error, ExplainError::NoLine { .. }), "{error}");
        }
    }
    // A file of several documents, as --output-dir writes it.
    let of_file = "  replicas: 3\n  web/templates/a.yaml:12:16  {{.Values.replicas}}";
    assert!(told("templates/a.yaml:16").starts_with(of_file), "{}", told("templates/a.yaml:16"));
    assert_eq!(told("web/templates/a.yaml:16"), told("templates/a.yaml:16"));
}

#[test]
fn questions_without_an_answer_say_why() {
    let (release, given) = rendered(true, Compat::Helm4);
    let error = |question| release.explain(question, Shown::ALL, &given).unwrap_err().to_string();
    assert_eq!(
        error("Pod/web"),
        "no object of the release is \"Pod/web\"; there are ConfigMap/first, Deployment/web, \
         StatefulSet/db, Job/test"
    );
    assert_eq!(error("Deployment/web.spec.nope"), "Deployment/web has no field \"spec.nope\"");
    assert!(error("Deployment/web.spec..nope").contains("a part is empty"));
    assert!(error("templates/a.yaml:99").starts_with("templates/a.yaml has 23 lines"));
}

#[test]
fn json_has_all_of_it() {
    let (release, given) = rendered(true, Compat::Helm4);
    let json = release.explain("Deployment/web.spec.replicas", Shown::ALL, &given).unwrap();
    assert_eq!(
        json.to_json(),
        serde_json::json!({
            "object": "Deployment/web", "field": "spec.replicas", "value": 3,
            "lines": [{ "text": "  replicas: 3", "origins": [{
                "text": "3",
                "place": {"file": "web/templates/a.yaml", "line": 12, "column": 16,
                    "action": "{{.Values.replicas}}"},
                "calls": [],
                "within": [{"file": "web/templates/a.yaml", "line": 11, "column": 10,
                    "action": "{{if .Values.replicas}}"}],
                "values": [{"path": "replicas", "value": 3.0, "settings": [
                    {"by": "prod.yaml", "line": 2, "column": 11},
                    {"by": "web/values.yaml", "line": 5, "column": 11}]}],
                "deciding": [{"path": "replicas", "value": 3.0, "settings": [
                    {"by": "prod.yaml", "line": 2, "column": 11},
                    {"by": "web/values.yaml", "line": 5, "column": 11}]}],
            }]}],
        })
    );
}
