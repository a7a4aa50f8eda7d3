//! The commands: arguments in, library calls, text out.

use std::{collections::BTreeMap, fmt::Write as _, io::Write as _, path::Path};

use anyhow::{Context as _, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use gitops_core::{Clock as _, Limits, Scope, SystemClock, Version, VersionRange};
use gitops_source::{
    CONTENT_MEDIA_TYPE, IgnoreRules, OciArtifact, OciManifest, OciName, OciRepositoryName, Registry,
};
use serde_json::json;

use super::{access, args, content, say};
use crate::args::Format;

const CREATED: &str = "org.opencontainers.image.created";
const SOURCE: &str = "org.opencontainers.image.source";
const REVISION: &str = "org.opencontainers.image.revision";
/// How many manifests are asked for at a time.
const PARALLEL: usize = 16;

pub(super) async fn push(args: args::Push) -> anyhow::Result<()> {
    ensure!(args.url.is_some(), "artifact URL is required");
    ensure!(!args.source.is_empty(), "--source is required");
    ensure!(!args.revision.is_empty(), "--revision is required");
    ensure!(!args.path.is_empty(), "invalid path \"\"");
    let name = access::name(args.url.as_deref())?;
    let tree = match args.path.as_str() {
        "-" => content::stdin()?,
        path => content::open(Path::new(path), args.resolve_symlinks)?,
    };
    let mut annotations = BTreeMap::new();
    for note in &args.annotations {
        let pair = note.split_once('=').filter(|(_, value)| !value.contains('='));
        let (key, value) = pair.with_context(|| {
            format!("invalid annotation {note}, must be in the format key=value")
        })?;
        annotations.insert(key.to_owned(), value.to_owned());
    }
    let created = if args.reproducible { jiff::Timestamp::UNIX_EPOCH } else { SystemClock.now() };
    let created = created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    for (key, value) in [(CREATED, created), (SOURCE, args.source), (REVISION, args.revision)] {
        annotations.insert(key.to_owned(), value);
    }
    let rules = args.ignore.rules();
    let layer = content::packed(&*tree, &rules)?.into();
    let registry = args.access.open(&name.repository, args.insecure_registry).await?;
    if args.output.is_none() {
        say('►', &format!("pushing artifact to {name}"));
    }
    let tag = name.tag.as_deref().unwrap_or("latest");
    let artifact = OciArtifact { layer, media_type: CONTENT_MEDIA_TYPE.into(), annotations };
    let pushed = artifact.push(&registry.for_push(), tag, &Scope::background()).await;
    let digest = pushed.context("pushing artifact failed")?;
    let url = format!("{}@{digest}", name.repository);
    let Some(format) = args.output else {
        say('✔', &format!("artifact successfully pushed to {url}"));
        return Ok(());
    };
    let facts = [
        ("url", format!("oci://{url}")),
        ("repository", name.repository.to_string()),
        ("tag", tag.to_owned()),
        ("digest", digest.to_string()),
    ];
    let mut out = std::io::stdout();
    match format {
        Format::Json => {
            let facts: serde_json::Map<_, _> =
                facts.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&json!(facts))?)?;
        }
        Format::Yaml => {
            let mut facts = facts;
            facts.sort();
            for (key, value) in facts {
                writeln!(out, "{key}: {value}")?;
            }
        }
    }
    Ok(())
}

pub(super) async fn pull(args: args::Pull) -> anyhow::Result<()> {
    ensure!(args.url.is_some(), "artifact URL is required");
    let output = args.output.filter(|output| !output.as_os_str().is_empty());
    let output = output.context("output path cannot be empty")?;
    ensure!(output.is_dir(), "invalid output path {:?}", output.display().to_string());
    let name = access::name(args.url.as_deref())?;
    let registry = args.access.open(&name.repository, args.insecure_registry).await?;
    say('►', &format!("pulling artifact from {name}"));
    let (digest, manifest) = manifest(&registry, &name).await?;
    let layer = manifest.layers.first().context("no layers found in artifact")?;
    let limits = Limits::default();
    let scope = Scope::background();
    let file = registry.blob(&layer.parsed_digest()?, limits.bytes, &scope).await?;
    let tree = gitops_core::unpack(std::io::BufReader::new(file), &limits)?;
    content::write(&tree, &output)?;
    for (key, what) in [(SOURCE, "source"), (REVISION, "revision")] {
        if let Some(value) = manifest.annotations.get(key).filter(|value| !value.is_empty()) {
            say('✔', &format!("{what} {value}"));
        }
    }
    say('✔', &format!("digest {}@{digest}", name.repository));
    say('✔', &format!("artifact content extracted to {}", output.display()));
    Ok(())
}

