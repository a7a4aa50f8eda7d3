//! Artifacts, whatever they are made of.

mod life;
mod properties;
