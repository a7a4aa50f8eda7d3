//! `.Capabilities`: which cluster a chart is rendered for.

use std::fmt;

use gitops_core::quoted;

use crate::Compat;

/// What a chart may ask of the cluster it is rendered for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The version of Kubernetes.
    pub kube_version: KubeVersion,
    /// API versions, and with the name of a kind behind a slash resources: `apps/v1`,
    /// `apps/v1/Deployment`.
    pub api_versions: Vec<String>,
    /// The version of Helm that charts see.
    pub helm_version: &'static str,
}

impl Capabilities {
    /// What Helm assumes without a cluster. The version of Kubernetes is that of the libraries it
    /// is built with: better say which one is meant.
    pub fn new(compat: Compat) -> Self {
        let (version, minor, helm_version) = match compat {
            Compat::Helm4 => ("v1.37.0", "37", "v4.3.0"),
            Compat::Helm3 => ("v1.20.0", "20", "v3.22.0"),
        };
        Self {
            kube_version: KubeVersion {
                version: version.to_owned(),
                normalized: version.to_owned(),
                major: "1".to_owned(),
                minor: minor.to_owned(),
            },
            api_versions: API_VERSIONS.iter().map(|version| (*version).to_owned()).collect(),
            helm_version,
        }
    }

    /// Whether the cluster serves an API version or a resource.
    pub fn has(&self, api_version: &str) -> bool {
        self.api_versions.iter().any(|known| known == api_version)
    }
}

/// A version of Kubernetes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KubeVersion {
    /// As charts see it, with `v`. Helm 4 keeps what follows the numbers.
    pub version: String,
    /// The numbers with `v`, which ranges are compared with.
    pub normalized: String,
    /// The first number.
    pub major: String,
    /// The second number.
    pub minor: String,
}

/// A text that is no version of Kubernetes. The text is Kubernetes' own.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct KubeVersionError(String);

impl KubeVersion {
    /// Reads a version: two or more numbers divided by dots, with anything behind them.
    ///
    /// Follows `ParseGeneric` of k8s.io/apimachinery.
    ///
    /// # Errors
    /// When the text does not begin so, or the first number has a leading zero.
    pub fn parse(text: &str, compat: Compat) -> Result<Self, KubeVersionError> {
        let trimmed = text.trim_start();
        let trimmed = trimmed.strip_prefix('v').unwrap_or(trimmed);
        let mut end = trimmed.find(|c: char| c != '.' && !c.is_ascii_digit());
        if let Some(double) = trimmed.find("..") {
            end = end.map(|end| end.min(double)).or(Some(double));
        }
        let numbers = trimmed[..end.unwrap_or(trimmed.len())].trim_end_matches('.');
        if !numbers.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(KubeVersionError(format!("could not parse {} as version", quoted(text))));
        }
        let parts: Vec<&str> = numbers.split('.').collect();
        if parts.len() < 2 {
            return Err(KubeVersionError(format!("illegal version string {}", quoted(text))));
        }
        if parts[0].len() > 1 && parts[0].starts_with('0') {
            return Err(KubeVersionError(format!(
                "illegal zero-prefixed version component {} in {}",
                quoted(parts[0]),
                quoted(text)
            )));
        }
        let mut components = Vec::with_capacity(parts.len());
        for part in parts {
            components.push(part.parse::<u64>().map_err(|_| {
                let (part, text) = (quoted(part), quoted(text));
                KubeVersionError(format!(
                    "illegal non-numeric version component {part} in {text}: strconv.ParseUint: \
                     parsing {part}: value out of range"
                ))
            })?.to_string());
        }
        let normalized = format!("v{}", components.join("."));
        let version = match compat {
            Compat::Helm3 => normalized.clone(),
            Compat::Helm4 if text.starts_with('v') => text.to_owned(),
            Compat::Helm4 => format!("v{text}"),
        };
        let mut components = components.into_iter();
        let mut next = || components.next().unwrap_or_default();
        Ok(Self { version, normalized, major: next(), minor: next() })
    }
}

