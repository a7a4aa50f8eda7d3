//! Charts that are sound but for one to three odd things: each is a feature with its own words.

mod files;
mod rules;
mod values;

use crate::{case::Case, rng::Rng};
use files::{documents, globs, hooks, ignored, notes};
use rules::schema;
use values::{aliases, conditions, flags, globals, imports, mutation, nulls, tags};

type Feature = fn(&mut Rng, &mut Case);

const FEATURES: &[Feature] = &[
    nulls, libraries, imports, conditions, tags, schema, ignored, globs, hooks, documents, notes,
    overrides, flags, flags, globals, aliases, metadata, nesting, mutation, lookups, nulls, schema,
];

/// A chart with some of them.
pub(crate) fn shaped(seed: u64) -> Case {
    let mut rng = Rng::new(seed ^ 0x51ab_e007);
    let mut case = Case { helm3: seed % 2 == 1, ..Case::default() };
    base(&mut case);
    for _ in 0..=rng.below(3) {
        FEATURES[rng.below(FEATURES.len())](&mut rng, &mut case);
    }
    case
}

fn base(case: &mut Case) {
    for (name, text) in [
        (
            "Chart.yaml",
            "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies:\n- name: sub\n  version: \"*\"\n",
        ),
        ("values.yaml", "name: top\na: {b: {c: 1, d: x}, e: [1, 2]}\nsub: {own: 1, m: {k: v}}\n"),
        (
            "templates/all.yaml",
            "kind: ConfigMap\nmetadata: {name: top}\nvalues: {{ .Values | toJson }}\n",
        ),
        ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n"),
        ("charts/sub/values.yaml", "own: 2\nm: {k: w, l: [a]}\nexports: {data: {x: 1}}\n"),
        (
            "charts/sub/templates/all.yaml",
            "kind: ConfigMap\nmetadata: {name: sub}\nvalues: {{ .Values | toJson }}\n",
        ),
    ] {
        case.files.insert(name.to_owned(), text.to_owned());
    }
}

fn put(case: &mut Case, name: &str, text: impl Into<String>) {
    case.files.insert(name.to_owned(), text.into());
}

fn add(case: &mut Case, name: &str, text: &str) {
    case.files.entry(name.to_owned()).or_default().push_str(text);
}

fn libraries(rng: &mut Rng, case: &mut Case) {
    put(
        case,
        "charts/sub/Chart.yaml",
        "apiVersion: v2\nname: sub\nversion: 0.1.0\ntype: library\n",
    );
    put(case, "charts/sub/templates/_lib.tpl", rng.pick(&[
        "{{ define \"lib.name\" }}{{ .Chart.Name }}-{{ .Release.Name }}{{ end }}",
        "{{- define \"lib.name\" -}}\n{{ .Values.own }}\n{{- end -}}",
        "{{ define \"lib.name\" }}{{ template \"lib.other\" . }}{{ end }}{{ define \"lib.other\" }}o{{ end }}",
    ]));
    put(case, "templates/lib.yaml", rng.pick(&[
        "kind: A\nname: {{ include \"lib.name\" . }}\n",
        "kind: A\nname: {{ include \"lib.name\" .Subcharts.sub }}\n",
        "kind: A\nname: {{ template \"lib.name\" $ }}\n",
        "kind: A\nname: {{ include \"lib.name\" (dict \"Chart\" .Chart \"Release\" .Release \"Values\" .Values.sub) }}\n",
    ]));
    if rng.chance(30) {
        put(case, "charts/sub/templates/NOTES.txt", "library notes");
        put(case, "charts/sub/crds/c.yaml", "kind: CustomResourceDefinition\n");
        case.include_crds = true;
    }
}

