//! `{id, template, partials?, files?, values, strict?, lint?, expected | error}`: one template in a
//! small chart. The cases were recorded with Helm 3.

use anyhow::{Context, bail, ensure};
use gitops_core::Scope;
use gitops_helm::{
    Capabilities, Chart, Compat, EngineOptions, File, KubeVersion, LoadOptions, ReleaseInfo,
    read_values, render_templates,
};
use gitops_template::{Host, bytes::to_bytes};
use jiff::Timestamp;
use serde_json::Value;

const CHART: &str = "apiVersion: v2\nname: c\nversion: 1.2.3\nappVersion: 4.5.6\n\
                     description: d e\nkeywords: [k1, k2]\ntype: application\n";

pub(crate) fn judge(case: &Value) -> anyhow::Result<()> {
    let compat = Compat::Helm3;
    let mut files = vec![
        File::new("Chart.yaml", CHART),
        File::new("templates/t.yaml", text(&case["template"])?),
    ];
    for (prefix, field) in [("templates/", "partials"), ("", "files")] {
        for (name, content) in case[field].as_object().into_iter().flatten() {
            files.push(File::new(format!("{prefix}{name}"), text(content)?));
        }
    }
    let chart = Chart::from_files(files, &LoadOptions::new(compat))?;
    // YAML takes this character for a line break where JSON does not.
    let values = case["values"].to_string().replace('\u{2028}', "\\u2028");
    let values = read_values(values.as_bytes(), compat)?;
    let release = ReleaseInfo {
        name: "rel".to_owned(),
        namespace: "ns".to_owned(),
        revision: 1,
        is_upgrade: false,
    };
    let mut capabilities = Capabilities::new(compat);
    // Its engine was a library, without the version of a release.
    capabilities.helm_version = "v3.22";
    capabilities.kube_version = KubeVersion::parse("v1.33.0", compat)?;
    let options = EngineOptions {
        strict: case["strict"] == true,
        lint: case["lint"] == true,
        ..EngineOptions::new(compat)
    };
    let scope = Scope::background();
    let result =
        render_templates(&chart, &values, &release, &capabilities, &options, &World, &scope);
    match (result, case["error"].as_str()) {
        (Ok(rendered), None) => {
            let got = to_bytes(rendered.get("c/templates/t.yaml").context("not rendered")?);
            let (got, wanted) = (timeless(&readable(&got)), timeless(&text(&case["expected"])?));
            ensure!(got == wanted, "{got:?}, not {wanted:?}");
        }
        (Ok(_), Some(wanted)) => bail!("rendered, not {wanted:?}"),
        (Err(error), Some(wanted)) => {
            ensure!(error.to_string() == wanted, "{:?}, not {wanted:?}", error.to_string());
        }
        (Err(error), None) => bail!("{error}"),
    }
    Ok(())
}

/// Each byte that is no text was replaced when the case was recorded.
fn readable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// The text without the seconds of the minute in which the cases were recorded, to which our clock
/// is set.
fn timeless(text: &str) -> String {
    let mut out = text.to_owned();
    for minute in ["00:12:", "17952199"] {
        let mut from = 0;
        while let Some(at) = out[from..].find(minute).map(|at| from + at + minute.len()) {
            if out[at..].bytes().take(2).filter(u8::is_ascii_digit).count() == 2 {
                out.replace_range(at..at + 2, "??");
            }
            from = at;
        }
    }
    out
}

fn text(value: &Value) -> anyhow::Result<String> {
    value.as_str().map(str::to_owned).context("no text")
}

/// The time of the recording; what cases say of randomness does not depend on its values.
#[derive(Debug)]
struct World;

impl Host for World {
    fn now(&self) -> Timestamp {
        "2026-11-21T00:12:16Z".parse().expect("it is a moment")
    }

    fn random(&self, buffer: &mut [u8]) {
        rand::fill(buffer);
    }
}
