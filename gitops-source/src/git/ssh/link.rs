//! A connection on which Git's program on the host is talked to.

use std::sync::Arc;

use bytes::Bytes;
use russh::{
    Channel, ChannelMsg, Disconnect,
    client::{self, AuthResult, Handle, Msg},
    keys::{PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, agent::client::AgentClient},
};
use tokio::sync::Mutex;

use super::{KnownHosts, Login, RSA_HASHES, SshTransport, tunnel};
use crate::{
    SourceError,
    git::{
        location::SshLocation,
        packet::{Packet, next_packet},
    },
    go,
};

/// What the host's complaints may add to a message.
const MAX_COMPLAINT: usize = 4 << 10;
/// Keys of an agent that are tried before the host loses patience.
const MAX_KEYS: usize = 6;

/// A host that let us in, and the program that runs there.
pub(crate) struct SshLink {
    handle: Handle<Client>,
    command: String,
    /// The program that waits for its next command; in version 0 it takes but one.
    waiting: Mutex<Option<Conversation>>,
}

impl std::fmt::Debug for SshLink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SshLink").field("command", &self.command).finish_non_exhaustive()
    }
}

impl SshLink {
    /// Logs in, starts the program, and returns its advertisement.
    pub(crate) async fn open(
        transport: &SshTransport,
        location: &SshLocation,
        program: &str,
        max: u64,
    ) -> Result<(Self, Vec<u8>), SourceError> {
        let known = Arc::clone(&transport.known_hosts);
        let config = client::Config {
            preferred: transport.algorithms.preferred(known.algorithms(location)),
            // Of a host that hangs the caller's time-out gets rid.
            keepalive_interval: None,
            ..client::Config::default()
        };
        let client = Client { known, location: location.clone() };
        let proxy = transport.proxy.as_ref();
        let stream = tunnel::connect(&location.host, location.port, proxy).await?;
        let mut handle =
            client::connect_stream(Arc::new(config), stream, client).await.map_err(handshake)?;
        log_in(&mut handle, &location.user, &transport.login).await?;
        let command = location.command(program);
        let link = Self { handle, command, waiting: Mutex::default() };
        let mut conversation = link.start().await?;
        let advertisement = conversation.until_flush(max).await?;
        *link.waiting.lock().await = Some(conversation);
        Ok((link, advertisement))
    }

    /// Says something to the program; the answer is read off what is returned.
    pub(crate) async fn send(
        &self,
        request: Vec<u8>,
        max: u64,
    ) -> Result<Conversation, SourceError> {
        let waiting = self.waiting.lock().await.take();
        let conversation = match waiting {
            Some(conversation) => conversation,
            None => {
                let mut conversation = self.start().await?;
                // It says hello anew.
                conversation.until_flush(max).await?;
                conversation
            }
        };
        conversation.channel.data_bytes(request).await.map_err(broken)?;
        Ok(conversation)
    }

    /// Takes back a program that waits for its next command.
    pub(crate) async fn keep(&self, conversation: Conversation) {
        *self.waiting.lock().await = Some(conversation);
    }

    async fn start(&self) -> Result<Conversation, SourceError> {
        let channel = self.handle.channel_open_session().await.map_err(broken)?;
        // A host that does not take the variable speaks version 0.
        channel.set_env(false, "GIT_PROTOCOL", "version=2").await.map_err(broken)?;
        channel.exec(false, self.command.as_str()).await.map_err(broken)?;
        Ok(Conversation { channel, pending: Vec::new(), complaint: Vec::new() })
    }
}

impl Drop for SshLink {
    fn drop(&mut self) {
        // Polite, where it can be: dropping the handle ends the connection as well.
        let goodbye = self.handle.disconnect(Disconnect::ByApplication, "", "");
        futures::FutureExt::now_or_never(goodbye);
    }
}

/// A program that was said something, and its answer.
pub(crate) struct Conversation {
    channel: Channel<Msg>,
    /// What was read beyond the end of the answer before.
    pending: Vec<u8>,
    complaint: Vec<u8>,
}

impl Conversation {
    /// The next piece of the answer; `None` when the program has ended.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        if !self.pending.is_empty() {
            return Ok(Some(std::mem::take(&mut self.pending).into()));
        }
        loop {
            match self.channel.wait().await {
                Some(ChannelMsg::Data { data }) => return Ok(Some(data)),
                Some(ChannelMsg::ExtendedData { data, .. }) => {
                    let room = MAX_COMPLAINT.saturating_sub(self.complaint.len());
                    self.complaint.extend_from_slice(&data[..data.len().min(room)]);
                }
                Some(ChannelMsg::Failure) => {
                    return Err(SourceError::network("ssh: command could not be started"));
                }
                Some(ChannelMsg::Close) | None => return Ok(None),
                // The status of the program and the like; complaints may still follow.
                Some(_) => {}
            }
        }
    }

    /// Everything up to a flush packet.
    pub(crate) async fn until_flush(&mut self, max: u64) -> Result<Vec<u8>, SourceError> {
        let (mut all, mut seen) = (Vec::new(), 0);
        loop {
            let mut rest = &all[seen..];
            while let Some(packet) = next_packet(&mut rest)? {
                seen = all.len() - rest.len();
                if packet == Packet::Flush {
                    self.pending = all.split_off(seen);
                    return Ok(all);
                }
            }
            let Some(piece) = self.next().await? else {
                return Err(self.complain());
            };
            if (all.len() + piece.len()) as u64 > max {
                let why = format!("reference advertisement is larger than {max} bytes");
                return Err(SourceError::content(why));
            }
            all.extend_from_slice(&piece);
        }
    }

    /// Why the program ended before it had answered.
    pub(crate) fn complain(&self) -> SourceError {
        let complaint = String::from_utf8_lossy(&self.complaint);
        let line = complaint.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
        let missing = [
            "ERROR: Repository not found",
            "ERROR: The project you were looking for could not be found",
            "conq: repository does not exist",
            "repository does not exist",
            "does not appear to be a git repository",
            "no such repository",
        ];
        if missing.iter().any(|text| complaint.contains(text)) {
            return SourceError::NotFound("repository not found".into());
        }
        if line.is_empty() {
            return SourceError::network("unexpected EOF");
        }
        let line: String = line.chars().filter(|c| !c.is_control()).collect();
        SourceError::network(format!("unknown error: {line}"))
    }
}

