//! Random charts with charts below them: values, conditions, hooks, kinds, notes, odd documents.

use crate::{case::Case, rng::Rng};

const KINDS: &[&str] = &[
    "v1 ConfigMap",
    "v1 Secret",
    "v1 Service",
    "v1 Namespace",
    "v1 ServiceAccount",
    "v1 Pod",
    "v1 PersistentVolumeClaim",
    "apps/v1 Deployment",
    "apps/v1 StatefulSet",
    "apps/v1 DaemonSet",
    "batch/v1 Job",
    "batch/v1 CronJob",
    "networking.k8s.io/v1 Ingress",
    "networking.k8s.io/v1 NetworkPolicy",
    "rbac.authorization.k8s.io/v1 Role",
    "rbac.authorization.k8s.io/v1 RoleBinding",
    "rbac.authorization.k8s.io/v1 ClusterRole",
    "policy/v1 PodDisruptionBudget",
    "apiextensions.k8s.io/v1 CustomResourceDefinition",
    "example.org/v1 Widget",
    "example.org/v1 Gadget",
    "admissionregistration.k8s.io/v1 ValidatingWebhookConfiguration",
    "admissionregistration.k8s.io/v1 MutatingWebhookConfiguration",
    "apiregistration.k8s.io/v1 APIService",
    "storage.k8s.io/v1 StorageClass",
    "scheduling.k8s.io/v1 PriorityClass",
    "autoscaling/v2 HorizontalPodAutoscaler",
    "v1 List",
    "v1 LimitRange",
    "v1 ResourceQuota",
];
const HOOKS: &[&str] = &[
    "pre-install",
    "post-install",
    "pre-upgrade",
    "pre-install,post-upgrade",
    "test",
    "test-success",
    "pre-delete",
    "nonsense",
    "post-rollback, pre-install",
    "\" test , pre-install\"",
    "PRE-INSTALL",
    "crd-install",
    "\"\"",
];
const KEYS: &[&str] = &[
    "a", "b", "enabled", "name", "list", "image", "on", "n", "1", "\"x.y\"", "global", "sub",
    "other", "tags", "exports", "deep", "A", "1.0", "0x1F", "data",
];
const LEAVES: &[&str] = &[
    "1",
    "1.0",
    "0755",
    "0o17",
    "1e3",
    "1000000",
    "12345678901234567890",
    "1.5",
    "-0",
    "0.1",
    ".5",
    "1_000",
    "0x1F",
    "true",
    "yes",
    "off",
    "null",
    "~",
    "\"\"",
    "x",
    "\"1\"",
    "'a b'",
    "2021-02-03",
    "2021-02-03T04:05:06Z",
    "[]",
    "{}",
    "[1, a, null]",
    "{a: 1}",
    "|\n    one\n    two\n",
    ">-\n    one\n    two\n",
    "\"line\\nbreak\\t\"",
    "12:30:45",
    "\"é☃😀\"",
    "!!str 5",
    "!!binary aGk=",
    "&x 5",
    "'it''s'",
    "\"a: b #c\"",
    "100000000000000000000000",
    "+1",
    "0b11",
    "=",
    "{a: {b: {c: null}}}",
];

/// What makes a document invalid, mostly.
const ODD: &[&str] = &[
    ".inf", "- x", "@x", "1e400", "<<", "\"", "'", "[", "{", "*y", "a: b", "!x y", "|x", "%", "\t",
];

/// The lines of a table.
fn table(rng: &mut Rng, depth: usize, indent: usize) -> String {
    let mut text = String::new();
    let mut seen: Vec<&str> = Vec::new();
    for _ in 0..=rng.below(5) {
        let key = rng.pick(KEYS);
        if seen.contains(&key) {
            continue;
        }
        seen.push(key);
        let space = " ".repeat(indent);
        if depth > 0 && rng.chance(40) {
            text.push_str(&format!("{space}{key}:\n{}", table(rng, depth - 1, indent + 2)));
        } else {
            let leaves = if rng.below(400) == 0 { ODD } else { LEAVES };
            let leaf = rng.pick(leaves).replace("\n    ", &format!("\n{space}    "));
            text.push_str(&format!("{space}{key}: {}\n", leaf.trim_end()));
        }
    }
    text
}

