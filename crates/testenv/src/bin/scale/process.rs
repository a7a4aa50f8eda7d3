//! A controller as a child process, and what it costs (Linux: read from `/proc`).

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use anyhow::Context;

/// Ports from here on, on loopback.
const FIRST_PORT: u16 = 29_310;

/// A running controller; killed when dropped.
pub(crate) struct Controller {
    child: Child,
}

impl Controller {
    pub(crate) fn start(
        directory: &Path,
        name: &str,
        port: u16,
        flags: &[&str],
        more: &[String],
    ) -> anyhow::Result<Self> {
        let program = directory.join(name);
        let address = |offset: u16| format!("127.0.0.1:{}", FIRST_PORT + port + offset);
        let child = Command::new(&program)
            .arg(format!("--metrics-addr={}", address(0)))
            .arg(format!("--health-addr={}", address(1)))
            .args(["--enable-leader-election=false", "--log-level=error", "--events-addr="])
            .args(flags)
            .args(more)
            .env("RUNTIME_NAMESPACE", "flux-system")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("{}", program.display()))?;
        Ok(Self { child })
    }

    /// User and system time so far, in seconds.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let stat = self.read("stat");
        // The name in brackets may hold spaces; the fields after it do not.
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
        (ticks(11).unwrap_or(0.0) + ticks(12).unwrap_or(0.0)) / 100.0
    }

    /// The most memory that was resident, in MiB.
    pub(crate) fn peak_mib(&self) -> u64 {
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
        // Both fail only when it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
