//! What a turn starts from: the spec, the source and its artifact, dependencies, variables, and the
//! cluster to apply to.

pub(super) mod connect;
pub(super) mod dependencies;
pub(super) mod fetch;
pub(super) mod source;
pub(super) mod spec;
pub(super) mod variables;
