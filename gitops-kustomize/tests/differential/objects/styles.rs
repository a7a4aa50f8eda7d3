//! Objects in all the styles that YAML has: block scalars with indicators, folds, anchors, merge keys,
//! tags, comments, directives, odd keys.

use crate::{objects::Object, rng::Rng};

/// An object whose content is free, written in random styles.
pub(crate) fn document(r: &mut Rng) -> Object {
    let config = r.chance(30);
    let name = r.pick(&["style", "odd", "app", "web", "\u{fc}n", "a-1"]).to_owned();
    let (api_version, kind) =
        if config { ("v1", "ConfigMap") } else { ("example.com/v1", "Widget") };
    let mut writer = Writer { text: String::new(), anchors: Vec::new(), maps: Vec::new() };
    writer.text.push_str(r.pick(&["", "", "", "", "# first\n", "\n", "\n\n# c\n\n"]));
    let mut parts = [
        format!("apiVersion: {api_version}{}\n", comment(r)),
        format!("{}: {kind}\n", r.pick(&["kind", "kind", "\"kind\"", "'kind'", "kind "])),
        metadata(r, &name),
    ];
    if r.chance(15) {
        parts.rotate_left(1 + r.below(2));
    }
    let last = r.chance(80);
    if last {
        writer.text.push_str(&parts.concat());
    }
    if config {
        writer.text.push_str("data:\n");
        for index in 0..=r.below(4) {
            writer.data(r, index);
        }
    } else {
        writer.text.push_str("spec:");
        writer.map(r, 0, 2);
    }
    if !last {
        writer.text.push_str(&parts.concat());
    }
    writer.text.push_str(r.pick(&["", "", "", "", "\n\n", "# end\n", "...\n"]));
    let mut text = writer.text;
    // The original's printer puts breaks between a scalar that keeps its own and a comment.
    if text.lines().any(|line| line.contains(['|', '>']) && line.contains('+')) {
        text = text
            .split_inclusive('\n')
            .filter(|line| !line.trim_start().starts_with("# "))
            .collect();
    }
    if r.chance(5) {
        text = text.replace('\n', "\r\n");
    }
    Object { api_version, kind, name, namespace: None, text }
}

fn metadata(r: &mut Rng, name: &str) -> String {
    match r.below(6) {
        0 => format!("metadata: {{name: {name}}}\n"),
        1 => format!("metadata: {{\"name\": \"{name}\", labels: {{app: web, \"n\": \"1\"}}}}\n"),
        2 => format!(
            "metadata:\n    # about it\n    name: '{name}'\n    annotations:\n        note: |\n          two\n          lines\n"
        ),
        3 => format!(
            "metadata:\n  name: {name}\n  labels: &labels\n    app: web\n  annotations: *labels\n"
        ),
        4 => format!(
            "metadata: {{\n  name: {name},\n  annotations: {{a: b\n    c, d: 'e\n\n    f'}}\n  }}\n"
        ),
        _ => format!("metadata:\n  name: {name}{}\n", comment(r)),
    }
}

fn comment(r: &mut Rng) -> String {
    r.pick(&["", "", "", "", " # why", "  #", " # {a: [b"]).to_owned()
}

const KEYS: &[&str] = &[
    "a",
    "b",
    "c",
    "key",
    "\"q\"",
    "'s'",
    "a b",
    "\"a: b\"",
    "x.y/z",
    "'#h'",
    "1a",
    "\"1\"",
    "'true'",
    "\u{e9}",
    "\"\\u0041\"",
    "a-b",
    "_",
    "\"null\"",
    "k10",
    "k9",
    "k1",
    "K",
    "B",
    "list",
    "name",
    "image",
    "'~'",
    "%a",
    "\"-\"",
    "a:b",
    "a#b",
    "\"=\"",
    "'y'",
    "\"no\"",
    "x01",
    "x1",
    "x001",
    "\"1.5\"",
    "\"0x1\"",
];

