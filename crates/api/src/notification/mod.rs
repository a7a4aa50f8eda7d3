//! Notifications: what is told to whom, and who may ask for a reconciliation.

mod alert;
mod event_source;
mod provider;
mod receiver;

pub use alert::{Alert, AlertSpec, EventSeverity};
pub use event_source::{EventSource, ReceiverResource};
pub use provider::{Provider, ProviderSpec};
pub use receiver::{
    OidcProvider, OidcValidation, OidcVariable, Receiver, ReceiverSpec, ReceiverStatus,
};
