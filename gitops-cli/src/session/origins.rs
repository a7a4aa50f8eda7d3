//! What the builds of a run told: where objects are written, and what a person should know.

use std::collections::BTreeMap;

use gitops_controllers::runtime::{Happening, Observer, Place};
use parking_lot::Mutex;

/// Listens to the reconcilers.
#[derive(Debug, Default)]
pub(crate) struct Origins {
    /// By Kustomization.
    builds: Mutex<BTreeMap<String, Build>>,
}

#[derive(Debug, Default)]
struct Build {
    /// `Kind/namespace/name` of the source.
    source: String,
    /// By `Kind/namespace/name`.
    places: BTreeMap<String, Place>,
    warnings: Vec<String>,
    is_told: bool,
    /// Why the last build failed; where it did not, nothing.
    failure: Option<String>,
}

impl Observer for Origins {
    fn happened(&self, what: Happening) {
        match what {
            Happening::Built { object, source, places, warnings } => {
                let places =
                    places.into_iter().map(|(id, place)| (id.to_string(), place)).collect();
                let mut builds = self.builds.lock();
                let build = builds.entry(object.to_string()).or_default();
                let is_told = build.warnings == warnings && (build.is_told || warnings.is_empty());
                let source = source.to_string();
                *build = Build { source, places, warnings, is_told, failure: None };
            }
            Happening::Unbuilt { object, source, page } => {
                let mut builds = self.builds.lock();
                let build = builds.entry(object.to_string()).or_default();
                build.source = source.to_string();
                build.failure = Some(page);
            }
            _ => {}
        }
    }
}

impl Origins {
    /// The warnings that were not told yet, behind the Kustomization whose build they are about.
    pub(crate) fn take_warnings(&self) -> Vec<String> {
        let mut builds = self.builds.lock();
        let news = builds.iter_mut().filter(|(_, build)| !build.is_told);
        news.flat_map(|(object, build)| {
            build.is_told = true;
            build.warnings.iter().map(move |warning| format!("{object}: {warning}"))
        })
        .collect()
    }

    /// Why builds failed, by Kustomization.
    pub(crate) fn failures(&self) -> BTreeMap<String, String> {
        let builds = self.builds.lock();
        let failed = builds.iter().filter_map(|(id, build)| {
            build.failure.as_ref().map(|page| (id.clone(), page.clone()))
        });
        failed.collect()
    }

    /// Where the objects are written that were built from one of `sources`.
    pub(crate) fn places(&self, sources: &[String]) -> BTreeMap<String, Place> {
        let builds = self.builds.lock();
        let own = builds.values().filter(|build| sources.contains(&build.source));
        own.flat_map(|build| build.places.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gitops_core::ObjectId;

    use super::*;

    fn built(source: &str, warnings: &[&str]) -> Happening {
        let kustomization = |name| ObjectId::new("k/v1", "Kustomization", "flux-system", name);
        Happening::Built {
            object: kustomization("apps"),
            source: ObjectId::new("s/v1", "GitRepository", "flux-system", source),
            places: vec![(
                ObjectId::new("v1", "ConfigMap", "a", "web"),
                Place { file: Arc::from("apps/a.yaml"), line: 7 },
            )],
            warnings: warnings.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn warnings_are_told_once_for_as_long_as_they_stay() {
        let origins = Origins::default();
        origins.happened(built("own", &["old spelling"]));
        let told = ["Kustomization/flux-system/apps: old spelling"];
        assert_eq!(origins.take_warnings(), told);
        origins.happened(built("own", &["old spelling"]));
        assert!(origins.take_warnings().is_empty());
        origins.happened(built("own", &[]));
        assert!(origins.take_warnings().is_empty());
        origins.happened(built("own", &["old spelling"]));
        assert_eq!(origins.take_warnings(), told);
    }

    #[test]
    fn places_are_those_of_the_own_tree() {
        let origins = Origins::default();
        origins.happened(built("other", &[]));
        let own = ["GitRepository/flux-system/own".to_owned()];
        assert!(origins.places(&own).is_empty());
        origins.happened(built("own", &[]));
        let places = origins.places(&own);
        assert_eq!(places["ConfigMap/a/web"].line, 7);
    }
}
