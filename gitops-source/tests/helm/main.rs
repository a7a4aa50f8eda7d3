//! Chart repositories and charts.

mod chart;
mod repository;
