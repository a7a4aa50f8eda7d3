//! A Kubernetes API server inside the process: its foundation so far.
//!
//! What stands: the table of built-in kinds and their types, structural schemas of custom resources,
//! the revisioned storage with its log of changes, the reading of requests, and the refusals in the
//! API's own words. The verbs that join them, and the service that clients talk to, follow; until
//! then nothing is public.
//!
//! Invariant: knows nothing of any client, and keeps no state outside its own storage.
#![expect(dead_code, reason = "the verbs that use the foundation follow")]

mod admit;
mod object;
mod registry;
mod request;
mod schema;
mod status;
mod storage;
