//! `gitops helm template`

mod post_renderer;
mod release_name;
mod world;

use std::{
    collections::HashSet,
    fmt, fs,
    io::{self, BufWriter, Write as _},
    mem::ManuallyDrop,
    path::Path,
    process::ExitCode,
    sync::Arc,
};

use anyhow::{Context as _, anyhow, bail};
use gitops_core::{Scope, quoted};
use gitops_helm::{
    Capabilities, Chart, Compat, EngineOptions, KubeVersion, LoadOptions, PostRenderer, Prepared,
    Release, ReleaseInfo, RenderError, RenderOptions, Shown, Values, coalesce,
    missing_dependencies, process_dependencies, render_templates,
};
use gitops_template::bytes::{from_bytes, to_bytes};

use super::{
    args::{Helm, Template},
    dependency::{self, Means, Wanted},
    failure::NotRendered,
    place::{self, Located, Settings, VerifyArgs},
    values::{self, Collected},
};
use crate::command::report::ExplainFormat;
pub(crate) use release_name::expand as expand_name;
pub(crate) use world::World;

pub(super) fn run(args: &Template, helm: &Helm, compat: Compat) -> anyhow::Result<ExitCode> {
    let text = output(args, helm, compat)?;
    std::io::stdout().write_all(&to_bytes(&text))?;
    Ok(ExitCode::SUCCESS)
}

fn output(args: &Template, helm: &Helm, compat: Compat) -> anyhow::Result<String> {
    let settings = &helm.settings;
    let post_renderer = post_renderer(args, settings, compat)?;
    let capabilities = capabilities(args, compat)?;
    args.place.access.check(compat)?;
    dry_run(args, compat)?;
    let (name, place) = release_name::name_and_chart(args)?;
    // Helm 3 looks at the flag when it has the name; `--dry-run` alone is `client`.
    if compat == Compat::Helm3
        && !args.dry_run.as_deref().is_none_or(|mode| DRY_RUNS_OF_HELM3.contains(&mode))
    {
        bail!(
            "Invalid dry-run flag. Flag must one of the following: false, true, none, client, server"
        );
    }
    let place = place::locate(place, &args.place, settings, compat)?;
    let tracing = args.explain.is_some();
    let Collected { values, given } = values::collect(&args.values, compat, tracing)?;
    let chart = load(&place, args, helm, compat)?;
    check_name(&name, compat)?;
    let release = ReleaseInfo {
        name: name.clone(),
        namespace: helm.namespace.clone(),
        revision: 1,
        is_upgrade: args.is_upgrade,
    };
    let mut options = RenderOptions::new(compat);
    options.capabilities = capabilities;
    options.skip_schema_validation = args.skip_schema_validation;
    options.trace = tracing;
    // Helm 3 writes files before it asks the post-renderer.
    options.post_renderer =
        post_renderer.filter(|_| compat == Compat::Helm4 || args.output_dir.is_none());
    let world = World { dns: args.enable_dns };
    // What goes wrong is shown with what there is of the release.
    let kept = helm.debug.then(|| chart.clone());
    let (scope, mut warnings) = (Scope::background(), Vec::new());
    // What ends with the process is not taken apart before.
    let prepared =
        Prepared::noting(chart, &values, release.clone(), options.clone(), &mut warnings)
            .map(ManuallyDrop::new);
    let rendered = prepared
        .and_then(|prepared| prepared.render_noting(&world, &scope, &mut warnings))
        .map(ManuallyDrop::new);
    for warning in &warnings {
        anstream::eprintln!("{}", warning.log_line(compat));
    }
    let rendered = rendered.map_err(|error| match kept {
        None => described(error, ADVICE, compat),
        Some(chart) => {
            let shown = broken(&error, chart, &values, &release, &options, &world);
            // The error matters more than what cannot be printed.
            let _ = io::stdout().write_all(&to_bytes(&shown));
            described(error, "", compat)
        }
    })?;
    if let Some(question) = &args.explain {
        let explanation = rendered.explain(question, shown(args), &given)?;
        return Ok(match args.explain_format {
            ExplainFormat::Text => format!("{explanation}\n"),
            ExplainFormat::Json => format!("{}\n", explanation.to_json()),
        });
    }
    match &args.output_dir {
        Some(directory) => {
            let text = write_files(args, &rendered, directory, &name)?;
            // The templates went to files, so there is nothing to choose from.
            match args.show_only.first() {
                None => Ok(text),
                Some(pattern) => {
                    io::stdout().write_all(text.trim_end_matches('\n').as_bytes())?;
                    io::stdout().write_all(b"\n")?;
                    bail!("could not find template {pattern} in chart")
                }
            }
        }
        None if args.show_only.is_empty() => {
            // A large release is not put together in memory.
            let mut out =
                Stdout { to: BufWriter::with_capacity(BUFFER, io::stdout().lock()), failed: None };
            let written = rendered.write(shown(args), &mut out);
            match out.failed.or_else(|| out.to.flush().err()) {
                Some(error) => Err(error.into()),
                None => Ok(written.map(|()| String::new())?),
            }
        }
        None => show_only(&args.show_only, &rendered.text(shown(args)), compat),
    }
}