fn values(rng: &mut Rng, charts: &[&str]) -> String {
    let mut text = table(rng, 2, 0);
    for chart in charts {
        if rng.chance(60) && !text.contains(&format!("{chart}:")) {
            let block = match rng.below(24) {
                0 => format!("{chart}: null\n"),
                1 => format!(
                    "{chart}: {}\n",
                    rng.pick(&[
                        "x",
                        "{}",
                        "[]",
                        "5",
                        "{enabled: true}",
                        "{enabled: false}",
                        "{a: null}"
                    ])
                ),
                _ => format!("{chart}:\n{}", table(rng, 2, 2)),
            };
            text.push_str(&block);
        }
    }
    text
}

fn metadata(rng: &mut Rng, name: &str, below: &[&str]) -> String {
    let mut text = format!(
        "apiVersion: {}\nname: {name}\nversion: {}\n",
        rng.pick(&["v2", "v2", "v2", "v1"]),
        rng.pick(&["1.2.3", "0.1.0", "1.0.0-rc.1+b", "v2.0.0", "1.2"])
    );
    for line in [
        "appVersion: 4.5\n",
        "description: |\n  two\n  lines\n",
        "type: application\n",
        "type: library\n",
        "keywords: [a, b]\n",
        "deprecated: true\n",
        "annotations: {a: \"1\", b.c/d: x}\n",
        "kubeVersion: \">=1.20.0-0\"\n",
        "kubeVersion: \">=2.0\"\n",
        "icon: https://example.org/i.png\n",
        "maintainers:\n- name: m\n  email: e@x.org\n",
        "home: https://example.org\nsources: [https://a, https://b]\n",
        "unknown: field\n",
        "appVersion: 2021-01-01\n",
        "tags: x\n",
        "condition: a.b\n",
    ] {
        if rng.chance(match line {
            "type: library\n" | "kubeVersion: \">=2.0\"\n" => 2,
            _ => 10,
        }) && !text.contains(line.split(':').next().unwrap_or_default())
        {
            text.push_str(line);
        }
    }
    if !below.is_empty() && rng.chance(85) {
        text.push_str("dependencies:\n");
        for chart in below {
            text.push_str(&dependency(rng, chart));
            if rng.chance(3) {
                text.push_str(&dependency(rng, chart));
            }
        }
    }
    text
}

fn dependency(rng: &mut Rng, chart: &str) -> String {
    let mut text = format!(
        "- name: {chart}\n  version: {}\n  repository: \"\"\n",
        rng.pick(&["\"*\"", "1.2.3", "\">=0.1.0-0\"", "9.9.9", "\"^1\"", "0.1.0"])
    );
    if rng.chance(35) {
        let condition = rng.pick(&[
            "enabled",
            "sub.enabled",
            "other.enabled",
            "missing,sub.enabled",
            "a.b",
            "global.on",
            "\"\"",
            "a",
            "sub.enabled, other.enabled",
        ]);
        text.push_str(&format!("  condition: {condition}\n"));
    }
    if rng.chance(30) {
        text.push_str(&format!("  tags: {}\n", rng.pick(&["[a]", "[a, b]", "[missing]", "[]"])));
    }
    if rng.chance(20) {
        text.push_str(&format!("  alias: {}\n", rng.pick(&["al", "other2", "b", "Al-2"])));
    }
    if rng.chance(10) {
        text.push_str(&format!("  enabled: {}\n", rng.pick(&["true", "false"])));
    }
    if rng.chance(35) {
        let imports = rng.pick(&[
            "[data]",
            "[data, missing]",
            "[{child: a, parent: b}]",
            "[{child: deep, parent: .}]",
            "[{child: exports.data, parent: new.place}]",
            "[{child: deep.a, parent: a}, data]",
            "[{child: missing, parent: x}]",
            "[{child: '', parent: x}]",
        ]);
        text.push_str(&format!("  import-values: {imports}\n"));
    }
    text
}

