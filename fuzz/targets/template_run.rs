//! Templates that run within limits, over values that are YAML.
#![no_main]

use gitops_core::Scope;
use gitops_helm::{Compat, read_values};
use gitops_template::{
    Functions, HelmVersion, Limits, MissingKey, Options, Sealed, Templates, Value, helm,
};
use libfuzzer_sys::fuzz_target;

const LIMITS: Limits = Limits { steps: 100_000, output: 1 << 20, depth: 100 };

fuzz_target!(|input: (&str, &str, bool)| {
    let (text, values, strict) = input;
    // Keys and passwords take their time by themselves.
    if ["gen", "crypt", "htpasswd", "derive"].iter().any(|name| text.contains(name)) {
        return;
    }
    let mut templates = Templates::new(Functions::builtin().with(helm(HelmVersion::V4)));
    if templates.add("t", text).is_err() || read_values(values.as_bytes(), Compat::Helm4).is_err() {
        return;
    }
    // Values come in by a function of the templates themselves.
    let quoted = serde_json::Value::from(values).to_string();
    if templates.add("v", format!("{{{{ template \"t\" (fromYaml {quoted}) }}}}")).is_err() {
        return;
    }
    let missing = if strict { MissingKey::Error } else { MissingKey::Zero };
    let options = Options { limits: LIMITS, missing, ..Options::default() };
    let _ = templates.render("v", Value::Nil, options, &Sealed, &Scope::background());
});
