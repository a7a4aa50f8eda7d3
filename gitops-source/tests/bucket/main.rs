//! Buckets, of servers of ours and of real ones.

mod aws_sdk;
mod credentials;
mod dialects;
mod peers;
mod shared_store;
