//! Random expressions: every function that gives the same each time, with arguments that mostly fit.

use crate::{rng::Rng, words::word};

/// Functions by the kinds of their arguments (see [`word`]); `*` repeats the kind before it, `!` keeps
/// arguments as they are: others would take the time of day, or a machine's memory.
const FUNCTIONS: &[(&str, &str)] = &[
    // text/template
    ("and", "aa*"),
    ("or", "aa*"),
    ("not", "a"),
    ("len", "a"),
    ("index", "la*"),
    ("index", "dk"),
    ("index", "li"),
    ("slice", "sii"),
    ("slice", "li"),
    ("html", "a*"),
    ("js", "a*"),
    ("urlquery", "a*"),
    ("print", "a*"),
    ("println", "a*"),
    ("eq", "aa*"),
    ("eq", "ss"),
    ("ne", "aa"),
    ("lt", "NN"),
    ("le", "ss"),
    ("gt", "ff"),
    ("ge", "ii"),
    ("call", "aa"),
    ("eq", "NN*"),
    // strings
    ("abbrev", "is"),
    ("abbrevboth", "iis"),
    ("trunc", "is"),
    ("substr", "iis"),
    ("trim", "s"),
    ("trimAll", "ss"),
    ("trimall", "ss"),
    ("trimSuffix", "ss"),
    ("trimPrefix", "ss"),
    ("nospace", "s"),
    ("initials", "s"),
    ("upper", "s"),
    ("lower", "s"),
    ("title", "s"),
    ("untitle", "s"),
    ("swapcase", "s"),
    ("snakecase", "s"),
    ("camelcase", "s"),
    ("kebabcase", "s"),
    ("repeat", "ns!"),
    ("wrap", "ns"),
    ("wrapWith", "nss"),
    ("contains", "ss"),
    ("hasPrefix", "ss"),
    ("hasSuffix", "ss"),
    ("quote", "a*"),
    ("squote", "a*"),
    ("cat", "a*"),
    ("indent", "ns!"),
    ("nindent", "ns!"),
    ("replace", "sss"),
    ("plural", "ssi"),
    ("toString", "a"),
    ("split", "ss"),
    ("splitList", "ss"),
    ("splitn", "sns"),
    ("sha1sum", "s"),
    ("sha256sum", "s"),
    ("sha512sum", "s"),
    ("adler32sum", "s"),
    ("join", "sl"),
    ("join", "sL"),
    ("join", "sa"),
    ("sortAlpha", "l"),
    ("sortAlpha", "L"),
    ("toStrings", "l"),
    ("substr", "nns"),
    ("trunc", "ns"),
    // regular expressions
    ("regexMatch", "rs"),
    ("mustRegexMatch", "rs"),
    ("regexFind", "rs"),
    ("mustRegexFind", "rs"),
    ("regexFindAll", "rsn"),
    ("mustRegexFindAll", "rsn"),
    ("regexReplaceAll", "rsR"),
    ("mustRegexReplaceAll", "rsR"),
    ("regexReplaceAllLiteral", "rsR"),
    ("mustRegexReplaceAllLiteral", "rsR"),
    ("regexSplit", "rsn"),
    ("mustRegexSplit", "rsn"),
    ("regexQuoteMeta", "s"),
    // numbers
    ("atoi", "s"),
    ("int64", "N"),
    ("int", "N"),
    ("float64", "N"),
    ("toDecimal", "N"),
    ("add1", "N"),
    ("add", "N*"),
    ("sub", "NN"),
    ("div", "NN"),
    ("mod", "NN"),
    ("mul", "NN*"),
    ("add1f", "N"),
    ("addf", "N*"),
    ("subf", "NN*"),
    ("divf", "NN*"),
    ("mulf", "NN*"),
    ("max", "NN*"),
    ("biggest", "NN*"),
    ("min", "NN*"),
    ("maxf", "NN*"),
    ("minf", "NN*"),
    ("ceil", "N"),
    ("floor", "N"),
    ("round", "Nn"),
    ("round", "Nnf"),
    ("until", "n!"),
    ("untilStep", "nnn!"),
    ("seq", "n*!"),
    ("int", "a"),
    ("float64", "a"),
    ("int64", "a"),
    // values
    ("default", "aa"),
    ("empty", "a"),
    ("coalesce", "a*"),
    ("all", "a*"),
    ("any", "a*"),
    ("ternary", "aab"),
    ("typeOf", "a"),
    ("typeIs", "sa"),
    ("typeIsLike", "sa"),
    ("kindOf", "a"),
    ("kindIs", "sa"),
    ("deepEqual", "aa"),
    ("deepCopy", "a"),
    ("mustDeepCopy", "a"),
    ("fail", "s"),
    ("required", "sa"),
    ("lookup", "ssss"),
    ("hello", ""),
    ("include", "Ia"),
    ("tpl", "sa"),
    ("tpl", "Ea"),
    // lists
    ("list", "a*"),
    ("tuple", "a*"),
    ("append", "la"),
    ("push", "la"),
    ("mustAppend", "la"),
    ("prepend", "la"),
    ("mustPrepend", "aa"),
    ("first", "l"),
    ("mustFirst", "a"),
    ("last", "l"),
    ("mustLast", "l"),
    ("rest", "l"),
    ("mustRest", "a"),
    ("initial", "l"),
    ("mustInitial", "l"),
    ("reverse", "l"),
    ("mustReverse", "a"),
    ("compact", "l"),
    ("mustCompact", "l"),
    ("uniq", "l"),
    ("mustUniq", "a"),
    ("without", "la*"),
    ("mustWithout", "la*"),
    ("has", "al"),
    ("mustHas", "aa"),
    ("chunk", "nl!"),
    ("mustChunk", "nl!"),
    ("concat", "ll*"),
    ("concat", "a*"),
    ("slice", "lnn"),
    ("mustSlice", "lnn"),
    ("mustSlice", "an"),
    // dictionaries
    ("dict", "ka*"),
    ("dict", "kaka"),
    ("get", "dk"),
    ("set", "dka"),
    ("unset", "dk"),
    ("hasKey", "dk"),
    ("pluck", "kdd*"),
    ("pick", "dk*"),
    ("omit", "dk*"),
    ("merge", "dd*"),
    ("mergeOverwrite", "dd*"),
    ("mustMerge", "dd*"),
    ("mustMergeOverwrite", "dd*"),
    ("dig", "kad"),
    ("dig", "kkad"),
    ("dig", "ka"),
    // encodings
    ("b64enc", "s"),
    ("b64dec", "s"),
    ("b32enc", "s"),
    ("b32dec", "s"),
    ("fromJson", "j"),
    ("mustFromJson", "j"),
    ("toJson", "a"),
    ("mustToJson", "a"),
    ("toPrettyJson", "a"),
    ("mustToPrettyJson", "a"),
    ("toRawJson", "a"),
    ("mustToRawJson", "a"),
    ("toYaml", "a"),
    ("toYamlPretty", "a"),
    ("fromYaml", "y"),
    ("fromYaml", "s"),
    ("fromYamlArray", "y"),
    ("fromJsonArray", "j"),
    ("toToml", "a"),
    ("toToml", "d"),
    ("fromToml", "T"),
    ("mustToYaml", "a"),
    ("mustToToml", "d"),
    ("toYaml", "d"),
    ("toYaml", "l"),
    ("toJson", "d"),
    ("toYaml", "s"),
    ("toYamlPretty", "d"),
    // paths, URLs, versions
    ("base", "p"),
    ("dir", "p"),
    ("clean", "p"),
    ("ext", "p"),
    ("isAbs", "p"),
    ("osBase", "p"),
    ("osDir", "p"),
    ("osClean", "p"),
    ("osExt", "p"),
    ("osIsAbs", "p"),
    ("urlParse", "u"),
    ("urlJoin", "d"),
    ("semver", "v"),
    ("semverCompare", "cv"),
    ("semverCompare", "ss"),
    // dates
    ("date", "Ft!"),
    ("dateInZone", "Ftz!"),
    ("date_in_zone", "Ftz!"),
    ("htmlDate", "t!"),
    ("htmlDateInZone", "tz!"),
    ("dateModify", "Dt!"),
    ("date_modify", "Dt!"),
    ("mustDateModify", "Dt!"),
    ("must_date_modify", "Dt!"),
    ("toDate", "Fs"),
    ("mustToDate", "Fs"),
    ("unixEpoch", "t!"),
    ("duration", "D"),
    ("duration", "a"),
    ("durationRound", "D"),
    ("mustToDuration", "D"),
    ("durationSeconds", "D"),
    ("durationMilliseconds", "D"),
    ("durationMicroseconds", "D"),
    ("durationNanoseconds", "D"),
    ("durationMinutes", "D"),
    ("durationHours", "D"),
    ("durationDays", "D"),
    ("durationWeeks", "a"),
    ("durationRoundTo", "DD"),
    ("durationTruncateTo", "DD"),
];

