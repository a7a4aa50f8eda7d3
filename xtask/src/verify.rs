//! Runs the release binaries against the data that stands beside the checkout: the corpora of the
//! originals, and recorded scenarios on a real kube-apiserver.

use std::{
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::Context;

/// Scenarios of what the controllers do so far. The rest are other controllers' or need what later
/// work brings; a line here goes when its work arrives.
const SCENARIOS: &str = "git-*,ks-*,oci-*,bucket-*,helmrepo-*,helmchart-*,artifactgenerator";
const NOT_YET: &[&str] = &["git-include", "ks-decrypt"];

/// Recorded scenarios on a real kube-apiserver, or with `--embedded` on ours in its place.
pub(crate) fn rig(root: &Path, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let Some(shared) = shared(root) else {
        return Ok(ExitCode::SUCCESS);
    };
    let (embedded, arguments): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|argument| *argument == "--embedded");
    let real = root.join("target/rig");
    let work = if embedded.is_empty() { real } else { embedded_work(root, &shared, &real)? };
    let wanted = scenarios(&shared)?;
    println!("rig: {} scenarios; not yet: {}", wanted.len(), NOT_YET.join(", "));
    let run = |more: &[&str]| {
        Command::new(shared.join("rig/rig"))
            .args(["run", "--controllers"])
            .arg(root.join("target/release"))
            .args(["--only", &wanted.join(",")])
            .args(more)
            .args(&arguments)
            .env("RIG_WORK", &work)
            .status()
            .context("the rig did not start")
    };
    if run(&[])?.success() {
        return Ok(ExitCode::SUCCESS);
    }
    println!("rig: once more with more time, since scenarios wait for a loaded machine");
    Ok(exit(run(&["--timeout-factor", "2", "--jobs", "4"])?.success()))
}

/// A work directory of the rig whose kube-apiserver is the embedded server. So it is started with
/// kube-apiserver's own flags, and scenarios get its certificate authority, which the rig hands out
/// of servers that it started and of no others.
fn embedded_work(root: &Path, shared: &Path, real: &Path) -> anyhow::Result<PathBuf> {
    let build = |program: &mut Command| {
        let status = program.status().context("a build did not start")?;
        anyhow::ensure!(status.success(), "{program:?} failed");
        anyhow::Ok(())
    };
    build(Command::new(shared.join("rig/rig")).arg("build").env("RIG_WORK", real))?;
    let cargo = ["build", "-q", "--release", "-p", "gitops-apiserver", "--example", "serve"];
    build(Command::new("cargo").args(cargo).current_dir(root))?;
    let work = root.join("target/rig-embedded");
    let bin = work.join("bin");
    std::fs::create_dir_all(&bin)?;
    for server in ["etcd", "infra"] {
        std::fs::copy(real.join("bin").join(server), bin.join(server))?;
    }
    let serve = root.join("target/release/examples/serve");
    std::fs::copy(serve, bin.join("kube-apiserver"))?;
    Ok(work)
}

pub(crate) fn corpus(root: &Path, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let Some(shared) = shared(root) else {
        return Ok(ExitCode::SUCCESS);
    };
    let gitops = root.join("target/release/gitops");
    let output = Command::new("python3")
        .arg(shared.join("corpus/check.py"))
        .args(["kustomize", "--bin", &format!("{} kustomize", gitops.display()), "--root"])
        .arg(root.join("target/corpus"))
        .args(arguments)
        .output()
        .context("python3 did not start")?;
    print!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(exit(output.status.success()))
}

/// Public repositories under `gitops run` and, where Go is installed, under the two controllers on a
/// real kube-apiserver. The arguments are the rig's, such as `--port-base`.
pub(crate) fn real_input(root: &Path, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let Some(shared) = shared(root) else {
        return Ok(ExitCode::SUCCESS);
    };
    let corpus = root.join("target/corpus");
    let mut unpack = Command::new("python3");
    unpack.arg(shared.join("corpus/check.py")).args(["unpack", "--root"]).arg(&corpus);
    anyhow::ensure!(unpack.status().context("python3 did not start")?.success(), "no corpus");
    let release = root.join("target/release");
    let program = || {
        let mut program = Command::new(release.join("real-input"));
        program.arg("--corpus").arg(corpus.join("kustomize"));
        program
    };
    println!("real input: gitops run");
    let run = program().arg("--run").arg(release.join("gitops")).status()?;
    if !run.success() || Command::new("go").arg("version").output().is_err() {
        return Ok(exit(run.success()));
    }
    println!("real input: the controllers, on a real kube-apiserver");
    let mut controllers = program();
    controllers.arg("--controllers").arg(&release);
    on_a_cluster(root, &shared, arguments, controllers)
}

/// Many Kustomizations from one source on a real kube-apiserver, beside a bare client. The arguments
/// are the rig's, and behind `--` those of the measuring program.
pub(crate) fn scale(root: &Path, arguments: &[String]) -> anyhow::Result<ExitCode> {
    let Some(shared) = shared(root) else {
        return Ok(ExitCode::SUCCESS);
    };
    let mut parts = arguments.splitn(2, |argument| argument == "--");
    let (of_rig, of_program) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let release = root.join("target/release");
    let mut program = Command::new(release.join("scale"));
    program.arg("--controllers").arg(&release).args(of_program);
    on_a_cluster(root, &shared, of_rig, program)
}

/// Runs a program with a fresh cluster of the rig, which goes afterwards.
fn on_a_cluster(
    root: &Path,
    shared: &Path,
    arguments: &[String],
    mut program: Command,
) -> anyhow::Result<ExitCode> {
    let rig = |verb: &str| {
        let mut rig = Command::new(shared.join("rig/rig"));
        rig.arg(verb).args(arguments).env("RIG_WORK", root.join("target/rig"));
        rig
    };
    let up = rig("up").output().context("the rig did not start")?;
    let told = String::from_utf8_lossy(&up.stdout).into_owned();
    let kubeconfig = told.lines().find_map(|line| line.trim().strip_prefix("KUBECONFIG="));
    let ran = match kubeconfig {
        Some(kubeconfig) => program.env("KUBECONFIG", kubeconfig).status(),
        None => anyhow::bail!("the rig is not up: {told}"),
    };
    let down = rig("down").status()?;
    Ok(exit(ran?.success() && down.success()))
}

/// The scenarios that exist, less those whose work is still to come.
fn scenarios(shared: &Path) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(shared.join("rig/goldens"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let ours = SCENARIOS.split(',').any(|pattern| matches(pattern, &name));
        if ours && !NOT_YET.iter().any(|pattern| matches(pattern, &name)) {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn matches(pattern: &str, name: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == name, |prefix| name.starts_with(prefix))
}

#[expect(clippy::disallowed_methods, reason = "a program may read where its data stands")]
pub(crate) fn shared(root: &Path) -> Option<PathBuf> {
    let beside = || root.join("../shared");
    let shared = std::env::var("GITOPS_SHARED").map_or_else(|_| beside(), PathBuf::from);
    if !shared.join("rig/rig").exists() {
        println!("SKIPPED: {} is not there", shared.display());
        return None;
    }
    Some(shared)
}

pub(crate) fn exit(success: bool) -> ExitCode {
    if success { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
