//! A set of templates.

use crate::Limits;

/// How templates run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// What a run may cost.
    pub limits: Limits,
    /// `helm lint`: `required` and `fail` let a template pass.
    pub lint: bool,
    /// A missing key is an error (`missingkey=error`).
    pub strict: bool,
}

/// Parsed templates that know each other by name.
#[derive(Clone, Debug, Default)]
pub struct Templates {}
