//! The commands: arguments in, library calls, text out.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs::File,
    io::{BufReader, Seek as _, Write as _},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use futures::{StreamExt as _, TryStreamExt as _};
use gitops_core::{
    Classify as _, Clock as _, Limits, MemoryTree, Scope, SystemClock, Version, VersionRange,
};
use gitops_source::{
    CONTENT_MEDIA_TYPE, OciArtifact, OciManifest, OciName, Registries, Registry, SourceError,
};
use gitops_template::re2::Regex;
use serde_json::json;

use super::{access, args, content, say};

const CREATED: &str = "org.opencontainers.image.created";
const SOURCE: &str = "org.opencontainers.image.source";
const REVISION: &str = "org.opencontainers.image.revision";
/// How many manifests are asked for at a time.
const PARALLEL: usize = 16;
/// Between two tries of what a registry puts off.
const LEAST_PAUSE: Duration = Duration::from_secs(1);

pub(super) async fn push(args: args::Push) -> anyhow::Result<()> {
    ensure!(args.url.is_some(), "artifact URL is required");
    ensure!(!args.source.is_empty(), "--source is required");
    ensure!(!args.revision.is_empty(), "--revision is required");
    ensure!(!args.path.is_empty(), "invalid path \"\"");
    let name = access::name(args.url.as_deref())?;
    let files = match args.path.as_str() {
        "-" => content::Files::stdin()?,
        path => content::Files::open(Path::new(path), args.resolve_symlinks)?,
    };
    let annotations = annotations(&args)?;
    let options = args.access.options(&name.repository, args.insecure_registry).await?;
    let opened = Registries::new().open(&name.repository, &options).await;
    let registry = opened.context("error setting up transport")?.for_push();
    if args.output.is_empty() {
        say('►', &format!("pushing artifact to {name}"));
    }
    check_created(&annotations[CREATED]).context("pushing artifact failed")?;
    let rules = args.ignore.rules();
    let layer = files.packed(&rules).context("pushing artifact failed: error creating layer")?;
    ensure!(name.digest.is_none(), "pushing artifact failed: a digest names what is there already");
    let tag = name.tag.as_deref().unwrap_or("latest");
    let layer = layer.into();
    let artifact = OciArtifact { layer, media_type: CONTENT_MEDIA_TYPE.into(), annotations };
    let scope = Scope::background();
    let pushed = patiently(|| artifact.clone().push(&registry, tag, &scope)).await;
    let digest = pushed.context("pushing artifact failed: pushing artifact failed")?;
    let url = format!("{}@{digest}", name.repository);
    let facts = [
        ("url", format!("oci://{url}")),
        ("repository", name.repository.to_string()),
        ("tag", tag.to_owned()),
        ("digest", digest.to_string()),
    ];
    let mut out = std::io::stdout();
    match args.output.as_str() {
        "json" => {
            let facts: serde_json::Map<_, _> =
                facts.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&json!(facts))?)?;
        }
        "yaml" => {
            let mut facts = facts;
            facts.sort();
            for (key, value) in facts {
                writeln!(out, "{key}: {value}")?;
            }
        }
        _ => say('✔', &format!("artifact successfully pushed to {url}")),
    }
    Ok(())
}

/// The notes on an artifact: those of the command line win over those that always are.
fn annotations(args: &args::Push) -> anyhow::Result<BTreeMap<String, String>> {
    let created = if args.reproducible { jiff::Timestamp::UNIX_EPOCH } else { SystemClock.now() };
    let created = created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut annotations: BTreeMap<String, String> = [
        (CREATED.to_owned(), created.clone()),
        (SOURCE.to_owned(), args.source.clone()),
        (REVISION.to_owned(), args.revision.clone()),
    ]
    .into();
    for note in &args.annotations {
        let pair = note.split_once('=').filter(|(_, value)| !value.contains('='));
        let (key, value) = pair.with_context(|| {
            format!("invalid annotation {note}, must be in the format key=value")
        })?;
        annotations.insert(key.to_owned(), value.to_owned());
    }
    if annotations[CREATED].is_empty() {
        annotations.insert(CREATED.to_owned(), created);
    }
    Ok(annotations)
}

/// A time of creation that others can read.
fn check_created(text: &str) -> anyhow::Result<()> {
    let is_date = text.get(10..11) == Some("T") && text.parse::<jiff::Timestamp>().is_ok();
    ensure!(is_date, "invalid created timestamp {text:?}: it is no time of RFC 3339");
    Ok(())
}

/// Tries again what a registry puts off, when it wants to be asked again. The command's time limit
/// ends this.
async fn patiently<T, F: Future<Output = Result<T, SourceError>>>(
    mut work: impl FnMut() -> F,
) -> Result<T, SourceError> {
    loop {
        let done = work().await;
        let Some(pause) = done.as_ref().err().and_then(SourceError::retry_after) else {
            return done;
        };
        tokio::time::sleep(pause.max(LEAST_PAUSE)).await;
    }
}

