//! Short-lived credentials for Git servers, registries and clouds.
//!
//! Long-lived secrets (a GitHub App's key, a cloud identity) are exchanged for tokens that live
//! minutes. Every exchange is a plain function of its inputs: an [`HttpClient`] to ask with, a
//! [`Clock`](gitops_core::Clock) to sign with, and the secret. [`TokenCache`] keeps what they return
//! for as long as it is good, and lets one caller refresh while the others wait.
//!
//! ```
//! use std::{sync::Arc, time::Duration};
//!
//! use gitops_auth::{CacheKey, Token, TokenCache};
//! use gitops_core::{FixedClock, Secret};
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let noon = "2026-01-01T12:00:00Z".parse().unwrap();
//! let clock = Arc::new(FixedClock::new(noon));
//! let cache = TokenCache::new(100, Duration::from_secs(3600), clock);
//! let key = CacheKey::new("example").with("host", "git.example.com");
//! let (token, _) = cache
//!     .get_or_fetch(&key, || async {
//!         Ok(Token::new(Secret::from("t0ken"), noon + Duration::from_secs(600)))
//!     })
//!     .await
//!     .unwrap();
//! assert_eq!(token.secret.expose_str(), Some("t0ken"));
//! # });
//! ```
//!
//! Invariant: knows nothing of Kubernetes and reads neither environment nor clock by itself; no
//! secret is in the text of an error.

mod asn1;
mod aws;
mod azure;
mod cache;
mod cloud;
mod error;
#[cfg(test)]
mod fake;
mod gcp;
mod github_app;
mod http;
mod jwt;
mod registry;
mod token;

pub use aws::{
    AwsCredentials, AwsSigner, aws_credentials, code_commit_credentials, code_commit_region,
    validate_sts_endpoint,
};
pub use azure::{
    AZURE_DEVOPS_SCOPE, AZURE_STORAGE_SCOPE, AzureCertificate, azure_certificate_token, azure_token,
};
pub use cache::{CacheKey, Lookup, TokenCache, TokenCounters};
pub use cloud::{Account, AccountTokens, CloudContext, Environment};
pub use error::AuthError;
pub use gcp::{GoogleKeyFile, GoogleLibrary, gcp_token};
pub use github_app::{GitHubApp, GitHubInstallation};
pub use http::{HttpClient, HttpOptions};
pub use registry::{RegistryCloud, registry_login};
pub use token::Token;
