//! `gitops helm show`

use std::{io::Write as _, process::ExitCode};

use anyhow::Context as _;
use gitops_helm::{Compat, JsonPath, LoadOptions, Show};

use super::{
    args,
    place::{self, Settings},
};

pub(super) fn run(
    show: &args::Show,
    settings: &Settings,
    compat: Compat,
) -> anyhow::Result<ExitCode> {
    let (what, chart) = match show {
        args::Show::All(args) => (Show::All, args),
        args::Show::Chart(args) => (Show::Chart, args),
        args::Show::Values(args) => (Show::Values, &args.of),
        args::Show::Readme(args) => (Show::Readme, args),
        args::Show::Crds(args) => (Show::Crds, args),
    };
    let jsonpath = match show {
        args::Show::Values(args) => args.jsonpath.as_ref(),
        _ => None,
    };
    chart.place.access.check(compat)?;
    let mut options = LoadOptions::new(compat);
    options.any_version = true;
    let chart = place::locate(&chart.chart, &chart.place, settings, compat)?.load(&options)?;
    let text = match jsonpath {
        Some(path) => {
            let parsed =
                JsonPath::parse(path).with_context(|| format!("error parsing jsonpath {path}"))?;
            chart.values.as_ref().map(|values| parsed.text(values)).unwrap_or_default().into_bytes()
        }
        None => chart.show(what, compat)?,
    };
    std::io::stdout().write_all(&text)?;
    Ok(ExitCode::SUCCESS)
}