fn expression(rng: &mut Rng) -> &'static str {
    rng.pick(&[
        "{{ .Values.a | toJson }}",
        "{{ .Values.name | default \"x\" | quote }}",
        "{{ .Values | toJson | quote }}",
        "{{ .Values.global | toJson }}",
        "{{ .Chart.Name }}-{{ .Release.Name }}",
        "{{ include \"shared\" . }}",
        "{{ include \"own\" . | trim }}",
        "{{ .Values.n }}",
        "{{ .Values.list | toYaml | nindent 4 }}",
        "{{ .Capabilities.APIVersions.Has \"x/v1\" }}",
        "{{ .Template.BasePath }}",
        "{{ .Files.Get \"data/f.txt\" | quote }}",
        "{{ .Release.IsUpgrade }}",
        "{{ .Subcharts | keys | sortAlpha | join \",\" }}",
        "{{ .Values.sub | toJson }}",
        "{{ .Chart.Version }}",
        "{{ .Values.deep.a }}",
        "{{ .Values.image | kindOf }}",
        "{{ range $k, $v := .Values }}{{ $k }},{{ end }}",
        "{{ tpl \"{{ .Chart.Name }}\" . }}",
        "{{ .Values.b }}",
        "{{ (.Values.other).enabled }}",
        "{{ .Values.missing }}",
        "{{ .Values.exports | toJson }}",
        "{{ .Chart.Dependencies | toJson | quote }}",
        "{{ .Values.data }}",
        "{{ lookup \"v1\" \"Pod\" \"a\" \"b\" | toJson }}",
        "{{ .Chart | toJson | quote }}",
        "{{ .Values.x }}{{/* c */}}",
        "'{{ .Release | toJson }}'",
    ])
}

fn document(rng: &mut Rng, number: usize) -> String {
    let kind = rng.pick(KINDS);
    let (version, kind) = kind.split_once(' ').expect("it is written so");
    let mut text = format!(
        "apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {}-{number}\n",
        rng.pick(&["a", "b", "z", "{{ .Chart.Name }}", "same"])
    );
    if rng.chance(25) {
        text.push_str("  annotations:\n");
        if rng.chance(85) {
            text.push_str(&format!(
                "    {}helm.sh/hook{}: {}\n",
                rng.pick(&["", "\"", ""]).replace('"', ""),
                "",
                rng.pick(HOOKS)
            ));
        }
        if rng.chance(50) {
            text.push_str(&format!(
                "    helm.sh/hook-weight: {}\n",
                rng.pick(&["\"5\"", "\"-5\"", "\"0\"", "\"x\"", "1", "\"+3\"", "\" 2\""])
            ));
        }
        if rng.chance(30) {
            text.push_str(&format!(
                "    helm.sh/hook-delete-policy: {}\n",
                rng.pick(&["hook-succeeded", "before-hook-creation, hook-failed", "never"])
            ));
        }
        if rng.chance(20) {
            text.push_str("    helm.sh/resource-policy: keep\n");
        }
        text.push_str("    other: \"x\"\n");
    }
    text.push_str("data:\n");
    for at in 0..=rng.below(3) {
        text.push_str(&format!("  k{at}: {}\n", expression(rng)));
    }
    text
}

fn template(rng: &mut Rng) -> String {
    let mut text = String::new();
    for number in 0..=rng.below(3) {
        if number > 0 || rng.chance(30) {
            text.push_str(rng.pick(&[
                "---\n",
                "--- \n",
                "---\n\n",
                "\n---\n# c\n",
                "--- # c\n",
                "---\n---\n",
                "---\r\n",
                " ---\n",
            ]));
        }
        match rng.below(40) {
            0 => text.push_str("# only a comment\n"),
            1 => text.push_str("{{ if .Values.enabled }}\n"),
            2 => {
                text.push_str(rng.pick(&[
                    "- a\n- b\n",
                    "just text\n",
                    "a: b: c\n",
                    "{}\n",
                    "null\n",
                    "\ta: 1\n",
                    "kind: X\n",
                    "apiVersion: v1\n",
                    "kind: List\nitems: []\n",
                    "metadata: {name: x}\nkind: 5\n",
                    "kind: A\nkind: B\nmetadata: {}\n",
                    "\"a\": 1\n",
                    "a: &x 1\nb: *x\nkind: Y\n",
                    "...\n",
                    "%YAML 1.1\n",
                    "metadata:\n  annotations: {helm.sh/hook: 5}\n",
                    "metadata: []\n",
                    "kind: Z\nmetadata: null\n",
                ]));
                continue;
            }
            _ => {}
        }
        text.push_str(&document(rng, number));
        if text.contains("{{ if .Values.enabled }}") && !text.contains("{{ end }}\n#") {
            text.push_str("{{ end }}\n#\n");
        }
        text.push_str(rng.pick(&["", "", "\n", "\n\n\n", "  \n", "# tail\n"]));
    }
    text
}