const VERBS: &[&str] = &[
    "%v",
    "%+v",
    "%#v",
    "%s",
    "%d",
    "%q",
    "%x",
    "%X",
    "%t",
    "%f",
    "%.2f",
    "%5d",
    "%-5s|",
    "%05d",
    "%e",
    "%g",
    "%G",
    "%b",
    "%o",
    "%O",
    "%c",
    "%U",
    "%#U",
    "%T",
    "%p",
    "%%",
    "%6.2f",
    "%+d",
    "% d",
    "% x",
    "%#x",
    "%#q",
    "%+q",
    "%10.3s",
    "%-10q",
    "%*d",
    "%[1]v",
    "%[2]d %[1]d",
    "%!",
    "%z",
    "%",
    "%08.3f",
    "%.0f",
    "%.*f",
    "%#o",
    "%x%%",
    "%w",
    "%5t",
    "%-8v|",
    "%08b",
    "%+.3e",
    "%.3g",
    "%[3]v",
    "%[x]d",
    "%-05d",
    "%#v %T",
    "%6v",
    "%.2v",
    "%e %E",
    "%+s",
    "% q",
];

/// Methods and fields of what is no map.
const METHODS: &[&str] = &[
    ".Capabilities.APIVersions.Has",
    ".Files.Get",
    ".Files.GetBytes",
    ".Files.Glob",
    ".Files.Lines",
    ".Files.AsConfig",
    ".Files.AsSecrets",
    "(.Files.Glob \"*.txt\").AsConfig",
    "(.Files.Glob \"conf/*\").AsSecrets",
    "(semver \"1.2.3-a+b\").Major",
    "(semver \"1.2.3\").Compare",
    "(semver \"1.2.3\").IncMinor",
    "(semver \"1.2.3-x\").Prerelease",
    "(semver \"v1.2\").Original",
    "(semver \"1.2.3\").String",
    ".Values.AsMap",
    ".Values.YAML",
    ".Values.Table",
    ".Values.PathValue",
    "(toDate \"2006-01-02\" \"2021-02-03\").Year",
    "(toDate \"2006-01-02\" \"2021-02-03\").Weekday",
    "(toDate \"2006-01-02\" \"2021-02-03\").AddDate",
    "(toDate \"2006-01-02\" \"2021-02-03\").Format",
    "(toDate \"2006-01-02\" \"2021-02-03\").Unix",
    ".Capabilities.KubeVersion.String",
    ".Capabilities.HelmVersion.Version",
    ".Capabilities.KubeVersion.GitVersion",
    ".Chart.IsRoot",
    ".Chart.Validate",
    ".Release.Name.Foo",
    "(list 1).Len",
    "nil.x",
    "(1).x",
    "\"a\".x",
    "(dict \"f\" 1).f",
    "$.Values.map.c.d",
    ".Chart.Type",
    ".Chart.Dependencies",
    ".Chart.Deprecated",
    ".Chart.Sources",
    ".Values.map.c.d.e",
];

