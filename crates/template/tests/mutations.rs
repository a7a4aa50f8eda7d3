//! Damaged templates: the texts of `tests/templates` cut, mixed and repeated. Whatever comes of them,
//! nothing panics, an error has a place that exists, and all ends soon.
//!
//! `$GITOPS_ROUNDS` chooses how many are tried, `$GITOPS_SEED` where the choices begin; the fuzz targets
//! `template_syntax` and `template_run` ask the same of what a fuzzer finds.

#![allow(clippy::unwrap_used, reason = "tests")]

#[path = "../../../gitops-kustomize/tests/differential/rng.rs"]
#[expect(dead_code, reason = "shared with tests that need all of it")]
mod rng;

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use gitops_core::Scope;
use gitops_template::{
    Error, Functions, HelmVersion, Limits, List, Map, Options, Sealed, Templates, Value, helm,
};
use rng::Rng;

const ROUNDS: u64 = 3000;
const LIMITS: Limits = Limits { steps: 300_000, output: 4 << 20, depth: 150 };

/// Pieces that are put in.
const PIECES: &[&str] = &[
    "{{",
    "}}",
    "{{-",
    "-}}",
    "{{ end }}",
    "{{ else }}",
    "{{ range . }}",
    "{{ range $k, $v := $ }}",
    "{{ with .a }}",
    "{{ if .b }}",
    "{{ define \"d\" }}",
    "{{ template \"d\" . }}",
    "{{ block \"e\" . }}",
    "{{ break }}",
    "{{ continue }}",
    "{{/*",
    "*/}}",
    "(",
    ")",
    "|",
    ":=",
    "=",
    ",",
    ".",
    "$",
    "$x",
    "\"",
    "`",
    "'",
    "\\",
    "nil",
    "true",
    "0x",
    "1e",
    "1i",
    "-",
    "99999999999999999999",
    "'\\u",
    "\n",
    "\t",
    " ",
    "é",
    "\u{10fe80}",
    "\0",
    "%",
    " include \"d\" ",
    " tpl \"{{ . }}\" ",
    " printf \"%v\" ",
    " index ",
    " until 99 ",
    " dict \"a\" 1 ",
    " list 1 2 ",
    " toYaml ",
    " fromYaml ",
    " repeat 99 ",
    " regexReplaceAll \"(a*)*\" ",
    " .Values.a.b ",
    " merge ",
    " set ",
    " dig \"a\" \"b\" ",
    " slice ",
    " toToml ",
    " fromJson ",
    " ternary ",
    " nindent 9 ",
    " semver ",
    " date ",
    " call ",
];

#[expect(clippy::disallowed_methods, reason = "a test asks what it shall do")]
fn chosen(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

fn texts() -> Vec<String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/templates");
    let mut files: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.iter().map(|file| fs::read_to_string(file).unwrap()).collect()
}

fn damaged(rng: &mut Rng, texts: &[String]) -> String {
    let pick = |rng: &mut Rng| texts[rng.below(texts.len())].as_str();
    let mut text = pick(rng).to_owned();
    for _ in 0..=rng.below(6) {
        let (from, to) = range(rng, &text);
        match rng.below(6) {
            0 => text.replace_range(from..to, ""),
            1 => text.insert_str(from, rng.pick(PIECES)),
            2 => {
                let piece = text[from..to].to_owned();
                let at = range(rng, &text).0;
                text.insert_str(at, &piece);
            }
            3 => text.replace_range(from..to, rng.pick(PIECES)),
            4 => {
                let other = pick(rng);
                let (start, end) = range(rng, other);
                text.insert_str(from, &other[start..end]);
            }
            _ => text.truncate(to),
        }
        if text.len() > 20_000 {
            text.truncate(text.floor_char_boundary(20_000));
        }
    }
    text
}

/// A part of a text, mostly a short one.
fn range(rng: &mut Rng, text: &str) -> (usize, usize) {
    let from = text.floor_char_boundary(rng.below(text.len() + 1));
    let length = if rng.chance(20) { text.len() } else { 30 };
    let to = text.floor_char_boundary((from + rng.below(length + 1)).min(text.len()));
    (from, to.max(from))
}

fn values() -> Value {
    let list: List = [1.0, 2.5].into_iter().map(Value::from).collect();
    let inner = Map::from_iter([("b", Value::from("x")), ("c", list.into())]);
    let values = Map::from_iter([
        ("a", Value::from(inner)),
        ("name", Value::from("app")),
        ("n", Value::from(3.0)),
        ("none", Value::Nil),
        ("on", Value::from(true)),
    ]);
    Map::from_iter([("Values", values)]).into()
}

fn run(text: &str) -> Result<String, Error> {
    let mut templates = Templates::new(Functions::builtin().with(helm(HelmVersion::V4)));
    templates.add("t", text)?;
    let options = Options { limits: LIMITS, ..Options::default() };
    templates.render("t", values(), options, &Sealed, &Scope::background())
}

/// Keys, certificates and passwords take their time by themselves.
fn is_slow(text: &str) -> bool {
    ["gen", "bcrypt", "htpasswd", "derivePassword"].iter().any(|name| text.contains(name))
}

fn check(text: &str) {
    let begin = Instant::now();
    if let Err(error) = run(text) {
        assert!(!error.to_string().is_empty(), "{text:?}");
        let lines = u32::try_from(text.split('\n').count()).unwrap();
        if let Some((template, line)) = error.parse_location() {
            // A text that `tpl` made has lines of its own.
            assert!(line >= 1 && (template != "t" || line <= lines), "{text:?}: {error}");
        }
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "{text:?} takes {:?}", begin.elapsed());
}

#[test]
fn texts_are_whole() {
    for text in texts() {
        run(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    }
}

#[test]
fn nothing_breaks_on_damaged_templates() {
    let texts = texts();
    let start = chosen("GITOPS_SEED", 0);
    for seed in start..start + chosen("GITOPS_ROUNDS", ROUNDS) {
        let text = damaged(&mut Rng::new(seed), &texts);
        if is_slow(&text) {
            continue;
        }
        let fine = std::panic::catch_unwind(|| check(&text)).is_ok();
        assert!(fine, "seed {seed}: {text:?}");
    }
}
