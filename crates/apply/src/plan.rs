//! What an apply would do to one object.

use gitops_core::ObjectId;
use serde_json::Value;

use crate::{Action, Change};

/// What an apply would do.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    /// The objects, in the order of their apply.
    pub entries: Vec<Planned>,
}

/// What an apply would do to an object. Values of Secrets are masked.
#[derive(Clone, Debug)]
pub struct Planned {
    /// The object and the action.
    pub change: Change,
    /// The object as it is, without managed fields; absent if it is to be created.
    pub live: Option<Value>,
    /// The object as the API server would store it, without managed fields; absent if it is
    /// skipped or the API server could not say because its kind or namespace is not there yet.
    pub desired: Option<Value>,
}

impl Planned {
    pub(crate) fn new(
        object: ObjectId,
        action: Action,
        mut live: Option<Value>,
        mut desired: Option<Value>,
    ) -> Self {
        for object in [&mut live, &mut desired].into_iter().flatten() {
            if let Some(Value::Object(metadata)) = object.get_mut("metadata") {
                metadata.shift_remove("managedFields");
            }
        }
        crate::mask_secret(live.as_mut(), desired.as_mut());
        Self { change: Change { object, action }, live, desired }
    }
}
