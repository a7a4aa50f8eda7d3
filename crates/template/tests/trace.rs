//! Who wrote a line, and from which values.

#![allow(
    clippy::unwrap_used,
    clippy::from_iter_instead_of_collect,
    clippy::format_push_string,
    reason = "tests"
)]

use gitops_core::Scope;
use gitops_template::{
    Context, Functions, HelmVersion, List, Map, Options, Sealed, Templates, Value, Written, helm,
};

const DEFINES: &str = r#"{{ define "labels" -}}
app: {{ .Values.name }}
{{- range $key, $value := .Values.labels }}
{{ $key }}: {{ $value }}
{{- end }}
tier: web
{{- end }}
{{ define "full" }}{{ .Values.prefix }}-{{ .Values.name }}{{ end }}
"#;

fn dot() -> Value {
    let text = |text: &str| Value::string(text);
    let ports = ["http", "grpc"]
        .map(|name| Value::Map(Map::from_iter([("name", text(name)), ("on", Value::Bool(true))])));
    let values = Map::from_iter([
        ("name", text("web")),
        ("prefix", text("my")),
        ("labels", Value::Map(Map::from_iter([("team", text("a")), ("zone", text("b"))]))),
        ("ports", Value::List(ports.into_iter().collect::<List>())),
        ("hosts", Value::List(["x", "y"].map(text).into_iter().collect::<List>())),
        ("extra", text("by: {{ .Values.name }}")),
    ]);
    Value::Map(Map::from_iter([("Values", Value::Map(values))]))
}

fn written(template: &str) -> Written {
    let functions = Functions::builtin().with(helm(HelmVersion::V4));
    let mut templates = Templates::new(functions);
    templates.add("_defines", DEFINES).unwrap();
    templates.add("t", template).unwrap();
    let scope = Scope::background();
    let dot = dot();
    let plain = templates.render("t", dot.clone(), Options::default(), &Sealed, &scope).unwrap();
    let mut context = Context::new(templates, Options::default(), &Sealed, &scope);
    let values = dot.as_map().unwrap().get("Values").unwrap();
    context.watch("", &values);
    let text = context.render("t", dot).unwrap();
    assert_eq!(text, plain, "a trace changes nothing");
    let written = context.take_written().unwrap();
    assert_eq!(written.text(), text);
    assert!(context.take_written().is_none());
    written
}

/// The line that contains a text, as `text <- site action [reads] called from … within …`.
fn told(template: &str, wanted: &str) -> String {
    let written = written(template);
    let number = written.text().lines().position(|line| line.contains(wanted));
    let number = number.unwrap_or_else(|| panic!("no {wanted} in {:?}", written.text()));
    let parts = written.line(number + 1).into_iter().map(|origin| {
        let mut told = format!("{} <- {} {}", origin.text, origin.site, origin.site.action);
        if !origin.reads.is_empty() {
            told.push_str(&format!(" [{}]", origin.reads.join(", ")));
        }
        for call in origin.calls.iter().rev() {
            told.push_str(&format!(" called from {call}"));
        }
        for branch in &origin.within {
            told.push_str(&format!(" within {branch} [{}]", branch.reads.join(", ")));
        }
        told
    });
    parts.collect::<Vec<_>>().join("; ")
}

#[test]
fn texts_have_their_own_lines() {
    assert_eq!(told("a: 1\nb:\n  c: 2\n", "c: 2"), "c: 2 <- t:3:3 ");
    assert_eq!(told("{{/* x */ -}}\n\n  a: 1\n", "a: 1"), "a: 1 <- t:3:3 ");
    assert!(written("a: 1\n").line(0).is_empty());
    assert!(written("a: 1\n").line(3).is_empty());
}

#[test]
fn actions_tell_what_they_read() {
    assert_eq!(
        told("a: {{ .Values.prefix }}-{{ .Values.name | quote }}\n", "my"),
        "my <- t:1:7 {{.Values.prefix}} [prefix]; \
         \"web\" <- t:1:28 {{.Values.name | quote}} [name]"
    );
    // Of `labels` and `labels.team` the longer one tells more.
    assert_eq!(
        told("{{ with $x := .Values.labels }}t: {{ $x.team }}{{ end }}", "t: a"),
        "a <- t:1:38 {{$x.team}} [labels.team] within t:1:9 [labels]"
    );
}

#[test]
fn branches_and_loops_are_told() {
    let template = "{{ range .Values.ports }}\n{{ if .on }}\n- {{ .name }}\n{{ end }}{{ end }}";
    assert_eq!(
        told(template, "grpc"),
        "grpc <- t:3:6 {{.name}} [ports[1].name] within t:1:10 [ports] within t:2:7 [ports[1].on]"
    );
    assert_eq!(
        told("{{ range .Values.hosts }}\n- {{ . }}{{ end }}", "- y"),
        "y <- t:2:6 {{.}} within t:1:10 [hosts]"
    );
}

#[test]
fn included_lines_are_found_again() {
    let template = "labels:\n  {{- include \"labels\" . | nindent 2 }}\n";
    assert_eq!(
        told(template, "zone: b"),
        "zone <- _defines:4:4 {{$key}} [labels] called from t:2:7 within _defines:3:11 [labels]; \
         b <- _defines:4:16 {{$value}} [labels] called from t:2:7 within _defines:3:11 [labels]"
    );
    assert_eq!(told(template, "tier"), "tier: web <- _defines:6:1  called from t:2:7");
    let through_a_variable = "{{ $full := include \"full\" . -}}\nname: {{ $full }}\n";
    assert_eq!(
        told(through_a_variable, "my-web"),
        "my <- _defines:8:23 {{.Values.prefix}} [prefix] called from t:2:10; \
         web <- _defines:8:44 {{.Values.name}} [name] called from t:2:10"
    );
    // What was made of it is the action's own, of all that was read.
    assert_eq!(
        told("h: {{ include \"full\" . | upper }}", "MY"),
        "MY-WEB <- t:1:7 {{include \"full\" . | upper}} [prefix, name]"
    );
}

#[test]
fn templates_and_tpl_are_calls() {
    assert_eq!(
        told("n: {{ template \"full\" . }}\n", "my"),
        "my <- _defines:8:23 {{.Values.prefix}} [prefix] called from t:1:16; \
         web <- _defines:8:44 {{.Values.name}} [name] called from t:1:16"
    );
    assert_eq!(
        told("{{ tpl .Values.extra . }}", "by"),
        "web <- gotpl:1:8 {{.Values.name}} [name] called from t:1:4"
    );
}

#[test]
fn the_same_line_twice_is_told_apart() {
    let defines = "{{ define \"two\" }}v: {{ .Values.name }}\n---\nv: {{ .Values.name }}{{ end }}";
    let template = format!("{defines}{{{{ include \"two\" . | indent 1 }}}}");
    let written = written(&template);
    let lines: Vec<u32> = [1, 3].map(|line| written.line(line)[0].site.line).to_vec();
    assert_eq!(lines, [1, 3]);
}
