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
    capabilities.kube_version =
        KubeVersion::parse("v1.33.0", compat)?;
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
            // Bytes that are no text were lost when the case was recorded.
            let got = String::from_utf8_lossy(&got);
            let wanted = text(&case["expected"])?;
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

fn text(value: &Value) -> anyhow::Result<String> {
    value.as_str().map(str::to_owned).context("no text")
}

/// The real time; what cases say of randomness does not depend on its values.
#[derive(Debug)]
struct World;

impl Host for World {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn random(&self, buffer: &mut [u8]) {
        rand::fill(buffer);
    }
}
