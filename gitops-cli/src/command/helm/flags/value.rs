//! What flags hold, and Go's words for what they cannot hold.

use gitops_api::meta::Duration;
use gitops_core::quoted;

/// The kind of a flag's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    /// The last one counts.
    Text,
    /// All count.
    Texts,
    /// All count, and each may be several, in a line of CSV.
    Csv,
    /// `key=value` in a line of CSV.
    Pairs,
    Int,
    Uint,
    Float32,
    Duration,
    /// A text, which may be left out.
    DryRun,
    /// The same of Helm 3.
    DryRunOfHelm3,
    /// What Helm 4 waits for; may be left out.
    Wait,
    /// `never`, `auto` or `always`.
    Color,
}

impl Kind {
    /// The value of a flag without one.
    pub(super) fn bare(self) -> Option<&'static str> {
        match self {
            Self::Bool => Some("true"),
            Self::DryRun => Some("unset"),
            Self::DryRunOfHelm3 => Some("client"),
            Self::Wait => Some("watcher"),
            _ => None,
        }
    }

    /// The values that a text is, or why it is none.
    pub(super) fn read(self, text: &str) -> Result<Vec<String>, String> {
        let one = || Ok(vec![text.to_owned()]);
        let syntax =
            |what: &str| format!("strconv.{what}: parsing {}: invalid syntax", quoted(text));
        match self {
            Self::Bool => match bool_of(text) {
                Some(given) => Ok(vec![given.to_string()]),
                None => Err(syntax("ParseBool")),
            },
            Self::Text | Self::Texts | Self::DryRun | Self::DryRunOfHelm3 | Self::Color => one(),
            Self::Csv => csv(text),
            Self::Pairs => {
                let pairs = csv(text)?;
                match pairs.iter().find(|pair| !pair.contains('=')) {
                    Some(pair) => Err(format!("{pair} must be formatted as key=value")),
                    None => Ok(pairs),
                }
            }
            Self::Int => {
                text.parse::<i64>().map(|_| ()).map_or(Err(syntax("ParseInt")), |()| one())
            }
            Self::Uint => {
                text.parse::<u64>().map(|_| ()).map_or(Err(syntax("ParseUint")), |()| one())
            }
            Self::Float32 => {
                text.parse::<f32>().map(|_| ()).map_or(Err(syntax("ParseFloat")), |()| one())
            }
            Self::Duration => {
                text.parse::<Duration>().map_err(|error| error.to_string()).and_then(|_| one())
            }
            Self::Wait => match text {
                "watcher" | "legacy" | "hookOnly" | "true" | "false" => one(),
                _ => Err(format!(
                    "invalid wait input {}. Valid inputs are watcher, hookOnly, and legacy",
                    quoted(text)
                )),
            },
        }
    }
}

/// Go's `strconv.ParseBool`.
pub(super) fn bool_of(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The fields of one record, as Go's `encoding/csv` has them.
fn csv(text: &str) -> Result<Vec<String>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let fault = |at: usize, what: &str| format!("parse error on line 1, column {}: {what}", at + 1);
    let mut fields = Vec::new();
    let mut at = 0;
    loop {
        let rest = &text[at..];
        let Some(inner) = rest.strip_prefix('"') else {
            let end = rest.find(',').unwrap_or(rest.len());
            if let Some(quote) = rest[..end].find('"') {
                return Err(fault(at + quote, "bare \" in non-quoted field"));
            }
            fields.push(rest[..end].to_owned());
            at += end + 1;
            if end == rest.len() {
                return Ok(fields);
            }
            continue;
        };
        let mut field = String::new();
        let mut inside = inner;
        loop {
            let wrong = "extraneous or missing \" in quoted-field";
            let Some(quote) = inside.find('"') else { return Err(fault(text.len(), wrong)) };
            field.push_str(&inside[..quote]);
            let after = &inside[quote + 1..];
            let place = text.len() - after.len() - 1;
            match after.chars().next() {
                Some('"') => {
                    field.push('"');
                    inside = &after[1..];
                }
                None => {
                    fields.push(field);
                    return Ok(fields);
                }
                Some(',') => {
                    at = place + 2;
                    break;
                }
                Some(_) => return Err(fault(place, wrong)),
            }
        }
        fields.push(field);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_go_reads_them() {
        for (text, fields) in [
            ("", Ok(vec![])),
            ("a,b", Ok(vec!["a", "b"])),
            ("a,", Ok(vec!["a", ""])),
            ("\"a,b\",c", Ok(vec!["a,b", "c"])),
            ("\"a\"\"b\"", Ok(vec!["a\"b"])),
            ("\"prod", Err(6)),
            ("\"a\"b", Err(3)),
            ("x\"y", Err(2)),
        ] {
            match (csv(text), fields) {
                (Ok(read), Ok(fields)) => assert_eq!(read, fields, "{text}"),
                (Err(error), Err(column)) => {
                    assert!(error.contains(&format!("column {column}:")), "{text}: {error}");
                }
                (read, _) => panic!("{text}: {read:?}"),
            }
        }
    }

    #[test]
    fn values_are_refused_in_go_words() {
        for (kind, text, error) in [
            (Kind::Bool, "maybe", "strconv.ParseBool: parsing \"maybe\": invalid syntax"),
            (Kind::Int, "abc", "strconv.ParseInt: parsing \"abc\": invalid syntax"),
            (Kind::Uint, "-1", "strconv.ParseUint: parsing \"-1\": invalid syntax"),
            (Kind::Float32, "x", "strconv.ParseFloat: parsing \"x\": invalid syntax"),
            (Kind::Duration, "5", "time: missing unit in duration \"5\""),
            (Kind::Pairs, "a", "a must be formatted as key=value"),
        ] {
            assert_eq!(kind.read(text).unwrap_err(), error);
        }
        assert_eq!(Kind::Bool.read("T").unwrap(), ["true"]);
    }
}
