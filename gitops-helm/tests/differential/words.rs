//! What random templates are made of: literals, paths, texts of the small languages.

use crate::rng::Rng;

/// The values of all calls. Numbers are floats, dates texts, and some keys odd.
pub(crate) const VALUES: &str = r#"
name: podinfo
empty: ""
text: "Hello, Wörld! ☃ 😀"
lines: "one\n  two\n\nthree\n"
blank: "   "
num: 3
neg: -7
big: 12345678
huge: 9007199254740993
float: 1.5
tiny: 0.0000001
exp: 1e21
yes: true
"off": false
nothing: null
octal: "0755"
date: 2021-02-03
stamp: "2021-02-03T04:05:06Z"
version: v1.2.3-beta.1+b5
list: [1, two, 3.5, true, null, [4, 5], {a: b}]
names: [charlie, alpha, bravo, alpha]
numbers: [3, 1, 2]
none: []
map: {b: 2, a: 1, c: {d: [x, y], e: null}}
odd: {1: one, true: two, "a.b": three, "": four, name10: ten, name9: nine}
emptymap: {}
pods:
  - {name: a, port: 80, labels: {app: x}}
  - {name: b, port: 8080}
yaml: "a: 1\nb: [x, y]\n"
json: '{"a": 1, "b": [true, null, "x"]}'
tpl: "{{ .Values.name | upper }}-{{ .Release.Name }}"
"#;

