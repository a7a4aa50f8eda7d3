//! Git repositories, over wires and programs of Git's own.

mod fetch;
mod hostile;
mod push;
mod signatures;
mod ssh;
mod submodules;
mod wire;
