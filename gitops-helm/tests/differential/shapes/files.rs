//! Odd things about files, documents and hooks.

use super::put;
use crate::{case::Case, rng::Rng};

pub(super) fn ignored(rng: &mut Rng, case: &mut Case) {
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

pub(super) fn globs(rng: &mut Rng, case: &mut Case) {
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

pub(super) fn hooks(rng: &mut Rng, case: &mut Case) {
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

pub(super) fn documents(rng: &mut Rng, case: &mut Case) {
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

pub(super) fn notes(rng: &mut Rng, case: &mut Case) {
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
