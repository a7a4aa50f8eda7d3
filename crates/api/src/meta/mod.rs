//! What the kinds share: conditions and their words, references, durations, and the names of
//! annotations, labels and finalizers.
//!
//! Every name here is fixed by the API that Flux defines; existing clusters depend on them.

pub mod annotation;
pub mod condition_type;
pub mod reason;

mod apply;
mod condition;
mod duration;
mod reference;
mod time;

pub use apply::{
    CommonMetadata, Dependency, HealthCheckExpression, IgnoreRule, Image, Inventory,
    InventoryEntry, KubeConfigReference, Patch, Selector,
};
pub use condition::{Condition, ConditionStatus};
pub use duration::{Duration, DurationError};
pub use reference::{
    AccessFrom, LocalReference, NamespaceSelector, NamespacedReference, ObjectReference,
    SecretKeyReference,
};
pub use time::Time;
