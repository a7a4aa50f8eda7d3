//! OpenSSH's own server on loopback, for tests of SSH.
//!
//! One `sshd -i` answers each connection, so nothing listens but the test itself and nothing stays.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use tokio::{net::TcpListener, task::JoinHandle};

/// A server that lets in whoever the tests run as, with a key of [`SshServer::make_key`].
#[derive(Debug)]
pub struct SshServer {
    address: SocketAddr,
    user: String,
    directory: PathBuf,
    task: JoinHandle<()>,
}

impl SshServer {
    /// Where Debian and most others put it.
    const PROGRAM: &'static str = "/usr/sbin/sshd";

    /// Whether `sshd`, `ssh-keygen` and the directory that `sshd` wants are there; tests say so
    /// when they are not.
    pub fn is_installed() -> bool {
        let keygen = Command::new("ssh-keygen").arg("-?").output().is_ok();
        // Only root has to give up privileges, and can make the directory for it.
        let own = Path::new("/run/sshd").is_dir()
            || Command::new("id").arg("-u").output().is_ok_and(|id| id.stdout != b"0\n")
            || std::fs::create_dir("/run/sshd").is_ok();
        Path::new(Self::PROGRAM).exists() && keygen && own
    }

    /// Starts a server that keeps its keys in `directory`, with a host key of each of these kinds
    /// (`ed25519`, `ecdsa`, `rsa`) and further lines of configuration.
    ///
    /// # Errors
    /// When keys cannot be made, or no port can be had.
    pub async fn start(
        directory: impl Into<PathBuf>,
        host_keys: &[&str],
        configuration: &str,
    ) -> anyhow::Result<Self> {
        let directory = directory.into();
        std::fs::create_dir_all(&directory)?;
        let user = Command::new("id").arg("-un").output()?;
        let user = String::from_utf8(user.stdout)?.trim().to_owned();
        let place = directory.display();
        let mut text = format!(
            "UsePAM no\nPidFile none\nStrictModes no\nPasswordAuthentication no\n\
             PermitRootLogin yes\nKbdInteractiveAuthentication no\nLogLevel ERROR\n\
             AuthorizedKeysFile {place}/authorized_keys\n{configuration}\n"
        );
        std::fs::write(directory.join("authorized_keys"), "")?;
        for kind in host_keys {
            make_key(&directory, &format!("host-{kind}"), kind, "")?;
            writeln!(text, "HostKey {place}/host-{kind}")?;
        }
        let config = directory.join("sshd_config");
        std::fs::write(&config, text)?;
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A connection that fails is the client's to report.
                let _ = answer(stream, &config);
            }
        });
        Ok(Self { address, user, directory, task })
    }

    /// The URL of a repository on this machine.
    pub fn url(&self, repository: &Path) -> String {
        format!("ssh://{}@{}{}", self.user, self.address, repository.display())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What a `known_hosts` says of the server.
    ///
    /// # Errors
    /// When the keys cannot be read.
    pub fn known_hosts(&self) -> anyhow::Result<String> {
        let mut text = String::new();
        for entry in std::fs::read_dir(&self.directory)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with("host-") && name.ends_with(".pub") {
                let key = std::fs::read_to_string(&path)?;
                write!(text, "[127.0.0.1]:{} {key}", self.address.port())?;
            }
        }
        Ok(text)
    }

    /// Makes a key that may log in, and returns its private half: of a kind as `ed25519`, `ecdsa`
    /// or `rsa`, encrypted unless the passphrase is empty.
    ///
    /// # Errors
    /// When `ssh-keygen` refuses.
    pub fn make_key(&self, name: &str, kind: &str, passphrase: &str) -> anyhow::Result<String> {
        let (private, public) = make_key(&self.directory, name, kind, passphrase)?;
        let file = self.directory.join("authorized_keys");
        let authorized = std::fs::read_to_string(&file)?;
        std::fs::write(file, authorized + &public)?;
        Ok(private)
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(stream: tokio::net::TcpStream, config: &Path) -> anyhow::Result<()> {
    let stream = stream.into_std()?;
    stream.set_nonblocking(false)?;
    let input = OwnedFd::from(stream.try_clone()?);
    let mut child = Command::new(SshServer::PROGRAM)
        .arg("-i")
        .arg("-f")
        .arg(config)
        .stdin(Stdio::from(input))
        .stdout(Stdio::from(OwnedFd::from(stream)))
        .stderr(Stdio::null())
        .spawn()
        .context("sshd")?;
    // It ends with its connection.
    std::thread::spawn(move || child.wait());
    Ok(())
}

/// Makes a pair of keys with `ssh-keygen`; returns the texts of both halves.
///
/// # Errors
/// When `ssh-keygen` refuses.
pub fn make_key(
    directory: &Path,
    name: &str,
    kind: &str,
    passphrase: &str,
) -> anyhow::Result<(String, String)> {
    let path = directory.join(name);
    let (kind, bits) = kind.split_once('-').unwrap_or((kind, ""));
    let mut command = Command::new("ssh-keygen");
    command.args(["-q", "-t", kind, "-N", passphrase, "-C", name, "-f"]).arg(&path);
    if !bits.is_empty() {
        command.args(["-b", bits]);
    }
    let output = command.stdin(Stdio::null()).output().context("ssh-keygen")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ssh-keygen: {errors}");
    let public = path.with_extension("pub");
    Ok((std::fs::read_to_string(path)?, std::fs::read_to_string(public)?))
}
