//! What an exchange returns.

use gitops_core::Secret;
use jiff::Timestamp;

/// A credential and when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Token {
    /// The token itself, or the password that goes with `username`.
    pub secret: Secret,
    /// The user name that goes with it, where there is one.
    pub username: Option<String>,
    /// From then on it is refused.
    pub expires_at: Timestamp,
}

impl Token {
    /// A token without a user name.
    pub fn new(secret: Secret, expires_at: Timestamp) -> Self {
        Self { secret, username: None, expires_at }
    }

    /// The same as the password of a user.
    #[must_use]
    pub fn with_username(mut self, username: impl Into<String>) -> Self {
        self.username = Some(username.into());
        self
    }
}
