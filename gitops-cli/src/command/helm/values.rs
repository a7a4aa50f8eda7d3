//! Values of the command line.

use std::{
    fs,
    io::{ErrorKind, Read as _},
};

use anyhow::{Context as _, anyhow};
use gitops_core::one_line;
use gitops_helm::{
    Compat, GivenValues, SetMode, Values, merge, read_values, set, set_file, set_json,
};
use url::Url;

use super::{args::ValuesArgs, place};

/// What was given besides the chart.
pub(super) struct Collected {
    pub(super) values: Values,
    /// Who gave what, if that is asked for.
    pub(super) given: Vec<GivenValues>,
}

/// Merges files and flags, in Helm's order.
pub(super) fn collect(
    args: &ValuesArgs,
    compat: Compat,
    tracing: bool,
) -> anyhow::Result<Collected> {
    let mut values = Values::new();
    let mut given = Vec::new();
    for path in &args.files {
        let text = read(path)?;
        let read = read_values(&text, compat)
            .map_err(|error| anyhow!("failed to parse {path}: {}", one_line(&error)))?;
        if tracing {
            given.push(GivenValues::file(path, &text));
        }
        merge(&mut values, read);
    }
    let flags = [
        (&args.set_json, Flag::Json),
        (&args.set, Flag::Set("--set", SetMode::Typed)),
        (&args.set_string, Flag::Set("--set-string", SetMode::Text)),
        (&args.set_file, Flag::File),
        (&args.set_literal, Flag::Set("--set-literal", SetMode::Literal)),
    ];
    for (expressions, flag) in flags {
        for expression in expressions {
            flag.apply(expression, &mut values, compat)?;
            if tracing {
                // Alone, it shows what it sets.
                let mut own = Values::new();
                flag.apply(expression, &mut own, compat)?;
                given.push(GivenValues::flag(format!("{} {expression}", flag.name()), &own));
            }
        }
    }
    Ok(Collected { values, given })
}

/// A flag that sets values.
#[derive(Clone, Copy)]
enum Flag {
    Json,
    Set(&'static str, SetMode),
    File,
}

impl Flag {
    fn name(self) -> &'static str {
        match self {
            Self::Json => "--set-json",
            Self::Set(name, _) => name,
            Self::File => "--set-file",
        }
    }

    fn apply(self, expression: &str, values: &mut Values, compat: Compat) -> anyhow::Result<()> {
        let context = || format!("failed parsing {} data", self.name());
        match self {
            Self::Json => set_json(expression, values, compat).map_err(anyhow::Error::new),
            Self::Set(_, mode) => set(expression, values, mode, compat).with_context(context),
            Self::File => {
                let mut content = |path: &str| {
                    let bytes = read(path).map_err(|error| error.to_string())?;
                    Ok(gitops_template::bytes::from_bytes(&bytes).into_owned())
                };
                set_file(expression, values, compat, &mut content).with_context(context)
            }
        }
    }
}

fn read(path: &str) -> anyhow::Result<Vec<u8>> {
    if path.trim() == "-" {
        let mut text = Vec::new();
        std::io::stdin().read_to_end(&mut text)?;
        return Ok(text);
    }
    if path.starts_with("http://") || path.starts_with("https://") {
        let url = Url::parse(path).context("the address of the values is malformed")?;
        return place::values_file(&url);
    }
    fs::read(path).map_err(|error| {
        // A directory can be opened, and then not be read.
        let doing = if error.kind() == ErrorKind::IsADirectory { "read" } else { "open" };
        anyhow!("{doing} {path}: {}", super::reason(&error))
    })
}
