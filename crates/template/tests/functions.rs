//! All functions with arguments that nobody thought of, what they make of what they made, and what
//! they refuse to make.

use std::time::{Duration, Instant};

use gitops_core::Scope;
use gitops_template::{
    ErrorKind, Functions, HelmVersion, Limits, Map, Options, Sealed, Templates, Value, helm,
    hermetic, sprig,
};
use proptest::{
    collection::vec,
    prelude::{Just, ProptestConfig, Strategy, any, prop_oneof, proptest},
    sample::select,
};

const LIMITS: Limits = Limits { steps: 2_000_000, output: 8 << 20, depth: 200 };

fn render(text: &str, values: Map) -> Result<String, gitops_template::Error> {
    let mut templates = Templates::new(Functions::builtin().with(helm(HelmVersion::V4)));
    templates.add("t", text)?;
    let dot = Map::from_iter([("Values", values)]).into();
    let options = Options { limits: LIMITS, ..Options::default() };
    templates.render("t", dot, options, &Sealed, &Scope::background())
}

fn text(template: &str) -> String {
    render(template, Map::new()).unwrap_or_else(|error| panic!("{template}: {error}"))
}

/// Functions that take their time whatever they are given.
fn is_slow(name: &str) -> bool {
    matches!(name, "bcrypt" | "htpasswd" | "derivePassword") || name.starts_with("gen")
}

fn argument() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("nil".to_owned()),
        Just("true".to_owned()),
        any::<i64>().prop_map(|value| format!("({value})")),
        (-3_i64..70).prop_map(|value| value.to_string()),
        (-1e9_f64..1e9).prop_map(|value| format!("{value:?}")),
        "[ -~é☃\u{1f600}]{0,12}".prop_map(|text| format!("{text:?}").replace("\\'", "'")),
        Just("\"\\xff\\x80a\"".to_owned()),
        Just("(list 1 \"b\" nil (list 2))".to_owned()),
        Just("(list)".to_owned()),
        Just("(dict \"a\" 1 \"b\" (dict \"c\" nil))".to_owned()),
        Just("(splitList \",\" \"b,a\")".to_owned()),
        Just("(semver \"1.2.3-a+b\")".to_owned()),
        Just("(now)".to_owned()),
        Just("\"2006-01-02T15:04:05.000Z07:00 MST PM __2\"".to_owned()),
        Just("\"^(a|b)+[[:alpha:]]{2,}$\"".to_owned()),
        Just("$.Values".to_owned()),
        Just("$.Values.missing".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// A call gives a text or an error, never a panic.
    #[test]
    fn no_arguments_break_a_function(
        name in select(helm(HelmVersion::V4).map(gitops_template::Function::name).filter(|name| !is_slow(name)).collect::<Vec<_>>()),
        arguments in vec(argument(), 0..5),
    ) {
        let call = format!("{{{{ {name} {} }}}}", arguments.join(" "));
        let values = Map::from_iter([("x", "y")]);
        let _ = render(&call, values);
    }

    #[test]
    fn what_is_encoded_decodes(bytes in "[\\x00-\\x{10fdff}]{0,40}") {
        let values = || Map::from_iter([("v", bytes.as_str())]);
        for (encode, decode) in [("b64enc", "b64dec"), ("b32enc", "b32dec"), ("toJson", "mustFromJson")] {
            let template = format!("{{{{ $.Values.v | {encode} | {decode} | eq $.Values.v }}}}");
            assert_eq!(render(&template, values()).unwrap(), "true", "{encode}");
        }
        let template = "{{ encryptAES \"k\" $.Values.v | decryptAES \"k\" | eq $.Values.v }}";
        assert_eq!(render(template, values()).unwrap(), "true");
        let template = "{{ regexMatch (printf \"^%s$\" (regexQuoteMeta $.Values.v)) $.Values.v }}";
        assert_eq!(render(template, values()).unwrap(), "true");
    }

    #[test]
    fn documents_come_back(keys in vec("[a-z0-9_. :#-]{1,12}", 1..6), leaf in "[ -~]{0,60}", number in any::<f64>()) {
        let inner: Map = keys.iter().map(|key| (key.as_str(), leaf.as_str())).collect();
        // YAML takes a negative zero for an integer.
        let number = if number.is_finite() && number != 0.0 { number } else { 0.5 };
        let outer = Map::from_iter([("m", Value::from(inner)), ("n", number.into()), ("z", Value::Nil)]);
        for (write, read) in [("toYaml", "fromYaml"), ("toJson", "fromJson")] {
            let template = format!("{{{{ eq (toJson $.Values) ($.Values | {write} | {read} | toJson) }}}}");
            assert_eq!(render(&template, outer.clone()).unwrap(), "true", "{write}");
        }
        let template = "{{ eq (toJson $.Values.m) ($.Values.m | toToml | fromToml | toJson) }}";
        assert_eq!(render(template, outer).unwrap(), "true");
    }

    #[test]
    fn patterns_never_panic(pattern in "[ -~é]{0,16}", against in "[ -~é]{0,16}") {
        let values = Map::from_iter([("p", pattern.as_str()), ("t", against.as_str())]);
        render("{{ regexMatch .Values.p .Values.t }}{{ regexQuoteMeta .Values.p }}", values).unwrap();
    }
}

