//! Whatever comes in, nothing panics; and what must hold for all inputs holds.
#![expect(clippy::unwrap_used, clippy::format_push_string, reason = "helpers of tests")]

use gitops_helm::{
    Chart, Compat, File, Index, KindOrder, LoadOptions, SetMode, Values, coalesce, merge,
    read_values, set, sort_manifests, split_manifests, validate_schema,
};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn compat() -> impl Strategy<Value = Compat> {
    prop_oneof![Just(Compat::Helm3), Just(Compat::Helm4)]
}

fn mode() -> impl Strategy<Value = SetMode> {
    prop_oneof![
        Just(SetMode::Typed),
        Just(SetMode::Text),
        Just(SetMode::Json),
        Just(SetMode::Literal)
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_i64..9).prop_map(Value::from),
        "[a-c]{0,2}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec(("[a-d]|global", inner), 0..4)
                .prop_map(|entries| Value::Object(entries.into_iter().collect())),
        ]
    })
}

fn table() -> impl Strategy<Value = Values> {
    prop::collection::vec(("[a-d]|global", value()), 0..5)
        .prop_map(|entries| entries.into_iter().collect::<Map<_, _>>())
}

/// A chart with these values, and charts `a` and `b` below it.
fn family(values: &[Values; 3]) -> Chart {
    let [own, a, b] = values;
    let mut files = Vec::new();
    for (prefix, name, values) in [("", "p", own), ("charts/a/", "a", a), ("charts/b/", "b", b)] {
        let metadata = format!("apiVersion: v2\nname: {name}\nversion: 1.0.0\n");
        files.push(File::new(format!("{prefix}Chart.yaml"), metadata.into_bytes()));
        let text = Value::Object(values.clone()).to_string();
        files.push(File::new(format!("{prefix}values.yaml"), text.into_bytes()));
    }
    Chart::from_files(files, &LoadOptions::default()).unwrap()
}

fn has_null(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(object) => object.values().any(has_null),
        _ => false,
    }
}

proptest! {
    #[test]
    fn expressions_never_panic(
        text in "[ab.=,\\[\\]{}0-9\\\\\"' -]{0,40}|\\PC{0,40}",
        mut values in table(),
        mode in mode(),
        compat in compat(),
    ) {
        let _ = set(&text, &mut values, mode, compat);
    }

    /// What is set literally is there, letter by letter.
    #[test]
    fn literals_are_kept(key in "[a-z]{1,5}", text in "\\PC{0,30}", compat in compat()) {
        let mut values = Values::new();
        set(&format!("{key}={text}"), &mut values, SetMode::Literal, compat).unwrap();
        prop_assert_eq!(&values[&key], &Value::from(text));
    }

    /// Merging the same values again changes nothing, and what is merged last is there.
    #[test]
    fn merging_is_idempotent(first in table(), second in table()) {
        let mut once = first;
        merge(&mut once, second.clone());
        let mut twice = once.clone();
        merge(&mut twice, second.clone());
        prop_assert_eq!(&once, &twice);
        for (key, value) in second {
            if !value.is_object() {
                prop_assert_eq!(&once[&key], &value);
            }
        }
    }

    /// Given scalars win over defaults, and Helm 4 leaves no null that nobody gave.
    #[test]
    fn given_values_win(
        values in [table(), table(), table()],
        given in table(),
        compat in compat(),
    ) {
        let chart = family(&values);
        let Ok(coalesced) = coalesce(&chart, &given, compat, &mut Vec::new()) else { return Ok(()) };
        for (key, value) in &given {
            if !value.is_null() && !value.is_object() && key != "global" {
                prop_assert_eq!(&coalesced[key], value);
            }
        }
        if given.is_empty() && compat == Compat::Helm4 {
            let own: Values = coalesced
                .iter()
                .filter(|(key, _)| !["a", "b", "global"].contains(&key.as_str()))
                .map(|(key, value)| (key.clone(), value.clone()))
                .collect();
            prop_assert!(!has_null(&Value::Object(own)));
        }
    }

    #[test]
    fn documents_never_panic(text in "[a-c:\\-#\\[\\]{}&*!|> \n\"']{0,60}|\\PC{0,60}", compat in compat()) {
        let _ = read_values(text.as_bytes(), compat);
        let files = [("c/templates/a.yaml", text.as_str())];
        let _ = sort_manifests(files, KindOrder::Install, compat, &mut Vec::new());
        let _ = Index::read(text.into_bytes()).map(|index| index.check());
    }

    /// Splitting loses nothing but space and separators.
    #[test]
    fn splitting_keeps_what_is_said(text in "(---|\n| |a|#){0,30}", compat in compat()) {
        let count = |text: &str| text.matches('a').count();
        let documents = split_manifests(&text, compat);
        prop_assert_eq!(documents.iter().map(|document| count(document)).sum::<usize>(), count(&text));
        prop_assert!(documents.iter().all(|document| !document.trim().is_empty()));
    }

    #[test]
    fn archives_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = Chart::from_archive(&bytes, &LoadOptions::default());
    }

    /// An index is read alike, block by block and as a whole.
    #[test]
    fn indexes_are_read_alike(
        names in prop::collection::btree_set("c[a-z0-9-]{2,6}", 1..5),
        text in "[a-z:#'\\[\\]{}|>&* -]{0,20}",
        hidden in any::<bool>(),
    ) {
        let mut index = String::from("apiVersion: v1\nentries:\n");
        let quoted = serde_json::to_string(&text).unwrap();
        for name in &names {
            index.push_str(&format!(
                "  {name}:\n  - name: {name}\n    version: 1.0.0\n    description: {quoted}\n"
            ));
        }
        // An anchor makes the scan give up.
        let whole = index.replace("entries:\n", "entries: &e\n");
        let text = if hidden { whole } else { index };
        let index = Index::read(text.into_bytes()).unwrap();
        prop_assert!(index.names().eq(names.iter().map(String::as_str)));
        for name in &names {
            prop_assert_eq!(&index.get(name, "").unwrap().metadata.name, name);
        }
    }

    #[test]
    fn schemas_never_panic(schema in value(), values in table()) {
        let files = vec![
            File::new("Chart.yaml", &b"name: a\nversion: 1.0.0\n"[..]),
            File::new("values.schema.json", schema.to_string().into_bytes()),
        ];
        let chart = Chart::from_files(files, &LoadOptions::default()).unwrap();
        let _ = validate_schema(&chart, &values);
    }
}
