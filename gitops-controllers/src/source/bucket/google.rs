//! What a Secret says of who reads a bucket of Google's.

use gitops_auth::{GoogleKeyFile, GoogleLibrary};
use gitops_core::Failure;
use gitops_source::GcsCredentials;

use super::{
    super::credentials::Data,
    access::{denied, value},
    identity::Lender,
};

/// The credentials in a Secret of this name. Follows Flux's `gcp.NewClient`, which takes another
/// library of Google's where there is a proxy.
pub(super) async fn credentials(
    data: &Data,
    name: &str,
    lender: &Lender<'_>,
) -> Result<GcsCredentials, Failure> {
    let json = value(data, "serviceaccount").ok_or_else(|| {
        denied(format!("invalid '{name}' secret data: required fields 'serviceaccount'"))
    })?;
    let file = GoogleKeyFile::new(json.clone());
    let (library, doing) = match &lender.proxy {
        None => (GoogleLibrary::Auth, "dialing"),
        Some(_) => (GoogleLibrary::OAuth2, "failed to create Google credentials from secret"),
    };
    if let Some(why) = file.refusal(library) {
        return Err(denied(format!("{doing}: {why}")));
    }
    if let Some(why) = file.key_refusal(library) {
        return Err(lender.unread_by_google(why));
    }
    if file.is_service_account() {
        return Ok(GcsCredentials::ServiceAccount(json));
    }
    lender.google_file(&file).await.map(GcsCredentials::Token)
}