fn overrides(rng: &mut Rng, case: &mut Case) {
    for (place, by) in [
        ("templates/_a.tpl", "top"),
        ("templates/_z.tpl", "top-z"),
        ("charts/sub/templates/_a.tpl", "sub"),
        ("charts/sub/templates/_b.tpl", "sub-b"),
        ("templates/x.yaml", "inline"),
    ] {
        if rng.chance(55) {
            let text = rng.pick(&[
                "{{ define \"n\" }}B{{ end }}",
                "{{- define \"n\" -}} B {{- end -}}",
                "{{ define \"n\" }}{{ end }}",
                "{{ define \"n\" }}\n{{ end }}",
                "{{ define \"n\" }}{{/* c */}}{{ end }}",
                "{{ block \"n\" . }}B{{ end }}",
                "{{ define \"n\" }}B{{ end }}{{ define \"n\" }}B2{{ end }}",
                "{{ define \"m\" }}{{ template \"n\" . }}B{{ end }}",
            ]);
            put(
                case,
                place,
                format!("kind: T\nv: x{}", text.replace('B', by)).replace(
                    "kind: T\nv: x",
                    if place.ends_with("yaml") { "kind: T\nv: x" } else { "" },
                ),
            );
        }
    }
    for file in ["templates/use.yaml", "charts/sub/templates/use.yaml"] {
        let text = rng.pick(&["{{ include \"n\" . }}", "{{ template \"n\" . }}", "{{ include \"m\" . }}", "{{ tpl \"{{ include \\\"n\\\" . }}\" . }}", "{{ tpl \"{{ define \\\"n\\\" }}tpl{{ end }}{{ include \\\"n\\\" . }}\" . }}{{ include \"n\" . }}"]);
        put(case, file, format!("kind: Use\nv: '{text}'\n"));
    }
}

fn metadata(rng: &mut Rng, case: &mut Case) {
    let file = rng.pick(&["Chart.yaml", "Chart.yaml", "charts/sub/Chart.yaml"]);
    add(
        case,
        file,
        rng.pick(&[
            "appVersion: 1.0\n",
            "appVersion: 1\n",
            "appVersion: true\n",
            "appVersion: [a]\n",
            "appVersion: \"\"\n",
            "description: 5\n",
            "keywords: a\n",
            "keywords: [1]\n",
            "home: \"a\\u0007b\"\n",
            "maintainers: [{name: \"\"}]\n",
            "maintainers: [null]\n",
            "maintainers: [a]\n",
            "sources: [a, 5]\n",
            "annotations: {a: 1}\n",
            "annotations: {a: null}\n",
            "deprecated: yes\n",
            "deprecated: \"true\"\n",
            "kubeVersion: \">=1.0.0 <2.0.0\"\n",
            "kubeVersion: \"1.33\"\n",
            "kubeVersion: \"^1.99 || 1.33.x\"\n",
            "kubeVersion: \"v1.33.0\"\n",
            "kubeVersion: abc\n",
            "kubeVersion: \"!=1.33.0\"\n",
            "type: unknown\n",
            "type: \"\"\n",
            "icon: 5\n",
            "name: again\n",
            "Name: upper\n",
            "engine: gotpl\n",
            "tillerVersion: x\n",
            "extra: {a: b}\n",
            "dependencies: null\n",
            "description: \"tab\\there\\nline\"\n",
            "version: 2.0.0\n",
            "condition: sub.enabled\ntags: a,b\n",
            "kubeVersion: \">= 1.33.0-0, < 1.34\"\n",
            "home: é☃\n",
        ]),
    );
    put(
        case,
        "templates/chart.yaml",
        "kind: Chart\nchart: {{ .Chart | toJson }}\nsub: {{ .Subcharts | toJson }}\nname: {{ .Chart.Name }}\napp: {{ .Chart.AppVersion | quote }}\nkube: {{ .Chart.KubeVersion }}\n",
    );
}

