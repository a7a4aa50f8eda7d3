//! Random JSON never makes admission panic.
