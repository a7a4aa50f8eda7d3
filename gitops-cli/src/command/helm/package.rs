//! `gitops helm package`

use std::{
    fs,
    io::{Read as _, Write as _},
    path::Path,
    process::ExitCode,
};

use anyhow::{Context as _, anyhow, bail};
use gitops_core::{Clock as _, DiskTree, Secret, SystemClock, one_line};
use gitops_helm::{Chart, ChartSigner, Compat, LoadOptions, PackageOptions};

use super::{
    absolute,
    args::Package,
    dependency::{self, Means, Wanted},
    place::{Settings, VerifyArgs},
    reason,
};

pub(super) fn run(args: &Package, settings: &Settings, compat: Compat) -> anyhow::Result<ExitCode> {
    if args.charts.is_empty() {
        bail!("need at least one argument, the path to the chart");
    }
    let signer = if args.sign { Some(signer(args, settings)?) } else { None };
    args.access.check(compat)?;
    for path in &args.charts {
        let full = absolute(path)?;
        match fs::metadata(&full) {
            Err(error) => bail!("stat {path}: {}", reason(&error)),
            Ok(metadata) if !metadata.is_dir() && compat == Compat::Helm3 => {
                bail!("Chart.yaml file is missing");
            }
            Ok(metadata) if !metadata.is_dir() => {
                let file = full.join("Chart.yaml");
                let file = file.display();
                bail!("unable to detect chart at {file}: open {file}: not a directory");
            }
            Ok(_) => {}
        }
        if args.dependency_update {
            let verify = &VerifyArgs::default();
            let means = Means { access: &args.access, verify, settings };
            dependency::fetch(path, Wanted::Newest, means, compat)?;
        }
        let tree = DiskTree::open("/")?;
        let chart = Chart::load_directory(&tree, &full, &LoadOptions::new(compat))?;
        if compat == Compat::Helm4 && chart.metadata.api_version == "v3" {
            bail!("invalid chart apiVersion");
        }
        for warning in chart.all_warnings() {
            anstream::eprintln!("{}", warning.log_line(compat));
        }
        let mut options = PackageOptions::default();
        options.version.clone_from(&args.version);
        options.app_version.clone_from(&args.app_version);
        options.time = args.source_date_epoch.unwrap_or(0);
        let package = chart.package(&options)?;
        let directory = match args.destination.as_str() {
            "." => std::env::current_dir()?,
            given => Path::new(given).to_owned(),
        };
        if directory.is_file() {
            bail!("failed to save: is not a directory: {}", directory.display());
        }
        fs::create_dir_all(&directory)
            .with_context(|| format!("failed to save: mkdir {}", directory.display()))?;
        let file = directory.join(&package.file_name);
        write(&file, &package.archive)?;
        if let Some(signer) = &signer {
            let now = SystemClock.now();
            let mut metadata = chart.metadata.clone();
            if let Some(version) = &args.version {
                metadata.version.clone_from(version);
            }
            let text = signer.sign(&package.archive, &package.file_name, &metadata, now)?;
            write(&directory.join(format!("{}.prov", package.file_name)), text.as_bytes())?;
        }
        writeln!(
            std::io::stdout(),
            "Successfully packaged chart and saved it to: {}",
            file.display()
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// A new file in the place of an old one, never behind a link that stands there.
pub(super) fn write(file: &Path, content: &[u8]) -> anyhow::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.part", std::process::id()));
    let part = file.with_file_name(name);
    let failed = |error: std::io::Error| anyhow!("open {}: {}", file.display(), reason(&error));
    fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&part)
        .and_then(|mut open| open.write_all(content))
        .and_then(|()| fs::rename(&part, file))
        .map_err(failed)
}

fn signer(args: &Package, settings: &Settings) -> anyhow::Result<ChartSigner> {
    let Some(key) = args.key.as_deref() else { bail!("--key is required for signing a package") };
    let keyring = args.keyring.clone().unwrap_or_else(|| settings.keyring());
    let open =
        |path: &str| fs::read(path).map_err(|error| anyhow!("open {path}: {}", reason(&error)));
    let ring = Secret::new(open(&keyring)?);
    let passphrase = match &args.passphrase_file {
        None => None,
        Some(path) => {
            let text = match path.as_str() {
                "-" => {
                    let mut text = Vec::new();
                    std::io::stdin().read_to_end(&mut text)?;
                    text
                }
                path => open(path)?,
            };
            let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
            Some(Secret::new(line.strip_suffix(b"\r").unwrap_or(line).to_vec()))
        }
    };
    ChartSigner::from_keyring(&ring, key, passphrase.as_ref())
        .map_err(|error| anyhow!(one_line(&error)))
}
