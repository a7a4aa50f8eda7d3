//! What names Kubernetes allows, by kind, in its words.

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
    characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
    'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL_1035: &str = "a DNS-1035 label must consist of lower case alphanumeric characters or \
    '-', start with an alphabetic character, and end with an alphanumeric character (e.g. \
    'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')";
const LABEL_1123: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric \
    characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or \
    '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";

/// What is wrong with the name of an object of this kind.
pub(super) fn check(kind: &str, name: &str) -> Vec<String> {
    match kind.to_lowercase().as_str() {
        "service" => label(name, |c| c.is_ascii_lowercase(), LABEL_1035),
        "namespace" => label(name, |c| c.is_ascii_lowercase() || c.is_ascii_digit(), LABEL_1123),
        "certificatesigningrequest" => Vec::new(),
        "role" | "clusterrole" | "rolebinding" | "clusterrolebinding" => path_segment(name),
        _ => subdomain(name),
    }
}

fn subdomain(name: &str) -> Vec<String> {
    let mut found = too_long(name, 253);
    if !name.split('.').all(|part| is_label(part, |c| c.is_ascii_lowercase() || c.is_ascii_digit()))
    {
        found.push(SUBDOMAIN.to_owned());
    }
    found
}

fn label(name: &str, first: impl Fn(char) -> bool, text: &str) -> Vec<String> {
    let mut found = too_long(name, 63);
    if !is_label(name, first) {
        found.push(text.to_owned());
    }
    found
}

fn too_long(name: &str, limit: usize) -> Vec<String> {
    if name.len() > limit {
        vec![format!("must be no more than {limit} characters")]
    } else {
        Vec::new()
    }
}

fn is_label(label: &str, first: impl Fn(char) -> bool) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    label.starts_with(first) && !label.ends_with('-') && label.chars().all(inner)
}

fn path_segment(name: &str) -> Vec<String> {
    if name == "." || name == ".." {
        return vec![format!("may not be '{name}'")];
    }
    let found = ["/", "%"].into_iter().filter(|part| name.contains(part));
    found.map(|part| format!("may not contain '{part}'")).collect()
}
