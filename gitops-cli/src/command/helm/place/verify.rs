//! Who signed a chart.

use std::path::Path;

use anyhow::{anyhow, bail};
use gitops_core::{Clock as _, Scope, SystemClock, quoted};
use gitops_source::{ChartRepository, ChartVersion};

use super::{Settings, VerifyArgs, open};

/// Refuses an archive of this machine that nobody in the keyring has signed.
pub(in super::super) fn verify_file(
    path: &Path,
    args: &VerifyArgs,
    settings: &Settings,
) -> anyhow::Result<()> {
    let shown = path.display();
    if path.is_dir() {
        bail!("unpacked charts cannot be verified");
    }
    if !path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("tgz")) {
        bail!("chart must be a tgz file");
    }
    let provenance = format!("{shown}.prov");
    if let Err(error) = std::fs::metadata(&provenance) {
        let why = super::super::reason(&error);
        bail!("could not load provenance file {provenance}: stat {provenance}: {why}");
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    verify(&name, &open(&shown.to_string())?, &open(&provenance)?, args, settings)
}

/// Downloads an archive and, if that is wanted, checks who signed it.
pub(in super::super) async fn checked(
    repository: &dyn ChartRepository,
    version: &ChartVersion,
    args: &VerifyArgs,
    settings: &Settings,
    scope: &Scope,
) -> anyhow::Result<Vec<u8>> {
    let archive = repository.download(version, scope).await?.to_vec();
    if args.verify {
        let url = version.urls.first().map_or("", String::as_str);
        let provenance = repository.provenance(version, scope).await;
        let provenance = provenance.map_err(|_| {
            anyhow!("failed to fetch provenance {}", quoted(&format!("{url}.prov")))
        })?;
        let name = match url.strip_prefix("oci://") {
            Some(_) => format!("{}-{}.tgz", version.name, version.version),
            None => url.rsplit('/').next().unwrap_or(url).to_owned(),
        };
        verify(&name, &archive, &provenance, args, settings)?;
    }
    Ok(archive)
}

pub(super) fn verify(
    name: &str,
    archive: &[u8],
    provenance: &[u8],
    args: &VerifyArgs,
    settings: &Settings,
) -> anyhow::Result<()> {
    let path = match args.keyring.as_deref() {
        Some(path) => path.to_owned(),
        None => settings.keyring(),
    };
    let failed = |error: &dyn std::fmt::Display| anyhow!("failed to load keyring: {error}");
    let ring = open(&path).map_err(|error| failed(&error))?;
    let keyring = gitops_helm::Keyring::read(&ring).map_err(|error| failed(&error))?;
    keyring.verify(archive, &String::from_utf8_lossy(provenance), name, SystemClock.now())?;
    Ok(())
}
