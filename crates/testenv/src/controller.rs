//! A controller as a child process, and what it costs (Linux: read from `/proc`).

use std::{
    ffi::OsStr,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::Context;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Ports from here on, on loopback.
const FIRST_PORT: u16 = 29_310;

const NAMESPACE: &str = "RUNTIME_NAMESPACE";

/// A running controller; killed when dropped.
#[derive(Debug)]
pub struct Controller {
    child: Child,
    metrics: String,
}

impl Controller {
    /// Starts a program of a directory with its ports on loopback, `port` above the first one.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        directory: &Path,
        name: &str,
        port: u16,
        flags: &[&str],
        more: &[String],
    ) -> anyhow::Result<Self> {
        let program = directory.join(name);
        let address = |offset: u16| format!("127.0.0.1:{}", FIRST_PORT + port + offset);
        let mut command = command(&program, &address(0), &address(1));
        command.arg("--log-level=error").args(flags).args(more).env(NAMESPACE, "flux-system");
        let child = command.spawn().with_context(|| program.display().to_string())?;
        Ok(Self { child, metrics: address(0) })
    }

    /// Starts a program that runs in a namespace of the cluster of a kubeconfig file, appends its log
    /// to a file, and has no fixed ports but those that the flags name.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_in(
        namespace: &str,
        program: &Path,
        kubeconfig: &Path,
        log: &Path,
        flags: &[impl AsRef<OsStr>],
    ) -> anyhow::Result<Self> {
        let log = fs::File::options().create(true).append(true).open(log)?;
        let child = command(program, "127.0.0.1:0", "127.0.0.1:0")
            .args(flags)
            .env(NAMESPACE, namespace)
            .env("KUBECONFIG", kubeconfig)
            .stderr(log)
            .spawn()
            .with_context(|| program.display().to_string())?;
        Ok(Self { child, metrics: String::new() })
    }

    /// Ends it with SIGKILL, and returns when it is gone.
    pub fn kill(&mut self) {
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The requests to the API server so far, by its own count.
    ///
    /// # Errors
    /// When it does not tell its metrics.
    pub async fn requests(&self) -> anyhow::Result<u64> {
        let mut stream = TcpStream::connect(&self.metrics).await?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").await?;
        let mut text = String::new();
        stream.read_to_string(&mut text).await?;
        let counts = text.lines().filter(|line| line.starts_with("rest_client_requests_total{"));
        let counts = counts.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok());
        Ok(counts.sum())
    }

    /// User and system time so far, in seconds.
    pub fn cpu_seconds(&self) -> f64 {
        let stat = self.read("stat");
        // The name in brackets may hold spaces; the fields after it do not.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
        (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
    }

    /// The most memory that was resident, in MiB.
    pub fn peak_mib(&self) -> u64 {
        let status = self.read("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
        line.split_whitespace().next().and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0) / 1024
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap_or_default()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        self.kill();
    }
}

fn command(program: &Path, metrics: &str, health: &str) -> Command {
    let mut command = Command::new(program);
    command
        .arg(format!("--metrics-addr={metrics}"))
        .arg(format!("--health-addr={health}"))
        .args(["--enable-leader-election=false", "--events-addr="])
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}
