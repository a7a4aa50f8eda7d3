//! Whose behaviour is wanted.

/// The version of Helm whose behaviour is followed where the two differ.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Compat {
    /// Helm 4.
    #[default]
    Helm4,
    /// Helm 3.
    Helm3,
}
