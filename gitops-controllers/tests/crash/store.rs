//! source-controller, killed while it stores artifacts.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use gitops_core::Digest;
use gitops_testenv::{
    Access, ApiProxy, Cluster, Controller, GitRepo, GitServer, Moment, Namespace, git_is_installed,
};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::{CONVERGE, POINTS, Point, REACH, TOGETHER, address, points};

/// Repositories that are stored at a time.
const SOURCES: u64 = 4;

/// Where source-controller dies.
#[derive(Clone, Copy, Debug)]
enum Crash {
    /// At a write to the API server.
    Write(Point),
    /// When so many files stand in its storage, or are in the making.
    Files(u64),
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_artifact_is_half() -> anyhow::Result<()> {
    if !git_is_installed() {
        eprintln!("skipped: git is not installed");
        return Ok(());
    }
    let arena = Arena::new().await?;
    let (writes, _) = arena.play(None).await.context("without a crash")?;
    let at_writes = points(writes).step_by(2).map(Crash::Write);
    // Each artifact is one file in the making and then one that stands.
    let at_files = (0..POINTS / 2).map(|index| Crash::Files(1 + index % SOURCES));
    let reached: Vec<bool> = stream::iter(at_writes.chain(at_files))
        .map(|crash| {
            let arena = &arena;
            async move {
                let played = arena.play(Some(crash)).await;
                played.map(|(_, reached)| reached).with_context(|| format!("{crash:?}"))
            }
        })
        .buffer_unordered(TOGETHER)
        .try_collect()
        .await?;
    let reached = reached.into_iter().filter(|reached| *reached).count();
    ensure!(reached >= 15, "only {reached} of {POINTS} crashes were in the middle of the work");
    Ok(())
}

struct Arena {
    cluster: Cluster,
    git: GitServer,
    directory: TempDir,
}

impl Arena {
    async fn new() -> anyhow::Result<Self> {
        let cluster = Cluster::connect().await?;
        let directory = tempfile::tempdir()?;
        let mut repository = GitRepo::init(directory.path().join("app.git"))?;
        let files: Vec<(String, String)> =
            (0..12).map(|number| (format!("file-{number}"), noise(number))).collect();
        let files: Vec<(&str, Option<&str>)> =
            files.iter().map(|(path, text)| (path.as_str(), Some(text.as_str()))).collect();
        repository.commit("main", &files, "all")?;
        let git = GitServer::start(directory.path(), Access::Open).await?;
        Ok(Self { cluster, git, directory })
    }