pub(super) async fn pull(args: args::Pull) -> anyhow::Result<()> {
    ensure!(args.url.is_some(), "artifact URL is required");
    let output = args.output.filter(|output| !output.as_os_str().is_empty());
    let output = output.context("output path cannot be empty")?;
    let why = match output.metadata() {
        Ok(found) if found.is_dir() => None,
        Ok(_) => Some("not a directory".to_owned()),
        Err(error) => Some(format!("stat {}: {}", output.display(), content::go_text(&error))),
    };
    if let Some(why) = why {
        bail!("invalid output path {:?}: {why}", output.display().to_string());
    }
    let name = access::name(args.url.as_deref())?;
    let options = args.access.options(&name.repository, args.insecure_registry).await?;
    say('►', &format!("pulling artifact from {name}"));
    let registry = Registries::new().open(&name.repository, &options).await?;
    let (digest, manifest) = manifest(&registry, &name).await?;
    let (tree, mut file) = content_of(&registry, &manifest).await?;
    file.rewind()?;
    let modes = content::modes(BufReader::new(file))?;
    content::write(&tree, &output, &|path| modes.get(path).copied())?;
    for (key, what) in [(SOURCE, "source"), (REVISION, "revision")] {
        if let Some(value) = manifest.annotations.get(key).filter(|value| !value.is_empty()) {
            say('✔', &format!("{what} {value}"));
        }
    }
    say('✔', &format!("digest {}@{digest}", name.repository));
    say('✔', &format!("artifact content extracted to {}", output.display()));
    Ok(())
}

/// The files of the first layer, and the layer.
async fn content_of(
    registry: &Registry,
    manifest: &OciManifest,
) -> anyhow::Result<(MemoryTree, File)> {
    let layer = manifest.layers.first().context("no layers found in artifact")?;
    let limits = Limits::default();
    let digest = layer.parsed_digest()?;
    let file = registry.blob(&digest, limits.bytes, &Scope::background()).await?;
    Ok((gitops_core::unpack(BufReader::new(&file), &limits)?, file))
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
    ensure!(args.tag.iter().any(|tag| !tag.is_empty()), "--tag is required");
    let name = access::name(args.url.as_deref())?;
    let options = args.access.options(&name.repository, false).await?;
    say('►', "tagging artifact");
    let fetching = || format!("tagging artifact failed: fetching \"{name}\"");
    let opened = Registries::new().open(&name.repository, &options).await;
    let registry = opened.with_context(fetching)?.for_push();
    let digest = name.digest.as_ref().map(ToString::to_string);
    let reference = digest.as_deref().or(name.tag.as_deref()).unwrap_or("latest");
    let raw = registry.manifest(reference).await.with_context(fetching)?;
    for tag in &args.tag {
        let pushed = registry.push_manifest(Some(tag), raw.bytes.clone(), &raw.media_type).await;
        pushed.context("tagging artifact failed")?;
        say('✔', &format!("artifact tagged as {}:{tag}", name.repository));
    }
    Ok(())
}

pub(super) async fn list(args: args::List) -> anyhow::Result<()> {
    let url = args.url.as_deref().context("artifact repository URL is required")?;
    let name = access::name(Some(url))?;
    let repository = name.repository;
    let options = args.access.options(&repository, args.insecure_registry).await?;
    if let Some((_, rest)) = url.split_once("://").and_then(|(_, name)| name.split_once('/'))
        && (name.tag.is_some() || name.digest.is_some())
    {
        let named = url.trim_start_matches("oci://");
        bail!(
            "listing tags failed: parsing repo {named:?}: repository can only contain the \
             characters `abcdefghijklmnopqrstuvwxyz0123456789_-./`: {rest}"
        );
    }
    let opened = Registries::new().open(&repository, &options).await;
    let registry = opened.context("listing tags failed")?;
    let mut tags = registry.tags().await.context("listing tags failed")?;
    tags.sort_by(|a, b| b.cmp(a));
    tags.retain(|tag| [".att", ".sbom", ".sig"].iter().all(|suffix| !tag.ends_with(suffix)));
    if let Some(text) = args.filter_semver.as_deref().filter(|text| !text.is_empty()) {
        let range: VersionRange =
            text.parse().with_context(|| format!("semver '{text}' parse error"))?;
        let fits = |tag: &String| Version::from_tag(tag).is_some_and(|own| range.contains(&own));
        tags.retain(fits);
    }
    if let Some(text) = args.filter_regex.as_deref().filter(|text| !text.is_empty()) {
        let regex = Regex::new(text).with_context(|| format!("regex '{text}' parse error"))?;
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
    ensure!(path.exists(), "{}", content::absent(path));
    let options = args.access.options(&name.repository, args.insecure_registry).await?;
    let files = content::Files::open(path, false)?;
    let own = files.packed(&args.ignore.rules()).context("building artifact failed")?;
    let registry = Registries::new().open(&name.repository, &options).await?;
    let (_, manifest) = manifest(&registry, &name).await?;
    let (_, mut theirs) = content_of(&registry, &manifest).await?;
    theirs.rewind()?;
    // Two programs compress the same files to different bytes: what counts is the files.
    if !content::are_equal(BufReader::new(theirs), &own)? {
        bail!("the remote artifact contents differs from the local one");
    }
    say('✔', "no changes detected");
    Ok(())
}
