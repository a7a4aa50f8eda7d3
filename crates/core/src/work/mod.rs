//! What a long call shares with its caller: how far it may go, how far it got, and how it failed.

mod class;
mod clock;
mod document;
mod report;
mod retry;
mod scope;
mod stage;

pub use class::{Class, Classify, Failure};
pub use clock::{Clock, FixedClock, SystemClock};
pub use document::{ErrorDocument, ErrorPlace, ErrorRemark};
pub use report::{EVENT_LIMIT, json_kind, one_line, quoted, truncate};
pub use retry::Backoff;
pub use scope::{Cancelled, NoProgress, Progress, Scope};
pub use stage::Stage;
