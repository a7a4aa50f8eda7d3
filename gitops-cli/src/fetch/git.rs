//! `gitops fetch git`

use std::{fs, path::Path, time::Duration};

use anyhow::{Context as _, bail};
use gitops_core::{Clock as _, Scope, Secret, Stage, SystemClock};
use gitops_source::{
    Fetched, GitCredentials, GitKeys, GitReference, GitSource, GitTransport, Source as _,
    SshIdentity, SshTransport, Subject, Tls,
};
use url::Url;

use super::{args::Git, output};
use crate::{artifact::say, repository::take_credentials};

pub(super) async fn run(args: Git, scope: &Scope) -> anyhow::Result<()> {
    output::check(&args.common)?;
    // The text may hold a password, so it is not repeated.
    let mut url = Url::parse(&args.url).context("the URL is malformed")?;
    let source = match url.scheme() {
        "http" | "https" => {
            let credentials: GitCredentials = take_credentials(&mut url)?;
            let transport = GitTransport::new(&url, &Tls::default(), None)?;
            GitSource::new(url.as_str(), reference(&args))
                .with_transport(transport.with_credentials(credentials))
        }
        "ssh" => GitSource::new(url.as_str(), reference(&args)).with_transport(ssh(&args)?),
        "file" => GitSource::new(url.as_str(), reference(&args)),
        other => bail!("{other}:// is no Git repository"),
    };
    let source = source
        .with_timeout(Duration::from_secs(args.timeout))
        .with_submodules(args.recurse_submodules)
        .with_sparse(args.sparse.clone());
    say('►', &format!("fetching {url}"));
    scope.enter(Stage::Fetch, format_args!("{url}"));
    let resolved = source.resolve(scope).await?;
    let fetched = source.fetch(&resolved, scope).await?;
    if !args.common.verify_key.is_empty() {
        verify(&args, &fetched)?;
    }
    output::finish(&args.common, &fetched, scope)
}

fn reference(args: &Git) -> GitReference {
    if let Some(id) = &args.commit {
        return GitReference::Commit { id: id.clone(), branch: None, name: None };
    }
    let of = |value: &Option<String>, make: fn(String) -> GitReference| value.clone().map(make);
    of(&args.branch, GitReference::Branch)
        .or_else(|| of(&args.tag, GitReference::Tag))
        .or_else(|| of(&args.semver, GitReference::Semver))
        .or_else(|| of(&args.ref_name, GitReference::Name))
        .unwrap_or_else(|| GitReference::Name("HEAD".into()))
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(file).with_context(|| format!("cannot read '{}'", file.display()))
}

fn ssh(args: &Git) -> anyhow::Result<SshTransport> {
    let (Some(identity), Some(known_hosts)) = (&args.identity, &args.known_hosts) else {
        bail!("ssh:// needs --identity and --known-hosts");
    };
    let identity = SshIdentity::Key {
        pem: Secret::new(read(identity)?),
        passphrase: args.identity_password.as_deref().map(Secret::from),
    };
    Ok(SshTransport::new(&identity, &read(known_hosts)?)?)
}

/// A tag's signature counts as much as the commit's.
fn verify(args: &Git, fetched: &Fetched) -> anyhow::Result<()> {
    let mut entries = Vec::new();
    for file in &args.common.verify_key {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        entries.push((name, read(file)?));
    }
    let keys = GitKeys::from_entries(entries.iter().map(|(name, key)| (name.as_str(), &key[..])));
    let now = SystemClock.now();
    let Subject::Commit { id, tag, .. } = &fetched.subject else {
        bail!("cannot verify what is no commit");
    };
    if let Some(tag) = tag.as_ref().filter(|tag| tag.is_signed()) {
        let signer = keys.verify_tag(tag, now);
        let signer = signer.with_context(|| format!("tag '{}' is not verified", tag.name))?;
        say('✔', &format!("verified signature of tag '{}' with key '{signer}'", tag.name));
        return Ok(());
    }
    let signer = keys.verify_commit(&fetched.subject, now);
    let signer = signer.with_context(|| format!("commit '{id}' is not verified"))?;
    say('✔', &format!("verified signature of commit '{id}' with key '{signer}'"));
    Ok(())
}
