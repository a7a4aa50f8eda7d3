//! Charts that are sound but for one to three odd things: each is a feature with its own words.

use crate::{case::Case, rng::Rng};

type Feature = fn(&mut Rng, &mut Case);

const FEATURES: &[Feature] = &[
    nulls, libraries, imports, conditions, tags, schema, ignored, globs, hooks, documents, notes,
    overrides, flags, flags, globals, aliases, metadata, nesting, mutation, lookups, nulls, schema,
];

/// A chart with some of them.
pub(crate) fn shaped(seed: u64) -> Case {
    let mut rng = Rng::new(seed ^ 0x51ab_e007);
    let mut case = Case { helm3: seed % 2 == 1, ..Case::default() };
    base(&mut case);
    for _ in 0..=rng.below(3) {
        FEATURES[rng.below(FEATURES.len())](&mut rng, &mut case);
    }
    case
}

fn base(case: &mut Case) {
    for (name, text) in [
        (
            "Chart.yaml",
            "apiVersion: v2\nname: top\nversion: 1.0.0\ndependencies:\n- name: sub\n  version: \"*\"\n",
        ),
        ("values.yaml", "name: top\na: {b: {c: 1, d: x}, e: [1, 2]}\nsub: {own: 1, m: {k: v}}\n"),
        (
            "templates/all.yaml",
            "kind: ConfigMap\nmetadata: {name: top}\nvalues: {{ .Values | toJson }}\n",
        ),
        ("charts/sub/Chart.yaml", "apiVersion: v2\nname: sub\nversion: 0.1.0\n"),
        ("charts/sub/values.yaml", "own: 2\nm: {k: w, l: [a]}\nexports: {data: {x: 1}}\n"),
        (
            "charts/sub/templates/all.yaml",
            "kind: ConfigMap\nmetadata: {name: sub}\nvalues: {{ .Values | toJson }}\n",
        ),
    ] {
        case.files.insert(name.to_owned(), text.to_owned());
    }
}

fn put(case: &mut Case, name: &str, text: impl Into<String>) {
    case.files.insert(name.to_owned(), text.into());
}

fn add(case: &mut Case, name: &str, text: &str) {
    case.files.entry(name.to_owned()).or_default().push_str(text);
}

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

const NAMES: &[&str] = &[
    "a", "b", "c", "d", "e", "k", "l", "m", "x", "own", "sub", "global", "name", "exports", "data",
    "tags", "enabled", "al",
];

fn table(rng: &mut Rng, depth: usize) -> String {
    let mut keys: Vec<&str> = (0..=rng.below(3)).map(|_| rng.pick(NAMES)).collect();
    keys.sort_unstable();
    keys.dedup();
    let entries: Vec<String> =
        keys.into_iter().map(|key| format!("{key}: {}", leaf(rng, depth))).collect();
    format!("{{{}}}", entries.join(", "))
}

fn block(rng: &mut Rng, depth: usize) -> String {
    let text = table(rng, depth);
    format!("{}\n", &text)
}

