//! Hostile texts: each must give an error of the right kind, or the right value, without a panic
//! and without work beyond its size. What takes quadratic time would hang here.

#![allow(clippy::unwrap_used, clippy::format_push_string, reason = "a failure is the test's")]

use gitops_yaml::{
    Duplicates, ErrorKind, Flavour, JsonPatch, Node, ReadOptions, read, read_all, to_yaml,
};

fn kind(text: &str) -> ErrorKind {
    read_all(text).expect_err("an error").kind()
}

#[test]
fn aliases_cannot_multiply() {
    let mut laughs = String::from("a0: &a0 [lol]\n");
    for level in 1..10 {
        let list = vec![format!("*a{}", level - 1); 9].join(", ");
        laughs += &format!("a{level}: &a{level} [{list}]\n");
    }
    assert_eq!(kind(&laughs), ErrorKind::Limit);

    // Merge keys multiply as well.
    let mut merges = String::from("a0: &a0 {k: v}\n");
    for level in 1..12 {
        let list = vec![format!("*a{}", level - 1); 9].join(", ");
        merges += &format!("a{level}: &a{level} {{x{level}: [{list}], <<: [{list}]}}\n");
    }
    assert_eq!(kind(&merges), ErrorKind::Limit);

    // So does one long text.
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), vec!["*a"; 1000].join(","));
    assert_eq!(kind(&long), ErrorKind::Limit);

    // Anchors within anchors are copies of copies.
    let nested = "&a [".repeat(900) + &"x,".repeat(100_000) + &"]".repeat(900);
    assert!(read(&nested).is_ok());

    // An alias counts with its depth.
    let deep = |alias: &str| "[".repeat(900) + alias + &"]".repeat(900);
    let text = format!("- &a {}\n- &b {}\n", deep("x"), deep("*a"));
    assert_eq!(kind(&text), ErrorKind::Limit);
}

#[test]
fn anchors_must_be_there_and_not_within_themselves() {
    for text in ["a: &a [*a]", "a: &a {b: *a}", "a: &a\n  <<: *a", "- *none", "a: &x 1\n---\nb: *x"]
    {
        assert_eq!(kind(text), ErrorKind::Anchor, "{text}");
    }
}

#[test]
fn nesting_has_an_end() {
    for text in ["[", "{", "- ", "{a: ", "[[{", "? ", "&a [", "!!seq ["] {
        for times in [10_000, 100_000] {
            assert_eq!(kind(&text.repeat(times)), ErrorKind::Limit, "{times} × {text:?}");
        }
    }
    let mut steps = String::new();
    for depth in 0..3000 {
        steps.push_str(&" ".repeat(depth));
        steps.push_str("a:\n");
    }
    assert_eq!(kind(&steps), ErrorKind::Limit);
    // What is within the limit is read, printed and dropped.
    let text = "[".repeat(999) + &"]".repeat(999);
    to_yaml(&read(text).unwrap()).unwrap();
}

