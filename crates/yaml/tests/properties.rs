//! What holds for every text and every tree.

#![allow(clippy::unwrap_used, reason = "a failure is the test's")]

use gitops_yaml::{Content, Flavour, Node, ReadOptions, Spans, read, read_all, to_yaml};
use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value};

/// Strings that are easily taken for something else.
fn text() -> impl Strategy<Value = String> {
    // Quirk: go-yaml loses the difference between line breaks and line separators in `|` scalars.
    let mixed = |text: &String| !(text.contains('\n') && text.contains('\u{2028}'));
    prop_oneof![
        "[ -~]{0,12}",
        "[a-z:#,\\-?!&*|>'\"%@`{}\\[\\] \n\t.0-9]{0,20}",
        "(word |  |\n|é|😀|\u{2028}|'|\"|\\\\|\t){0,40}",
        prop::sample::select(vec![
            "",
            "~",
            "null",
            "yes",
            "n",
            "1.5",
            "0x1f",
            "1e3",
            "1:30",
            "2020-01-01",
            "<<",
            "=",
            "-",
            "...",
            "--- x",
            "\u{a0}",
            "\u{feff}",
            "a\n",
            "\n",
            " a",
            "a ",
            "a\n\n",
        ])
        .prop_map(str::to_owned),
    ]
    .prop_filter("line breaks of two kinds", mixed)
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        // JSON does not tell a whole float from an integer.
        (-1e12..1e12_f64).prop_filter("a whole float", |f| f.fract() != 0.0).prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            // Quirk: go-yaml prints a key `<<` as if it were a merge.
            vec((text().prop_filter("a merge key", |key| key != "<<"), inner), 0..6)
                .prop_map(|entries| Value::from(entries.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Whether something holds for all nodes of a tree, keys left out.
fn every(node: &Node, holds: &dyn Fn(&Node) -> bool) -> bool {
    holds(node)
        && match node.content() {
            Content::Scalar(_) => true,
            Content::Mapping(mapping) => mapping.values().all(|value| every(value, holds)),
            Content::Sequence(items) => items.iter().all(|item| every(item, holds)),
        }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    #[test]
    fn what_is_printed_is_read_as_it_was(value in tree()) {
        let node = Node::from_json(value);
        let printed = to_yaml(&node).unwrap();
        let again = read(&printed);
        prop_assert!(again.is_ok(), "{}\n{:#}", printed, again.unwrap_err());
        let again = again.unwrap();
        prop_assert_eq!(&again.to_json().unwrap(), &node.to_json().unwrap(), "{}", printed);
        prop_assert_eq!(&to_yaml(&again).unwrap(), &printed);
        let v2 = gitops_yaml::read_first(&printed, Flavour::V2).unwrap();
        prop_assert_eq!(v2.to_json_v2().unwrap(), node.to_json().unwrap());
    }

    #[test]
    fn what_is_printed_as_yaml_v3_prints_is_read_as_it_was(value in tree()) {
        let node = Node::from_json(value);
        let printed = gitops_yaml::to_yaml_pretty(&node).unwrap();
        // Quirk: yaml.v3 prints lines that begin with a tab in literals, and does not read them.
        prop_assume!(!printed.contains('\t'));
        let again = read(&printed);
        prop_assert!(again.is_ok(), "{}\n{:#}", printed, again.unwrap_err());
        prop_assert_eq!(&again.unwrap().to_json().unwrap(), &node.to_json().unwrap(), "{}", printed);
    }

    #[test]
    fn json_is_read_as_it_was(value in tree()) {
        let node = Node::from_json(value);
        let json = gitops_yaml::to_json_text(&node).unwrap();
        prop_assert_eq!(read(&json).unwrap().to_json().unwrap(), node.to_json().unwrap(), "{}", json);
    }

    #[test]
    fn no_text_makes_it_panic(text in "(\\PC|[ \n\t:,\\-?\\[\\]{}&*!|>'\"%@#~.0a]){0,80}") {
        for node in read_all(&text).into_iter().flatten() {
            let _ = to_yaml(&node);
        }
        let _ = gitops_yaml::read_first(&text, Flavour::V2);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..60)) {
        let _ = ReadOptions::default().read_all(&bytes);
    }

    #[test]
    fn places_lead_to_the_text(value in tree()) {
        let printed = to_yaml(&Node::from_json(value)).unwrap();
        let node = read(&printed).unwrap();
        let spans = Spans::of(&printed);
        let same = |node: &Node| {
            let span = spans.span(node).expect("it stands in the text");
            // A value in a block is indented, so only those of a line are read alone.
            printed[span.clone()].contains('\n') || read(&printed[span]).is_ok_and(|own| own == *node)
        };
        prop_assert!(every(&node, &same), "{}", printed);
    }
}
