//! Chart repositories and charts.

mod chart;
mod registry;
mod repository;
