//! Templates that mean harm end with an error, soon, and without much memory.

use std::time::{Duration, Instant};

use gitops_core::Scope;
use gitops_template::{
    ErrorKind, Functions, HelmVersion, Limits, Map, MissingKey, Options, Sealed, Templates, Value,
    helm,
};

fn templates(text: &str) -> Result<Templates, gitops_template::Error> {
    let mut templates = Templates::new(Functions::builtin().with(helm(HelmVersion::V4)));
    templates.add("t", text)?;
    Ok(templates)
}

fn run(text: &str, scope: &Scope) -> Result<String, gitops_template::Error> {
    let limits = Limits { steps: 2_000_000, output: 64 << 20, ..Limits::default() };
    let options = Options { limits, missing: MissingKey::Zero, ..Options::default() };
    templates(text)?.render("t", Value::Map(Map::new()), options, &Sealed, scope)
}

#[test]
fn what_does_not_end_is_ended() {
    let begin = Instant::now();
    let cases = [
        "{{ range 9000000000000000000 }}{{ end }}",
        "{{ template \"t\" . }}",
        "{{ define \"a\" }}{{ include \"b\" . }}{{ end }}{{ define \"b\" }}{{ include \"a\" . }}{{ end }}\
         {{ include \"a\" . }}",
        "{{ define \"a\" }}{{ tpl \"{{ include \\\"a\\\" . }}\" . }}{{ end }}{{ include \"a\" . }}",
        "{{ repeat 2000000000 \"x\" }}",
        "{{ until 2000000000 }}",
        "{{ $s := \"xxxxxxxxxxxxxxxx\" }}{{ range until 60 }}{{ $s = print $s $s }}{{ end }}",
        "{{ $s := \"x\" }}{{ range until 60 }}{{ $s = $s | replace \"x\" \"xxxx\" }}{{ end }}",
        "{{ $f := repeat 10000 \"%1000000[1]d\" }}{{ printf $f 1 }}",
        "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ $_ := set $d \"b\" $d }}{{ $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ $_ := set $d \"b\" $d }}{{ print $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ $_ := set $d \"b\" $d }}{{ mustToYaml $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ $_ := set $d \"b\" $d }}{{ mustToJson $d }}",
        "{{ $d := dict }}{{ $_ := set $d \"a\" $d }}{{ $_ := set $d \"b\" $d }}{{ deepCopy $d }}",
        "{{ regexReplaceAll \"(x*)*y\" (repeat 100000 \"x\") \"\" | len | fail }}",
        "{{ seq 1 2000000000 }}",
        "{{ indent 1000000 (repeat 1000 \"\\n\") }}",
        "{{ randAlpha 2000000000 }}",
        "{{ $l := list 1 }}{{ range until 60 }}{{ $l = concat $l $l }}{{ end }}",
    ];
    for text in cases {
        let result = run(text, &Scope::background()).map(|text| text.len());
        assert!(result.is_err(), "{text} gives {result:?}");
    }
    // Each is bounded; the bound is generous because machines differ.
    assert!(begin.elapsed() < Duration::from_secs(120), "{:?}", begin.elapsed());
}

#[test]
fn nesting_is_bounded() {
    let parens = format!("{{{{ {}1{} }}}}", "(".repeat(100_000), ")".repeat(100_000));
    let blocks = "{{ if . }}".repeat(100_000) + &"{{ end }}".repeat(100_000);
    let elses = format!("{{{{ if . }}}}{}{{{{ end }}}}", "{{ else if . }}".repeat(100_000));
    for text in [parens, blocks, elses] {
        assert_eq!(templates(&text).unwrap_err().kind(), ErrorKind::Parse);
    }
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(900), ")".repeat(900));
    assert_eq!(run(&deep, &Scope::background()).unwrap(), "1");
}

#[test]
fn a_cancelled_run_ends() {
    let scope = Scope::background();
    scope.cancel();
    let error = run("{{ range 1000000 }}x{{ end }}", &scope).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled);
}

#[test]
fn any_text_parses_or_fails_with_a_place() {
    let pieces = [
        "{{", "}}", "{{-", "-}}", " ", "\n", "if", "range", "$x", ":=", ".a", "(", ")", "\"s",
        "`r", "'c'", "1e", "|", ",", "/*", "*/", "define", "end", "else", "é", "\u{85}", "0x",
        "template",
    ];
    // A walk through all pairs and a deterministic shuffle of longer texts.
    let mut state = 7_u64;
    for number in 0..20_000_u32 {
        let mut text = String::from("{{");
        for _ in 0..number % 12 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let pick = usize::try_from(state >> 33).unwrap_or_default() % pieces.len();
            text.push_str(pieces[pick]);
        }
        if let Err(error) = templates(&text) {
            assert!(error.parse_location().is_some(), "{text:?}: {error}");
        }
    }
}
