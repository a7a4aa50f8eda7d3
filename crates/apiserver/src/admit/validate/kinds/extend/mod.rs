//! What extends the server: custom resource definitions, webhooks, aggregated APIs, and policies for
//! admission.

mod definition;
mod extension;
mod schema;
mod webhook;

pub(super) use definition::definition;
pub(super) use extension::{admission_binding, admission_policy, api_service};
pub(super) use webhook::configuration;
