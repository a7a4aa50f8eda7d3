//! What a turn tells the world: log, events, observer.

use std::{collections::BTreeMap, time::Duration};

use gitops_api::meta::{annotation, condition_type::READY, condition_type::STALLED};
use kube::api::DynamicObject;

use crate::runtime::{
    Controller, Happening, Involved, Key, Notice, Reconcile, Requeue, Settled, Severity, Told,
};

impl<R: Reconcile> Controller<R> {
    pub(in crate::runtime) fn tell(
        &self,
        object: &DynamicObject,
        settled: &Settled,
        metadata: &BTreeMap<String, String>,
        took: Duration,
    ) {
        self.send_events(object, &settled.events, metadata);
        let find = |kind| settled.conditions.iter().find(|condition| condition.type_ == kind);
        let ready = find(READY);
        self.context.observer.happened(Happening::Settled {
            object: self.cache.id(&Key::of(object)),
            ready: ready.map_or("Unknown", |ready| ready.status.as_str()),
            reason: ready.map(|ready| ready.reason.clone()).unwrap_or_default(),
            message: ready.map(|ready| ready.message.clone()).unwrap_or_default(),
            stalled: find(STALLED).is_some(),
            took,
            next: match settled.requeue {
                Requeue::After(delay) | Requeue::Jittered(delay) => Some(delay),
                Requeue::Now => Some(Duration::ZERO),
                Requeue::Never | Requeue::Backoff { .. } => None,
            },
        });
    }

    pub(in crate::runtime) fn send_events(
        &self,
        object: &DynamicObject,
        events: &[Notice],
        metadata: &BTreeMap<String, String>,
    ) {
        let resource = self.cache.resource();
        for notice in events {
            log(notice);
            let mut all = BTreeMap::new();
            for (key, value) in object.metadata.annotations.iter().flatten() {
                if key.starts_with(annotation::EVENT_PREFIX) {
                    all.insert(key.clone(), value.clone());
                }
            }
            let own = notice.metadata.iter().map(|(key, value)| (key, value));
            for (key, value) in metadata.iter().chain(own) {
                all.insert(format!("{}/{key}", resource.group), value.clone());
            }
            self.context.events.send(Told {
                involved: Involved {
                    api_version: resource.api_version.clone(),
                    kind: resource.kind.clone(),
                    namespace: object.metadata.namespace.clone().unwrap_or_default(),
                    name: object.metadata.name.clone().unwrap_or_default(),
                    uid: object.metadata.uid.clone().unwrap_or_default(),
                    resource_version: object.metadata.resource_version.clone().unwrap_or_default(),
                },
                notice: notice.clone(),
                metadata: all,
                at: self.context.clock.now(),
            });
            self.context.observer.happened(Happening::Event {
                object: self.cache.id(&Key::of(object)),
                event: notice.clone(),
            });
        }
    }
}

fn log(notice: &Notice) {
    if notice.severity == Severity::Error {
        tracing::error!(reason = notice.reason, "{}", notice.message);
    } else {
        tracing::info!(reason = notice.reason, "{}", notice.message);
    }
}