fn capabilities(args: &Template, compat: Compat) -> anyhow::Result<Capabilities> {
    let mut capabilities = Capabilities::new(compat);
    if let Some(version) = &args.kube_version {
        capabilities.kube_version = KubeVersion::parse(version, compat)
            .with_context(|| format!("invalid kube version '{version}'"))?;
    }
    capabilities.api_versions.extend(args.api_versions.iter().cloned());
    Ok(capabilities)
}

const DRY_RUNS_OF_HELM3: &[&str] = &["", "false", "true", "none", "client", "server"];

/// Refuses what is no mode of a dry run, and those that need a cluster.
fn dry_run(args: &Template, compat: Compat) -> anyhow::Result<()> {
    let mode = args.dry_run.as_deref();
    if compat == Compat::Helm4
        && let Some(mode) = mode
    {
        let known = match mode {
            "unset" => {
                anstream::eprintln!(
                    "level=WARN msg=\"--dry-run is deprecated and should be replaced with \
                     '--dry-run=client'\""
                );
                true
            }
            "client" | "server" => true,
            "none" | "0" | "f" | "F" | "false" | "FALSE" | "False" => {
                bail!("invalid dry-run value ({mode:?}). Must be \"server\" or \"client\"")
            }
            "1" | "t" | "T" | "true" | "TRUE" | "True" => {
                anstream::eprintln!(
                    "level=WARN msg=\"boolean '--dry-run={mode}' flag is deprecated and must be \
                     replaced with '--dry-run=client'\""
                );
                true
            }
            _ => false,
        };
        if !known {
            bail!("invalid dry-run value ({mode:?}). Must be \"none\", \"server\", or \"client\"");
        }
    }
    if mode == Some("server") || args.validate {
        bail!("a dry run on a server needs a cluster; there is --dry-run=client only");
    }
    Ok(())
}

fn load(place: &Located, args: &Template, helm: &Helm, compat: Compat) -> anyhow::Result<Chart> {
    let options = LoadOptions::new(compat);
    let chart = place.load(&options)?;
    installable(&chart, compat)?;
    let Err(missing) = complete(&chart, compat) else { return Ok(chart) };
    match place.path() {
        Some(path) if args.dependency_update => {
            let (access, verify) = (&args.place.access, &VerifyArgs::default());
            let means = Means { access, verify, settings: &helm.settings };
            let told = dependency::fetch(path, Wanted::Newest, means, compat)?;
            io::stdout().write_all(told.as_bytes())?;
            place.load(&options)
        }
        _ => Err(missing),
    }
}

fn installable(chart: &Chart, compat: Compat) -> anyhow::Result<()> {
    match chart.metadata.kind.as_str() {
        "" | "application" => {}
        kind => bail!("{kind} charts are not installable"),
    }
    if chart.metadata.deprecated {
        anstream::eprintln!(
            "{}",
            match compat {
                Compat::Helm4 => "level=WARN msg=\"this chart is deprecated\"",
                Compat::Helm3 => "WARNING: This chart is deprecated",
            }
        );
    }
    Ok(())
}

/// Whether all that a chart depends on is there.
fn complete(chart: &Chart, compat: Compat) -> anyhow::Result<()> {
    let hint = match compat {
        Compat::Helm4 => {
            "an error occurred while checking for chart dependencies. You may need to run 'helm \
             dependency build' to fetch missing dependencies"
        }
        Compat::Helm3 => {
            "An error occurred while checking for chart dependencies. You may need to run `helm \
             dependency build` to fetch missing dependencies"
        }
    };
    // Helm 4 knows this format, but installs no such chart yet, nor knows what it may depend on.
    if compat == Compat::Helm4 && chart.metadata.api_version == "v3" {
        if !chart.metadata.dependencies.is_empty() {
            bail!("{hint}: unsupported chart dependency type");
        }
        bail!("invalid chart apiVersion");
    }
    let missing = missing_dependencies(chart);
    if !missing.is_empty() {
        bail!(
            "{hint}: found in Chart.yaml, but missing in charts/ directory: {}",
            missing.join(", ")
        );
    }
    Ok(())
}

const ADVICE: &str = "\n\nUse --debug flag to render out invalid YAML";

fn post_renderer(
    args: &Template,
    settings: &Settings,
    compat: Compat,
) -> anyhow::Result<Option<Arc<dyn PostRenderer>>> {
    let named: Vec<&String> = args.post_renderer.iter().filter(|name| !name.is_empty()).collect();
    match &named[..] {
        [] => Ok(None),
        [name] => post_renderer::find(name, &args.post_renderer_args, settings, compat).map(Some),
        [.., name] => bail!(
            "invalid argument {} for \"--post-renderer\" flag: cannot specify --post-renderer flag \
             more than once",
            quoted(name)
        ),
    }
}

fn check_name(name: &str, compat: Compat) -> anyhow::Result<()> {
    let Err(error) = release_name::check(name) else { return Ok(()) };
    let told = format!("release name {name:?}: {error}");
    if compat == Compat::Helm3 {
        bail!(told);
    }
    anstream::eprintln!("level=ERROR msg=\"release name check failed\" error={}", quoted(&told));
    bail!("release name check failed: {told}")
}

