//! `{id, yaml, json | error, strict_error?, remarshal, pretty?, split?}`: what `sigs.k8s.io/yaml`,
//! yaml.v3's encoder and Helm make of a text.

use anyhow::{Context, bail, ensure};
use gitops_yaml::{
    AsV2, Duplicates, Error, Flavour, Node, ReadOptions, split_documents, to_json_text, to_yaml,
    to_yaml_pretty,
};
use serde_json::Value;

use super::as_floats;

pub(crate) fn judge(case: &Value) -> anyhow::Result<()> {
    let text = |key: &str| case[key].as_str();
    let yaml = text("yaml").context("no yaml")?;
    let json = to_json(yaml, Duplicates::Last);
    match (text("error"), &json) {
        (Some(wanted), Err(error)) => same("error", &error.to_string(), wanted)?,
        (Some(wanted), Ok(_)) => bail!("accepted {yaml:?}, not {wanted:?}"),
        (None, Err(error)) => bail!("{error} in {yaml:?}"),
        (None, Ok(json)) => {
            // Go escapes what it puts in the place of bytes that are no text.
            let wanted = text("json").context("no json")?.replace("\\ufffd", "\u{fffd}");
            same("json", json, &wanted)?;
        }
    }
    if let Some(wanted) = text("strict_error") {
        match to_json(yaml, Duplicates::Refuse) {
            Ok(_) => bail!("strictly accepted {yaml:?}, not {wanted:?}"),
            Err(error) => same("strict_error", &error.to_string(), wanted)?,
        }
    }
    if let Some(wanted) = case["split"].as_array() {
        let wanted: Vec<&str> = wanted.iter().filter_map(Value::as_str).collect();
        let got = split_documents(yaml);
        ensure!(got == wanted, "split: {got:?}, not {wanted:?} in {yaml:?}");
    }
    let (Ok(json), Some(remarshal)) = (json, text("remarshal")) else { return Ok(()) };
    let value = Node::from_json(as_floats(serde_json::from_str(&json)?));
    // Where yaml.v2 cannot read what it printed, the corpus notes that instead of a text.
    if !remarshal.starts_with("ERR") {
        same("remarshal", &to_yaml(&value)?, remarshal)?;
    }
    same("pretty", &to_yaml_pretty(&value)?, text("pretty").unwrap_or(remarshal))
}

fn to_json(yaml: &str, duplicates: Duplicates) -> Result<String, Error> {
    let options = ReadOptions { duplicates, ..ReadOptions::flavour(Flavour::V2) };
    to_json_text(AsV2(&options.read_first(yaml.as_bytes())?))
}

fn same(what: &str, got: &str, wanted: &str) -> anyhow::Result<()> {
    ensure!(got == wanted, "{what}: {got:?}\n     not {wanted:?}");
    Ok(())
}
