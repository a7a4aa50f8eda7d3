//! `{id, mode, base, in, out | error}`: what an expression of `--set` and its relatives makes of
//! values. The cases were recorded with Helm 3.

use anyhow::{Context, bail, ensure};
use gitops_helm::{Compat, SetMode, set, set_file};
use serde_json::Value;

pub(crate) fn judge(case: &Value) -> anyhow::Result<()> {
    let expression = case["in"].as_str().context("no in")?;
    let mut values = case["base"].as_object().context("no base")?.clone();
    let result = match case["mode"].as_str().context("no mode")? {
        "set-file" => {
            let mut read = |path: &str| Ok(format!("FILE:{path}"));
            set_file(expression, &mut values, Compat::Helm3, &mut read)
        }
        mode => {
            let mode = match mode {
                "set" => SetMode::Typed,
                "set-string" => SetMode::Text,
                "set-json" => SetMode::Json,
                "set-literal" => SetMode::Literal,
                other => bail!("no mode {other:?}"),
            };
            set(expression, &mut values, mode, Compat::Helm3)
        }
    };
    match (result, case["error"].as_str()) {
        (Ok(()), None) => {
            // The recorded values are JSON, which knows one kind of number.
            let got: Value = serde_json::from_str(&Value::Object(values).to_string())?;
            let same = super::as_floats(got.clone()) == super::as_floats(case["out"].clone());
            ensure!(same, "{expression:?} gives {got}, not {}", case["out"]);
        }
        (Ok(()), Some(wanted)) => bail!("accepted {expression:?}, not {wanted:?}"),
        (Err(error), Some(wanted)) => {
            ensure!(error.to_string() == wanted, "{error:?}, not {wanted:?} in {expression:?}");
        }
        (Err(error), None) => bail!("{error} in {expression:?}"),
    }
    Ok(())
}