fn nesting(rng: &mut Rng, case: &mut Case) {
    put(
        case,
        "templates/_n.tpl",
        "{{ define \"n\" }}[{{ .Template.Name }}]{{ end }}{{ define \"self\" }}{{ tpl . $ }}{{ end }}",
    );
    let inner = rng.pick(&[
        "{{ .Template.Name }}",
        "{{ include \\\"n\\\" . }}",
        "{{ fail \\\"x\\\" }}",
        "{{ define \\\"n\\\" }}z{{ end }}{{ include \\\"n\\\" . }}",
        "{{ .Values.nope.x }}",
        "{{ $ }}",
        "{{ if }}",
        "{{ tpl \\\"{{ .Values.name }}\\\" . }}",
        "{{ template \\\"n\\\" . }}",
        "{{ .Files.Get \\\"a.txt\\\" }}",
        "{{ required \\\"r\\\" nil }}",
        "{{ $x := 1 }}{{ $x }}",
        "{{ range .Values.a.e }}{{ . }}{{ break }}{{ end }}",
        "{{ block \\\"b\\\" . }}x{{ end }}",
        "{{ .Values.name | nindent 2 }}",
        "{{ include \\\"nope\\\" . }}",
        "{{ tpl .Values.self . }}",
        "{{ regexMatch \\\"(\\\" \\\"x\\\" }}",
    ]);
    let dot = rng.pick(&[
        ".",
        "$",
        ".Values",
        "(dict \"Values\" .Values)",
        "nil",
        "(dict \"Template\" .Template \"Values\" .Values)",
        "\"x\"",
    ]);
    put(
        case,
        "templates/n.yaml",
        format!(
            "kind: N\nv: {{{{ tpl \"{inner}\" {dot} | quote }}}}\nafter: {{{{ include \"n\" . }}}}\n"
        ),
    );
}

fn lookups(rng: &mut Rng, case: &mut Case) {
    let mut text = "kind: L\n".to_owned();
    for at in 0..=rng.below(4) {
        let call = rng.pick(&[
            ".Capabilities.APIVersions.Has \"apps/v1/Deployment\"",
            ".Capabilities.APIVersions.Has \"apps/v1\"",
            ".Capabilities.APIVersions.Has \"x/v1\"",
            ".Capabilities.KubeVersion",
            ".Capabilities.KubeVersion.Major",
            ".Capabilities.KubeVersion.GitVersion",
            ".Capabilities.HelmVersion.Version",
            ".Capabilities.KubeVersion | toJson",
            ".Release | toJson",
            ".Release.IsInstall",
            ".Template | toJson",
            ".Files | len",
            ".Subcharts | keys | sortAlpha",
            ".Chart.IsRoot",
            ".Chart.Type",
            ".Chart.Maintainers | toJson",
            ".Chart.Annotations | toJson",
            ".Chart.Dependencies | toJson",
            "lookup \"v1\" \"Pod\" \"\" \"\" | toJson",
            "(lookup \"v1\" \"Secret\" \"a\" \"b\").data",
            "lookup \"v1\" \"Pod\" \"\"",
            "semverCompare \">=1.30-0\" .Capabilities.KubeVersion.Version",
            ".Capabilities.APIVersions | len",
            "typeOf .Values",
            "typeOf .Chart",
            "kindOf .Chart",
            "typeOf .Release",
            "typeOf .Files",
            "typeOf .Capabilities",
            "typeOf .Capabilities.APIVersions",
            "typeOf .Subcharts",
            "printf \"%T\" .Values.a",
            "typeOf .Chart.Maintainers",
            "kindOf .Capabilities.KubeVersion",
            "printf \"%v\" .Chart.Dependencies",
            "hasKey .Values \"sub\"",
            ".Values.global",
            ".Values.sub | toYaml | nindent 4",
            "get .Values.sub \"global\" | toJson",
            ". | keys | sortAlpha | join \",\"",
            "$.Subcharts.sub.Chart.Name",
            ".Chart.Home",
            ".Chart.Unknown",
            ".Release.Unknown",
            ".Capabilities.Unknown",
            ".Files.unknown",
            ".Template.Unknown",
        ]);
        text.push_str(&format!("k{at}: {{{{ {call} }}}}\n"));
    }
    put(case, rng.pick(&["templates/l.yaml", "charts/sub/templates/l.yaml"]), text);
    if rng.chance(30) {
        case.api_versions.push("x/v1".to_owned());
    }
    case.is_upgrade = rng.chance(30);
}
