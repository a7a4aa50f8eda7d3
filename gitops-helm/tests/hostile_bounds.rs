//! What hostile charts, values, schemas, templates, indexes and release records may take at most, in a
//! process of its own: time, and memory as the kernel counts it. Numbers of rows are those of the
//! project's table of security cases; `hostile.rs` tells what comes of the same input in detail.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::{
    fmt::Write as _,
    io::Write as _,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use gitops_core::Scope;
use gitops_helm::{
    Chart, Compat, File, Index, LoadOptions, ReleaseInfo, RenderOptions, SetMode, Values,
    decode_record_text, read_values, render, set, sort_manifests,
};
use gitops_template::{Host, Limits};
use jiff::Timestamp;

/// The standing rule's bound for one input that is small.
const MEMORY: usize = 64 << 20;

/// Generous for a debug build on a busy machine; what is caught here would take minutes or forever.
const TIME: Duration = Duration::from_secs(60);

/// Bytes that a run of templates may make here.
const OUTPUT: u64 = 16 << 20;

/// One input: what it is, what is done with it, what must be part of the answer, and what it may take.
type Case = (&'static str, fn() -> Answer, &'static str, usize);

/// The text that came of it, or the error's; both as one text, because both are fine answers.
type Answer = String;

const CASES: &[Case] = &[
    (
        "row 30: a name that is a path",
        || chart("name: ../../x\nversion: 1.0.0\n", &[]),
        "invalid",
        MEMORY,
    ),
    ("row 31: an entry that leads out", || archive(&[("a/../../x", b"x")]), "illegal", MEMORY),
    ("row 31: a drive", || archive(&[("a/C:/x", b"x")]), "illegal", MEMORY),
    ("row 33: zeros", zeros, "larger than the maximum", 2 * MEMORY),
    ("row 33: archives in archives", nested, "nested more than 32 levels", MEMORY),
    ("row 33: many files", many_files, "more than 100000 files", 2 * MEMORY),
    ("row 35: a file", || schema(r#"{"$ref": "file:///dev/zero"}"#), "file:///dev/zero", MEMORY),
    (
        "row 35: an address",
        || schema(r#"{"$ref": "http://169.254.169.254/"}"#),
        "http://169.254.169.254/",
        MEMORY,
    ),
    (
        "row 36: a circle",
        || schema(r##"{"$ref": "#"}"##),
        "values don't meet the specifications",
        MEMORY,
    ),
    ("row 36: 100 000 parts", many_parts, "rendered", 4 * MEMORY),
    ("row 36: doubling", doubling_schema, "values don't meet the specifications", MEMORY),
    (
        "row 36: a slow pattern",
        || schema(r#"{"properties": {"a": {"pattern": "^(a+)+$"}}}"#),
        "does not match pattern",
        MEMORY,
    ),
    (
        "row 37: a list for an object",
        || schema(r#"{"properties": []}"#),
        "values don't meet the specifications",
        MEMORY,
    ),
    (
        "row 37: cut off",
        || schema(r#"{"properties": {"#),
        "values don't meet the specifications",
        MEMORY,
    ),
    (
        "row 38: entries that are none",
        || index("web:\n  - null\n  - {version: 1.0.0}\n  - {name: web, version: x.y}\n"),
        "0 versions",
        MEMORY,
    ),
    ("row 39: a name twice", || index("web: []\n  \"web\": []\n"), "duplicate", MEMORY),
    ("row 40: 60 MB of entries", large_index, "no chart name found", 6 * MEMORY),
    (
        "row 41: an alias that is a path",
        || chart("name: a\nversion: 1.0.0\ndependencies: [{name: b, alias: ../x}]\n", &[]),
        "alias",
        MEMORY,
    ),
    ("row 42: a far index", || assign("a[2147483647]=x"), "maximum supported index", MEMORY),
    ("row 42: a negative index", || assign("a[-1]=x"), "negative", MEMORY),
    (
        "row 42: 100 000 levels",
        || assign(&format!("{}=x", vec!["a"; 100_000].join("."))),
        "nested level",
        MEMORY,
    ),
    (
        "row 42: a long list",
        || assign(&format!("a={{{}x}}", "x,".repeat(1 << 21))),
        "lists have more than",
        4 * MEMORY,
    ),
    (
        "row 43: include of itself",
        || template(r#"{{ include "a/templates/t.yaml" . }}"#),
        "nested reference name",
        2 * MEMORY,
    ),
    (
        "row 43: template of itself",
        || template(r#"{{ template "a/templates/t.yaml" . }}"#),
        "maximum template depth",
        2 * MEMORY,
    ),
    (
        "row 43: tpl of itself",
        || {
            template(
                r#"{{ define "s" }}{{ tpl "{{ include \"s\" . }}" . }}{{ end }}{{ include "s" . }}"#,
            )
        },
        "nested reference name",
        4 * MEMORY,
    ),
    (
        "row 44: a long range",
        || template("{{ range until 2000000000 }}x{{ end }}"),
        "does not end",
        2 * MEMORY,
    ),
    ("row 44: a long text", || template(r#"{{ repeat 1000000000 "x" }}"#), "writes over", MEMORY),
    ("row 44: much chance", || template("{{ randAlphaNum 1000000000 }}"), "does not end", MEMORY),
    (
        "row 44: doubling",
        || template(r#"{{ $s := "x" }}{{ range until 60 }}{{ $s = print $s $s }}{{ end }}"#),
        "writes over",
        2 * MEMORY,
    ),
    (
        "row 45: a slow pattern",
        || template(r#"{{ regexMatch "^(a+)+$" (print (repeat 10000 "a") "b") }}"#),
        "false",
        MEMORY,
    ),
    (
        "row 45: a pattern of 1 MB",
        || template(r#"{{ regexMatch (repeat 1000000 "a?") "a" }}"#),
        "error",
        2 * MEMORY,
    ),
    (
        "row 45: a thousand keys",
        || template(r#"{{ range until 1000 }}{{ genPrivateKey "rsa" }}{{ end }}"#),
        "does not end",
        MEMORY,
    ),
    (
        "row 46: a host's address",
        || template(r#"[{{ getHostByName "example.com" }}]"#),
        "[]",
        MEMORY,
    ),
    (
        "row 47: the environment",
        || template("{{ env \"HOME\" }}"),
        "function \"env\" not defined",
        MEMORY,
    ),
    (
        "row 47: files elsewhere",
        || {
            template(
                "[{{ .Files.Get \"../../x\" }}{{ range $k, $_ := .Files.Glob \"**\" }}{{ $k }}{{ end }}]",
            )
        },
        "[values.txt]",
        MEMORY,
    ),
    (
        "row 48: a lookup",
        || template("{{ lookup \"v1\" \"Secret\" \"a\" \"b\" }}"),
        "map[]",
        MEMORY,
    ),
    (
        "row 49: much output",
        || template(r#"{{ range until 100000 }}{{ repeat 1000 "x" }}{{ end }}"#),
        "writes over",
        2 * MEMORY,
    ),
    ("row 49: no YAML", || template("kind: [\n"), "YAML parse error", MEMORY),
    ("row 53: no Chart.yaml's content", || chart("", &[]), "error", MEMORY),
    (
        "row 53: null for a dependency",
        || chart("name: a\nversion: 1.0.0\ndependencies: [null]\n", &[]),
        "error",
        MEMORY,
    ),
    (
        "row 53: a maintainer that is none",
        || chart("name: a\nversion: 1.0.0\nmaintainers: [null]\n", &[]),
        "error",
        MEMORY,
    ),
    ("row 54: no base64", || record("%%%"), "error", MEMORY),
    ("row 54: a gzip bomb", record_bomb, "larger than", 3 * MEMORY),
    ("row 54: no object", || record(&packed(std::iter::once(b"[1, 2]".to_vec()))), "error", MEMORY),
    ("rows 1 to 3: aliases in values", || values(&bomb()), "error", MEMORY),
    ("rows 1 to 3: nesting in values", || values(&"[".repeat(1_000_000)), "error", MEMORY),
    ("rows 1 to 3: aliases in a manifest", || sorted(&bomb()), "error", MEMORY),
];

/// The process has nothing but this test in it, so that what it takes is the cases' own.
#[test]
fn time_and_memory_stay_within_bounds() {
    let mut bad = Vec::new();
    // What one case took stays with the process: those that may take little come first.
    let mut cases = CASES.to_vec();
    cases.sort_by_key(|&(_, _, _, memory)| memory);
    for (name, run, wanted, memory) in cases {
        let before = forget_peak();
        let begin = Instant::now();
        let answer = run();
        let (time, grown) = (begin.elapsed(), peak().saturating_sub(before));
        println!("{name}: {time:?}, {} KiB", grown / 1024);
        let shown: String = answer.chars().take(400).collect();
        let is_good = answer.contains(wanted) && time < TIME && grown < memory;
        if !is_good {
            bad.push(format!("{name}: {time:?}, {} MiB, {shown:?}", grown >> 20));
        }
    }
    assert!(bad.is_empty(), "{}", bad.join("\n"));
}

/// Lets the kernel count anew, and tells what the process holds now. Where it does not, memory is not
/// compared.
fn forget_peak() -> usize {
    // Nothing depends on it: the bounds hold for what was taken before, too.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
    peak()
}

/// The most memory that this process had since, in bytes; 0 where the system does not tell.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    kilobytes.unwrap_or(0) * 1024
}

/// A clock that stands still, and numbers that nobody should trust.
#[derive(Debug)]
struct TestHost;

impl Host for TestHost {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    fn random(&self, buffer: &mut [u8]) {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        for byte in buffer {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            *byte = state.to_be_bytes()[0];
        }
    }
}

fn answer<E: std::error::Error>(result: Result<String, E>) -> Answer {
    result.unwrap_or_else(|error| format!("error: {error}"))
}

/// Loads and renders a chart of this Chart.yaml and files.
fn chart(metadata: &str, files: &[(&str, &str)]) -> Answer {
    let metadata = File::new("Chart.yaml", metadata.as_bytes().to_vec());
    let files = files.iter().map(|(name, text)| File::new(*name, text.as_bytes().to_vec()));
    let files: Vec<File> = [metadata].into_iter().chain(files).collect();
    match Chart::from_files(files, &LoadOptions::default()) {
        Ok(chart) => rendered(chart),
        Err(error) => format!("error: {}", error.helm_text()),
    }
}

fn rendered(chart: Chart) -> Answer {
    let release = ReleaseInfo {
        name: "r".to_owned(),
        namespace: "default".to_owned(),
        revision: 1,
        is_upgrade: false,
    };
    let mut options = RenderOptions::new(Compat::Helm4);
    options.limits = Limits { steps: 3_000_000, output: OUTPUT, ..Limits::default() };
    let rendered =
        render(chart, &Values::new(), &release, &options, &TestHost, &Scope::background());
    let manifests = rendered.map(|release| {
        let contents = release.manifests.into_iter().map(|manifest| manifest.content);
        format!("rendered {}", contents.collect::<String>())
    });
    answer(manifests)
}

const METADATA: &str = "apiVersion: v2\nname: a\nversion: 1.0.0\n";

fn template(text: &str) -> Answer {
    let text =
        if text.starts_with("kind") { text.to_owned() } else { format!("a: |-\n  {text}\n") };
    chart(METADATA, &[("templates/t.yaml", &text), ("values.txt", "x")])
}

fn schema(text: &str) -> Answer {
    let value = "a".repeat(1000) + "b";
    chart(METADATA, &[("values.schema.json", text), ("values.yaml", &format!("a: {value}\n"))])
}

fn many_parts() -> Answer {
    schema(&format!("{{\"allOf\": [{}{{}}]}}", "{\"type\": \"object\"},".repeat(100_000)))
}

/// Each definition asks for the next one twice.
fn doubling_schema() -> Answer {
    let link = |next: u32| {
        format!(
            "{{\"allOf\": [{{\"$ref\": \"#/$defs/d{next}\"}}, {{\"$ref\": \"#/$defs/d{next}\"}}]}}"
        )
    };
    let definitions: Vec<String> =
        (0..64).map(|number| format!("\"d{number}\": {}", link(number + 1))).collect();
    let definitions = definitions.join(",");
    schema(&format!("{{\"$ref\": \"#/$defs/d0\", \"$defs\": {{{definitions}, \"d64\": {{}}}}}}"))
}

fn tgz(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let metadata = ("a/Chart.yaml", METADATA.as_bytes());
    for (name, data) in [metadata].iter().chain(entries) {
        let mut header = tar::Header::new_gnu();
        // The library itself would refuse some of these names.
        header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(data.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append(&header, *data).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

fn load(archive: &[u8]) -> Answer {
    match Chart::from_archive(archive, &LoadOptions::default()) {
        Ok(chart) => rendered(chart),
        Err(error) => format!("error: {}", error.helm_text()),
    }
}

fn archive(entries: &[(&str, &[u8])]) -> Answer {
    load(&tgz(entries))
}

fn zeros() -> Answer {
    let block = vec![0_u8; 5 << 20];
    let names: Vec<String> = (0..200).map(|number| format!("a/f{number}")).collect();
    archive(&names.iter().map(|name| (name.as_str(), &*block)).collect::<Vec<_>>())
}

fn nested() -> Answer {
    let mut deep = tgz(&[]);
    for _ in 0..40 {
        deep = tgz(&[("a/charts/a.tgz", &deep)]);
    }
    load(&deep)
}

fn many_files() -> Answer {
    let names: Vec<String> = (0..100_001).map(|number| format!("a/{number}")).collect();
    archive(&names.iter().map(|name| (name.as_str(), &b""[..])).collect::<Vec<_>>())
}

fn index(entries: &str) -> Answer {
    let text = format!("apiVersion: v1\nentries:\n  {entries}");
    let versions = Index::read(text.into_bytes()).and_then(|index| index.versions("web"));
    answer(versions.map(|versions| format!("{} versions", versions.versions.len())))
}

fn large_index() -> Answer {
    let mut text = String::from("apiVersion: v1\nentries:\n  web:\n");
    for number in 0..600_000 {
        let _ = writeln!(
            text,
            "  - {{name: web, version: 1.0.{number}, urls: [web-{number}.tgz], digest: {number:064}}}"
        );
    }
    answer(
        Index::read(text.into_bytes())
            .and_then(|index| index.get("other", ""))
            .map(|_| "found".to_owned()),
    )
}

fn assign(expression: &str) -> Answer {
    let mut values = Values::new();
    answer(set(expression, &mut values, SetMode::Typed, Compat::Helm4).map(|()| "set".to_owned()))
}

fn values(text: &str) -> Answer {
    answer(read_values(text.as_bytes(), Compat::Helm4).map(|_| "read".to_owned()))
}

fn sorted(manifest: &str) -> Answer {
    let files = [("c/templates/a.yaml", manifest)];
    let order = gitops_helm::KindOrder::Install;
    let sorted = sort_manifests(files, order, Compat::Helm4, &mut Vec::new());
    answer(sorted.map(|_| "sorted".to_owned()))
}

fn bomb() -> String {
    let levels = (1..10).map(|level| {
        let aliases = vec![format!("*a{}", level - 1); 9].join(", ");
        format!("a{level}: &a{level} [{aliases}]\n")
    });
    "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned() + &levels.collect::<String>()
}

/// What a release's Secret holds: base64 of gzip of JSON.
fn packed(parts: impl Iterator<Item = Vec<u8>>) -> String {
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    for part in parts {
        packer.write_all(&part).unwrap();
    }
    BASE64_STANDARD.encode(packer.finish().unwrap())
}

fn record(text: &str) -> Answer {
    answer(decode_record_text(text).map(|_| "decoded".to_owned()))
}

fn record_bomb() -> Answer {
    record(&packed((0..512).map(|_| vec![b' '; 1 << 20])))
}
