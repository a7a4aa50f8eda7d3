//! Random templates: all actions, with variables, definitions and blocks.

use std::collections::BTreeMap;

use crate::{
    calls::{expression, odd_call},
    case::Case,
    rng::Rng,
    words::{VALUES, word},
};

const CHART: &str = "apiVersion: v2\nname: c\nversion: 1.2.3\nappVersion: 4.5.6\ndescription: d e\n\
                     keywords: [k1, k2]\ntype: application\nmaintainers: [{name: m, email: m@example.org}]\n\
                     annotations: {a: b}\n";

const NAMED: &str = "{{- define \"name\" -}}{{ .Values.name | trunc 63 }}{{- end -}}\n\
                     {{- define \"labels\" }}\napp: {{ include \"name\" $ }}\nchart: {{ .Chart.Name }}\n{{ end }}\n\
                     {{ define \"loop\" }}{{ printf \"%v\" . | quote }}{{ end }}";

fn chart(text: String, helm3: bool) -> Case {
    let files = [
        ("Chart.yaml", CHART.to_owned()),
        ("templates/_h.tpl", NAMED.to_owned()),
        ("templates/t.yaml", text),
        ("a.txt", "one\ntwo\n".to_owned()),
        ("conf/b.ini", "x = 1\n".to_owned()),
    ];
    let files: BTreeMap<String, String> =
        files.into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    Case { helm3, engine: true, files, values: VALUES.to_owned(), ..Case::default() }
}

/// One expression.
pub(crate) fn calls(seed: u64) -> Case {
    let mut rng = Rng::new(seed);
    let called = if seed.is_multiple_of(4) { odd_call(&mut rng) } else { expression(&mut rng, 2) };
    let text = format!("{{{{ {called} }}}}");
    chart(text, seed.is_multiple_of(3))
}

/// A template that somebody wrote.
pub(crate) fn snippet(text: &str, helm3: bool) -> Case {
    chart(text.to_owned(), helm3)
}

/// Many actions.
pub(crate) fn template(seed: u64) -> Case {
    let mut rng = Rng::new(seed ^ 0x7e3a_91c5);
    let mut text = String::new();
    let mut names = vec!["$".to_owned()];
    body(&mut rng, &mut text, &mut names, 3);
    chart(text, seed.is_multiple_of(3))
}

struct Braces(&'static str, &'static str);

fn braces(rng: &mut Rng) -> Braces {
    Braces(
        rng.pick(&["{{ ", "{{", "{{- ", "{{-\n ", "{{\t"]),
        rng.pick(&[" }}", "}}", " -}}", "\n}}", " -}}"]),
    )
}

fn action(rng: &mut Rng, out: &mut String, inner: &str) {
    let Braces(open, close) = braces(rng);
    out.push_str(open);
    out.push_str(inner);
    out.push_str(close);
}

/// A value: mostly simple, so that the template goes on.
fn value(rng: &mut Rng, names: &[String]) -> String {
    match rng.below(10) {
        0..=3 => word(rng, 'o'),
        4 => {
            let kind = *['l', 'd', 's', 'i', 'b', 'L'].get(rng.below(6)).expect("it is below");
            word(rng, kind)
        }
        5 | 6 => names[rng.below(names.len())].clone(),
        7 => format!(
            "{}{}",
            names[rng.below(names.len())],
            rng.pick(&[".a", ".Values.map", ".name", ".port", ".labels.app"])
        ),
        _ => expression(rng, 1),
    }
}

fn body(rng: &mut Rng, out: &mut String, names: &mut Vec<String>, depth: usize) {
    for _ in 0..=rng.below(4) {
        statement(rng, out, names, depth);
    }
}

fn text(rng: &mut Rng) -> &'static str {
    rng.pick(&[
        "x",
        "\n",
        "  ",
        " a: b\n",
        "\n  - ",
        "}}",
        "{ {",
        "\"",
        "<no value>",
        "é\u{a0}",
        "\r\n",
        "#",
        "\t\n",
        "---\n",
        "}",
        "{",
        "%d",
        "/*",
        "0xc0",
    ])
}

