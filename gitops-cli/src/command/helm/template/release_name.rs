//! The name of a release.

use anyhow::{anyhow, bail};
use gitops_core::Scope;
use gitops_template::{Functions, Options, Templates, Value};

use super::{super::args::Template, World};

/// Helm's pattern of a name.
const PATTERN: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// Helm's bound, so that generated names of objects still fit.
const LONGEST: usize = 53;

/// The name of the release and the chart, from the words of the command line.
pub(super) fn name_and_chart(args: &Template) -> anyhow::Result<(String, &str)> {
    let template = args.name_template.as_ref().filter(|template| !template.is_empty());
    match &args.words[..] {
        [name, chart] => {
            if args.generate_name {
                bail!("cannot set --generate-name and also specify a name");
            }
            if template.is_some() {
                bail!("cannot set --name-template and also specify a name");
            }
            Ok((name.clone(), chart))
        }
        [chart] => {
            let name = match template {
                Some(template) => expand(template)?,
                None => "release-name".to_owned(),
            };
            Ok((name, chart))
        }
        words => {
            let rest = words.get(2..).unwrap_or_default().join(", ");
            bail!("expected at most two arguments, unexpected arguments: {rest}")
        }
    }
}

pub(crate) fn expand(template: &str) -> anyhow::Result<String> {
    let mut templates = Templates::new(Functions::builtin().with(gitops_template::sprig()));
    templates.add("name-template", template)?;
    let world = World { dns: false };
    let scope = Scope::background();
    Ok(templates.render("name-template", Value::Nil, Options::default(), &world, &scope)?)
}

/// Refuses what Helm refuses.
pub(super) fn check(name: &str) -> anyhow::Result<()> {
    let part = |part: &str| {
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = part.as_bytes();
        bytes.iter().all(|byte| allowed(*byte) || *byte == b'-')
            && bytes.first().is_some_and(|byte| allowed(*byte))
            && bytes.last().is_some_and(|byte| allowed(*byte))
    };
    if name.is_empty() {
        return Err(anyhow!("no name provided"));
    }
    if name.len() > LONGEST || !name.split('.').all(part) {
        return Err(anyhow!(
            "invalid release name, must match regex {PATTERN} and the length must not be longer \
             than {LONGEST}"
        ));
    }
    Ok(())
}
