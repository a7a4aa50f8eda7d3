//! Values of the command line.

use std::{fs, io::Read};

use anyhow::{Context as _, anyhow};
use gitops_core::one_line;
use gitops_helm::{Compat, SetMode, Values, merge, read_values, set, set_file, set_json};

use super::args::ValuesArgs;

/// Merges files and flags, in Helm's order.
pub(super) fn collect(args: &ValuesArgs, compat: Compat) -> anyhow::Result<Values> {
    let mut values = Values::new();
    for path in &args.files {
        let text = read(path)?;
        let read = read_values(&text, compat)
            .map_err(|error| anyhow!("failed to parse {path}: {}", one_line(&error)))?;
        merge(&mut values, read);
    }
    for json in &args.set_json {
        set_json(json, &mut values, compat).map_err(anyhow::Error::new)?;
    }
    for (expressions, mode, flag) in
        [(&args.set, SetMode::Typed, "--set"), (&args.set_string, SetMode::Text, "--set-string")]
    {
        for expression in expressions {
            set(expression, &mut values, mode, compat)
                .with_context(|| format!("failed parsing {flag} data"))?;
        }
    }
    for expression in &args.set_file {
        let mut content = |path: &str| {
            let bytes = read(path).map_err(|error| error.to_string())?;
            Ok(gitops_template::bytes::from_bytes(&bytes).into_owned())
        };
        set_file(expression, &mut values, compat, &mut content)
            .context("failed parsing --set-file data")?;
    }
    for expression in &args.set_literal {
        set(expression, &mut values, SetMode::Literal, compat)
            .context("failed parsing --set-literal data")?;
    }
    Ok(values)
}

fn read(path: &str) -> anyhow::Result<Vec<u8>> {
    if path.trim() == "-" {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text)?;
        return Ok(text);
    }
    fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => anyhow!("open {path}: no such file or directory"),
        _ => anyhow!("open {path}: {error}"),
    })
}
