//! What one run may cost.

/// Bounds of one run, so that a hostile template ends with an error instead of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Actions and elements that are evaluated, in all templates of the run.
    pub steps: u64,
    /// Bytes that are written or made by functions, in all templates of the run.
    pub output: u64,
    /// Templates within templates. Helm's own bound for one name, 1000, applies as well.
    pub depth: u32,
}

impl Default for Limits {
    /// Far above what charts in use need: 500 million steps, 2 GiB, 4000 templates deep.
    fn default() -> Self {
        Self { steps: 500_000_000, output: 2 << 30, depth: 4000 }
    }
}