/// Whether Helm has a release by the time of an error.
fn has_release(error: &RenderError) -> bool {
    matches!(
        error,
        RenderError::Template(_)
            | RenderError::Manifest(_)
            | RenderError::PostRender { .. }
            | RenderError::KubeVersion { .. }
    )
}

/// Helm tells how to see what is wrong with what was rendered.
fn described(error: RenderError, advice: &'static str, compat: Compat) -> anyhow::Error {
    if let (RenderError::Dependencies(why), Compat::Helm4) = (&error, compat) {
        anstream::eprintln!(
            "level=ERROR msg=\"chart dependencies processing failed\" error={}",
            quoted(&why.to_string())
        );
    }
    let advice = if has_release(&error) { advice } else { "" };
    anyhow::Error::new(NotRendered { error, advice })
}

/// What `--debug` prints of a release that is none: the templates' texts, if there are any.
fn broken(
    error: &RenderError,
    mut chart: Chart,
    values: &Values,
    release: &ReleaseInfo,
    options: &RenderOptions,
    world: &World,
) -> String {
    let RenderError::Manifest(_) = error else {
        return if has_release(error) { "\n".to_owned() } else { String::new() };
    };
    let (compat, none) = (options.compat, &mut Vec::new());
    let engine = EngineOptions::new(compat);
    let scope = Scope::background();
    let texts = process_dependencies(&mut chart, values, compat, none)
        .and_then(|()| coalesce(&chart, values, compat, none))
        .ok()
        .and_then(|values| {
            let capabilities = &options.capabilities;
            render_templates(&chart, &values, release, capabilities, &engine, world, &scope).ok()
        });
    let mut out = String::new();
    for (path, text) in texts.iter().flatten() {
        if !path.ends_with("NOTES.txt") && !text.trim().is_empty() {
            out.extend(["---\n# Source: ", path, "\n", text, "\n"]);
        }
    }
    format!("{}\n", out.trim())
}

fn shown(args: &Template) -> Shown {
    Shown { crds: args.include_crds, hooks: !args.no_hooks, tests: !args.skip_tests }
}

/// Most objects are shorter, so that several are written at once.
const BUFFER: usize = 64 << 10;

/// Standard output as a place for texts, with the error that ended it.
struct Stdout<'o> {
    to: BufWriter<io::StdoutLock<'o>>,
    failed: Option<io::Error>,
}

impl fmt::Write for Stdout<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.to.write_all(&to_bytes(text)).map_err(|error| {
            self.failed = Some(error);
            fmt::Error
        })
    }
}

/// What some templates gave.
fn show_only(wanted: &[String], stream: &str, compat: Compat) -> anyhow::Result<String> {
    let documents = gitops_helm::split_manifests(stream, compat);
    let mut out = String::new();
    for pattern in wanted {
        let mut found = false;
        for document in &documents {
            let Some(name) = source_of(document) else { continue };
            if gitops_helm::match_path(pattern, name) {
                found = true;
                out.extend(["---\n", document, "\n"]);
            }
        }
        if !found {
            bail!("could not find template {pattern} in chart");
        }
    }
    Ok(out)
}

/// The path below the chart from a document's comment.
fn source_of(document: &str) -> Option<&str> {
    let (_, after) = document.split_once("# Source: ")?;
    let (_, name) = after.lines().next()?.split_once('/')?;
    Some(name)
}

fn write_files(
    args: &Template,
    release: &Release,
    directory: &Path,
    name: &str,
) -> anyhow::Result<String> {
    let own = if args.release_name { directory.join(name) } else { directory.to_owned() };
    let mut seen = HashSet::new();
    let mut out = String::new();
    let crds = release.crds.iter().filter(|_| args.include_crds);
    // Quirk: they are not put below the release's name.
    let crds = crds.map(|crd| (directory, crd.path.as_str(), from_bytes(&crd.data)));
    let manifests = release
        .manifests
        .iter()
        .map(|manifest| (&*own, manifest.path.as_str(), manifest.content.as_str().into()));
    let hooks = release
        .shown_hooks(shown(args))
        .map(|hook| (&*own, hook.path.as_str(), hook.manifest.as_str().into()));
    for (directory, path, content) in crds.chain(manifests).chain(hooks) {
        let file = directory.join(path);
        let parent = file.parent().context("a template stands in a directory")?;
        fs::create_dir_all(parent).map_err(|error| {
            let why = super::reason(&error);
            anyhow!("stat {}: {why}{ADVICE}", parent.display())
        })?;
        let again = !seen.insert(path.to_owned());
        let mut file_out = fs::OpenOptions::new()
            .create(true)
            .append(again)
            .write(true)
            .truncate(!again)
            .open(&file)
            .with_context(|| format!("cannot write {}", file.display()))?;
        file_out.write_all(&to_bytes(&format!("---\n# Source: {path}\n{content}\n")))?;
        out.extend(["wrote ", &file.display().to_string(), "\n"]);
    }
    // Where the manifests would stand.
    out.push('\n');
    Ok(out)
}