#[test]
fn what_would_be_too_much_is_refused_at_once() {
    for template in [
        "{{ repeat 2000000000 \"abc\" }}",
        "{{ until 9000000000000 }}",
        "{{ untilStep 0 9000000000000 1 }}",
        "{{ seq 9000000000000 }}",
        "{{ nindent 900000000 \"a\" }}",
        "{{ indent 9000000 (repeat 1000 \"\\n\") }}",
        "{{ randAlphaNum 9000000000 }}",
        "{{ randBytes 9000000000 }}",
        "{{ replace \"a\" (repeat 100000 \"b\") (repeat 100000 \"a\") }}",
        "{{ regexReplaceAll \"a\" (repeat 100000 \"a\") (repeat 100000 \"b\") }}",
        "{{ join (repeat 100000 \"b\") (until 100000) }}",
        "{{ wrapWith 1 (repeat 100000 \"b\") (repeat 100000 \"a\") }}",
        // Thirty doublings of one value.
        "{{ $x := list 1 }}{{ range until 30 }}{{ $x = list $x $x }}{{ end }}{{ toYaml $x }}",
        "{{ $x := list 1 }}{{ range until 30 }}{{ $x = list $x $x }}{{ end }}{{ toJson $x }}",
        "{{ $x := list 1 }}{{ range until 30 }}{{ $x = list $x $x }}{{ end }}{{ toToml (dict \"a\" $x) }}",
        "{{ $x := list 1 }}{{ range until 30 }}{{ $x = list $x $x }}{{ end }}{{ deepCopy $x }}",
        "{{ range until 100 }}{{ genPrivateKey \"rsa\" }}{{ end }}",
    ] {
        let start = Instant::now();
        let error = render(template, Map::new()).expect_err(template);
        assert_eq!(error.kind(), ErrorKind::Limit, "{template}: {error}");
        assert!(start.elapsed() < Duration::from_secs(20), "{template}");
    }
}

#[test]
fn values_that_hold_themselves_end() {
    let itself = "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}";
    for (call, shown) in [
        ("{{ toYaml $d }}", ""),
        ("{{ toJson $d }}", ""),
        ("{{ toYamlPretty $d }}", ""),
        ("{{ mergeOverwrite $d $d | len }}", ""),
        ("{{ hasKey $d \"d\" }}", "true"),
    ] {
        match render(&format!("{itself}{call}"), Map::new()) {
            Ok(text) => assert_eq!(text, shown, "{call}"),
            Err(error) => assert_eq!(shown, "", "{call}: {error}"),
        }
    }
    assert!(render(&format!("{itself}{{{{ deepCopy $d }}}}"), Map::new()).is_err());
}

#[test]
fn families_are_whole() {
    let names = |functions: Vec<&'static gitops_template::Function>| {
        let mut names: Vec<_> =
            functions.into_iter().map(gitops_template::Function::name).collect();
        names.sort_unstable();
        names.dedup();
        names
    };
    let sprig = names(sprig().collect());
    // Those of sprig v3.3 but for `env` and `expandenv`.
    assert_eq!(sprig.len(), 209, "{sprig:?}");
    let hermetic = names(hermetic().collect());
    assert!(!hermetic.contains(&"now") && !hermetic.contains(&"randAlpha"));
    let (v3, v4) = (names(helm(HelmVersion::V3).collect()), names(helm(HelmVersion::V4).collect()));
    assert_eq!(v4.len() - v3.len(), 13);
    assert!(v3.contains(&"include") && v3.contains(&"toYamlPretty"));
}

#[test]
fn functions_do_what_their_documentation_says() {
    for (template, shown) in [
        ("{{ abbrevboth 5 10 \"1234 5678 9123\" }}", "...5678..."),
        (
            "{{ camelcase \"http_server\" }} {{ snakecase \"HTTPServer2xx\" }}",
            "HttpServer http_server_2xx",
        ),
        ("{{ round 123.5555 3 }} {{ round 123.5555 3 0.6 }}", "123.556 123.555"),
        ("{{ divf 10 3 }} {{ addf 0.1 0.2 }}", "3.3333333333333335 0.3"),
        ("{{ seq 5 -2 1 }}|{{ seq 0 2 5 }}|{{ seq 3 }}", "5 3 1|0 2 4|1 2 3"),
        ("{{ chunk 2 (list 1 2 3) }}", "[[1 2] [3]]"),
        ("{{ dict \"a\" (list 1) | merge (dict \"a\" (list)) }}", "map[a:[1]]"),
        ("{{ mergeOverwrite (dict \"a\" 1) (dict \"a\" nil) }}", "map[a:<nil>]"),
        ("{{ durationRoundTo \"93s\" \"1m\" }} {{ durationDays \"36h\" }}", "2m0s 1.5"),
        (
            "{{ toDate \"Jan _2 2006 3PM\" \"Feb  3 2021 4PM\" | date \"2006-01-02 15:04\" }}",
            "2021-02-03 16:00",
        ),
        (
            "{{ dateInZone \"15:04 MST -07:00\" (int64 1700000000) \"Asia/Kolkata\" }}",
            "03:43 IST +05:30",
        ),
        (
            "{{ fromToml \"a = {b = [1, 2.5], c = 2001-01-01}\" | toJson }}",
            "{\"a\":{\"b\":[1,2.5],\"c\":\"2001-01-01T00:00:00Z\"}}",
        ),
        (
            "{{ urlJoin (dict \"scheme\" \"http\" \"host\" \"h\" \"path\" \"/a b\") }}",
            "http://h/a%20b",
        ),
        (
            "{{ semverCompare \"^1.2 || >=3\" \"3.1.0\" }}{{ (semver \"v1.2.3-x\").IncPatch }}",
            "true1.2.3",
        ),
    ] {
        assert_eq!(text(template), shown, "{template}");
    }
}