/// An expression without the braces around it.
pub(crate) fn expression(rng: &mut Rng, depth: usize) -> String {
    let mut text = single(rng, depth);
    while rng.chance(22) {
        let (name, kinds) = loop {
            let (name, kinds) = function(rng);
            if !kinds.contains('!') {
                break (name, kinds);
            }
        };
        // The value that comes through the pipe is the last argument.
        let mut all = arguments(rng, kinds, depth);
        if !rng.chance(8) {
            all.pop();
        }
        text = format!("{text} | {name}{}", all.concat());
    }
    text
}

fn single(rng: &mut Rng, depth: usize) -> String {
    match rng.below(20) {
        0 | 1 => {
            let mut format: String = (0..=rng.below(2)).map(|_| rng.pick(VERBS)).collect();
            if rng.chance(20) {
                format.push_str("x y");
            }
            let arguments: String =
                (0..rng.below(4)).map(|_| format!(" {}", argument(rng, 'a', depth))).collect();
            // The parts of a moment are pointers and Go's own.
            if arguments.contains("toDate") {
                return format!("printf {format:?} 1.5 \"x\"");
            }
            format!("printf {format:?}{arguments}")
        }
        2 => {
            let arguments: String =
                (0..rng.below(3)).map(|_| format!(" {}", argument(rng, 's', depth))).collect();
            format!("{}{arguments}", rng.pick(METHODS))
        }
        3 => word(rng, 'a'),
        _ => {
            let (name, kinds) = function(rng);
            format!("{name}{}", arguments(rng, kinds, depth).concat())
        }
    }
}

