//! Signatures of images: cosign's, notation's, and the roots that they lead to.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod cosign;
mod notary;
mod notation;
mod notation_evidence;
mod notation_peer;
mod pki;
mod registry_peer;
mod rekor_v2;
mod sigstore;
mod tuf;
