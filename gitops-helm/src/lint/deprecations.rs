//! Which kinds Kubernetes has given up, or will.

/// One line each: API version, kind, the minor version since which it is deprecated, the one
/// since which it is gone or `-`, and what to use instead. As client-go 0.37 says.
const TABLE: &str = include_str!("deprecations.txt");

/// What Kubernetes warns of when an object of this kind is used with version `1.<minor>`.
pub(super) fn warning(api_version: &str, kind: &str, minor: u32) -> Option<String> {
    let line = TABLE.lines().find_map(|line| {
        line.strip_prefix(api_version)?.strip_prefix(' ')?.strip_prefix(kind)?.strip_prefix(' ')
    })?;
    let mut parts = line.split(' ');
    let since: u32 = parts.next()?.parse().ok()?;
    if minor < since {
        return None;
    }
    let mut text = format!("{api_version} {kind} is deprecated in v1.{since}+");
    if let Some(gone) = parts.next().filter(|gone| *gone != "-") {
        text = format!("{text}, unavailable in v1.{gone}+");
    }
    if let (Some(version), Some(kind)) = (parts.next(), parts.next()) {
        text = format!("{text}; use {version} {kind}");
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::warning;

    #[test]
    fn warnings_depend_on_the_version() {
        assert_eq!(warning("policy/v1beta1", "PodDisruptionBudget", 20), None);
        assert_eq!(
            warning("policy/v1beta1", "PodDisruptionBudget", 21).unwrap(),
            "policy/v1beta1 PodDisruptionBudget is deprecated in v1.21+, unavailable in v1.25+; use \
             policy/v1 PodDisruptionBudget"
        );
        assert_eq!(warning("apps/v1", "Deployment", 99), None);
    }
}
