//! The forms of names, and what the API says to other forms.
//!
//! Follows apimachinery's `util/validation` and `api/validate/content`.

const LABEL: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN: &str = "[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*";
const OLD_LABEL: &str = "[a-z]([-a-z0-9]*[a-z0-9])?";
const KEY: &str = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";

type Complaints = Vec<String>;

/// How a kind's objects are named; `prefix` is of `generateName`.
pub(super) type NameRule = fn(name: &str, prefix: bool) -> Complaints;

pub(super) fn name_is_subdomain(name: &str, prefix: bool) -> Complaints {
    if prefix { subdomain(&mask(name)) } else { subdomain(name) }
}

pub(super) fn name_is_label(name: &str, prefix: bool) -> Complaints {
    if prefix { label(&mask(name)) } else { label(name) }
}

/// Anything that can stand between two slashes of a path.
pub(super) fn name_is_path_segment(name: &str, prefix: bool) -> Complaints {
    if !prefix && matches!(name, "." | "..") {
        return vec![format!("may not be '{name}'")];
    }
    ["/", "%"]
        .iter()
        .filter(|sign| name.contains(**sign))
        .map(|sign| format!("may not contain '{sign}'"))
        .collect()
}

/// A generated name goes on after the prefix, so it may end in a dash.
fn mask(name: &str) -> String {
    match name.strip_suffix('-') {
        Some(head) if !head.is_empty() => format!("{head}a"),
        _ => name.to_owned(),
    }
}

/// DNS-1123 label.
pub(super) fn label(value: &str) -> Complaints {
    let mut complaints = too_long(value, 63, "characters");
    if !is_label(value) {
        complaints.push(if is_subdomain(value) {
            "must not contain dots".to_owned()
        } else {
            regex(
                "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
                LABEL,
                &["my-name", "123-abc"],
            )
        });
    }
    complaints
}

/// DNS-1123 subdomain.
pub(super) fn subdomain(value: &str) -> Complaints {
    let mut complaints = too_long(value, 253, "characters");
    if !is_subdomain(value) {
        complaints.push(regex(
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
            SUBDOMAIN,
            &["example.com"],
        ));
    }
    complaints
}

/// `*.` and a subdomain.
pub(super) fn wildcard_subdomain(value: &str) -> Complaints {
    let mut complaints = too_long(value, 253, "characters");
    if !value.strip_prefix("*.").is_some_and(is_subdomain) {
        complaints.push(regex(
            "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
            &format!("\\*\\.{SUBDOMAIN}"),
            &["*.example.com"],
        ));
    }
    complaints
}

/// DNS-1035 label.
pub(super) fn old_label(value: &str) -> Complaints {
    let mut complaints = too_long(value, 63, "characters");
    if !(is_label(value) && value.starts_with(|c: char| c.is_ascii_lowercase())) {
        complaints.push(regex(
            "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
            OLD_LABEL,
            &["my-name", "abc-123"],
        ));
    }
    complaints
}

/// The key of a label or annotation, a finalizer, a resource.
pub(super) fn qualified_name(value: &str) -> Complaints {
    let mut complaints = Vec::new();
    let text = "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    let form = regex(text, KEY, &["MyName", "my.name", "123-abc"]);
    let name = match value.split('/').collect::<Vec<_>>()[..] {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                complaints.push("prefix part must be non-empty".to_owned());
            } else {
                let found = content_subdomain(prefix);
                complaints.extend(found.into_iter().map(|text| format!("prefix part {text}")));
            }
            name
        }
        _ => {
            return vec![format!(
                "a valid label key {form} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        complaints.push("name part must be non-empty".to_owned());
    } else if name.len() > 63 {
        complaints.push("name part must be no more than 63 bytes".to_owned());
    }
    if !is_key(name) {
        complaints.push(format!("name part {form}"));
    }
    complaints
}

/// The same as [`subdomain`], from another package that counts bytes.
fn content_subdomain(value: &str) -> Complaints {
    subdomain(value).into_iter().map(|text| text.replace("253 characters", "253 bytes")).collect()
}

pub(super) fn label_value(value: &str) -> Complaints {
    let mut complaints = too_long(value, 63, "bytes");
    if !(value.is_empty() || is_key(value)) {
        complaints.push(regex(
            "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
            &format!("({KEY})?"),
            &["MyValue", "my_value", "12345"],
        ));
    }
    complaints
}

pub(super) fn config_key(value: &str) -> Complaints {
    let mut complaints = too_long(value, 253, "characters");
    let sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if value.is_empty() || !value.bytes().all(sign) {
        complaints.push(regex(
            "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
            "[-._a-zA-Z0-9]+",
            &["key.name", "KEY_NAME", "key-name"],
        ));
    }
    match value {
        "." => complaints.push("must not be '.'".to_owned()),
        ".." => complaints.push("must not be '..'".to_owned()),
        _ if value.starts_with("..") => complaints.push("must not start with '..'".to_owned()),
        _ => {}
    }
    complaints
}

/// The name of an environment variable: anything that can be printed, but `=`.
pub(super) fn variable_name(value: &str) -> Complaints {
    let mut complaints = Vec::new();
    if value.is_empty() {
        complaints.push("environment variable name must be non-empty".to_owned());
    }
    if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b'=') {
        complaints.push(
            "a valid environment variable name must consist only of printable ASCII characters other than '='"
                .to_owned(),
        );
    }
    complaints
}