const INTEGERS: &[&str] = &[
    "0",
    "1",
    "2",
    "3",
    "-1",
    "-2",
    "7",
    "10",
    "63",
    "64",
    "100",
    "255",
    "256",
    "1000",
    "-128",
    "65536",
    "1000000",
    "2147483648",
    "9223372036854775807",
    "-9223372036854775808",
    "0x1F",
    "0b101",
    "0o17",
    "017",
    "1_000",
    "'a'",
    "'é'",
    "'\\n'",
    "1e3",
    "0x1p4",
    "+5",
    "9223372036854775808",
];
const SMALL: &[&str] = &["0", "1", "2", "3", "4", "5", "7", "8", "12", "20", "-1", "-3"];
const FLOATS: &[&str] = &[
    "0.0",
    "1.5",
    "-2.25",
    "3.14159",
    "1e3",
    "1e21",
    "1e-7",
    "123456789.0",
    "0.1",
    "1e100",
    "2.5",
    "-0.5",
    "1e6",
    "1234567.5",
    "0x1p-2",
    "1.",
    ".5",
    "99999999999999999999.0",
    "1i",
    "2.0",
    "-0.0",
];
const STRINGS: &[&str] = &[
    r#""""#,
    r#""a""#,
    r#""abc""#,
    r#""Hello World""#,
    r#""foo-bar_baz.qux""#,
    r#""fooBarBaz HTTPServer2""#,
    r#"" x ""#,
    r#""a,b,,c""#,
    r#""123""#,
    r#""-5""#,
    r#""1.5""#,
    r#""1e3""#,
    r#""0x1F""#,
    r#""017""#,
    r#""true""#,
    r#""null""#,
    r#""~""#,
    r#""yes""#,
    r#""a: b""#,
    r#""line1\nline2\n""#,
    r#""tab\there""#,
    r#""quote\"d""#,
    r#""it's""#,
    r#""<a href='x'>&</a>""#,
    r#""Wörld ☃""#,
    r#""日本語テキスト""#,
    r#""\u00e9\U0001F600""#,
    r#""\x00\x7f""#,
    r#""\xff\xfe""#,
    "`raw \\n`",
    r#""%d %s""#,
    r#""{{ .Values.name }}""#,
    r#""2021-02-03""#,
    r#""1h30m""#,
    r#""v1.2.3""#,
    r#""aGVsbG8=""#,
    r#""a/b/../c.txt""#,
    r#""$1-${name}""#,
    r#""the quick brown fox jumps over the lazy dog""#,
    "\"#comment\"",
    r#""- item""#,
    r#""a\r\nb""#,
    r#""ǅ ß İ ſ""#,
    r#""a\u2028b\u00a0c""#,
    r#""9999999999999999999""#,
    r#""name""#,
    r#""b""#,
    r#""key""#,
];
const KEYS: &[&str] = &[
    "\"a\"",
    "\"b\"",
    "\"c\"",
    "\"name\"",
    "\"missing\"",
    "\"d\"",
    "\"a.b\"",
    "\"\"",
    "\"name9\"",
    "\"x\"",
];
const REGEXES: &[&str] = &[
    r#""[a-z]+""#,
    r#""^([a-z])(.*)$""#,
    r#""(?P<first>\\w)(\\w*)""#,
    r#""a*""#,
    r#""""#,
    r#""[^a-zA-Z0-9]+""#,
    r#""(?i)HELLO""#,
    r#""\\d{2,3}""#,
    r#""(a|b|c)""#,
    r#""o\\b""#,
    r#""[[:upper:]]""#,
    r#""\\pL+""#,
    r#""(""#,
    r#""[""#,
    r#""a{2""#,
    r#""(?=a)""#,
    r#""\\1""#,
    r#""x{1001}""#,
    r#""(?s).+""#,
    r#""(?m)^\\w+$""#,
    r#""a+?""#,
    r#""[b-a]""#,
    r#""*""#,
    r#""\\Qa.b\\E""#,
    r#""(?U)a+""#,
    r#""\\s""#,
    r#"".""#,
];
const REPLACEMENTS: &[&str] = &[
    r#""$1""#,
    r#""${1}x""#,
    r#""$first-""#,
    r#""${first}""#,
    r#""$1x""#,
    r#""$$""#,
    r#""$""#,
    r#""""#,
    r#""-""#,
    r#""${""#,
    r#""$0""#,
    r#""a$2b""#,
];
const DURATIONS: &[&str] = &[
    r#""1h30m""#,
    r#""90s""#,
    r#""1.5h""#,
    r#""-2m""#,
    r#""100ms""#,
    r#""1us""#,
    r#""0""#,
    r#""""#,
    r#""1d""#,
    r#""5""#,
    "95",
    "3600",
    "1.5",
    r#""2400h""#,
    r#""1h-1m""#,
    r#"".5s""#,
    r#""+5m""#,
    r#""1h1m1s1ms1ns""#,
    r#""10000h""#,
    "-90",
    r#""9223372036s""#,
];
const DATES: &[&str] = &[
    r#"(toDate "2006-01-02" "2021-02-03")"#,
    r#"(toDate "2006-01-02T15:04:05Z07:00" "2021-12-31T23:59:59+02:00")"#,
    "(int64 1700000000)",
    "(int 0)",
    "1136214245",
    r#"(toDate "15:04" "nope")"#,
    r#"(toDate "Jan _2 2006" "Feb  3 1999")"#,
    r#"(toDate "02 Jan 06 15:04 MST" "03 Feb 21 04:05 CET")"#,
    "-1",
];
const LAYOUTS: &[&str] = &[
    r#""2006-01-02""#,
    r#""2006-01-02T15:04:05Z07:00""#,
    r#""Mon, 02 Jan 2006 15:04:05 MST""#,
    r#""3:04PM .000 .999""#,
    r#""Monday January _2 __2 002""#,
    r#""06 1 2 15 3 4 5 pm""#,
    r#""-0700 -07:00 -07 Z0700 Z07""#,
    r#""05.000000""#,
    r#""Jan 2, 2006 at 3:04pm (MST)""#,
    r#""""#,
    r#""unixdate""#,
    r#""05,999""#,
];
const ZONES: &[&str] = &[
    r#""UTC""#,
    r#""Europe/Berlin""#,
    r#""America/New_York""#,
    r#""""#,
    r#""Local""#,
    r#""Nowhere/Land""#,
    r#""Asia/Kolkata""#,
    r#""EST""#,
];
const VERSIONS: &[&str] = &[
    r#""1.2.3""#,
    r#""v1.2.3-beta.1+b5""#,
    r#""1.2""#,
    r#""1""#,
    r#""v0.0.1""#,
    r#""2.0.0-rc.1""#,
    r#""1.33.0-gke.100""#,
    r#""latest""#,
    r#""""#,
    r#""01.2.3""#,
    r#""1.2.3-01""#,
    r#""1.2.3.4""#,
    r#""10.20.30""#,
    r#"".Capabilities""#,
];
const CONSTRAINTS: &[&str] = &[
    r#""^1.2""#,
    r#"">=1.19-0""#,
    r#""~1.2.3""#,
    r#"">1.0 <2.0""#,
    r#"">=1.0, !=1.2.3""#,
    r#""1.x || >=2""#,
    r#""*""#,
    r#""1.0 - 2.0""#,
    r#""=1.2.3""#,
    r#""""#,
    r#"">= 1""#,
    r#""~>1.2""#,
    r#""^0.0.1""#,
    r#""!=1.x""#,
    r#""latest""#,
    r#""==1""#,
    r#""<=v1.2-0""#,
    r#"">1.2.3-alpha""#,
    r#""1.2.3 1.3""#,
];
const YAMLS: &[&str] = &[
    r#""a: 1\nb: [x, y]""#,
    r#""- 1\n- two""#,
    r#""x: |\n  a\n  b\n""#,
    r#""a: &x {b: 1}\nc: *x""#,
    r#""a: [""#,
    r#""yes: no\n1: 2""#,
    r#""""#,
    r#""null""#,
    r#""plain""#,
    r#""a: 2021-02-03\nb: 0x1F\nc: 1_000\nd: .inf\ne: 1e3""#,
    r#""a: b: c""#,
    r#""{a: 1, b: {c: null}}""#,
    r#""a: 'x'\na: y""#,
    r#""\tx""#,
    r#""<<: {a: 1}\nb: 2""#,
    r#""a: !!binary aGk=\nb: !!str 5""#,
    r#""- {a: 1}\n- [b]""#,
    r#""a: >-\n  x\n  y\n""#,
    r#""---\na: 1\n---\nb: 2""#,
    r#""? x\n: y""#,
];
const JSONS: &[&str] = &[
    r#""{\"a\": 1, \"b\": [true, null, 1.5e3]}""#,
    r#""[1, \"x\", {}]""#,
    r#""5""#,
    r#""\"s\"""#,
    r#""null""#,
    r#""{""#,
    r#""""#,
    r#""{\"a\": 1} x""#,
    r#""nope""#,
    r#""[1,]""#,
    r#""{\"\\u00e9\\ud83d\": \"\\n\"}""#,
    r#""01""#,
    r#""12345678901234567890""#,
    r#""{\"a\":1,\"a\":2}""#,
    r#""1e999""#,
    r#""\"\\x\"""#,
    r#"" [ ] ""#,
];
const TOMLS: &[&str] = &[
    r#""a = 1\nb = \"x\"\n[c]\nd = [1, 2.5]""#,
    r#""a = 2021-02-03T04:05:06Z""#,
    r#""[[x]]\na = 1\n[[x]]\na = 2""#,
    r#""a =""#,
    r#""a = 'lit'\nb.c = true""#,
    r#""""#,
    r#""a = 1\na = 2""#,
    r#""a = inf""#,
    r#""a = 0x1F""#,
    r#""a = {b = 1}""#,
    r#""= 1""#,
    r#""a = \"\"\"\nx\ny\"\"\"""#,
];
const PATHS: &[&str] = &[
    r#""a/b/../c.txt""#,
    r#""/""#,
    r#""""#,
    r#""a/b/""#,
    r#""//x//y.tar.gz""#,
    r#""..""#,
    r#"".hidden""#,
    r#""a/./b""#,
    r#""/../x""#,
    r#""x.""#,
];
const URLS: &[&str] = &[
    r#""https://user:pa%20ss@host:8080/p/a?q=1&r=2#frag""#,
    r#""http://[::1]:80/""#,
    r#""mailto:a@b.c""#,
    r#""//h/p""#,
    r#""a b""#,
    r#""http://h:x/""#,
    r#"":""#,
    r#""""#,
    r#""%zz""#,
    r#""s3://bucket/key?x""#,
    "\"http://h/%2f?#\"",
];
const LISTS: &[&str] = &[
    ".Values.list",
    ".Values.names",
    ".Values.numbers",
    ".Values.none",
    ".Values.pods",
    "(list)",
    "(list 1 2 3)",
    "(list \"b\" \"a\" \"b\")",
    "(list nil \"\" 0 false (list) (dict))",
    "(splitList \",\" \"b,a,c\")",
    "(until 4)",
    "(tuple 1.5 \"x\")",
    "(list 1 1.0 \"1\")",
    "(list (list 1) (list 1))",
    "(untilStep 10 0 -3)",
    "(list 3 1 2)",
    "(regexFindAll \"[a-z]\" \"a1b2\" -1)",
    "(list (dict \"a\" 1) (dict \"a\" 1))",
];
const TEXTS: &[&str] = &[
    ".Values.names",
    "(list \"b\" \"a\" \"c\")",
    "(splitList \",\" \"z,y,x\")",
    "(list)",
    "(list \"Z\" \"a\" \"é\" \"\")",
    "(list \"a\" 1 nil 2.5)",
    ".Values.numbers",
];
const DICTS: &[&str] = &[
    ".Values.map",
    ".Values.odd",
    ".Values.emptymap",
    "(dict)",
    "(dict \"a\" 1 \"b\" \"x\")",
    "(dict \"a\" (dict \"b\" (dict \"c\" 5)))",
    "(index .Values.pods 0)",
    "(dict \"a\" nil \"b\" (list 1 2))",
    "(dict \"a\")",
    "(dict 1 2)",
    "(split \".\" \"a.b.c\")",
    "(deepCopy .Values.map)",
    "(dict \"a\" (dict \"b\" nil) \"name\" false)",
    "(fromYaml \"a: 1\\nc: {d: 2}\")",
    ".Values",
    ".Chart",
    ".Release",
    ".Capabilities.KubeVersion",
    ".Values.map.c",
];
const OTHERS: &[&str] = &[
    "nil",
    "true",
    "false",
    ".",
    "$",
    ".Values.nothing",
    ".Values.missing",
    ".Values.off",
    ".Values.num",
    ".Values.float",
    ".Values.big",
    ".Values.huge",
    ".Values.name",
    ".Values.tiny",
    ".Values.exp",
    ".Values.date",
    ".Values.empty",
    ".Values.text",
    ".Values.lines",
    ".Values.missing.deeper",
    ".Values.name.deeper",
    ".Values.map.c.d",
    ".Values.odd",
    ".Chart.Name",
    ".Chart.Version",
    ".Release.Service",
    ".Release.IsInstall",
    ".Release.Revision",
    ".Capabilities.KubeVersion.Version",
    ".Capabilities.KubeVersion.Minor",
    ".Capabilities.APIVersions",
    ".Template.Name",
    ".Files",
    "(.Files.Get \"a.txt\")",
    ".Subcharts",
    "(semver \"1.2.3-a\")",
    "(toDate \"2006-01-02\" \"2021-02-03\")",
    "(int 5)",
    "(int64 5)",
    "(float64 5)",
    "(toString 5)",
    "(len .Values.list)",
    "(index .Values.list 1)",
    "(b64dec \"/w==\")",
    "(atoi \"12\")",
    "(toDecimal \"17\")",
    "(ceil 1.2)",
    "(urlParse \"http://a/b\")",
    "(duration 95)",
    "(.Capabilities.APIVersions.Has \"v1\")",
    "print",
    "(.Values.name | b64enc)",
    "(fromJson \"5\")",
    "(fromJsonArray \"[1]\")",
    "(.Files.Glob \"*\")",
    ".Chart.Maintainers",
    ".Chart.Keywords",
    ".Chart.Annotations",
];