fn chart(rng: &mut Rng, case: &mut Case, prefix: &str, name: &str, depth: usize) {
    let below: &[&str] = match (depth, rng.below(4)) {
        (0, _) | (_, 0) => &[],
        (_, 1) => &["sub"],
        (_, 2) => &["other"],
        _ => &["sub", "other"],
    };
    let mut add = |path: &str, text: String| {
        case.files.insert(format!("{prefix}{path}"), text);
    };
    add("Chart.yaml", metadata(rng, name, below));
    if rng.chance(85) {
        add("values.yaml", values(rng, below));
    }
    for (number, extension) in ["a.yaml", "b.yml", "c.txt", "sub/d.yaml"].iter().enumerate() {
        if rng.chance([90, 50, 8, 15][number]) {
            add(&format!("templates/{extension}"), template(rng));
        }
    }
    if rng.chance(60) {
        add(
            "templates/_h.tpl",
            format!(
                "{{{{ define \"shared\" }}}}from-{name}{{{{ end }}}}{{{{ define \"own\" }}}} {{{{ .Chart.Name }}}} {{{{ end }}}}"
            ),
        );
    }
    if rng.chance(40) {
        add("templates/NOTES.txt", format!("Notes of {name}: {}\n", expression(rng)));
    }
    if rng.chance(20) {
        add("crds/c.yaml", "apiVersion: apiextensions.k8s.io/v1\nkind: CustomResourceDefinition\nmetadata: {name: {{x}}}\n".to_owned());
    }
    if rng.chance(30) {
        add("data/f.txt", "file {{ .x }}\n".to_owned());
    }
    if rng.chance(12) {
        add("values.schema.json", rng.pick(&["{\"type\": \"object\"}", "{\"required\": [\"a\"]}", "{\"properties\": {\"a\": {\"type\": \"string\"}, \"n\": {\"maximum\": 3}}}", "{\"properties\": {\"name\": {\"pattern\": \"^[a-z]+$\", \"minLength\": 2}}, \"additionalProperties\": true}", "{\"properties\": {\"global\": {\"type\": \"object\", \"maxProperties\": 1}}}"]).to_owned());
    }
    for chart_name in below {
        chart(rng, case, &format!("{prefix}charts/{chart_name}/"), chart_name, depth - 1);
    }
}

const FLAGS: &[&str] = &[
    "a=1",
    "b.c=x",
    "list[1]=y",
    "list={a,b}",
    "name=null",
    "sub.enabled=true",
    "sub.enabled=false",
    "other=null",
    "tags.a=false",
    "tags.b=true",
    "global.on=true",
    "sub.a=null",
    "deep.a=1.5",
    "a=01",
    "n=12345678901234567890",
    "image.x\\.y=2",
    "sub.global.x=1",
    "a",
    "a[=1",
    "list[0].z=1",
    "a={",
    "a=x,b=y",
    "sub.other.enabled=true",
    "enabled=true",
    "on=yes",
    "a=\"q\"",
    "global=null",
    "sub={}",
    "a.b.c.d=e",
    "list[-1]=1",
    "=1",
    "data=",
    "sub.deep=null",
];

/// A chart with charts below it.
pub(crate) fn release(seed: u64) -> Case {
    let mut rng = Rng::new(seed ^ 0x00c4_a275);
    let mut case = Case { helm3: seed % 2 == 1, ..Case::default() };
    chart(&mut rng, &mut case, "", "top", 2);
    if rng.chance(70) {
        case.values = values(&mut rng, &["sub", "other", "al"]);
    }
    for flag in 0..2 {
        while rng.chance(20) {
            case.set[flag].push(rng.pick(FLAGS).to_owned());
        }
    }
    if rng.chance(8) {
        case.set[2].push(
            rng.pick(&[
                "a={\"b\": 1}",
                "sub={\"enabled\": true}",
                "{\"a\": 1}",
                "a=[1,null]",
                "a=x",
                "sub=null",
                "{\"sub\": {\"a\": null}}",
            ])
            .to_owned(),
        );
    }
    if rng.chance(5) {
        case.set[3].push(rng.pick(&["a=1,b=2", "a.b={x}", "sub.a=null"]).to_owned());
    }
    if rng.chance(20) {
        case.api_versions.push("x/v1".to_owned());
    }
    case.include_crds = rng.chance(20);
    case.sub_notes = rng.chance(20);
    case.is_upgrade = rng.chance(20);
    case
}
