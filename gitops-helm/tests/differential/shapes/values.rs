//! Odd things about values, and about what charts below a chart get of them.

use super::put;
use crate::{case::Case, rng::Rng};

const NAMES: &[&str] = &[
    "a", "b", "c", "d", "e", "k", "l", "m", "x", "own", "sub", "global", "name", "exports", "data",
    "tags", "enabled", "al",
];

/// A value of YAML in flow style.
fn leaf(rng: &mut Rng, depth: usize) -> String {
    match rng.below(if depth == 0 { 12 } else { 16 }) {
        0 | 1 => "null".to_owned(),
        2 => "~".to_owned(),
        3 => "1".to_owned(),
        4 => "0".to_owned(),
        5 => "true".to_owned(),
        6 => "\"\"".to_owned(),
        7 => "text".to_owned(),
        8 => "[]".to_owned(),
        9 => "{}".to_owned(),
        10 => "1.5".to_owned(),
        11 => "\"true\"".to_owned(),
        12 => format!("[{}, {}]", leaf(rng, depth - 1), leaf(rng, depth - 1)),
        _ => table(rng, depth - 1),
    }
}

fn table(rng: &mut Rng, depth: usize) -> String {
    let mut keys: Vec<&str> = (0..=rng.below(3)).map(|_| rng.pick(NAMES)).collect();
    keys.sort_unstable();
    keys.dedup();
    let entries: Vec<String> =
        keys.into_iter().map(|key| format!("{key}: {}", leaf(rng, depth))).collect();
    format!("{{{}}}", entries.join(", "))
}

pub(super) fn block(rng: &mut Rng, depth: usize) -> String {
    let text = table(rng, depth);
    format!("{}\n", &text)
}

pub(super) fn nulls(rng: &mut Rng, case: &mut Case) {
    for file in ["values.yaml", "charts/sub/values.yaml"] {
        if rng.chance(60) {
            put(case, file, block(rng, 3));
        }
    }
    if rng.chance(60) {
        case.values = block(rng, 3);
    }
    while rng.chance(30) {
        let path = rng.pick(&[
            "a",
            "a.b",
            "a.b.c",
            "sub",
            "sub.m",
            "sub.m.k",
            "global.x",
            "sub.global",
            "name",
            "sub.exports",
        ]);
        let value = rng.pick(&["null", "{}", "1", "", "{null}", "x"]);
        case.set[0].push(format!("{path}={value}"));
    }
    if rng.chance(20) {
        let json = table(rng, 2).replace('~', "null");
        let quoted: String = json
            .split_inclusive([' ', '{', '[', ':', ',', '}', ']'])
            .map(|part| {
                let word = part.trim_end_matches([' ', '{', '[', ':', ',', '}', ']']);
                let rest = &part[word.len()..];
                let bare = word.is_empty()
                    || word.starts_with(['"', '0', '1'])
                    || ["null", "true"].contains(&word);
                if bare { part.to_owned() } else { format!("\"{word}\"{rest}") }
            })
            .collect();
        case.set[2].push(quoted);
    }
}

pub(super) fn dependency(rng: &mut Rng, case: &mut Case, lines: &str) {
    let version =
        rng.pick(&["\"*\"", "0.1.0", "\">=0.1.0\"", "\"\"", "^0", "~0.1", "0.x", "\">0.1.0-0\""]);
    put(
        case,
        "Chart.yaml",
        format!(
            "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies:\n- name: sub\n  version: {version}\n{lines}"
        ),
    );
}

