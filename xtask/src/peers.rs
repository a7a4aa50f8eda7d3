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
    flux(&directory)?;
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

/// Flux's command line. Its release puts manifests beside the sources, which the compiler wants to
/// see and the commands for artifacts do not use: an empty one will do.
fn flux(peers: &Path) -> anyhow::Result<()> {
    const MODULE: &str = "github.com/fluxcd/flux2/v2";
    const VERSION: &str = "v2.9.5";
    let stamp = peers.join(format!("flux-{VERSION}"));
    if stamp.exists() {
        println!("peers: flux {VERSION} is there");
        return Ok(());
    }
    println!("peers: building flux {VERSION}");
    let directory = empty_directory(peers, "flux")?;
    let downloaded = Command::new("go")
        .args(["mod", "download", "-json", &format!("{MODULE}@{VERSION}")])
        .current_dir(&directory)
        .output()
        .context("go mod download")?;
    let downloaded: serde_json::Value = serde_json::from_slice(&downloaded.stdout)?;
    let sources = downloaded["Dir"].as_str().context("go has not got flux")?;
    copy(Path::new(sources), &directory)?;
    fs::create_dir_all(directory.join("cmd/flux/manifests"))?;
    fs::write(directory.join("cmd/flux/manifests/none.yaml"), "{}\n")?;
    let status = Command::new("go")
        .args(["build", "-o", "../flux", "./cmd/flux"])
        .env("GOFLAGS", "-mod=mod -trimpath")
        .current_dir(&directory)
        .status()
        .context("go build")?;
    ensure!(status.success(), "go could not build flux");
    fs::remove_dir_all(directory)?;
    fs::write(stamp, "")?;
    Ok(())
}

/// Copies a directory of the module cache, whose files nobody may write.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::write(&to, fs::read(entry.path())?)?;
        }
    }
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
