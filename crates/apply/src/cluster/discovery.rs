//! From `apiVersion` and `kind` to a path of the API.
//!
//! One [`Discovery`] is shared by everything that talks to a cluster. A group version is asked for
//! once; a kind that is not there is asked for again, but not more often than every two seconds,
//! so that a thousand objects of an unknown kind cost one request and a kind that appears is seen
//! at once after [`Discovery::forget`].

use std::{sync::Arc, time::Duration};

use gitops_core::ObjectId;
use indexmap::IndexMap;
use parking_lot::RwLock;
use serde::Deserialize;
use tokio::{sync::Mutex, time::Instant};

use super::{ApiError, Cluster};

/// How long "there is no such kind" is believed.
const MISS_LIFETIME: Duration = Duration::from_secs(2);
/// How long a group version that was read is believed; a CRD may have gone since.
const HIT_LIFETIME: Duration = Duration::from_mins(10);
/// Bounds the memory that hostile `apiVersion`s can take.
const GROUP_VERSION_LIMIT: usize = 2000;

/// A kind as the API server serves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resource {
    /// `group/version`, or `version` in the core group.
    pub api_version: String,
    /// The kind.
    pub kind: String,
    /// The plural name in paths.
    pub plural: String,
    /// Whether objects live in namespaces.
    pub namespaced: bool,
    /// The verbs that are served.
    pub verbs: Vec<String>,
}

impl Resource {
    /// The path of the collection; all namespaces if `namespace` is empty.
    pub fn collection_path(&self, namespace: &str) -> String {
        let root = group_version_path(&self.api_version);
        if self.namespaced && !namespace.is_empty() {
            format!("{root}/namespaces/{}/{}", escape(namespace), self.plural)
        } else {
            format!("{root}/{}", self.plural)
        }
    }

    /// The path of an object.
    pub fn object_path(&self, namespace: &str, name: &str) -> String {
        format!("{}/{}", self.collection_path(namespace), escape(name))
    }

    /// Whether a verb is served.
    pub fn has_verb(&self, verb: &str) -> bool {
        self.verbs.iter().any(|served| served == verb)
    }
}

/// What is known of a cluster's kinds; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Discovery {
    known: Arc<RwLock<IndexMap<String, Arc<Served>>>>,
    /// Held while the API server is asked, so that a crowd asks once.
    asking: Arc<Mutex<()>>,
}

#[derive(Debug)]
struct Served {
    kinds: IndexMap<String, Arc<Resource>>,
    asked_at: Instant,
}

impl Discovery {
    /// How a kind is served.
    ///
    /// # Errors
    /// `no matches for kind …` when it is not; the API server's error when it cannot say.
    pub async fn resource(
        &self,
        cluster: &Cluster,
        api_version: &str,
        kind: &str,
    ) -> Result<Arc<Resource>, ApiError> {
        if let Some(answer) = self.known(api_version, kind) {
            return answer;
        }
        let _asking = self.asking.lock().await;
        if let Some(answer) = self.known(api_version, kind) {
            return answer;
        }
        let served = Arc::new(ask(cluster, api_version).await?);
        {
            let mut known = self.known.write();
            if known.len() >= GROUP_VERSION_LIMIT {
                known.shift_remove_index(0);
            }
            known.insert(api_version.to_owned(), Arc::clone(&served));
        }
        served.kinds.get(kind).cloned().ok_or_else(|| no_match(api_version, kind))
    }

    /// The resource of an object.
    pub async fn of(
        &self,
        cluster: &Cluster,
        object: &ObjectId,
    ) -> Result<Arc<Resource>, ApiError> {
        self.resource(cluster, &object.api_version(), &object.kind).await
    }

    /// The resource of an object that is known by an old name: where its version is not served any
    /// more, the version that the group prefers.
    pub async fn of_any_version(
        &self,
        cluster: &Cluster,
        object: &ObjectId,
    ) -> Result<Arc<Resource>, ApiError> {
        let error = match self.of(cluster, object).await {
            Err(error) if error.is_no_match() && !object.group.is_empty() => error,
            answer => return answer,
        };
        let path = format!("/apis/{}", escape(&object.group));
        let Ok(group) = cluster.get_json::<serde_json::Value>(&path).await else {
            return Err(error);
        };
        match group["preferredVersion"]["groupVersion"].as_str() {
            Some(preferred) if preferred != object.api_version() => {
                self.resource(cluster, preferred, &object.kind).await
            }
            _ => Err(error),
        }
    }

