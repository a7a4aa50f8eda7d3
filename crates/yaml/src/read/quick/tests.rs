//! The short way and the long way give the same nodes, places included.

use crate::{
    error::Error,
    node::{Content, Node},
    read::{
        ReadOptions,
        compose::{Composer, Next},
    },
    resolve::Flavour,
};
use proptest::prelude::*;

fn read(mut composer: Composer<'_>) -> Result<Vec<Option<Node>>, Error> {
    let mut documents = Vec::new();
    loop {
        match composer.next_document()? {
            Next::End => return Ok(documents),
            Next::Empty => documents.push(None),
            Next::Document(node) => documents.push(Some(node)),
        }
    }
}

/// Whether two nodes are equal in everything, places and styles included.
fn are_same(a: &Node, b: &Node) -> bool {
    let same = match (a.content(), b.content()) {
        (Content::Scalar(a), Content::Scalar(b)) => a == b,
        (Content::Mapping(a), Content::Mapping(b)) => {
            let pairs = || a.entries().iter().zip(b.entries());
            a.len() == b.len()
                && pairs().all(|(a, b)| are_same(&a.key, &b.key) && are_same(&a.value, &b.value))
        }
        (Content::Sequence(a), Content::Sequence(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| are_same(a, b))
        }
        _ => false,
    };
    same && a.is_flow() == b.is_flow() && a.place() == b.place() && a.tag() == b.tag()
}

/// Reads both ways.
fn check(text: &str) {
    for flavour in [Flavour::V2, Flavour::V3] {
        let options = ReadOptions::flavour(flavour);
        let short = read(Composer::new(text, &options));
        let long = read(Composer::new(text, &options).the_long_way());
        match (&short, &long) {
            (Ok(short), Ok(long)) => {
                let same = short.len() == long.len()
                    && short.iter().zip(long).all(|pair| match pair {
                        (Some(short), Some(long)) => are_same(short, long),
                        (short, long) => short.is_none() && long.is_none(),
                    });
                assert!(same, "{text:?}\n{short:#?}\nis not\n{long:#?}");
            }
            (Err(short), Err(long)) => {
                assert_eq!(format!("{short:#}"), format!("{long:#}"), "{text:?}");
            }
            _ => panic!("{text:?}: {short:?} is not {long:?}"),
        }
    }
}

