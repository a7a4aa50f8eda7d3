//! From a scalar's text to its type, as go-yaml decides it.
//!
//! Follows go-yaml's `resolve.go`: yaml.v2 for [`Flavour::V2`], yaml.v3 for [`Flavour::V3`].

mod number;
mod timestamp;

pub use number::Number;
pub(crate) use number::{number, write_float, write_float32};
pub(crate) use timestamp::rfc3339;

use crate::node::ScalarType;

/// Whose typing rules apply to plain scalars.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Flavour {
    /// yaml.v3: `yes` and `on` are strings, a bare date is a moment. What kustomize reads
    /// resources with.
    #[default]
    V3,
    /// yaml.v2: YAML 1.1's `y`, `yes`, `on` … are booleans, a date is a string. What
    /// kustomization.yaml, Helm charts and values are read with.
    V2,
}

/// The type of a plain scalar without a tag.
pub fn resolve(text: &str, flavour: Flavour) -> ScalarType {
    let Some(first) = text.bytes().next() else {
        return ScalarType::Null;
    };
    match first {
        b'0'..=b'9' | b'+' | b'-' => {
            if let Some(kind) = word(text, flavour) {
                return kind;
            }
            // Only yaml.v3 decodes moments as such, yet both know the shape.
            if timestamp::is_timestamp(text) {
                return ScalarType::Timestamp;
            }
            number::kind(text).unwrap_or(ScalarType::Str)
        }
        b'.' => word(text, flavour).unwrap_or_else(|| {
            if number::parse_float(text).is_some() { ScalarType::Float } else { ScalarType::Str }
        }),
        b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~' | b'<' => {
            word(text, flavour).unwrap_or(ScalarType::Str)
        }
        _ => ScalarType::Str,
    }
}

/// The words that stand for a value.
fn word(text: &str, flavour: Flavour) -> Option<ScalarType> {
    // All words are short; this spares long strings the comparisons.
    if text.len() > 5 {
        return None;
    }
    match text {
        "~" | "null" | "Null" | "NULL" => Some(ScalarType::Null),
        "true" | "True" | "TRUE" | "false" | "False" | "FALSE" => Some(ScalarType::Bool),
        "<<" => Some(ScalarType::Merge),
        ".nan" | ".NaN" | ".NAN" | ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF"
        | "-.inf" | "-.Inf" | "-.INF" => Some(ScalarType::Float),
        _ if flavour == Flavour::V2 && is_old_bool(text) => Some(ScalarType::Bool),
        _ => None,
    }
}

/// Whether YAML 1.1 takes the word for a boolean and YAML 1.2 does not.
pub(crate) fn is_old_bool(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "off"
            | "Off"
            | "OFF"
    )
}

/// The value of a word that is a boolean.
pub(crate) fn truth(text: &str) -> bool {
    matches!(text.as_bytes().first(), Some(b't' | b'T' | b'y' | b'Y'))
        || matches!(text, "on" | "On" | "ON")
}

/// Whether YAML 1.1 takes the text for a number in base 60, such as `1:30`.
pub(crate) fn is_base60(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if !fraction.bytes().all(|b| b.is_ascii_digit() || b == b'_') {
        return false;
    }
    let mut groups = whole.split(':');
    let first = groups.next().unwrap_or_default();
    let mut more = 0;
    first.starts_with(|c: char| c.is_ascii_digit())
        && first.bytes().all(|b| b.is_ascii_digit() || b == b'_')
        && groups.all(|group| {
            more += 1;
            match group.as_bytes() {
                [unit] => unit.is_ascii_digit(),
                [ten, unit] => (b'0'..=b'5').contains(ten) && unit.is_ascii_digit(),
                _ => false,
            }
        })
        && more > 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers() {
        use ScalarType::{Bool, Float, Int, Merge, Null, Str, Timestamp};
        for (text, v2, v3) in [
            ("", Null, Null),
            ("~", Null, Null),
            ("null", Null, Null),
            ("nUll", Str, Str),
            ("yes", Bool, Str),
            ("y", Bool, Str),
            ("Off", Bool, Str),
            ("True", Bool, Bool),
            ("<<", Merge, Merge),
            ("010", Int, Int),
            ("08", Float, Float),
            ("0x1F", Int, Int),
            ("0o17", Int, Int),
            ("-0b11", Int, Int),
            ("1_000", Int, Int),
            ("_1", Str, Str),
            ("18446744073709551615", Int, Int),
            ("18446744073709551616", Float, Float),
            ("1e3", Float, Float),
            ("1e400", Str, Str),
            ("1.", Float, Float),
            (".5", Float, Float),
            (".", Str, Str),
            ("+.inf", Float, Float),
            (".NaN", Float, Float),
            ("0x", Str, Str),
            ("1:30", Str, Str),
            ("2020-01-01", Timestamp, Timestamp),
            ("2020-13-01", Str, Str),
            ("1.2.3", Str, Str),
            ("+", Str, Str),
            ("-", Str, Str),
        ] {
            assert_eq!(resolve(text, Flavour::V2), v2, "{text:?} as v2");
            assert_eq!(resolve(text, Flavour::V3), v3, "{text:?} as v3");
        }
    }

    #[test]
    fn base_60() {
        for text in ["1:30", "190:20:30.15", "-1:0", "1_0:59", "1:5."] {
            assert!(is_base60(text), "{text}");
        }
        for text in ["1:60", "1:", "a:10", "1", "1:2:", "1.5:3", "_1:10"] {
            assert!(!is_base60(text), "{text}");
        }
    }
}