    /// Every kind, in the version that its group prefers. Groups that do not answer are left out.
    ///
    /// # Errors
    /// When the API server does not tell its groups.
    pub async fn all(&self, cluster: &Cluster) -> Result<Vec<Arc<Resource>>, ApiError> {
        let groups = cluster.get_json::<serde_json::Value>("/apis").await?;
        let preferred = groups["groups"].as_array().into_iter().flatten();
        let preferred =
            preferred.filter_map(|group| group["preferredVersion"]["groupVersion"].as_str());
        let mut all = Vec::new();
        for api_version in std::iter::once("v1").chain(preferred) {
            match ask(cluster, api_version).await {
                Ok(served) => all.extend(served.kinds.into_values()),
                Err(error) => tracing::warn!(api_version, %error, "kinds not known"),
            }
        }
        Ok(all)
    }

    /// Forgets a group's kinds, because its definitions changed.
    pub fn forget(&self, group: &str) {
        self.known.write().retain(|api_version, _| {
            let known = api_version.split_once('/').map_or("", |(known, _)| known);
            known != group
        });
    }

    fn known(&self, api_version: &str, kind: &str) -> Option<Result<Arc<Resource>, ApiError>> {
        let served = self.known.read().get(api_version).map(Arc::clone)?;
        let age = served.asked_at.elapsed();
        match served.kinds.get(kind) {
            Some(resource) if age < HIT_LIFETIME => Some(Ok(Arc::clone(resource))),
            None if age < MISS_LIFETIME => Some(Err(no_match(api_version, kind))),
            _ => None,
        }
    }
}

async fn ask(cluster: &Cluster, api_version: &str) -> Result<Served, ApiError> {
    #[derive(Deserialize)]
    struct List {
        #[serde(default)]
        resources: Vec<Item>,
    }
    #[derive(Deserialize)]
    struct Item {
        name: String,
        kind: String,
        #[serde(default)]
        namespaced: bool,
        #[serde(default)]
        verbs: Vec<String>,
    }

    let asked_at = Instant::now();
    if cluster.is_remote() {
        // Another cluster may well be out of reach; say so in the words of client-go.
        cluster.probe().await.map_err(|error| {
            error.map_message(|text| format!("failed to get server groups: {text}"))
        })?;
    }
    let list = match cluster.get_json::<List>(&group_version_path(api_version)).await {
        Ok(list) => list,
        Err(error) if error.is_not_found() => List { resources: Vec::new() },
        Err(error) => return Err(error),
    };
    let kinds = list
        .resources
        .into_iter()
        // Subresources stand in the same list as `deployments/scale`.
        .filter(|item| !item.name.contains('/'))
        .map(|item| {
            let resource = Resource {
                api_version: api_version.to_owned(),
                kind: item.kind.clone(),
                plural: item.name,
                namespaced: item.namespaced,
                verbs: item.verbs,
            };
            (item.kind, Arc::new(resource))
        })
        .collect();
    Ok(Served { kinds, asked_at })
}

fn group_version_path(api_version: &str) -> String {
    match api_version.split_once('/') {
        Some((group, version)) => format!("/apis/{}/{}", escape(group), escape(version)),
        None => format!("/api/{}", escape(api_version)),
    }
}

/// The words of client-go's REST mapper.
fn no_match(api_version: &str, kind: &str) -> ApiError {
    ApiError::local(format!("no matches for kind \"{kind}\" in version \"{api_version}\""))
}

/// A path segment: hostile names must not reach another resource.
pub(crate) fn escape(segment: &str) -> String {
    let mut escaped = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            // A segment of dots alone would walk up.
            b'.' if segment.bytes().any(|other| other != b'.') => escaped.push('.'),
            _ => {
                use std::fmt::Write as _;
                write!(escaped, "%{byte:02X}").expect("writing to a String cannot fail");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_within_their_segment() {
        for (name, path) in [
            ("web", "web"),
            ("system:node", "system%3Anode"),
            ("../../secrets", "..%2F..%2Fsecrets"),
            ("..", "%2E%2E"),
            ("a?b=c#d", "a%3Fb%3Dc%23d"),
        ] {
            assert_eq!(escape(name), path);
        }
    }

    #[test]
    fn paths_follow_scope_and_group() {
        let mut resource = Resource {
            api_version: "apps/v1".into(),
            kind: "Deployment".into(),
            plural: "deployments".into(),
            namespaced: true,
            verbs: vec![],
        };
        assert_eq!(resource.object_path("a", "w"), "/apis/apps/v1/namespaces/a/deployments/w");
        assert_eq!(resource.collection_path(""), "/apis/apps/v1/deployments");
        resource.api_version = "v1".into();
        resource.namespaced = false;
        resource.plural = "namespaces".into();
        assert_eq!(resource.object_path("ignored", "n"), "/api/v1/namespaces/n");
    }
}