#[test]
fn texts_read_the_same_both_ways() {
    for text in [
        "",
        "\n# nothing\n",
        "---\n---\n--- # none\n\n---\na: b",
        "a: b",
        "a: b # c\n\n\n# d\nc:\n  # e\n  d: e\n",
        "a:\n- b\n-\n- c: d\n  e: f\n- - g\n  -\n  - h\nb:\n  - i\n",
        "a: [b, 'c', {d: e, \"f\":g, h: 1}, [], {}] # x\nb: {}\n",
        "a: |\n  b\n\n   c\n  \n\nd: |-\n    e\nf: |+\n  g\n\n\nh: i",
        "a: |\n  b",
        "a: |\n  b\n  ",
        "a: |2\n    b\nc: >\n  d\n  e\n\n  f\ng: h\n",
        "a: b\n  c\n  d\ne: 'f\n\n  g'\nh: \"i\\n\\\n  j\"\n",
        "a: b # c\n  d\n",
        "a:\n  b: c\n d: e\n",
        "a:\n  {}\nb:\n  [c, {d: e}] # f\n\ng: h\n",
        "a:\n  b\nc:\n  'd'\ne:\n  \"f\\n\" # g\nh:\n  i\n j\nk:\n  l\n  m\n",
        "-\n  a\n-\n  {}\n-\n  'b'\n- c\n",
        "a:\n  {}\n  b: c\n",
        "a:\n  {}: b\n",
        "a:\n  |\n  b\nc: d\n",
        "a:\n  b c: d\n",
        "a:\n  b\n  c: d\n",
        "a:\n {b: c,\n  d: e}\n",
        "  a\n  b\n",
        "{}\n",
        "- a: b\n  c: d\n-e\n",
        "a: b: c\n",
        "a: 1\na: 2\n",
        "ä: é # ö\nb: \"ü\" \n\"c d\": e\n",
        "a: \tb\nc:\td\n",
        "a: b\n...\nc: d\n",
        "a: b\n...\n---\nc: d\n",
        "--- a\n---\nb: c\n---\n- d\n",
        "&a a: b\n---\nc: d\n--- !x\ne: f\n---\ng: h\n",
        "%YAML 1.1\n---\na: b\n",
        "yes: a\n1: b\n~: c\n<<: {d: e}\n",
        "a: 'b''c'\n'd': e\n'f' : g\n",
        "a: http://b:80/c#d\nb: c:d\ne: f:\n",
        "a: [b\n  , c]\nd: {e:f, g}\n",
        "? a\n: b\n",
        "a: -\nb: - c\n",
        "a:\n- b\nc:\n- d\n e: f\n",
        "- a\nb: c\n",
        "a:\n    - b\n  c: d\n",
        "- |\n b\n- >-\n  c\n\n- d\n",
        "a: |\n\n  b\n",
        "a: |\n b\n  c\n d\ne: |\n \tf\n",
        "key: |\n  a\n# comment\n b: c\n",
        "a: \"b\" c\n",
        "a: *b\n",
        "a: !!int 5\n",
        "\u{feff}a: b\n",
        "a: b\r\nc: d\r\n",
        "a: b\u{2028}c\nd: e\n",
    ] {
        check(text);
    }
    check(&format!("{}: b\n", "k".repeat(1030)));
    check(&"- ".repeat(70));
    check(&format!("a: {}b{}\n", "[".repeat(70), "]".repeat(70)));
}

/// What stands beside the checkout: all YAML files of the kustomize corpus, and the YAML corpus.
#[test]
fn corpora_read_the_same_both_ways() {
    let shared = std::env::var_os("GITOPS_SHARED").map_or_else(
        || std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        std::path::PathBuf::from,
    );
    let mut files = 0;
    for archive in ["kustomize.tar.gz", "templates-and-yaml.tar.gz"] {
        let Ok(file) = std::fs::File::open(shared.join("corpus").join(archive)) else {
            println!("SKIPPED: {archive} is not there");
            continue;
        };
        let tree = gitops_core::unpack(file, &gitops_core::Limits::default()).unwrap();
        for (path, content) in tree.files() {
            let Ok(text) = std::str::from_utf8(content) else { continue };
            if path.ends_with("yaml/cases.jsonl") {
                for line in text.lines() {
                    let case: serde_json::Value = serde_json::from_str(line).unwrap();
                    check_decoded(case["yaml"].as_str().unwrap());
                }
            }
            if path.extension().is_some_and(|end| end == "yaml" || end == "yml") {
                files += 1;
                check_decoded(text);
            }
        }
    }
    println!("{files} files");
}

/// As a stream arrives: without what the decoder takes away or refuses.
fn check_decoded(text: &str) {
    if let Ok(text) = super::super::encoding::decode(text.as_bytes()) {
        check(&text);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// Pieces of YAML in any order.
    #[test]
    fn lines_read_the_same_both_ways(pieces in prop::collection::vec(prop::sample::select(&[
        "a: ", "b:", "c", "- ", "-", "\n", "\n", "\n", "\n  ", "\n  ", "\n    ", "\n   ", " ", "  ",
        "# x", "'d'", "\"e f\"", "'g\n  h'", "\"i\\n\"", "|\n", "|-\n", ">\n", "|+\n", "[a, b]", "{c: d}",
        "{}", "[", "]", "{", "}", ",", ": ", ":", "---\n", "\n---\n", "...\n", "\t", "ä", "1", "true",
        "\"k\": ", "'k':", "&a ", "*a", "!t ", "? ", "<<: ", "key with space: ", "x y z", "http://a:1/b",
    ][..]), 0..24)) {
        check(&pieces.concat());
    }
}