pub(super) fn port_name(value: &str) -> Complaints {
    let mut complaints = too_long(value, 15, "characters");
    let sign = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if value.is_empty() || !value.bytes().all(sign) {
        complaints.push(
            "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)".to_owned(),
        );
    }
    if !value.bytes().any(|byte| byte.is_ascii_lowercase()) {
        complaints.push("must contain at least one letter (a-z)".to_owned());
    }
    if value.contains("--") {
        complaints.push("must not contain consecutive hyphens".to_owned());
    }
    if value.starts_with('-') || value.ends_with('-') {
        complaints.push("must not begin or end with a hyphen".to_owned());
    }
    complaints
}

pub(super) fn port_number(value: i64) -> Complaints {
    if (1..=65535).contains(&value) { Vec::new() } else { vec![between(1, 65535)] }
}

pub(super) fn percent(value: &str) -> Complaints {
    let digits = value.strip_suffix('%').unwrap_or_default();
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Vec::new();
    }
    vec![regex(
        "a valid percent string must be a numeric string followed by an ending '%'",
        "[0-9]+%",
        &["1%", "93%"],
    )]
}

pub(super) fn header_name(value: &str) -> Complaints {
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Vec::new();
    }
    vec![regex(
        "a valid HTTP header must consist of alphanumeric characters or '-'",
        "[-A-Za-z0-9]+",
        &["X-Header-Name"],
    )]
}

pub(super) fn between(low: i64, high: i64) -> String {
    format!("must be between {low} and {high}, inclusive")
}

pub(super) fn is_label(value: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = value.as_bytes();
    bytes.first().is_some_and(|byte| word(*byte))
        && bytes.last().is_some_and(|byte| word(*byte))
        && bytes.iter().all(|byte| word(*byte) || *byte == b'-')
}

pub(super) fn is_subdomain(value: &str) -> bool {
    value.split('.').all(is_label)
}

fn is_key(value: &str) -> bool {
    let bytes = value.as_bytes();
    bytes.first().is_some_and(u8::is_ascii_alphanumeric)
        && bytes.last().is_some_and(u8::is_ascii_alphanumeric)
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

fn too_long(value: &str, limit: usize, unit: &str) -> Complaints {
    if value.len() > limit {
        vec![format!("must be no more than {limit} {unit}")]
    } else {
        Vec::new()
    }
}

fn regex(text: &str, pattern: &str, examples: &[&str]) -> String {
    let examples: Vec<String> = examples.iter().map(|example| format!("'{example}', ")).collect();
    format!("{text} (e.g. {}regex used for validation is '{pattern}')", examples.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_forms() {
        assert!(subdomain("a.b-c.1").is_empty() && label("a-1").is_empty());
        assert_eq!(label("a.b"), ["must not contain dots"]);
        assert!(!subdomain("a..b").is_empty() && !subdomain("").is_empty());
        assert!(!old_label("1a").is_empty() && old_label("a1").is_empty());
        assert!(qualified_name("example.com/My_Name").is_empty());
        assert!(!qualified_name("a/b/c").is_empty() && !qualified_name("/a").is_empty());
        assert!(
            name_is_subdomain("a-", true).is_empty() && !name_is_subdomain("a-", false).is_empty()
        );
        assert_eq!(
            subdomain("A")[0],
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        );
    }
}