#[expect(clippy::too_many_lines, reason = "a table of what may stand in a template")]
fn statement(rng: &mut Rng, out: &mut String, names: &mut Vec<String>, depth: usize) {
    let scope = names.len();
    let choice = if depth == 0 { rng.below(6) } else { rng.below(17) };
    match choice {
        0 => out.push_str(text(rng)),
        1..=3 => {
            let value = value(rng, names);
            action(rng, out, &value);
        }
        4 => {
            let name = rng.pick(&["$x", "$y", "$_z1", "$é"]);
            let value = value(rng, names);
            action(rng, out, &format!("{name} := {value}"));
            names.push(name.to_owned());
            return;
        }
        5 => {
            let name = names[rng.below(names.len())].clone();
            let name = if name == "$" { "$x".to_owned() } else { name };
            let value = value(rng, names);
            action(rng, out, &format!("{name} = {value}"));
        }
        6 | 7 => {
            let mut condition = value(rng, names);
            if rng.chance(15) {
                condition = format!("$c := {condition}");
                names.push("$c".to_owned());
            }
            let word = rng.pick(&["if", "if", "with"]);
            action(rng, out, &format!("{word} {condition}"));
            body(rng, out, names, depth - 1);
            while rng.chance(25) {
                let condition = value(rng, names);
                let word = if rng.chance(5) { "if" } else { word };
                action(rng, out, &format!("else {word} {condition}"));
                body(rng, out, names, depth - 1);
            }
            if rng.chance(40) {
                action(rng, out, "else");
                body(rng, out, names, depth - 1);
            }
            action(rng, out, "end");
        }
        8..=10 => range(rng, out, names, depth),
        11 => {
            let value = value(rng, names);
            let value = if rng.chance(20) { String::new() } else { value };
            let name = rng.pick(&["name", "labels", "loop", "missing", "own"]);
            action(rng, out, &format!("template \"{name}\" {value}"));
        }
        12 => {
            let head = if rng.chance(50) {
                "define \"own\"".to_owned()
            } else {
                format!("block \"own\" {}", value(rng, names))
            };
            action(rng, out, &head);
            let mut inner = vec!["$".to_owned()];
            body(rng, out, &mut inner, depth - 1);
            action(rng, out, "end");
        }
        13 => {
            let comment = rng.pick(&[
                "{{/* c */}}",
                "{{- /* c\n */ -}}",
                "{{/*}}*/}}",
                "{{ /* c */ }}",
                "{{/* c */ }}",
                "{{- /**/}}",
            ]);
            out.push_str(comment);
        }
        14 => {
            let word = rng.pick(&[
                "break",
                "continue",
                "end",
                "else",
                "define",
                "template",
                "nil",
                "$",
                ".",
                "if",
                "$undefined",
                "1 2",
                "",
                "|",
                "-3",
                "(",
                ")",
                "\"a",
                "a b",
                "`x",
                "'",
                "$x :=",
                ".x.",
                "..",
                "$.",
                "@",
                "=",
                ":=",
                "1x",
                "0x",
                ".1.2.3",
                "foo",
                "range $a, $b, $c := .",
                "(1)",
                "range",
                "print | 3",
                "true | print",
                "$x = 1 | print",
                "nil | print",
                "print nil | len",
                "if break",
                "\\",
                "#",
                "1,2",
                "template \"a\" 1 2",
                "block \"x\"",
                "else if true",
                "with $x := 1, 2",
            ]);
            if rng.chance(40) {
                action(rng, out, word);
            }
        }
        _ => {
            let value = value(rng, names);
            let piped = rng.pick(&[
                "toYaml | nindent 2",
                "quote",
                "toJson",
                "default \"x\"",
                "len",
                "printf \"%v\"",
                "typeOf",
                "print 1",
                "tpl $",
                "nindent 4",
                "upper | lower",
                "b64enc",
                "toString | trim",
            ]);
            action(rng, out, &format!("{value} | {piped}"));
        }
    }
    names.truncate(scope);
}

fn range(rng: &mut Rng, out: &mut String, names: &mut Vec<String>, depth: usize) {
    let over = match rng.below(8) {
        0 => word(rng, 'n'),
        1 => value(rng, names),
        2 => format!("(until {})", rng.below(5)),
        3 | 4 => word(rng, 'd'),
        _ => word(rng, 'l'),
    };
    let head = match rng.below(5) {
        0 => "$i, $v := ",
        1 => "$v := ",
        2 if names.iter().any(|name| name == "$x") => "$x = ",
        _ => "",
    };
    action(rng, out, &format!("range {head}{over}"));
    if head.contains(":=") {
        names.push("$v".to_owned());
    }
    if head.contains("$i") {
        names.push("$i".to_owned());
    }
    out.push_str("{{ . }},");
    body(rng, out, names, depth - 1);
    if rng.chance(30) {
        let condition = value(rng, names);
        let word = rng.pick(&["break", "continue"]);
        out.push_str(&format!("{{{{ if {condition} }}}}{{{{ {word} }}}}{{{{ end }}}}"));
    }
    if rng.chance(30) {
        action(rng, out, "else");
        body(rng, out, names, depth - 1);
    }
    action(rng, out, "end");
}
