//! Changes as they happen.

use std::{collections::VecDeque, convert::Infallible, sync::Arc, time::Duration};

use bytes::{BufMut as _, Bytes, BytesMut};
use futures::stream;
use gitops_core::Clock;
use http::StatusCode;
use http_body_util::{BodyExt as _, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::{sync::watch::Receiver, time::Instant};

use super::{Call, list, view};
use crate::{
    object::Meta as _,
    registry::Resource,
    request::View,
    selector::Selector,
    service::Answer,
    status::{Cause, Refusal, Result},
    storage::{Change, Object},
};

/// How long a watch goes on when the client does not say: as long as a real server's shortest.
const TIMEOUT: Duration = Duration::from_mins(30);

/// How often a client that wants bookmarks gets one.
const BOOKMARKS: Duration = Duration::from_mins(1);

struct Watch {
    resource: Arc<Resource>,
    namespace: Option<String>,
    selector: Selector,
    view: View,
    clock: Arc<dyn Clock>,
    /// Changes up to this revision have been told.
    revision: u64,
    changed: Receiver<u64>,
    waiting: VecDeque<Bytes>,
    bookmark: Option<Instant>,
    end: Instant,
    ended: bool,
}

pub(crate) fn watch(call: &Call<'_>) -> Result<Answer> {
    let options = &call.options;
    let resource = call
        .registry
        .resource(&call.resource.group, &call.resource.version, &call.resource.plural)
        .ok_or_else(Refusal::no_such_path)?;
    let now = Instant::now();
    let mut watch = Watch {
        changed: resource.table.subscribe(),
        resource: Arc::clone(resource),
        namespace: Some(call.namespace).filter(|name| !name.is_empty()).map(str::to_owned),
        selector: list::selector(call)?,
        view: call.view,
        clock: Arc::clone(&call.state.clock),
        revision: 0,
        waiting: VecDeque::new(),
        bookmark: options.allow_bookmarks.then(|| now + BOOKMARKS),
        end: now + options.timeout_seconds.map_or(TIMEOUT, Duration::from_secs),
        ended: false,
    };
    let from = match options.resource_version.as_str() {
        "" => 0,
        text => text.parse().map_err(|_| list::odd_version(text))?,
    };
    if options.send_initial_events.is_some() && options.resource_version_match != "NotOlderThan" {
        let why = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan";
        let cause = Cause::forbidden("resourceVersionMatch", why);
        return Err(Refusal::invalid("meta.k8s.io", "ListOptions", "", &[cause]));
    }
    let initial = options.send_initial_events.unwrap_or(from == 0);
    if initial {
        let found = list::find(call)?;
        watch.revision = found.revision;
        for object in &found.objects {
            let line = watch.line("ADDED", object);
            watch.waiting.push_back(line);
        }
        if options.send_initial_events == Some(true) && options.allow_bookmarks {
            let line = watch.bookmark(true);
            watch.waiting.push_back(line);
        }
    } else {
        watch.revision = if from == 0 { call.state.store.revision() } else { from };
        if let Err(oldest) = watch.resource.table.changes(watch.revision) {
            return Err(too_old(watch.revision, oldest));
        }
    }
    let lines = stream::unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        Some((Ok::<_, Infallible>(Frame::data(line)), watch))
    });
    Ok(Answer {
        code: StatusCode::OK,
        content_type: "application/json",
        body: StreamBody::new(lines).boxed_unsync(),
        warnings: Vec::new(),
    })
}

impl Watch {
    /// The next lines; `None` ends the stream.
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if !self.waiting.is_empty() {
                return Some(self.take());
            }
            if self.ended {
                return None;
            }
            // Seen before the changes are read, so that none is slept over.
            self.changed.mark_unchanged();
            match self.resource.table.changes(self.revision) {
                Ok(changes) => changes.iter().for_each(|change| self.tell(change)),
                Err(oldest) => {
                    let status = too_old(self.revision, oldest).to_value();
                    self.waiting.push_back(event("ERROR", &status.to_string().into_bytes()));
                    self.ended = true;
                }
            }
            if !self.waiting.is_empty() {
                continue;
            }
            let wake = self.bookmark.map_or(self.end, |at| at.min(self.end));
            tokio::select! {
                changed = self.changed.changed() => changed.ok()?,
                () = tokio::time::sleep_until(wake) => {
                    if Instant::now() >= self.end {
                        return None;
                    }
                    self.bookmark = Some(Instant::now() + BOOKMARKS);
                    return Some(self.bookmark(false));
                }
            }
        }
    }

    /// Several lines at once where several wait.
    fn take(&mut self) -> Bytes {
        if self.waiting.len() == 1 {
            return self.waiting.pop_front().unwrap_or_default();
        }
        let mut all = BytesMut::new();
        while let Some(line) = self.waiting.front() {
            if !all.is_empty() && all.len() + line.len() > 64 << 10 {
                break;
            }
            all.put_slice(line);
            self.waiting.pop_front();
        }
        all.freeze()
    }

    fn tell(&mut self, change: &Change) {
        self.revision = self.revision.max(change.revision);
        let object = &change.object;
        if self.namespace.as_deref().is_some_and(|namespace| namespace != object.value.namespace())
        {
            return;
        }
        let all = self.selector.is_empty();
        let wanted = |object: &Object| all || self.selector.matches(&object.value);
        let before = change.previous.as_deref().is_some_and(wanted);
        let after = !change.deleted && wanted(object);
        let line = match (before, after) {
            (false, true) => self.line("ADDED", object),
            (true, true) => self.line("MODIFIED", object),
            (true, false) => match &change.previous {
                // It is still there but no longer selected: its last selected state is told.
                Some(previous) if !change.deleted => {
                    let mut value = previous.value.clone();
                    value.set_meta("resourceVersion", change.revision.to_string());
                    self.line("DELETED", &Object::new(value, change.revision))
                }
                _ => self.line("DELETED", object),
            },
            (false, false) => return,
        };
        self.waiting.push_back(line);
    }

    fn line(&self, kind: &str, object: &Object) -> Bytes {
        event(kind, &view::bytes(&self.resource, self.view, object, self.clock.now()))
    }

    fn bookmark(&self, of_initial_events: bool) -> Bytes {
        let mut metadata = json!({"resourceVersion": self.revision.to_string()});
        if of_initial_events {
            metadata["annotations"] = json!({"k8s.io/initial-events-end": "true"});
        }
        let (kind, api_version): (&str, &str) = match self.view {
            View::PartialMetadata => ("PartialObjectMetadata", "meta.k8s.io/v1"),
            View::Table(_) => ("Table", "meta.k8s.io/v1"),
            View::Whole => (&self.resource.kind, &self.resource.api_version),
        };
        let object: Value = json!({"kind": kind, "apiVersion": api_version, "metadata": metadata});
        event("BOOKMARK", object.to_string().as_bytes())
    }
}

fn event(kind: &str, object: &[u8]) -> Bytes {
    let mut line = BytesMut::with_capacity(object.len() + 40);
    line.put_slice(b"{\"type\":\"");
    line.put_slice(kind.as_bytes());
    line.put_slice(b"\",\"object\":");
    line.put_slice(object);
    line.put_slice(b"}\n");
    line.freeze()
}

fn too_old(asked: u64, oldest: u64) -> Refusal {
    Refusal::expired(format!("too old resource version: {asked} ({oldest})"))
}