/// A random argument of the kind that a letter stands for.
#[expect(clippy::too_many_lines, reason = "a table of what a letter stands for")]
pub(crate) fn word(rng: &mut Rng, kind: char) -> String {
    let from: &[&str] = match kind {
        's' => match rng.below(10) {
            0 => {
                return rng
                    .pick(&[
                        ".Values.name",
                        ".Values.text",
                        ".Values.lines",
                        ".Values.blank",
                        ".Chart.Name",
                    ])
                    .to_owned();
            }
            _ => STRINGS,
        },
        'n' => SMALL,
        'i' => INTEGERS,
        'f' => FLOATS,
        'N' => {
            return {
                let kind = *['i', 'i', 'f', 's', 'v', 'a'].get(rng.below(6)).expect("it is below");
                match kind {
                    's' => rng
                        .pick(&[
                            "\"5\"", "\"1.5\"", "\"x\"", "\"-3\"", "\"0x10\"", "\"010\"", "\"\"",
                            "\"1e2\"", "\" 1\"",
                        ])
                        .to_owned(),
                    'v' => rng
                        .pick(&[
                            ".Values.num",
                            ".Values.float",
                            ".Values.neg",
                            ".Values.big",
                            ".Values.exp",
                            ".Values.huge",
                            ".Values.tiny",
                        ])
                        .to_owned(),
                    'a' => rng
                        .pick(&[
                            "true",
                            "false",
                            "nil",
                            ".Values.missing",
                            "(int 7)",
                            "(int64 -7)",
                            "(float64 2)",
                            "(len \"abc\")",
                            "(list 1)",
                        ])
                        .to_owned(),
                    kind => word(rng, kind),
                }
            };
        }
        'b' => {
            return rng
                .pick(&[
                    "true",
                    "false",
                    "(eq 1 1)",
                    ".Values.off",
                    ".Release.IsInstall",
                    "(not .Values.name)",
                ])
                .to_owned();
        }
        'l' => LISTS,
        'L' => TEXTS,
        'd' => DICTS,
        'r' => REGEXES,
        'R' => REPLACEMENTS,
        'D' => DURATIONS,
        't' => DATES,
        'F' => LAYOUTS,
        'z' => ZONES,
        'v' => VERSIONS,
        'c' => CONSTRAINTS,
        'y' => YAMLS,
        'j' => JSONS,
        'T' => TOMLS,
        'k' => KEYS,
        'p' => PATHS,
        'u' => URLS,
        'o' => OTHERS,
        _ => {
            return {
                let kind = *['s', 'i', 'f', 'b', 'l', 'd', 'o', 'o', 's']
                    .get(rng.below(9))
                    .expect("it is below");
                word(rng, kind)
            };
        }
    };
    rng.pick(from).to_owned()
}
