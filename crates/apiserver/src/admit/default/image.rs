//! The names of container images.

/// Whether an image names the tag `latest`, or neither tag nor digest, which means the same.
///
/// A name that is no image name is not `latest`: what is wrong with it shows elsewhere.
pub(super) fn is_latest(image: &str) -> bool {
    let (name, digest) = match image.split_once('@') {
        Some((name, digest)) => (name, Some(digest)),
        None => (image, None),
    };
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    let (path, tag) = match name[last..].find(':') {
        Some(colon) => (&name[..last + colon], Some(&name[last + colon + 1..])),
        None => (name, None),
    };
    if !is_name(path) || digest.is_some_and(|digest| !is_digest(digest)) {
        return false;
    }
    match tag {
        Some(tag) => tag == "latest" && tag.len() <= 128,
        None => digest.is_none(),
    }
}

fn is_name(name: &str) -> bool {
    let path = match name.split_once('/') {
        Some((domain, path))
            if domain.contains(['.', ':'])
                || domain == "localhost"
                || domain.bytes().any(|byte| byte.is_ascii_uppercase()) =>
        {
            if !is_domain(domain) {
                return false;
            }
            path
        }
        _ => name,
    };
    let identifier = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    !identifier && name.len() <= 255 && path.split('/').all(is_component)
}

fn is_domain(domain: &str) -> bool {
    let (host, port) = domain.split_once(':').unwrap_or((domain, "0"));
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) && host.split('.').all(label)
}

/// Lower-case words, joined by one `.`, one or two `_`, or any number of `-`.
fn is_component(component: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = component.as_bytes();
    let ends_in_words = bytes.first().is_some_and(|byte| word(*byte))
        && bytes.last().is_some_and(|byte| word(*byte));
    let mut rest = component;
    while let Some(start) = rest.find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit())) {
        rest = &rest[start..];
        let end =
            rest.find(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit()).unwrap_or(rest.len());
        let joint = &rest[..end];
        if !matches!(joint, "." | "_" | "__") && !joint.bytes().all(|byte| byte == b'-') {
            return false;
        }
        rest = &rest[end..];
    }
    ends_in_words
}

fn is_digest(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        algorithm.starts_with(|c: char| c.is_ascii_alphabetic())
            && hex.len() >= 32
            && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::is_latest;

    #[test]
    fn images_without_a_tag_are_the_latest() {
        for image in ["nginx", "nginx:latest", "localhost:5000/a/b", "ghcr.io/a/b_c--d.e"] {
            assert!(is_latest(image), "{image}");
        }
        let digest = format!("nginx@sha256:{}", "a".repeat(64));
        for image in
            ["", "nginx:1.25", "$(IMAGE)", "Nginx", &digest, "a//b", "a:5000/x:1", "-a", "é"]
        {
            assert!(!is_latest(image), "{image}");
        }
    }
}