pub(super) fn imports(rng: &mut Rng, case: &mut Case) {
    let mut list = Vec::new();
    for _ in 0..=rng.below(2) {
        list.push(match rng.below(8) {
            0 => rng.pick(&["data", "missing", "\"\"", "data.x", "5", "null", "[data]"]).to_owned(),
            _ => {
                let child = rng.pick(&[
                    "m",
                    "exports.data",
                    "own",
                    "m.l",
                    "missing",
                    "\"\"",
                    "exports",
                    ".",
                    "m.k",
                    "global",
                ]);
                let parent = rng.pick(&[
                    "a", ".", "a.b", "new", "sub", "\"\"", "a.e", "name", "sub.m", "x.y.z",
                ]);
                match rng.below(9) {
                    0 => format!("{{child: {child}}}"),
                    1 => format!("{{parent: {parent}}}"),
                    2 => format!("{{child: {child}, parent: {parent}, more: 1}}"),
                    _ => format!("{{child: {child}, parent: {parent}}}"),
                }
            }
        });
    }
    let list = list.join(", ");
    let lines = if rng.below(12) == 0 {
        format!("  import-values: {list}\n")
    } else {
        format!("  import-values: [{list}]\n")
    };
    let alias = if rng.chance(20) { "  alias: al\n" } else { "" };
    dependency(rng, case, &format!("{lines}{alias}"));
    if rng.chance(60) {
        put(case, "charts/sub/values.yaml", block(rng, 3));
    }
    if rng.chance(40) {
        case.values = block(rng, 3);
    }
}

pub(super) fn conditions(rng: &mut Rng, case: &mut Case) {
    let condition = rng.pick(&[
        "sub.enabled",
        "sub.enabled,global.enabled",
        "a.b",
        "a",
        "\"sub.enabled, a.b.c\"",
        "enabled",
        "\",\"",
        "sub.",
        ".sub",
        "sub.m.enabled",
        "global.enabled",
        "\" sub.enabled\"",
        "a.e",
    ]);
    dependency(rng, case, &format!("  condition: {condition}\n"));
    let value = leaf(rng, 1);
    let value = if rng.chance(40) { rng.pick(&["true", "false"]).to_owned() } else { value };
    let path = rng.pick(&[
        "sub: {enabled: V}",
        "global: {enabled: V}",
        "enabled: V",
        "a: {b: V}",
        "a: V",
        "sub: {m: {enabled: V}}",
        "a: {b: {c: V}}",
    ]);
    let text = format!("{}\n", path.replace('V', &value));
    if rng.chance(50) {
        case.values = text;
    } else {
        put(case, "values.yaml", text);
    }
    if rng.chance(30) {
        put(
            case,
            "charts/sub/values.yaml",
            format!("enabled: {}\n", rng.pick(&["true", "false", "null", "\"false\""])),
        );
    }
}

pub(super) fn tags(rng: &mut Rng, case: &mut Case) {
    let tags = rng.pick(&["[one]", "[one, two]", "[\"\"]", "[]", "[one, missing]", "one"]);
    let condition = rng.pick(&["", "", "  condition: sub.enabled\n"]);
    dependency(rng, case, &format!("  tags: {tags}\n{condition}"));
    let value = rng.pick(&["true", "false", "null", "\"true\"", "1", "[]", "{}"]);
    let other = rng.pick(&["true", "false", "null", "\"false\""]);
    let text = match rng.below(5) {
        0 => format!("tags: {value}\n"),
        _ => format!("tags: {{one: {value}, two: {other}}}\nsub: {{enabled: {other}}}\n"),
    };
    if rng.chance(50) { case.values = text } else { put(case, "values.yaml", text) }
}

/// Expressions of `--set` and its relatives.
#[expect(clippy::too_many_lines, reason = "a table of what may stand in a flag")]
pub(super) fn flags(rng: &mut Rng, case: &mut Case) {
    const PARTS: &[&str] = &[
        "a",
        "b",
        ".",
        ".",
        "=",
        "=",
        ",",
        "[0]",
        "[1]",
        "[",
        "]",
        "{",
        "}",
        "\\",
        "\\,",
        "\\.",
        "\"",
        " ",
        "null",
        "true",
        "1",
        "01",
        "1.5",
        "x",
        "[-1]",
        "[2]",
        "=null",
        "={a,b}",
        "={}",
        "[0].c",
        "é",
        "0x1F",
        "1e3",
        "'",
        "name",
        "sub.own",
        "global",
        "\n",
        "{1,null,true}",
        "[0][1]",
        "9223372036854775808",
        "FALSE",
        "~",
        "[70000]",
        "-0",
        "a.b[0]=1",
    ];
    let mode = [0, 0, 0, 1, 3][rng.below(5)];
    let mut text = String::new();
    if rng.chance(70) {
        text.push_str(rng.pick(&["a=", "a.b=", "a[0]=", "name=", "a.e[0]=", "sub.m.k="]));
    }
    for _ in 0..=rng.below(5) {
        text.push_str(rng.pick(PARTS));
    }
    case.set[mode].push(text);
    if rng.chance(25) {
        case.set[2].push(
            rng.pick(&[
                "a={\"b\":[1,null]}",
                "a.b[1]=5",
                "a=1 2",
                "a=[",
                "a=\"x\",b=1",
                "a=",
                "=1",
                "{\"a\":{\"b\":null}}",
                "{",
                "a.b={\"c\":null}",
                "a=1e3,b=0.1",
                "a=\"\\u00e9\"",
                "[1]",
                "a=01",
                "a=nul",
                "null",
                " {\"a\": 1}",
                "a={\"x\":1}{\"y\":2}",
            ])
            .to_owned(),
        );
    }
}