fn nulls(rng: &mut Rng, case: &mut Case) {
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

fn libraries(rng: &mut Rng, case: &mut Case) {
    put(
        case,
        "charts/sub/Chart.yaml",
        "apiVersion: v2\nname: sub\nversion: 0.1.0\ntype: library\n",
    );
    put(case, "charts/sub/templates/_lib.tpl", rng.pick(&[
        "{{ define \"lib.name\" }}{{ .Chart.Name }}-{{ .Release.Name }}{{ end }}",
        "{{- define \"lib.name\" -}}\n{{ .Values.own }}\n{{- end -}}",
        "{{ define \"lib.name\" }}{{ template \"lib.other\" . }}{{ end }}{{ define \"lib.other\" }}o{{ end }}",
    ]));
    put(case, "templates/lib.yaml", rng.pick(&[
        "kind: A\nname: {{ include \"lib.name\" . }}\n",
        "kind: A\nname: {{ include \"lib.name\" .Subcharts.sub }}\n",
        "kind: A\nname: {{ template \"lib.name\" $ }}\n",
        "kind: A\nname: {{ include \"lib.name\" (dict \"Chart\" .Chart \"Release\" .Release \"Values\" .Values.sub) }}\n",
    ]));
    if rng.chance(30) {
        put(case, "charts/sub/templates/NOTES.txt", "library notes");
        put(case, "charts/sub/crds/c.yaml", "kind: CustomResourceDefinition\n");
        case.include_crds = true;
    }
}

fn dependency(rng: &mut Rng, case: &mut Case, lines: &str) {
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

fn imports(rng: &mut Rng, case: &mut Case) {
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

fn conditions(rng: &mut Rng, case: &mut Case) {
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
        case.values = text
    } else {
        put(case, "values.yaml", text)
    }
    if rng.chance(30) {
        put(
            case,
            "charts/sub/values.yaml",
            format!("enabled: {}\n", rng.pick(&["true", "false", "null", "\"false\""])),
        );
    }
}

fn tags(rng: &mut Rng, case: &mut Case) {
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

const KEYWORDS: &[&str] = &[
    "\"type\": \"string\"",
    "\"type\": [\"string\", \"null\"]",
    "\"type\": \"integer\"",
    "\"type\": \"number\"",
    "\"type\": \"array\"",
    "\"type\": \"object\"",
    "\"type\": \"null\"",
    "\"type\": \"boolean\"",
    "\"enum\": [1, \"x\", null]",
    "\"enum\": [\"a\"]",
    "\"const\": 1",
    "\"const\": {\"a\": [1]}",
    "\"multipleOf\": 2",
    "\"multipleOf\": 0.1",
    "\"maximum\": 1",
    "\"exclusiveMaximum\": 1",
    "\"minimum\": 5",
    "\"exclusiveMinimum\": 1.5",
    "\"maxLength\": 1",
    "\"minLength\": 9",
    "\"pattern\": \"^[0-9]+$\"",
    "\"pattern\": \"a'b\"",
    "\"maxItems\": 1",
    "\"minItems\": 3",
    "\"uniqueItems\": true",
    "\"contains\": {\"type\": \"string\"}",
    "\"contains\": {\"const\": 1}, \"minContains\": 2",
    "\"contains\": {\"type\": \"number\"}, \"maxContains\": 1",
    "\"items\": {\"type\": \"string\"}",
    "\"items\": [{\"type\": \"string\"}], \"additionalItems\": false",
    "\"prefixItems\": [{\"type\": \"number\"}], \"items\": false",
    "\"maxProperties\": 1",
    "\"minProperties\": 4",
    "\"required\": [\"x\", \"y\"]",
    "\"required\": [\"a\"]",
    "\"dependentRequired\": {\"a\": [\"zz\"]}",
    "\"dependentSchemas\": {\"a\": {\"required\": [\"q\"]}}",
    "\"dependencies\": {\"a\": [\"zz\", \"yy\"]}",
    "\"propertyNames\": {\"maxLength\": 1}",
    "\"propertyNames\": {\"pattern\": \"^z\"}",
    "\"additionalProperties\": false",
    "\"properties\": {\"a\": {\"type\": \"string\"}}, \"additionalProperties\": {\"type\": \"null\"}",
    "\"patternProperties\": {\"^[a-m]\": {\"type\": \"null\"}}",
    "\"allOf\": [{\"type\": \"string\"}, {\"minLength\": 9}]",
    "\"anyOf\": [{\"type\": \"null\"}, {\"const\": \"q\"}]",
    "\"oneOf\": [{\"type\": \"null\"}, {\"type\": \"string\"}]",
    "\"oneOf\": [{}, {\"type\": [\"object\", \"string\", \"number\"]}]",
    "\"not\": {}",
    "\"not\": {\"type\": \"object\"}",
    "\"if\": {\"type\": \"object\"}, \"then\": {\"required\": [\"then\"]}, \"else\": {\"const\": \"else\"}",
    "\"if\": {\"type\": \"string\"}, \"else\": {\"minProperties\": 9}",
    "\"$ref\": \"#/definitions/s\"",
    "\"$ref\": \"#/$defs/n\"",
    "\"unevaluatedProperties\": false",
    "\"unevaluatedItems\": false",
    "\"$ref\": \"#/definitions/nope\"",
    "\"$ref\": \"#nope\"",
    "\"$ref\": \"other.json\"",
    "\"$ref\": \"#/properties/a\"",
    "\"format\": \"ipv4\"",
    "\"format\": \"email\"",
    "\"format\": \"date-time\"",
    "\"format\": \"uri\"",
    "\"format\": \"regex\"",
    "\"contentEncoding\": \"base64\"",
    "\"deprecated\": true",
    "\"default\": 5",
    "\"minProperties\": 1, \"type\": \"array\"",
];

fn schema(rng: &mut Rng, case: &mut Case) {
    let draft = rng.pick(&[
        "",
        "",
        "",
        "\"$schema\": \"http://json-schema.org/draft-07/schema#\", ",
        "\"$schema\": \"http://json-schema.org/draft-04/schema#\", ",
        "\"$schema\": \"http://json-schema.org/draft-06/schema#\", ",
        "\"$schema\": \"https://json-schema.org/draft/2019-09/schema\", ",
        "\"$schema\": \"https://json-schema.org/draft/2020-12/schema\", ",
    ]);
    let mut parts = Vec::new();
    for name in ["a", "b", "name", "sub", "x/y~z", "é"] {
        if rng.chance(50) {
            let mut rules: Vec<&str> = vec![rng.pick(KEYWORDS)];
            let word = |rule: &str| rule.split(':').next().unwrap_or_default().to_owned();
            let second = rng.pick(KEYWORDS);
            if rng.chance(30) && word(second) != word(rules[0]) {
                rules.push(second);
            }
            parts.push(format!("\"{name}\": {{{}}}", rules.join(", ")));
        }
    }
    let root = rng.pick(&[
        "",
        "",
        "",
        "\"required\": [\"need\"], ",
        "\"additionalProperties\": false, ",
        "\"minProperties\": 20, ",
    ]);
    let text = format!(
        "{{{draft}{root}\"definitions\": {{\"s\": {{\"type\": \"string\"}}}}, \"$defs\": {{\"n\": {{\"type\": \"number\", \"maximum\": 0}}}}, \"properties\": {{{}}}}}",
        parts.join(", ")
    );
    let of =
        rng.pick(&["values.schema.json", "values.schema.json", "charts/sub/values.schema.json"]);
    put(case, of, text);
    let simple = [
        "1",
        "2.5",
        "text",
        "\"123\"",
        "[1, 1, x]",
        "[a]",
        "{a: 1, b: 2}",
        "{a: {a: 1}}",
        "null",
        "true",
        "\"1.2.3.4\"",
        "[]",
        "{}",
        "\"é\"",
        "12345678901234567890",
        "1e3",
    ];
    let mut values = String::new();
    for name in ["a", "b", "name", "\"x/y~z\"", "\"é\""] {
        if rng.chance(60) {
            let value = rng.pick(&simple);
            values.push_str(&format!("{name}: {value}\n"));
            if of.starts_with("charts") && !case.values.contains("sub:") {
                case.values = format!("sub: {{{name}: {value}}}\n");
            }
        }
    }
    if !of.starts_with("charts") {
        case.values = values;
    }
}

fn ignored(rng: &mut Rng, case: &mut Case) {
    let mut text = String::new();
    for _ in 0..=rng.below(4) {
        text.push_str(rng.pick(&[
            "*.txt",
            "/a.txt",
            "data/",
            "data",
            "!data/b.txt",
            "# comment",
            "",
            " ",
            "data/*.txt",
            "*",
            "!*",
            "*.t?t",
            "[ab].txt",
            "[!a].txt",
            "[^a].txt",
            "\\#x",
            "a.txt ",
            "templates/",
            "templates/all.yaml",
            "./a.txt",
            "/data/",
            "data/deep",
            "deep/",
            "/deep",
            "**/x.txt",
            "data/**",
            "[",
            "a.txt\\",
            "!/a.txt",
            "charts/",
            "Chart.yaml",
            "/",
            "../x",
            "NOTES.txt",
            "values.yaml",
            "*.yaml",
            "!",
            "  data",
            "data/deep/../b.txt",
            "a*\r",
        ]));
        text.push_str(rng.pick(&["\n", "\n", "\r\n"]));
    }
    put(case, ".helmignore", text);
    for file in ["a.txt", "b.txt", "data/a.txt", "data/b.txt", "data/deep/x.txt", "x.tgt", "#x"] {
        put(case, file, "t");
    }
    put(
        case,
        "templates/files.yaml",
        "kind: Files\nfiles:\n{{ range $n, $c := .Files }}- {{ $n }}\n{{ end }}",
    );
}

fn globs(rng: &mut Rng, case: &mut Case) {
    for (file, text) in [
        ("a.txt", "one\ntwo\n"),
        ("data/b.txt", "b"),
        ("data/deep/c.txt", "c\r\nd"),
        ("data/x.yaml", "k: v\n"),
        ("e", ""),
        ("data/[z].txt", "z"),
        ("data/y.txt", "é"),
        ("bin", "\u{1}\u{2}"),
    ] {
        put(case, file, text);
    }
    let mut text = "kind: Files\n".to_owned();
    for at in 0..=rng.below(3) {
        let pattern = rng.pick(&[
            "*",
            "**",
            "*.txt",
            "**.txt",
            "data/*",
            "data/**",
            "**/*.txt",
            "data/{b,x}.*",
            "data/[a-c].txt",
            "data/[!b].txt",
            "data/?.txt",
            "data/??.txt",
            "/a.txt",
            "",
            "{a,e}*",
            "data/\\\\[z\\\\].txt",
            "[",
            "{",
            "data/[^b].txt",
            "d*/d*/*",
            "**/c.txt",
            "data",
            "a.txt*",
            "{**,*}",
            "data/[z-a].txt",
            "?",
        ]);
        let call = rng.pick(&[
            "(.Files.Glob P).AsConfig",
            "(.Files.Glob P).AsSecrets",
            ".Files.Glob P | toJson",
            "range $n, $c := .Files.Glob P",
            ".Files.Get P | quote",
            ".Files.Lines P | toJson",
            ".Files.GetBytes P | toJson",
            "len (.Files.Glob P)",
            "(.Files.Glob P).Get \"a.txt\"",
        ]);
        let call = call.replace('P', &format!("\"{pattern}\""));
        if call.starts_with("range") {
            text.push_str(&format!("r{at}:\n{{{{ {call} }}}}- {{{{ $n }}}}\n{{{{ end }}}}"));
        } else if call.contains(".As") {
            text.push_str(&format!("k{at}:\n{{{{ {call} | indent 2 }}}}\n"));
        } else {
            text.push_str(&format!("k{at}: {{{{ {call} }}}}\n"));
        }
    }
    put(case, "templates/files.yaml", text);
}

fn hooks(rng: &mut Rng, case: &mut Case) {
    for number in 0..=rng.below(4) {
        let hook = rng.pick(&[
            "pre-install",
            "pre-install,post-install",
            "test",
            "test-success",
            "test-failure",
            "PRE-INSTALL",
            " pre-install ",
            "pre-install,,test",
            "pre-install,unknown",
            "unknown",
            "",
            "crd-install",
            "post-install ,test",
            "pre-upgrade",
            "pre-delete, post-delete",
            ",",
            "5",
            "null",
            "true",
            "[a]",
        ]);
        let quoted = if matches!(hook, "5" | "null" | "true" | "[a]") {
            hook.to_owned()
        } else {
            format!("{hook:?}")
        };
        let weight = rng.pick(&[
            "\"1\"",
            "\"-1\"",
            "\"+2\"",
            "\"0x1\"",
            "\"1.5\"",
            "\"\"",
            "\" 1\"",
            "\"9999999999999999999\"",
            "1",
            "null",
            "\"1_0\"",
            "-5",
            "\"0\"",
            "\"００\"",
        ]);
        let more = rng.pick(&[
            "",
            "",
            "    helm.sh/hook-delete-policy: hook-succeeded\n",
            "    helm.sh/resource-policy: keep\n",
            "    helm.sh/hook-output-log-policy: \"hook-failed,x\"\n",
        ]);
        let kind = rng.pick(&["Job", "Pod", "ConfigMap", "ServiceAccount", "Unknown", ""]);
        let name = rng.pick(&["a", "b", "c", "\"\"", "5"]);
        let weight = if rng.chance(70) {
            format!("    helm.sh/hook-weight: {weight}\n")
        } else {
            String::new()
        };
        put(
            case,
            &format!("templates/h{number}.yaml"),
            format!(
                "kind: {kind}\nmetadata:\n  name: {name}\n  annotations:\n    helm.sh/hook: {quoted}\n{weight}{more}"
            ),
        );
    }
}

fn documents(rng: &mut Rng, case: &mut Case) {
    let mut text = String::new();
    for number in 0..=rng.below(5) {
        text.push_str(rng.pick(&[
            "---\n",
            "---\n",
            "--- \n",
            "---  # c\n",
            "---\r\n",
            "\n---\n",
            "----\n",
            "---\n---\n",
            "--- a: 1\n",
            "# c\n---\n",
            "\u{feff}---\n",
            "...\n---\n",
            "---\n# only\n",
            " ---\n",
            "---\t\n",
            "\r\n---\r\n",
            "---x\n",
            "",
        ]));
        text.push_str(
            &rng.pick(&[
                "kind: KN\nmetadata: {name: n}\n",
                "kind: KN\r\nmetadata: {name: n}\r\n",
                "# Source: x\nkind: KN\n",
                "kind: KN\n\n\n",
                "\n\nkind: KN\n",
                "{\"kind\": \"KN\"}\n",
                "kind: KN\ntext: |\n  ---\n  a\n",
                "kind: KN\ntext: |\n  a\n---\n",
                "\u{feff}kind: KN\n",
                "kind: \"KN\"\nmetadata:\n  annotations:\n",
                "kind: KN\nmetadata: null\n",
                "kind: KN # c\n...\n",
                "kind: KN\nmetadata:\n  name: x\n  annotations: {}\n",
                "kind: KN   \n\t\n",
                "- kind: KN\n",
                "KN\n",
                "kind: KN\nkind: X\n",
                "kind: KN\nmetadata: {name: n, labels: {a: 1}}\n",
                "kind: KN\nmetadata: {annotations: {a: 1}}\n",
                "kind: KN\nmetadata: {annotations: [a]}\n",
                "kind: [KN]\n",
                "apiVersion: 5\nkind: KN\n",
                "? kind\n: KN\n",
                "kind: !!str KN\n",
                "kind: KN\na: &x 1\nb: *x\n",
                "%YAML 1.2\n---\nkind: KN\n",
            ])
            .replace('N', &number.to_string()),
        );
    }
    let text = text.trim_end_matches(|_| rng.chance(0)).to_owned();
    let name = rng.pick(&[
        "templates/docs.yaml",
        "templates/docs.yml",
        "templates/docs.txt",
        "templates/docs.json",
        "templates/docs",
        "templates/_docs.yaml",
        "templates/sub/docs.yaml",
        "templates/.docs.yaml",
    ]);
    put(case, name, text);
}

fn notes(rng: &mut Rng, case: &mut Case) {
    case.sub_notes = rng.chance(50);
    let place = rng.pick(&[
        "templates/NOTES.txt",
        "charts/sub/templates/NOTES.txt",
        "templates/sub/NOTES.txt",
        "templates/notes.txt",
        "templates/NOTES.TXT",
        "templates/a-NOTES.txt",
        "NOTES.txt",
    ]);
    put(
        case,
        place,
        rng.pick(&[
            "{{ fail \"sorry\" }}",
            "{{ required \"need\" .Values.nope }}",
            "{{ .Values.nope.x }}",
            "{{ if }}",
            "text {{ .Release.Name }}\n\n",
            "{{ include \"nope\" . }}",
            "",
            "  \n",
            "---\nkind: A\n",
            "{{ .Chart.Name }}\r\n",
            "{{ .Template.Name }} {{ .Template.BasePath }}",
            "{{ define \"x\" }}y{{ end }}",
        ]),
    );
}

fn overrides(rng: &mut Rng, case: &mut Case) {
    for (place, by) in [
        ("templates/_a.tpl", "top"),
        ("templates/_z.tpl", "top-z"),
        ("charts/sub/templates/_a.tpl", "sub"),
        ("charts/sub/templates/_b.tpl", "sub-b"),
        ("templates/x.yaml", "inline"),
    ] {
        if rng.chance(55) {
            let text = rng.pick(&[
                "{{ define \"n\" }}B{{ end }}",
                "{{- define \"n\" -}} B {{- end -}}",
                "{{ define \"n\" }}{{ end }}",
                "{{ define \"n\" }}\n{{ end }}",
                "{{ define \"n\" }}{{/* c */}}{{ end }}",
                "{{ block \"n\" . }}B{{ end }}",
                "{{ define \"n\" }}B{{ end }}{{ define \"n\" }}B2{{ end }}",
                "{{ define \"m\" }}{{ template \"n\" . }}B{{ end }}",
            ]);
            put(
                case,
                place,
                format!("kind: T\nv: x{}", text.replace('B', by)).replace(
                    "kind: T\nv: x",
                    if place.ends_with("yaml") { "kind: T\nv: x" } else { "" },
                ),
            );
        }
    }
    for file in ["templates/use.yaml", "charts/sub/templates/use.yaml"] {
        let text = rng.pick(&["{{ include \"n\" . }}", "{{ template \"n\" . }}", "{{ include \"m\" . }}", "{{ tpl \"{{ include \\\"n\\\" . }}\" . }}", "{{ tpl \"{{ define \\\"n\\\" }}tpl{{ end }}{{ include \\\"n\\\" . }}\" . }}{{ include \"n\" . }}"]);
        put(case, file, format!("kind: Use\nv: '{text}'\n"));
    }
}

/// Expressions of `--set` and its relatives.
fn flags(rng: &mut Rng, case: &mut Case) {
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

fn globals(rng: &mut Rng, case: &mut Case) {
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

fn aliases(rng: &mut Rng, case: &mut Case) {
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

fn metadata(rng: &mut Rng, case: &mut Case) {
    let file = rng.pick(&["Chart.yaml", "Chart.yaml", "charts/sub/Chart.yaml"]);
    add(
        case,
        file,
        rng.pick(&[
            "appVersion: 1.0\n",
            "appVersion: 1\n",
            "appVersion: true\n",
            "appVersion: [a]\n",
            "appVersion: \"\"\n",
            "description: 5\n",
            "keywords: a\n",
            "keywords: [1]\n",
            "home: \"a\\u0007b\"\n",
            "maintainers: [{name: \"\"}]\n",
            "maintainers: [null]\n",
            "maintainers: [a]\n",
            "sources: [a, 5]\n",
            "annotations: {a: 1}\n",
            "annotations: {a: null}\n",
            "deprecated: yes\n",
            "deprecated: \"true\"\n",
            "kubeVersion: \">=1.0.0 <2.0.0\"\n",
            "kubeVersion: \"1.33\"\n",
            "kubeVersion: \"^1.99 || 1.33.x\"\n",
            "kubeVersion: \"v1.33.0\"\n",
            "kubeVersion: abc\n",
            "kubeVersion: \"!=1.33.0\"\n",
            "type: unknown\n",
            "type: \"\"\n",
            "icon: 5\n",
            "name: again\n",
            "Name: upper\n",
            "engine: gotpl\n",
            "tillerVersion: x\n",
            "extra: {a: b}\n",
            "dependencies: null\n",
            "description: \"tab\\there\\nline\"\n",
            "version: 2.0.0\n",
            "condition: sub.enabled\ntags: a,b\n",
            "kubeVersion: \">= 1.33.0-0, < 1.34\"\n",
            "home: é☃\n",
        ]),
    );
    put(
        case,
        "templates/chart.yaml",
        "kind: Chart\nchart: {{ .Chart | toJson }}\nsub: {{ .Subcharts | toJson }}\nname: {{ .Chart.Name }}\napp: {{ .Chart.AppVersion | quote }}\nkube: {{ .Chart.KubeVersion }}\n",
    );
}

fn nesting(rng: &mut Rng, case: &mut Case) {
    put(
        case,
        "templates/_n.tpl",
        "{{ define \"n\" }}[{{ .Template.Name }}]{{ end }}{{ define \"self\" }}{{ tpl . $ }}{{ end }}",
    );
    let inner = rng.pick(&[
        "{{ .Template.Name }}",
        "{{ include \\\"n\\\" . }}",
        "{{ fail \\\"x\\\" }}",
        "{{ define \\\"n\\\" }}z{{ end }}{{ include \\\"n\\\" . }}",
        "{{ .Values.nope.x }}",
        "{{ $ }}",
        "{{ if }}",
        "{{ tpl \\\"{{ .Values.name }}\\\" . }}",
        "{{ template \\\"n\\\" . }}",
        "{{ .Files.Get \\\"a.txt\\\" }}",
        "{{ required \\\"r\\\" nil }}",
        "{{ $x := 1 }}{{ $x }}",
        "{{ range .Values.a.e }}{{ . }}{{ break }}{{ end }}",
        "{{ block \\\"b\\\" . }}x{{ end }}",
        "{{ .Values.name | nindent 2 }}",
        "{{ include \\\"nope\\\" . }}",
        "{{ tpl .Values.self . }}",
        "{{ regexMatch \\\"(\\\" \\\"x\\\" }}",
    ]);
    let dot = rng.pick(&[
        ".",
        "$",
        ".Values",
        "(dict \"Values\" .Values)",
        "nil",
        "(dict \"Template\" .Template \"Values\" .Values)",
        "\"x\"",
    ]);
    put(
        case,
        "templates/n.yaml",
        format!(
            "kind: N\nv: {{{{ tpl \"{inner}\" {dot} | quote }}}}\nafter: {{{{ include \"n\" . }}}}\n"
        ),
    );
}

fn mutation(rng: &mut Rng, case: &mut Case) {
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

fn lookups(rng: &mut Rng, case: &mut Case) {
    let mut text = "kind: L\n".to_owned();
    for at in 0..=rng.below(4) {
        let call = rng.pick(&[
            ".Capabilities.APIVersions.Has \"apps/v1/Deployment\"",
            ".Capabilities.APIVersions.Has \"apps/v1\"",
            ".Capabilities.APIVersions.Has \"x/v1\"",
            ".Capabilities.KubeVersion",
            ".Capabilities.KubeVersion.Major",
            ".Capabilities.KubeVersion.GitVersion",
            ".Capabilities.HelmVersion.Version",
            ".Capabilities.KubeVersion | toJson",
            ".Release | toJson",
            ".Release.IsInstall",
            ".Template | toJson",
            ".Files | len",
            ".Subcharts | keys | sortAlpha",
            ".Chart.IsRoot",
            ".Chart.Type",
            ".Chart.Maintainers | toJson",
            ".Chart.Annotations | toJson",
            ".Chart.Dependencies | toJson",
            "lookup \"v1\" \"Pod\" \"\" \"\" | toJson",
            "(lookup \"v1\" \"Secret\" \"a\" \"b\").data",
            "lookup \"v1\" \"Pod\" \"\"",
            "semverCompare \">=1.30-0\" .Capabilities.KubeVersion.Version",
            ".Capabilities.APIVersions | len",
            "typeOf .Values",
            "typeOf .Chart",
            "kindOf .Chart",
            "typeOf .Release",
            "typeOf .Files",
            "typeOf .Capabilities",
            "typeOf .Capabilities.APIVersions",
            "typeOf .Subcharts",
            "printf \"%T\" .Values.a",
            "typeOf .Chart.Maintainers",
            "kindOf .Capabilities.KubeVersion",
            "printf \"%v\" .Chart.Dependencies",
            "hasKey .Values \"sub\"",
            ".Values.global",
            ".Values.sub | toYaml | nindent 4",
            "get .Values.sub \"global\" | toJson",
            ". | keys | sortAlpha | join \",\"",
            "$.Subcharts.sub.Chart.Name",
            ".Chart.Home",
            ".Chart.Unknown",
            ".Release.Unknown",
            ".Capabilities.Unknown",
            ".Files.unknown",
            ".Template.Unknown",
        ]);
        text.push_str(&format!("k{at}: {{{{ {call} }}}}\n"));
    }
    put(case, rng.pick(&["templates/l.yaml", "charts/sub/templates/l.yaml"]), text);
    if rng.chance(30) {
        case.api_versions.push("x/v1".to_owned());
    }
    case.is_upgrade = rng.chance(30);
}
