//! `gitops fetch oci`

use std::{fs, path::Path, sync::Arc};

use anyhow::Context as _;
use gitops_core::{Scope, Stage, SystemClock};
use gitops_source::{
    CosignTrust, CosignVerifier, IdentityMatch, Keyless, OciName, OciReference, OciSource,
    PublicKey, Registries, Source as _, TrustedRoot, TrustedRootRepository, Verifier as _,
};

use super::{args::Oci, output};
use crate::artifact::say;

pub(super) async fn run(args: Oci, scope: &Scope) -> anyhow::Result<()> {
    output::check(&args.common)?;
    let name: OciName = args.url.parse()?;
    let repository = name.repository.clone();
    let reference = match (&args.semver, &name.digest, &name.tag) {
        (_, Some(digest), _) => OciReference::Digest(digest.to_string()),
        (Some(range), None, _) => {
            OciReference::Semver { range: range.clone(), filter: args.semver_filter.clone() }
        }
        (None, None, Some(tag)) => OciReference::Tag(tag.clone()),
        (None, None, None) => OciReference::default(),
    };
    let options = args.access.options(&repository, args.insecure_registry).await?;
    let registries = Registries::new();
    let source = OciSource::new(&format!("oci://{repository}"), reference)?
        .with_registries(registries.clone())
        .with_credentials(options.credentials.clone())
        .with_insecure(options.insecure)
        .with_timeout(args.access.timeout)
        .with_media_type(args.media_type.clone());
    say('►', &format!("fetching oci://{repository}"));
    scope.enter(Stage::Fetch, format_args!("{repository}"));
    let resolved = source.resolve(scope).await?;
    if let Some(trust) = trust(&args).await? {
        let verifier = CosignVerifier::new(registries, repository, options, trust);
        let verified = verifier.verify(&resolved.image(), scope).await?;
        let signer = verified.signer.unwrap_or_else(|| "somebody unnamed".into());
        say('✔', &format!("verified signature of {} by {signer}", resolved.revision));
    }
    let fetched = source.fetch(&resolved, scope).await?;
    output::finish(&args.common, &fetched, scope)
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read '{}'", file.display()))
}

async fn trust(args: &Oci) -> anyhow::Result<Option<CosignTrust>> {
    if args.trusted_root.is_some() || args.identity_issuer.is_some() {
        let root = match &args.trusted_root {
            Some(file) => TrustedRoot::parse(&read(file)?)?,
            None => {
                let public_good = TrustedRootRepository::public_good(Arc::new(SystemClock));
                public_good.trusted_root().await.context("unable to initialize trusted root")?
            }
        };
        let wanted = args.identity_issuer.iter().zip(&args.identity_subject);
        let wanted: Result<Vec<_>, _> =
            wanted.map(|(issuer, subject)| IdentityMatch::new(issuer, subject)).collect();
        return Ok(Some(CosignTrust::Keyless(Arc::new(Keyless::new(root, wanted?)))));
    }
    let mut keys = Vec::new();
    for file in &args.common.verify_key {
        let key = PublicKey::from_pem(&read(file)?);
        keys.push(key.with_context(|| format!("cannot use '{}'", file.display()))?);
    }
    Ok((!keys.is_empty()).then_some(CosignTrust::Keys(keys)))
}