/// The manifest that a name leads to, and its digest.
async fn manifest(registry: &Registry, name: &OciName) -> anyhow::Result<(String, OciManifest)> {
    let digest = name.digest.as_ref().map(ToString::to_string);
    let tag = name.tag.as_deref().unwrap_or("latest");
    let raw = registry.manifest(digest.as_deref().unwrap_or(tag)).await?;
    Ok((raw.digest.to_string(), OciManifest::parse(&raw.bytes)?))
}

pub(super) async fn tag(args: args::Tag) -> anyhow::Result<()> {
    ensure!(args.url.is_some(), "artifact name is required");
    ensure!(!args.tag.is_empty(), "--tag is required");
    let name = access::name(args.url.as_deref())?;
    let registry = args.access.open(&name.repository, false).await?.for_push();
    say('►', "tagging artifact");
    let digest = name.digest.as_ref().map(ToString::to_string);
    let reference = digest.as_deref().or(name.tag.as_deref()).unwrap_or("latest");
    let raw = registry.manifest(reference).await.context("tagging artifact failed")?;
    for tag in &args.tag {
        let pushed = registry.push_manifest(Some(tag), raw.bytes.clone(), &raw.media_type).await;
        pushed.context("tagging artifact failed")?;
        say('✔', &format!("artifact tagged as {}:{tag}", name.repository));
    }
    Ok(())
}

pub(super) async fn list(args: args::List) -> anyhow::Result<()> {
    let url = args.url.as_deref().context("artifact repository URL is required")?;
    let repository = OciRepositoryName::parse(url)?;
    let registry = args.access.open(&repository, args.insecure_registry).await?;
    let mut tags = registry.tags().await.context("listing tags failed")?;
    tags.sort_by(|a, b| b.cmp(a));
    tags.retain(|tag| [".att", ".sbom", ".sig"].iter().all(|suffix| !tag.ends_with(suffix)));
    if let Some(text) = &args.filter_semver {
        let range: VersionRange =
            text.parse().with_context(|| format!("semver '{text}' parse error"))?;
        let fits = |tag: &String| Version::from_tag(tag).is_some_and(|own| range.contains(&own));
        tags.retain(fits);
    }
    if let Some(text) = &args.filter_regex {
        let regex =
            regex::Regex::new(text).with_context(|| format!("regex '{text}' parse error"))?;
        tags.retain(|tag| regex.is_match(tag));
    }
    let rows = futures::stream::iter(tags).map(|tag| {
        let registry = &registry;
        let name = format!("{repository}:{tag}");
        async move {
            let raw = registry.manifest(&tag).await.context("fetching manifest failed")?;
            let manifest = OciManifest::parse(&raw.bytes).context("parsing manifest failed")?;
            let note = |key: &str| manifest.annotations.get(key).cloned().unwrap_or_default();
            anyhow::Ok([name, raw.digest.to_string(), note(SOURCE), note(REVISION)])
        }
    });
    let rows: Vec<[String; 4]> = rows.buffered(PARALLEL).try_collect().await?;
    std::io::stdout().write_all(table(&rows).as_bytes())?;
    Ok(())
}

/// Columns as wide as their widest cell, each ended by a tab.
fn table(rows: &[[String; 4]]) -> String {
    let header = ["ARTIFACT", "DIGEST", "SOURCE", "REVISION"];
    let widths = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0).max(header[column].len())
    };
    let widths: [usize; 4] = std::array::from_fn(widths);
    let mut out = String::new();
    // The header's last column has no tab, but a space.
    for (column, name) in header.iter().enumerate() {
        let end = if column == 3 { " \n" } else { "\t" };
        let _ = write!(out, "{name:width$}{end}", width = widths[column]);
    }
    for row in rows {
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(out, "{cell:width$}\t");
        }
        out.push('\n');
    }
    out
}

pub(super) async fn diff(args: args::Diff) -> anyhow::Result<()> {
    ensure!(args.url.is_some(), "artifact URL is required");
    ensure!(!args.path.is_empty(), "invalid path \"\"");
    let name = access::name(args.url.as_deref())?;
    let path = Path::new(&args.path);
    ensure!(
        path.exists(),
        "invalid path '{}', must point to an existing directory or file",
        args.path
    );
    let registry = args.access.open(&name.repository, args.insecure_registry).await?;
    let own = content::packed(&*content::open(path, false)?, &args.ignore.rules())?;
    let (_, manifest) = manifest(&registry, &name).await?;
    let layer = manifest.layers.first().context("no layers found in artifact")?;
    let limits = Limits::default();
    let scope = Scope::background();
    let file = registry.blob(&layer.parsed_digest()?, limits.bytes, &scope).await?;
    // Two programs compress the same files to different bytes: what counts is the files.
    let theirs = gitops_core::unpack(std::io::BufReader::new(file), &limits)?;
    let theirs = content::packed(&theirs, &IgnoreRules::default())?;
    if own != theirs {
        bail!("the remote artifact contents differs from the local one");
    }
    say('✔', "no changes detected");
    Ok(())
}