#[test]
fn broken_texts_give_a_place() {
    let mut wrong = Vec::new();
    for (text, line, column) in [
        ("a: b: c", 1, 5),
        ("a:\n  - b\n c", 3, 2),
        ("a: 'b", 1, 6),
        ("[a, b", 2, 1),
        ("a\n---\n*\n", 3, 2),
        ("\t- a", 1, 1),
        ("a: &", 1, 5),
        ("%YAML", 1, 6),
        ("\"\\ud800\"", 1, 4),
        ("0: [:!00 \u{ea}", 1, 5),
    ] {
        let error = read_all(text).unwrap_err();
        let place = (error.line(), error.column());
        if place != (Some(line), Some(column)) || !format!("{error:#}").contains(" | ") {
            wrong.push(format!("{text:?} at {place:?}: {error:#}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn keys_that_stand_twice_name_both_lines() {
    let error = read("a: 1\nb: 2\n'a': 3\n").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::DuplicateKey);
    assert_eq!(
        error.to_string(),
        "yaml: unmarshal errors:\n  line 3: mapping key \"a\" already defined at line 1"
    );
    // A merge brings no duplicates, but may bring a mapping that has one.
    assert!(read("a: &a {x: 1}\nb: {<<: *a, x: 2}").is_ok());
    assert_eq!(kind("b: {<<: {x: 1, x: 2}}"), ErrorKind::DuplicateKey);
    let options = ReadOptions { duplicates: Duplicates::Last, ..ReadOptions::default() };
    let node = options.read_first(b"{a: 1, b: 2, a: 3}").unwrap();
    assert_eq!(node.get("a").and_then(Node::as_i64), Some(3));
}

#[test]
fn size_and_number_of_documents_are_limited() {
    let options = ReadOptions { max_bytes: 1 << 20, max_documents: 1000, ..ReadOptions::default() };
    let large = format!("a: {}", "x".repeat(1 << 20));
    assert_eq!(options.read_all(large.as_bytes()).unwrap_err().kind(), ErrorKind::Limit);
    for document in ["---\n", "---\na\n", "---\n...\n"] {
        let many = document.repeat(1001);
        assert_eq!(options.read_all(many.as_bytes()).unwrap_err().kind(), ErrorKind::Limit);
        assert!(options.read_all(document.repeat(1000).as_bytes()).is_ok());
    }
    // Each document is given away before the next one is read.
    let mut seen = 0;
    let stream = format!("{}[", "--- {a: b}\n".repeat(500));
    let outcome = options.each(stream.as_bytes(), |_| {
        seen += 1;
        Ok(())
    });
    assert!(outcome.is_err() && seen == 500);
}

#[test]
fn numbers_keep_their_value_or_stay_text() {
    for (text, printed) in [
        ("1e400", "1e400"),
        ("-1e400", "-1e400"),
        ("0x", "0x"),
        ("0o", "0o"),
        ("0o17", "15"),
        ("017", "15"),
        ("08", "8"),
        ("9223372036854775807", "9223372036854775807"),
        ("9223372036854775808", "9223372036854775808"),
        ("18446744073709551615", "18446744073709551615"),
        ("12345678901234567890123", "1.2345678901234568e+22"),
        ("-9223372036854775809", "-9.223372036854776e+18"),
        ("0x7fffffffffffffff", "9223372036854775807"),
        ("1_000_000", "1000000"),
        ("+1", "1"),
        ("-0", "0"),
        ("-0.0", "0"),
        ("1e-400", "0"),
    ] {
        assert_eq!(to_yaml(&read(text).unwrap()).unwrap(), format!("{printed}\n"), "{text}");
    }
    for text in [".inf", "-.INF", ".NaN"] {
        let error = to_yaml(&read(format!("a: {text}")).unwrap()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unrepresentable);
    }
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    for bytes in [
        &b"a: \0"[..],
        b"a: \x01",
        b"a: \x7f",
        b"a: \xff",
        b"a: \xed\xa0\x80",
        b"a: \xc0\x80",
        b"a: \xf5\x80\x80\x80",
        b"\xff\xfea",
        b"\xff\xfe\x00\xd8",
    ] {
        let error = ReadOptions::default().read_all(bytes).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encoding, "{bytes:?}: {error}");
    }
    let utf16: Vec<u8> = "\u{feff}a: ä😀\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [&utf16[..], "\u{feff}a: ä😀\n".as_bytes()] {
        let node = ReadOptions::default().read_first(bytes).unwrap();
        assert_eq!(node.get("a").and_then(Node::as_str), Some("ä😀"));
    }
    // YAML 1.1's other line breaks.
    let node = read("a: 1\u{85}b: 2\rc: 'x\u{2028}y'\n").unwrap();
    assert_eq!(node.get("b").and_then(Node::as_i64), Some(2));
    assert_eq!(node.get("c").and_then(Node::as_str), Some("x\u{2028}y"));
}

#[test]
fn types_follow_the_flavour_and_unknown_tags_do_nothing() {
    let v2 = |text: &str| gitops_yaml::read_first(text, Flavour::V2).unwrap().to_json_v2().unwrap();
    let v3 = |text: &str| read(text).unwrap().to_json().unwrap();
    assert_eq!(
        v2("[y, yes, on, off, 1:30, !!str yes]").to_string(),
        r#"[true,true,true,false,"1:30","yes"]"#
    );
    assert_eq!(
        v3("[y, yes, on, off, 1:30, !!str 5]").to_string(),
        r#"["y","yes","on","off","1:30","5"]"#
    );
    assert_eq!(
        v3("[!!python/object:os.system x, !x 5, !!binary aGk=]").to_string(),
        r#"["x","5","hi"]"#
    );
    for text in ["!!int x", "!!bool x", "!!float x", "!!null x", "!!binary '?'"] {
        assert_eq!(kind(text), ErrorKind::Type, "{text}");
    }
}

#[test]
fn keys_must_be_strings() {
    for text in ["1: a", "~: a", "true: a", "? [a]\n: b", "? {a: b}\n: c", "{[]: x}", "1.5: a"] {
        let node = read(text).unwrap();
        assert_eq!(to_yaml(&node).unwrap_err().kind(), ErrorKind::Unrepresentable, "{text}");
        assert!(node.to_json().is_err(), "{text}");
    }
}

#[test]
fn many_anchors_comments_and_keys_take_linear_time() {
    let lines = |line: &dyn Fn(usize) -> String| (0..100_000).map(line).collect::<String>();
    let anchors = lines(&|n| format!("- &a{n} x # comment {n}\n"));
    assert_eq!(read(anchors).unwrap().as_sequence().unwrap().len(), 100_000);
    let keys = lines(&|n| format!("key{n}: {n}\n"));
    assert_eq!(read(&keys).unwrap().as_mapping().unwrap().len(), 100_000);
    let comments = lines(&|n| format!("# {n}\n")) + "a: b";
    assert_eq!(read(comments).unwrap().get("a").and_then(Node::as_str), Some("b"));
    let flow = format!("[{}]", lines(&|n| format!("{n}, ")));
    assert_eq!(read(flow).unwrap().as_sequence().unwrap().len(), 100_000);
    let merged = format!("a: &a\n{}b:\n  <<: *a\n", keys.replace("key", "  key"));
    assert_eq!(read(merged).unwrap().get("b").unwrap().as_mapping().unwrap().len(), 100_000);
    let words = "word ".repeat(200_000);
    assert_eq!(read(&words).unwrap().as_str(), Some(words.trim_end()));
    let quotes = format!("'{}'", "''".repeat(200_000));
    assert_eq!(read(quotes).unwrap().as_str().map(str::len), Some(200_000));
}

#[test]
fn patches_stay_within_bounds() {
    let patch = |text: &str| JsonPatch::from_node(&read(text).unwrap());
    for operation in [
        "{op: add, path: /a/2147483648, value: 1}",
        "{op: add, path: /a/99999999999999999999, value: 1}",
        "{op: remove, path: /a/-}",
        "{op: remove, path: /a/-9}",
        "{op: test, path: /a/0, value: 2}",
        "{op: move, from: /b, path: /c}",
        "{op: copy, from: /a/7, path: /c}",
    ] {
        let mut node = read("a: [1]").unwrap();
        let outcome = patch(&format!("[{operation}]")).and_then(|patch| patch.apply(&mut node));
        assert!(outcome.is_err(), "{operation}");
        assert_eq!(node, read("a: [1]").unwrap(), "{operation}");
    }
    let doubling = "- {op: copy, from: /a, path: /a/-}\n".repeat(30);
    let mut node = read("a: [1]").unwrap();
    let error = patch(&doubling).unwrap().apply(&mut node).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit);
}