pub(super) fn globals(rng: &mut Rng, case: &mut Case) {
    for file in ["values.yaml", "charts/sub/values.yaml"] {
        if rng.chance(60) {
            let value = leaf(rng, 2);
            put(case, file, format!("global: {value}\nown: 1\n"));
        }
    }
    let (value, other) = (leaf(rng, 2), leaf(rng, 2));
    case.values = match rng.below(4) {
        0 => format!("global: {value}\n"),
        1 => format!("sub: {{global: {value}}}\n"),
        2 => format!("global: {value}\nsub: {{global: {other}}}\n"),
        _ => format!("global: {{a: {value}, b: {other}}}\nsub: {{global: {{a: {other}}}}}\n"),
    };
}

pub(super) fn aliases(rng: &mut Rng, case: &mut Case) {
    let mut lines = String::new();
    for _ in 0..rng.below(3) {
        lines.push_str(&format!(
            "- name: {}\n  version: {}\n  alias: {}\n",
            rng.pick(&["sub", "sub", "other"]),
            rng.pick(&["0.1.0", "\"*\"", "9.9.9", "\"1 2 3\"", "abc"]),
            rng.pick(&["one", "two", "sub", "a.b", "A_b-1", "\"\"", "global", "é", "a/b"]),
        ));
    }
    dependency(rng, case, &lines);
    case.values = block(rng, 2).replace("al:", "one:");
}

pub(super) fn mutation(rng: &mut Rng, case: &mut Case) {
    let text = rng.pick(&[
        "{{ $_ := set .Values \"new\" 1 }}",
        "{{ $_ := set .Values.sub \"own\" 9 }}",
        "{{ $_ := unset .Values \"name\" }}",
        "{{ $_ := set .Values.global \"g\" 1 }}",
        "{{ $_ := merge .Values (dict \"z\" 1) }}",
        "{{ $_ := mergeOverwrite .Values.a (dict \"b\" nil) }}",
        "{{ $_ := set .Release \"Name\" \"x\" }}",
        "{{ $_ := set .Chart \"Name\" \"x\" }}",
        "{{ $_ := set . \"Values\" (dict) }}",
        "{{ $_ := set .Subcharts.sub.Values \"own\" 7 }}",
        "{{ $_ := set .Capabilities \"x\" 1 }}",
        "{{ range $k, $v := .Values }}{{ $_ := set $.Values $k 1 }}{{ end }}",
        "{{ $_ := set .Template \"Name\" \"t\" }}",
        "{{ $_ := .Values.a.e | mustAppend 3 }}",
        "{{ $_ := set (index .Values \"a\") \"q\" .Values }}x{{ hasKey .Values.a.q \"a\" }}",
    ]);
    let place = rng.pick(&[
        "templates/aa.yaml",
        "templates/zz.yaml",
        "charts/sub/templates/mm.yaml",
        "templates/NOTES.txt",
    ]);
    put(
        case,
        place,
        format!(
            "kind: M\nv: |{text}\nnow: {{{{ .Values | toJson | quote }}}}\nname: {{{{ .Release.Name }}}}\n"
        ),
    );
}