struct Writer {
    text: String,
    anchors: Vec<String>,
    maps: Vec<String>,
}

impl Writer {
    fn keys(r: &mut Rng, most: usize) -> Vec<&'static str> {
        let mut keys: Vec<&'static str> = Vec::new();
        for _ in 0..=r.below(most) {
            let key = KEYS[r.below(KEYS.len())];
            let bare = |key: &str| key.trim_matches(['"', '\'']).to_owned();
            if !keys.iter().any(|old| bare(old) == bare(key)) {
                keys.push(key);
            }
        }
        keys
    }

    /// The fields of a mapping after `key:`.
    fn map(&mut self, r: &mut Rng, depth: usize, indent: usize) {
        if r.chance(15) && depth > 0 {
            let name = format!("m{}", self.maps.len());
            self.text.push_str(&format!(" &{name}"));
            self.maps.push(name);
        }
        self.text.push_str(&comment(r));
        self.text.push('\n');
        let space = " ".repeat(indent);
        let anchors = self.maps.len();
        let keys = Self::keys(r, 4);
        let merges = r.chance(25) && depth > 0;
        for (index, key) in keys.iter().enumerate() {
            self.text.push_str(&r.maybe(6, |_| format!("{space}# above\n")));
            self.text.push_str(&r.maybe(3, |_| "\n".to_owned()));
            if merges && index == keys.len() / 2 && anchors > 1 {
                let other = self.maps[r.below(anchors - 1)].clone();
                let one = self.maps[0].clone();
                let text = if r.chance(20) && one != other {
                    format!("[*{one}, *{other}]")
                } else {
                    format!("*{other}")
                };
                self.text.push_str(&format!("{space}<<: {text}\n"));
            }
            if r.chance(2) && !key.contains(' ') {
                self.text.push_str(&format!("{space}? {key}\n{space}: explicit\n"));
                continue;
            }
            self.text.push_str(&format!("{space}{key}:"));
            self.value(r, depth + 1, indent);
        }
    }

    /// What stands after `key:`, with its line break; `indent` is that of the key.
    fn value(&mut self, r: &mut Rng, depth: usize, indent: usize) {
        match r.below(if depth > 3 { 12 } else { 16 }) {
            0..=3 => self.block(r, indent),
            4 => {
                if let Some(name) = self.anchors.last() {
                    self.text.push_str(&format!(" *{name}\n"));
                } else {
                    let name = format!("s{}", self.anchors.len());
                    self.text.push_str(&format!(" &{name} {}\n", plain(r)));
                    self.anchors.push(name);
                }
            }
            5 => {
                let text = flow(r, depth);
                self.text.push_str(&format!(" {text}{}\n", comment(r)));
            }
            6..=11 => {
                let text = plain(r);
                self.text.push_str(&format!(" {text}{}\n", comment(r)));
            }
            12 | 13 => {
                let more = 1 + r.below(4);
                self.map(r, depth, indent + more);
            }
            _ => {
                let more = r.below(3);
                self.list(r, depth, indent + more);
            }
        }
    }

    fn list(&mut self, r: &mut Rng, depth: usize, indent: usize) {
        self.text.push('\n');
        let space = " ".repeat(indent);
        for _ in 0..=r.below(3) {
            self.text.push_str(&r.maybe(5, |_| format!("{space}# item\n")));
            match r.below(6) {
                0 => {
                    self.text.push_str(&format!("{space}-"));
                    self.block(r, indent);
                }
                1 if depth < 4 => {
                    self.text.push_str(&format!("{space}- name: {}\n", r.pick(&["a", "b", "c"])));
                    self.text.push_str(&format!("{space}  value:"));
                    self.value(r, depth + 1, indent + 2);
                }
                2 if depth < 4 => self.text.push_str(&format!(
                    "{space}- - {}\n{space}  - {}\n",
                    plain(r),
                    plain(r)
                )),
                3 => {
                    let text = flow(r, depth);
                    self.text.push_str(&format!("{space}- {text}\n"));
                }
                _ => {
                    let text = plain(r);
                    self.text.push_str(&format!(
                        "{space}-{}{text}{}\n",
                        r.pick(&[" ", "  ", "   "]),
                        comment(r)
                    ));
                }
            }
        }
    }

    /// A scalar that goes over several lines.
    fn block(&mut self, r: &mut Rng, indent: usize) {
        let step = 1 + r.below(4);
        let space = " ".repeat(indent + step);
        let chomp = r.pick(&["", "", "-", "+"]);
        let lead = r.chance(12);
        let mark = if lead { step.to_string() } else { String::new() };
        match r.below(10) {
            0..=6 => {
                let head = r.pick(&["|", "|", ">", ">"]);
                let order =
                    if r.chance(50) { format!("{mark}{chomp}") } else { format!("{chomp}{mark}") };
                self.text.push_str(&format!(
                    " {head}{order}{}\n",
                    if chomp == "+" { String::new() } else { comment(r) }
                ));
                if lead {
                    self.text.push_str(&format!("{space}  indented first\n"));
                }
                for index in 0..=r.below(5) {
                    let line = line(r);
                    if line.is_empty() && !(index == 0 && lead) {
                        self.text.push('\n');
                    } else {
                        self.text.push_str(&format!("{space}{line}\n"));
                    }
                }
                self.text.push_str(r.pick(&["", "", "", "\n", "\n\n"]));
            }
            7 => self.text.push_str(&format!(" first\n{space}second\n\n{space}third\n")),
            8 => self.text.push_str(&format!(
                " \"first\n{space}second\\\n{space}  third\\n\n\n{space}\\ fourth\"\n"
            )),
            _ => self.text.push_str(&format!(" 'first\n{space}second ''x''\n\n\n{space}third '\n")),
        }
    }

    fn data(&mut self, r: &mut Rng, index: usize) {
        let key = r.pick(&["a", "config.yaml", "\"b\"", "run.sh", "X", "'9'", "x.json"]);
        let key = format!("{}{index}", key.trim_matches(['"', '\'']));
        self.text.push_str(&format!("  {key}:"));
        if r.chance(70) {
            self.block(r, 2);
        } else {
            let text = plain(r);
            self.text.push_str(&format!(" {text}\n"));
        }
    }
}