async fn log_in(handle: &mut Handle<Client>, user: &str, login: &Login) -> Result<(), SourceError> {
    let accepted = match login {
        Login::Key(key) => with_key(handle, user, key).await?,
        Login::Agent(socket) => with_agent(handle, user, socket).await?,
    };
    if accepted {
        return Ok(());
    }
    // Go's text, which people search for.
    let why = "ssh: handshake failed: ssh: unable to authenticate, attempted methods [none \
               publickey], no supported methods remain";
    Err(SourceError::Denied(why.into()))
}

async fn with_key(
    handle: &mut Handle<Client>,
    user: &str,
    key: &Arc<PrivateKey>,
) -> Result<bool, SourceError> {
    let hashes = if key.algorithm().is_rsa() {
        match handle.best_supported_rsa_hash().await.map_err(broken)? {
            Some(best) => vec![best],
            None => RSA_HASHES.to_vec(),
        }
    } else {
        vec![None]
    };
    for hash in hashes {
        let key = PrivateKeyWithHashAlg::new(Arc::clone(key), hash);
        if let AuthResult::Success =
            handle.authenticate_publickey(user, key).await.map_err(broken)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn with_agent(
    handle: &mut Handle<Client>,
    user: &str,
    socket: &std::path::Path,
) -> Result<bool, SourceError> {
    let failed = |what: &str| SourceError::network(format!("ssh: agent: {what}"));
    let agent = AgentClient::connect_uds(socket).await;
    let mut agent = agent.map_err(|_| failed("cannot connect"))?;
    let keys = agent.request_identities().await.map_err(|_| failed("does not list its keys"))?;
    for identity in keys.into_iter().take(MAX_KEYS) {
        let key = identity.public_key().into_owned();
        let hash = if key.algorithm().is_rsa() {
            handle.best_supported_rsa_hash().await.map_err(broken)?.unwrap_or(RSA_HASHES[0])
        } else {
            None
        };
        let tried = handle.authenticate_publickey_with(user, key, hash, &mut agent).await;
        if let AuthResult::Success = tried.map_err(|_| failed("does not sign"))? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Checks whom we talk to.
pub(super) struct Client {
    known: Arc<KnownHosts>,
    location: SshLocation,
}

/// Why there is no connection.
#[derive(Debug)]
pub(super) enum ClientError {
    Protocol(russh::Error),
    HostKey(String),
}

impl From<russh::Error> for ClientError {
    fn from(error: russh::Error) -> Self {
        Self::Protocol(error)
    }
}

impl client::Handler for Client {
    type Error = ClientError;

    async fn check_server_key(
        &mut self,
        key: &PublicKeyOrCertificate,
    ) -> Result<bool, ClientError> {
        let PublicKeyOrCertificate::PublicKey { key, .. } = key else {
            let why = "knownhosts: host certificates are not supported";
            return Err(ClientError::HostKey(why.to_owned()));
        };
        self.known.check(&self.location, key).map_err(ClientError::HostKey)?;
        Ok(true)
    }
}

fn handshake(error: ClientError) -> SourceError {
    match error {
        ClientError::HostKey(why) => {
            SourceError::Denied(format!("ssh: handshake failed: {why}").into())
        }
        ClientError::Protocol(russh::Error::NoCommonAlgo { kind, ours, theirs }) => {
            SourceError::network(format!(
                "ssh: handshake failed: ssh: no common algorithm for {}; client offered: [{}], \
                 server offered: [{}]",
                format!("{kind:?}").to_lowercase(),
                ours.join(" "),
                shown(&theirs.join(" ")),
            ))
        }
        ClientError::Protocol(error) => {
            SourceError::network(format!("ssh: handshake failed: {}", told(&error)))
        }
    }
}

fn broken(error: russh::Error) -> SourceError {
    SourceError::network(format!("ssh: {}", told(&error)))
}

fn told(error: &russh::Error) -> String {
    match error {
        russh::Error::Disconnect | russh::Error::HUP | russh::Error::SendError => "EOF".to_owned(),
        russh::Error::IO(io) => {
            go::dial_failure(io.kind()).map_or_else(|| io.kind().to_string(), str::to_owned)
        }
        other => shown(&other.to_string()),
    }
}

/// A text of the host's, without what could trouble a terminal.
fn shown(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    gitops_core::truncate(&text, MAX_COMPLAINT)
}
