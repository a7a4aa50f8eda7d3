//! Charts, values and what `helm template` makes of them, as a library: files come in through
//! [`Tree`](gitops_core::Tree), nothing is read from the disk, the network or the clock.
//!
//! Invariant: no process state; the same chart and values give the same bytes.