fn line(r: &mut Rng) -> String {
    r.pick(&[
        "text", "two words", "", "", "  more", "\ttab", "key: value", "- item", "# no comment", "trailing ", "a\tb",
        "\u{e9}\u{4e2d}\u{6587}", "\u{1f600} emoji", "\"quoted\"", "it's", "{{ .Values.x }}", "$(VAR)", "x: |", "---x", "%", "@at",
        "a line that is so long that it has to be folded somewhere between its beginning and its far end, doesn't it",
        "averylongwordthatcannotbefoldedanywherebecauseithasnospaceinitatallandgoesonandonandonandonforever", "back\\slash", ":", "end:",
        "non\u{a0}break", "zero\u{200b}width", "\u{2028}separator", "a  b", "?", "!tag", "&x", "*x",
    ])
    .to_owned()
}

pub(crate) fn plain(r: &mut Rng) -> String {
    if r.chance(30) {
        return crate::objects::scalar(r);
    }
    r.pick(&[
        "", "~", "Null", "NULL", "True", "FALSE", "Yes", "NO", "Off", "0", "-0", "00", "0.0", "-0.0", "+.5", "5.", "1e", "1e5", "1E+5",
        "1.5e-7", "123456789012345678", "1e21", "1e20", "0o17", "0O17", "0xFF", "0XFF", "0b11", "-0b11", "-0x1", "017", "089", "1__0", "_1", "1_",
        "0.1", "100000000000000000000", "3.0e0", ".e1", "1.e+5", "-.inf", ".NaN", ".Inf", "2001-12-14t21:59:43.10-05:00", "2001-12-14 21:59:43",
        "2001-1-1", "2001-12-14T21:59:43Z", "!!str 1", "!!str", "!!int \"5\"", "!!float 1", "!!float 5.0", "!!bool yes", "!!binary aGVsbG8=", "!!null ''",
        "! plain", "!custom x", "!!str true", "'a''b'", "\"\\x41\\u00e9\\U0001F600\\t\\n\\\"\\\\\\/\"", "\"\\0\"", "\"\\e[0m\"", "\"\\a\\b\\v\\f\\r\"",
        "\"\\N\\_\\L\\P\"", "\"\\x7f\"", "\"\u{7f}\"", "\u{e9}t\u{e9}", "\u{4e2d}\u{6587}", "\u{1f600}", "\"\u{feff}x\"", "\"\u{85}\"", "\u{a0}", "a\u{a0}b", "a\\b", "a'b",
        "a\"b", "'\"'", "\"'\"", "a #b", "a# b", "a:", "-a", "--", "---", "- ", "?a", "? a", ":a", "::", "'a:'", "'a: '", "' '", "'  '", "\"\\n\"", "\"\\n\\n\"",
        "\"a\\n\"", "\"a\\nb\\n\"", "\"\\na\"", "\" a\\nb\"", "\"a\\n b\\n\"", "\"a \\nb\"", "\"a\\n\\nb\"", "\"\\t\"", "\"a\\tb\\n\"", "\"a: b\\nc: d\\n\"", "\"# x\\ny\\n\"",
        "a,b", "a]", "a}", "[]", "{}", "''", "\"\"", "'[]'", "'{}'", "'null'", "'Null'", "'TRUE'", "'oN'", "\"On\"", "'1e3'", "'1_000'", "'0o7'", "'+1'", "'.'", "'..'",
        "'1:30'", "190:20:30", "'190:20:30.15'", "'2020-01-01T00:00:00Z'", "'0b'", "'0x'", "'0xg'", "'1.2.3'", "1.2.3", "'='", "'<<'", "'!'", "'&a'", "'*a'", "'|'", "'>'", "'%'",
        "'@'", "'`'", "'-'", "'- a'", "'?'", "'? a'", "':'", "': a'", "'a:b'", "','", "'#'", "'a #'",
        "\"a text of many words, so that it has to be folded at some place, with 'quotes' in it: and a colon, too\"",
        "\"line one of a long text\\nline two of a long text that is longer than eighty characters, so that it might be folded\\n\"",
        "a text of many words with trailing  double  spaces  in it that is far longer than eighty characters, so it  folds",
        "'a text of many words in single quotes with ''quotes'' in it that is far longer than eighty characters, so it folds'",
        "\"tabs\\tand spaces in a text that is far longer than eighty characters, \\twith a tab in front of a word, somewhere\"",
        "https://example.com/averylongpath/thatcannotbefolded/anywhere/because/it/has/no/space/in/it/at/all/and/goes/on",
    ])
    .to_owned()
}

fn flow(r: &mut Rng, depth: usize) -> String {
    let item = |r: &mut Rng| {
        r.pick(&[
            "a",
            "1",
            "'x y'",
            "\"z\"",
            "true",
            "null",
            "~",
            "1.0",
            "a b",
            "\"a: b\"",
            "http://x",
            "''",
            "2020-01-01",
            "y",
        ])
        .to_owned()
    };
    match r.below(7) {
        0 => "[]".to_owned(),
        1 => "{}".to_owned(),
        2 => format!("[{}, {}]", item(r), item(r)),
        3 => format!("{{a: {}, b: {}}}", item(r), item(r)),
        4 => format!("[{}, {},]", item(r), item(r)),
        5 if depth < 4 => format!("{{\"a\":{}, 'b': [{}, {{c: {}}}]}}", "1", item(r), item(r)),
        _ => format!("[{}, [{}], {{x: {}}}]", item(r), item(r), item(r)),
    }
}
