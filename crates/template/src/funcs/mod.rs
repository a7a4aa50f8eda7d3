//! The functions, one family per file.