impl fmt::Display for KubeVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.normalized)
    }
}

/// The API versions that Helm is built with, in both profiles: those of client-go 0.37 and of
/// apiextensions, in Helm's order.
const API_VERSIONS: &[&str] = &[
    "v1",
    "admissionregistration.k8s.io/v1",
    "admissionregistration.k8s.io/v1alpha1",
    "admissionregistration.k8s.io/v1beta1",
    "internal.apiserver.k8s.io/v1alpha1",
    "apps/v1",
    "apps/v1beta1",
    "apps/v1beta2",
    "authentication.k8s.io/v1",
    "authentication.k8s.io/v1alpha1",
    "authentication.k8s.io/v1beta1",
    "authorization.k8s.io/v1",
    "authorization.k8s.io/v1beta1",
    "autoscaling/v1",
    "autoscaling/v2",
    "batch/v1",
    "batch/v1beta1",
    "certificates.k8s.io/v1",
    "certificates.k8s.io/v1beta1",
    "certificates.k8s.io/v1alpha1",
    "coordination.k8s.io/v1alpha2",
    "coordination.k8s.io/v1beta1",
    "coordination.k8s.io/v1",
    "discovery.k8s.io/v1",
    "discovery.k8s.io/v1beta1",
    "events.k8s.io/v1",
    "events.k8s.io/v1beta1",
    "extensions/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1",
    "flowcontrol.apiserver.k8s.io/v1beta1",
    "flowcontrol.apiserver.k8s.io/v1beta2",
    "flowcontrol.apiserver.k8s.io/v1beta3",
    "lifecycle.k8s.io/v1alpha1",
    "networking.k8s.io/v1",
    "networking.k8s.io/v1beta1",
    "node.k8s.io/v1",
    "node.k8s.io/v1alpha1",
    "node.k8s.io/v1beta1",
    "policy/v1",
    "policy/v1beta1",
    "rbac.authorization.k8s.io/v1",
    "rbac.authorization.k8s.io/v1beta1",
    "rbac.authorization.k8s.io/v1alpha1",
    "resource.k8s.io/v1",
    "resource.k8s.io/v1beta2",
    "resource.k8s.io/v1beta1",
    "resource.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1alpha3",
    "scheduling.k8s.io/v1beta1",
    "scheduling.k8s.io/v1",
    "storage.k8s.io/v1beta1",
    "storage.k8s.io/v1",
    "storage.k8s.io/v1alpha1",
    "storagemigration.k8s.io/v1",
    "storagemigration.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1beta1",
    "apiextensions.k8s.io/v1",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_kubernetes() {
        for (text, four, three, minor) in [
            ("1.33", "v1.33", "v1.33", "33"),
            ("v1.33.4-gke.1245000", "v1.33.4-gke.1245000", "v1.33.4", "33"),
            ("1.02.3.4", "v1.02.3.4", "v1.2.3.4", "2"),
            ("1.30+", "v1.30+", "v1.30", "30"),
        ] {
            let parsed = KubeVersion::parse(text, Compat::Helm4).unwrap();
            assert_eq!((parsed.version.as_str(), parsed.minor.as_str()), (four, minor));
            assert_eq!(KubeVersion::parse(text, Compat::Helm3).unwrap().version, three);
        }
        for (text, message) in [
            ("", "could not parse \"\" as version"),
            ("x", "could not parse \"x\" as version"),
            ("1", "illegal version string \"1\""),
            ("1..2", "illegal version string \"1..2\""),
            ("01.2", "illegal zero-prefixed version component \"01\" in \"01.2\""),
        ] {
            let error = KubeVersion::parse(text, Compat::Helm4).unwrap_err();
            assert_eq!(error.to_string(), message);
        }
    }

    #[test]
    fn api_versions_of_the_libraries() {
        let capabilities = Capabilities::new(Compat::Helm4);
        assert!(capabilities.has("apps/v1") && capabilities.has("v1"));
        assert!(!capabilities.has("apps/v1/Deployment"));
    }
}
