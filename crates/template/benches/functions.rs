//! What the functions cost that charts call most: `cargo bench -p gitops-template`.
//!
//! Each bench renders a template that makes a thousand calls.

use divan::{AllocProfiler, Bencher};
use gitops_core::Scope;
use gitops_template::{
    Functions, HelmVersion, Host, List, Map, Options, Sealed, Templates, Value, helm,
};

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

fn main() {
    divan::main();
}

fn dot() -> Value {
    let labels = Map::from_iter([
        ("app.kubernetes.io/name", "podinfo"),
        ("app.kubernetes.io/instance", "release-name"),
        ("app.kubernetes.io/version", "6.7.1"),
    ]);
    let ports: List =
        (0..4).map(|n| Value::from(Map::from_iter([("port", f64::from(8080 + n))]))).collect();
    let values = Map::from_iter([
        ("name", Value::from("podinfo")),
        ("empty", Value::from("")),
        ("labels", labels.into()),
        ("ports", ports.into()),
        ("replicas", Value::from(2.0)),
    ]);
    Map::from_iter([("Values", values)]).into()
}

const CALLS: &[&str] = &[
    "toYaml .Values",
    "toYaml .Values | nindent 8",
    "nindent 8 \"a: 1\\nb: 2\\nc: 3\"",
    "quote .Values.name",
    "quote .Values.replicas",
    "default \"x\" .Values.empty",
    "printf \"%s-%d\" .Values.name 3",
    "dict \"a\" 1 \"b\" .Values",
    "list 1 2 3",
    "replace \"+\" \"_\" \"1.2.3+build\"",
    "trunc 63 .Values.name | trimSuffix \"-\"",
    "eq .Values.name \"podinfo\"",
    "include \"name\" .",
    "tpl \"{{ .Values.name }}\" .",
    "toJson .Values",
    "fromYaml \"a: 1\\nb: [x, y]\"",
    "semverCompare \">=1.19-0\" \"v1.33.0\"",
    "regexReplaceAll \"[^a-z]+\" .Values.name \"-\"",
    "merge (dict \"a\" 1) .Values",
    "join \",\" (list 1 2 3)",
    "sha256sum .Values.name",
    "hasKey .Values \"name\"",
    "ternary \"a\" \"b\" true",
    "lower .Values.name | upper",
];

#[divan::bench(args = CALLS)]
fn call(bencher: Bencher<'_, '_>, call: &str) {
    let mut templates = Templates::new(Functions::builtin().with(helm(HelmVersion::V4)));
    let text = format!(
        "{{{{ define \"name\" }}}}{{{{ .Values.name | trunc 63 }}}}{{{{ end }}}}\
         {{{{ range until 1000 }}}}{{{{ $x := {} }}}}{{{{ end }}}}",
        call.replace(".Values", "$.Values").replace("{{ $.", "{{ .").replace(" .\"", " $")
    );
    let text = text.replace("\"name\" .}", "\"name\" $}").replace(" . }}", " $ }}");
    templates.add("bench", text).expect("the template is right");
    bencher.with_inputs(dot).bench_values(|dot| {
        templates
            .render("bench", dot, Options::default(), &Sealed, &Scope::background())
            .expect("the template runs")
    });
}

/// A key of 2048 bits and its certificate.
#[divan::bench(sample_count = 20)]
fn authority() -> String {
    let mut templates = Templates::new(Functions::builtin().with(helm(HelmVersion::V4)));
    templates.add("bench", "{{ (genCA \"x\" 1).Cert }}").expect("the template is right");
    let dot = Map::new().into();
    templates
        .render("bench", dot, Options::default(), &Dice, &Scope::background())
        .expect("the template runs")
}

/// Bytes that differ from call to call.
#[derive(Debug)]
struct Dice;

impl Host for Dice {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn random(&self, buffer: &mut [u8]) {
        use std::hash::{BuildHasher as _, RandomState};
        for part in buffer.chunks_mut(8) {
            let word = RandomState::new().hash_one(0_u8).to_ne_bytes();
            part.copy_from_slice(&word[..part.len()]);
        }
    }
}
