//! A repository on a server that answered, whatever it is reached by.

use bytes::Bytes;
use futures::{StreamExt as _, stream::BoxStream};
use tokio::time::Instant;

use super::{
    GitAccess, GitTransport, Tls,
    http::HttpLink,
    location::Location,
    packet::{Advertisement, PackStream, Want, list_request},
    ssh::{Conversation, SshLink},
};
use crate::{SourceError, go};

/// What is asked of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Service {
    Fetch,
    Push,
}

impl Service {
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Fetch => "git-upload-pack",
            Self::Push => "git-receive-pack",
        }
    }
}

/// A repository that answered.
#[derive(Debug)]
pub(crate) struct Session {
    link: Link,
    pub(crate) advertisement: Advertisement,
    max_refs: u64,
}

#[derive(Debug)]
enum Link {
    Http(HttpLink),
    Ssh(SshLink),
}

impl Session {
    /// Says hello to the repository.
    pub(crate) async fn open(
        location: &Location,
        access: Option<&GitAccess>,
        service: Service,
        max: u64,
        deadline: Instant,
    ) -> Result<Self, SourceError> {
        let (link, hello) = match (location, access) {
            (Location::Http(url), Some(GitAccess::Http(transport))) => {
                let (link, hello) = transport.open(url, service, max, deadline).await?;
                (Link::Http(link), hello)
            }
            (Location::Http(url), None) => {
                let transport = GitTransport::new(url, &Tls::default(), None)?;
                let (link, hello) = transport.open(url, service, max, deadline).await?;
                (Link::Http(link), hello)
            }
            (Location::Ssh(location), Some(GitAccess::Ssh(transport))) => {
                let opened = SshLink::open(transport, location, service.program(), max).await?;
                (Link::Ssh(opened.0), opened.1)
            }
            (Location::Ssh(_), None) => {
                let why = "invalid 'ssh' auth option: 'identity' is required";
                return Err(SourceError::Invalid(why.into()));
            }
            (Location::Http(_), Some(GitAccess::Ssh(_)))
            | (Location::Ssh(_), Some(GitAccess::Http(_)))
            | (Location::Disk(_), _) => {
                let why = "credentials are for another kind of URL";
                return Err(SourceError::Invalid(why.into()));
            }
        };
        // A server with neither references nor capabilities says nothing but goodbye.
        let advertisement = match &link {
            Link::Ssh(_) if hello == b"0000" => Advertisement::default(),
            _ => Advertisement::parse(&hello)?,
        };
        Ok(Self { link, advertisement, max_refs: max })
    }

    /// Learns the references under some prefixes, or all.
    pub(crate) async fn list(&mut self, prefixes: &[String]) -> Result<(), SourceError> {
        if !self.advertisement.version_2 {
            return Ok(());
        }
        let request = list_request(&self.advertisement, prefixes);
        let body = match &self.link {
            Link::Http(link) => {
                let response = link.post(request.into(), Service::Fetch, true).await?;
                response.limited(self.max_refs).await?
            }
            Link::Ssh(link) => {
                let mut conversation = link.send(request, self.max_refs).await?;
                let body = conversation.until_flush(self.max_refs).await?;
                link.keep(conversation).await;
                body
            }
        };
        self.advertisement.parse_refs(&body)
    }

    /// Whether the server gives objects by these ids.
    pub(crate) fn may_want(&self, ids: &[String]) -> bool {
        let server = &self.advertisement;
        server.version_2
            || server.has("allow-reachable-sha1-in-want")
            || server.has("allow-any-sha1-in-want")
            || ids.iter().all(|id| server.refs.values().any(|found| found.id == *id))
    }

    /// Fetches objects; gives every piece of the pack to `sink`.
    pub(crate) async fn fetch<S, F>(
        &self,
        want: &Want<'_>,
        max: u64,
        mut sink: S,
    ) -> Result<(), SourceError>
    where
        S: FnMut(Bytes) -> F,
        F: Future<Output = Result<(), SourceError>>,
    {
        let request = want.request(&self.advertisement);
        let mut answer = self.ask(request.into(), Service::Fetch).await?;
        let mut stream = PackStream::new(&self.advertisement);
        let mut total = 0_u64;
        while let Some(piece) = answer.next().await? {
            total += piece.len() as u64;
            if total > max {
                let why = format!("pack is larger than {max} bytes");
                return Err(SourceError::content(why));
            }
            let mut out = Vec::with_capacity(piece.len());
            stream.feed(&piece, &mut out)?;
            if !out.is_empty() {
                sink(out.into()).await?;
            }
            if stream.is_finished() && self.advertisement.version_2 {
                // A program on a host goes on to wait for the next command.
                break;
            }
        }
        if let Err(error) = stream.finish() {
            return Err(answer.complaint().unwrap_or(error));
        }
        if let (Answer::Ssh(conversation), Link::Ssh(link)) = (answer, &self.link)
            && self.advertisement.version_2
        {
            link.keep(*conversation).await;
        }
        Ok(())
    }

    /// Sends a request of a service.
    pub(crate) async fn ask(&self, body: Bytes, service: Service) -> Result<Answer, SourceError> {
        match &self.link {
            Link::Http(link) => {
                let version_2 = self.advertisement.version_2;
                let response = link.post(body, service, version_2).await?;
                Ok(Answer::Http(response.pieces()))
            }
            Link::Ssh(link) => {
                let conversation = link.send(body.into(), self.max_refs).await?;
                Ok(Answer::Ssh(Box::new(conversation)))
            }
        }
    }
}

/// What a server answers, piece by piece.
pub(crate) enum Answer {
    Http(BoxStream<'static, Result<Bytes, reqwest::Error>>),
    Ssh(Box<Conversation>),
}

impl Answer {
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, SourceError> {
        match self {
            Self::Http(body) => match body.next().await {
                Some(Ok(piece)) => Ok(Some(piece)),
                Some(Err(error)) => Err(SourceError::network(go::request_failure(&error, None))),
                None => Ok(None),
            },
            Self::Ssh(conversation) => conversation.next().await,
        }
    }

    /// What the host said beside its answer.
    pub(crate) fn complaint(&self) -> Option<SourceError> {
        match self {
            Self::Http(_) => None,
            Self::Ssh(conversation) => Some(conversation.complain()),
        }
    }
}
