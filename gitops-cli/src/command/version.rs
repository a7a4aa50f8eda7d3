//! `gitops version`

use std::{io::Write as _, process::ExitCode};

use crate::args::{Format, Version};

/// What this program is, and whose behaviour it follows.
const FACTS: [(&str, &str); 4] = [
    ("gitops", env!("CARGO_PKG_VERSION")),
    ("flux", "2.9"),
    ("kustomize", "5.8.2"),
    ("kubernetes", "1.36"),
];

pub(crate) fn run(args: &Version) -> anyhow::Result<ExitCode> {
    let mut out = std::io::stdout();
    match args.output {
        None => {
            let [(name, version), compatible @ ..] = FACTS;
            writeln!(out, "{name} {version}")?;
            for (name, version) in compatible {
                writeln!(out, "  compatible with {name} {version}")?;
            }
        }
        Some(Format::Json) => {
            let facts: serde_json::Map<_, _> =
                FACTS.iter().map(|(name, version)| ((*name).into(), (*version).into())).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&facts)?)?;
        }
        Some(Format::Yaml) => {
            for (name, version) in FACTS {
                writeln!(out, "{name}: {version:?}")?;
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