/// Arguments that hardly any function expects.
const ODD: &[&str] = &[
    "nil",
    "-1",
    "0",
    "1",
    "3",
    "9223372036854775807",
    "-9223372036854775808",
    "1e300",
    "-0.5",
    "true",
    "false",
    "\"\"",
    "\"x\"",
    "\" \"",
    "\"-3\"",
    "\"1.5\"",
    "\"é☃\"",
    "\"a,b\"",
    "\"\\xff\"",
    "(list)",
    "(list nil)",
    "(list 1 \"a\" nil)",
    "(dict)",
    "(dict \"a\" 1)",
    "(dict \"a\" nil)",
    ".Values.missing",
    ".Values.nothing",
    ".Values.list",
    ".Values.map",
    ".Values.num",
    ".Values",
    ".Chart",
    ".",
    "$",
    ".Files",
    ".Release",
    "(int64 5)",
    "(float64 2)",
    "(int 7)",
    "(semver \"1.2.3\")",
    "(b64dec \"/w==\")",
    "(splitList \",\" \"a,b\")",
    "(split \",\" \"a,b\")",
    "(until 3)",
    "(toDate \"2006-01-02\" \"2021-02-03\")",
    "(len \"ab\")",
    "(fromYaml \"a: 1\")",
    "(fromJson \"[1,2]\")",
    "(fromJsonArray \"[1]\")",
    "(list (dict \"a\" 1))",
    "'a'",
    "1i",
    "print",
    "(atoi \"5\")",
    "(toDecimal \"777\")",
    "(.Files.Glob \"*\")",
    ".Values.names",
    ".Capabilities.APIVersions",
];

/// A call with arguments of any types, in any number near to the right one.
pub(crate) fn odd_call(rng: &mut Rng) -> String {
    let (name, kinds) = loop {
        let (name, kinds) = function(rng);
        if !kinds.ends_with('!') {
            break (name, kinds);
        }
    };
    let count =
        kinds.trim_end_matches('*').len() + if kinds.ends_with('*') { rng.below(3) } else { 0 };
    let count = if rng.chance(6) { count + 1 } else { count };
    let kinds: Vec<char> = kinds.trim_end_matches('*').chars().collect();
    let arguments: String = (0..count)
        .map(|at| {
            let kind = kinds.get(at).or(kinds.last()).copied().unwrap_or('a');
            let odd = rng.chance(65) && !matches!(kind, 'I' | 'E');
            format!(" {}", if odd { rng.pick(ODD).to_owned() } else { argument(rng, kind, 0) })
        })
        .collect();
    format!("{name}{arguments}")
}

fn function(rng: &mut Rng) -> (&'static str, &'static str) {
    FUNCTIONS[rng.below(FUNCTIONS.len())]
}

fn arguments(rng: &mut Rng, kinds: &str, depth: usize) -> Vec<String> {
    let fixed = kinds.ends_with('!');
    let mut all = Vec::new();
    let mut last = 'a';
    for kind in kinds.trim_end_matches('!').chars() {
        if kind == '*' {
            // The first of the repeated is there already.
            for _ in 0..rng.below(4) {
                all.push(last);
            }
        } else {
            all.push(kind);
            last = kind;
        }
    }
    if !fixed && rng.chance(2) {
        all.pop();
    }
    if !fixed && rng.chance(2) {
        all.push('a');
    }
    all.into_iter()
        .map(|kind| {
            if fixed {
                return format!(" {}", word(rng, kind));
            }
            format!(" {}", argument(rng, kind, depth))
        })
        .collect()
}

fn argument(rng: &mut Rng, kind: char, depth: usize) -> String {
    match kind {
        'I' => {
            return rng
                .pick(&[
                    "\"name\"",
                    "\"labels\"",
                    "\"missing\"",
                    "\"loop\"",
                    "\"c/templates/_h.tpl\"",
                ])
                .to_owned();
        }
        'E' => {
            return format!(
                "{:?}",
                format!("{{{{ {} }}}}", expression(rng, depth.saturating_sub(1)))
            );
        }
        _ => {}
    }
    if depth > 0 && rng.chance(if matches!(kind, 'a' | 's' | 'l' | 'd') { 25 } else { 7 }) {
        return format!("({})", expression(rng, depth - 1));
    }
    let kind = if rng.chance(5) { 'a' } else { kind };
    word(rng, kind)
}