    /// Stores all sources, with a crash if there is one, and judges what stands in the storage.
    /// Returns the writes that it took, and whether the crash was in the middle of it.
    async fn play(&self, crash: Option<Crash>) -> anyhow::Result<(u64, bool)> {
        let namespace = self.cluster.namespace("crash-store").await?;
        let home = tempfile::tempdir_in(self.directory.path())?;
        let storage = home.path().join("storage");
        fs::create_dir(&storage)?;
        let proxy = Arc::new(ApiProxy::start(self.cluster.client()).await?);
        proxy.kubeconfig(home.path())?;
        let address = address();
        start(&proxy, &namespace, home.path(), &address)?;
        for number in 0..SOURCES {
            let source = json!({
                "apiVersion": "source.toolkit.fluxcd.io/v1", "kind": "GitRepository",
                "metadata": {"name": format!("app-{number}")},
                "spec": {"interval": "1h", "url": self.git.url("app.git"), "ref": {"branch": "main"}},
            });
            if number == 0 {
                let (write, moment) = match crash {
                    Some(Crash::Write(point)) => (point.write, point.moment),
                    _ => (u64::MAX, Moment::BeforeForwarding),
                };
                proxy.kill_at(write, moment);
                if let Some(Crash::Files(count)) = crash {
                    kill_at_files(Arc::clone(&proxy), storage.clone(), count);
                }
            }
            namespace.apply(&source.to_string()).await?;
        }
        let mut reached = true;
        if crash.is_some() {
            reached = proxy.killed(REACH).await;
            proxy.kill();
            whole(&storage)?;
            start(&proxy, &namespace, home.path(), &address)?;
        }
        let judged = judge(&namespace, &storage, &address).await;
        judged.with_context(|| {
            let log = fs::read_to_string(home.path().join("log")).unwrap_or_default();
            format!("log of the controllers:\n{log}\n{}", proxy.requests().join("\n"))
        })?;
        Ok((proxy.writes(), reached))
    }
}

fn start(
    proxy: &ApiProxy,
    namespace: &Namespace,
    home: &Path,
    address: &str,
) -> anyhow::Result<()> {
    proxy.set_controller(Controller::start_in(
        namespace.name(),
        Path::new(env!("CARGO_BIN_EXE_source-controller")),
        &home.join("kubeconfig"),
        &home.join("log"),
        &[
            "--watch-all-namespaces=false".to_owned(),
            "--log-level=debug".to_owned(),
            format!("--storage-path={}", home.join("storage").display()),
            format!("--storage-addr={address}"),
            format!("--storage-adv-addr={address}"),
        ],
    )?);
    Ok(())
}

/// Looks at the storage all the time, and kills as soon as so many files stand in it.
fn kill_at_files(proxy: Arc<ApiProxy>, storage: PathBuf, count: u64) {
    let end = std::time::Instant::now() + REACH;
    tokio::spawn(async move {
        while std::time::Instant::now() < end {
            if files(&storage).len() as u64 >= count {
                proxy.kill();
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    });
}

/// Every file below the storage; it changes meanwhile.
fn files(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for entry in entries.flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => found.extend(files(&entry.path())),
            Ok(kind) if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}

/// Every file that has an artifact's name is a whole artifact.
fn whole(storage: &Path) -> anyhow::Result<()> {
    for path in files(storage).iter().filter(|path| is_artifact(path)) {
        let bytes = fs::read(path)?;
        let tree = gitops_core::unpack(&bytes[..], &gitops_core::Limits::default());
        let count = tree.with_context(|| format!("{} is half", path.display()))?.files().count();
        ensure!(count == 12, "{} has {count} files", path.display());
    }
    Ok(())
}

fn is_artifact(path: &Path) -> bool {
    path.to_string_lossy().ends_with(".tar.gz")
        && !path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'))
}

/// Every source is ready, what is served is what its status says, and nothing else is stored.
async fn judge(namespace: &Namespace, storage: &Path, address: &str) -> anyhow::Result<()> {
    let mut stored = BTreeMap::new();
    for number in 0..SOURCES {
        let source = namespace.wait_ready(&format!("GitRepository/app-{number}"), CONVERGE).await?;
        let artifact = &source["status"]["artifact"];
        let path = artifact["path"].as_str().context("no path")?;
        let bytes = get(address, path).await?;
        ensure!(
            artifact["digest"] == Digest::sha256(&bytes).to_string(),
            "{artifact} is not served"
        );
        ensure!(artifact["size"] == bytes.len(), "{artifact} has another size");
        stored.insert(storage.join(path), bytes.len());
    }
    whole(storage)?;
    let present: BTreeSet<PathBuf> = files(storage)
        .into_iter()
        .filter(|path| !path.to_string_lossy().ends_with(".lock"))
        .collect();
    let wanted: BTreeSet<PathBuf> = stored.into_keys().collect();
    ensure!(present == wanted, "stored is {present:?} instead of {wanted:?}");
    Ok(())
}

async fn get(address: &str, path: &str) -> anyhow::Result<Vec<u8>> {
    // All may have been ready before the crash: nothing else tells that the next one serves.
    let end = tokio::time::Instant::now() + CONVERGE;
    let mut stream = loop {
        match tokio::net::TcpStream::connect(address).await {
            Ok(stream) => break stream,
            Err(error) if tokio::time::Instant::now() > end => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    stream.write_all(format!("GET /{path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").context("no headers")?;
    ensure!(answer.starts_with(b"HTTP/1.0 200") || answer.starts_with(b"HTTP/1.1 200"), "/{path}");
    Ok(answer.split_off(head + 4))
}

/// Text that does not compress well, so that storing takes its time.
fn noise(seed: u64) -> String {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut text = String::new();
    for _ in 0..1500 {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // Writing to a string does not fail.
        let _ = writeln!(text, "{state:016x}");
    }
    text
}
