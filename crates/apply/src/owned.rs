//! What an owner applied, found by its labels instead of an inventory.

use gitops_core::{ObjectId, Scope};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    ApiError, Applier, Inventory, Owner, Resource,
    cluster::escape,
    record::{METADATA_LIST, api_error, request},
};

/// How many objects of a kind are read at once.
const PAGE: usize = 500;

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    metadata: Continue,
    /// The API server writes `null` for none.
    items: Option<Vec<Value>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Continue {
    #[serde(rename = "continue")]
    next: String,
}

impl Applier {
    /// Everything that carries the owner's labels and was applied by `field_manager`, of every kind
    /// that can be listed and deleted. For owners whose inventory may have been lost before it was
    /// stored: it costs a request for each kind that the cluster serves.
    ///
    /// Objects that merely inherited the labels, such as the `EndpointSlice`s of a Service, are not
    /// the owner's. Groups that cannot be asked now are left out, with a warning.
    ///
    /// # Errors
    /// When a kind cannot be listed, or the scope ended.
    pub async fn find_owned(
        &self,
        owner: &Owner,
        field_manager: &str,
        scope: &Scope,
    ) -> Result<Inventory, ApiError> {
        let mut found = Vec::new();
        for resource in self.cluster.discovery().all(&self.cluster).await? {
            if resource.has_verb("list") && resource.has_verb("delete") {
                scope.check().map_err(|_| ApiError::local("cancelled"))?;
                self.find_owned_of(&resource, owner, field_manager, &mut found).await?;
            }
        }
        Ok(Inventory::default().union(found))
    }

    async fn find_owned_of(
        &self,
        resource: &Resource,
        owner: &Owner,
        field_manager: &str,
        found: &mut Vec<ObjectId>,
    ) -> Result<(), ApiError> {
        let selector: Vec<String> =
            owner.labels().iter().map(|(key, value)| format!("{key}={value}")).collect();
        let selector = escape(&selector.join(","));
        let path = resource.collection_path("");
        let mut next = String::new();
        loop {
            let from = escape(&next);
            let query = format!("{path}?labelSelector={selector}&limit={PAGE}&continue={from}");
            let list = self.cluster.client().request::<List>(request(&query, METADATA_LIST)?).await;
            let list = match list.map_err(|error| api_error(&error)) {
                Ok(list) => list,
                // The kind went, or is one that only looks as if it could be listed.
                Err(error) if error.is_not_found() => return Ok(()),
                Err(error) => return Err(error),
            };
            let items = list.items.unwrap_or_default();
            let ours = items.iter().filter(|item| is_applied_by(item, field_manager));
            found.extend(ours.map(|item| {
                let text = |field: &str| item["metadata"][field].as_str().unwrap_or_default();
                let (namespace, name) = (text("namespace"), text("name"));
                ObjectId::new(&resource.api_version, &resource.kind, namespace, name)
            }));
            if list.metadata.next.is_empty() {
                return Ok(());
            }
            next = list.metadata.next;
        }
    }
}

fn is_applied_by(object: &Value, field_manager: &str) -> bool {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries.into_iter().any(|entry| {
        entry["manager"] == field_manager
            && entry["operation"] == "Apply"
            && entry["subresource"].as_str().unwrap_or_default().is_empty()
    })
}
