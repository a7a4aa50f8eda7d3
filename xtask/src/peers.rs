//! Builds the originals to compare with, from Go modules, into `target/peers`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use anyhow::{Context, ensure};

/// Name of the binary, module path of its command, version.
const PEERS: &[(&str, &str, &str)] = &[
    ("kustomize", "sigs.k8s.io/kustomize/kustomize/v5", "v5.8.2"),
    ("cosign", "github.com/sigstore/cosign/v3/cmd/cosign", "v3.0.2"),
    ("gofakes3", "github.com/johannesboyne/gofakes3/cmd/gofakes3", "v1.2.0"),
    ("helm", "helm.sh/helm/v4/cmd/helm", "v4.3.0"),
    ("helm3", "helm.sh/helm/v3/cmd/helm", "v3.22.0"),
    ("registry", "github.com/distribution/distribution/v3/cmd/registry", "v3.0.0"),
    ("fake-gcs-server", "github.com/fsouza/fake-gcs-server", "v1.52.3"),
    ("minio", "github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c"),
];

/// As above, of modules whose versions are not all to be had: `go install` would ask for the list.
const REQUIRED: &[(&str, &str, &str, &str)] =
    &[("notation", "github.com/notaryproject/notation", "cmd/notation", "v1.3.2")];

/// Our program around Helm's libraries, which renders without a process per chart.
const HELM_ENGINE: &[(&str, &str)] = &[
    ("go.mod", include_str!("helm_engine/go.mod.txt")),
    ("main.go", include_str!("helm_engine/main.go.txt")),
    ("bench.go", include_str!("helm_engine/bench.go.txt")),
    ("v3.go", include_str!("helm_engine/v3.go.txt")),
    ("v4.go", include_str!("helm_engine/v4.go.txt")),
];

pub(crate) fn run(root: &Path) -> anyhow::Result<ExitCode> {
    if Command::new("go").arg("version").output().is_err() {
        println!("peers: skipped, Go is not installed");
        return Ok(ExitCode::SUCCESS);
    }
    let directory = root.join("target/peers");
    fs::create_dir_all(&directory)?;
    for (name, module, version) in PEERS {
        let stamp = directory.join(format!("{name}-{version}"));
        if stamp.exists() {
            println!("peers: {name} {version} is there");
            continue;
        }
        println!("peers: building {name} {version}");
        install(&directory, name, &format!("{module}@{version}"))?;
        fs::write(stamp, "")?;
    }
    for (name, module, command, version) in REQUIRED {
        let stamp = directory.join(format!("{name}-{version}"));
        if stamp.exists() {
            println!("peers: {name} {version} is there");
            continue;
        }
        println!("peers: building {name} {version}");
        require(&directory, name, module, command, version)?;
        fs::write(stamp, "")?;
    }
    azurite(&directory)?;
    helm_engine(&directory)?;
    Ok(ExitCode::SUCCESS)
}

/// Two of the commands have the same name, so each is built in a directory of its own.
fn install(peers: &Path, name: &str, module: &str) -> anyhow::Result<()> {
    let directory = empty_directory(peers, name)?;
    let status = Command::new("go")
        .args(["install", module])
        .env("GOBIN", &directory)
        .env("GOFLAGS", "-trimpath")
        .status()
        .context("go install")?;
    ensure!(status.success(), "go could not build {module}");
    let built = fs::read_dir(&directory)?.next().context("go built nothing")??.path();
    fs::rename(built, peers.join(name))?;
    fs::remove_dir_all(directory)?;
    Ok(())
}

/// The emulator of Azure's storage, a program for Node.
fn azurite(peers: &Path) -> anyhow::Result<()> {
    const VERSION: &str = "3.35.0";
    let program = peers.join("azurite");
    let stamp = peers.join(format!("azurite-{VERSION}"));
    if stamp.exists() {
        println!("peers: azurite {VERSION} is there");
        return Ok(());
    }
    if Command::new("npm").arg("--version").output().is_err() {
        println!("peers: azurite skipped, npm is not installed");
        return Ok(());
    }
    println!("peers: installing azurite {VERSION}");
    let directory = peers.join("azurite.packages");
    fs::create_dir_all(&directory)?;
    let status = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", &format!("azurite@{VERSION}")])
        .current_dir(&directory)
        .status()
        .context("npm install")?;
    ensure!(status.success(), "npm could not install azurite");
    let script = "#!/bin/sh\nexec node \
                  \"$(dirname \"$0\")/azurite.packages/node_modules/azurite/dist/src/blob/main.js\" \
                  \"$@\"\n";
    fs::write(&program, script)?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    }
    fs::write(stamp, "")?;
    Ok(())
}

/// Builds a command of a module that a module of our own requires.
fn require(
    peers: &Path,
    name: &str,
    module: &str,
    command: &str,
    version: &str,
) -> anyhow::Result<()> {
    let directory = empty_directory(peers, name)?;
    let required = format!("module peer\n\ngo 1.24\n\nrequire {module} {version}\n");
    fs::write(directory.join("go.mod"), required)?;
    let status = Command::new("go")
        .args(["build", "-o", name, &format!("{module}/{command}")])
        .env("GOFLAGS", "-mod=mod -trimpath")
        .current_dir(&directory)
        .status()
        .context("go build")?;
    ensure!(status.success(), "go could not build {module}");
    fs::rename(directory.join(name), peers.join(name))?;
    fs::remove_dir_all(directory)?;
    Ok(())
}

fn helm_engine(peers: &Path) -> anyhow::Result<()> {
    let stamp = peers.join("helm-engine-sources");
    let sources: String = HELM_ENGINE.iter().map(|(_, text)| *text).collect();
    if fs::read_to_string(&stamp).is_ok_and(|built| built == sources) {
        println!("peers: helm-engine is there");
        return Ok(());
    }
    println!("peers: building helm-engine");
    let directory = empty_directory(peers, "helm-engine")?;
    for (name, text) in HELM_ENGINE {
        fs::write(directory.join(name), text)?;
    }
    let status = Command::new("go")
        .args(["build", "-o", "helm-engine", "."])
        .env("GOFLAGS", "-mod=mod -trimpath")
        .current_dir(&directory)
        .status()
        .context("go build")?;
    ensure!(status.success(), "go could not build helm-engine");
    fs::rename(directory.join("helm-engine"), peers.join("helm-engine"))?;
    fs::remove_dir_all(directory)?;
    fs::write(stamp, sources)?;
    Ok(())
}

/// An empty directory to build in.
fn empty_directory(peers: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let directory = peers.join(format!("{name}.build"));
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir(&directory)?;
    Ok(directory)
}
