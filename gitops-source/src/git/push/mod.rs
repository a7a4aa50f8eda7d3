//! Commits that are made here and pushed.
//!
//! A branch is only moved from the commit that the change was made on: if it is elsewhere by then,
//! nothing is pushed, and the server itself checks once more while it holds the branch.

mod commit;
mod pack;

use std::{sync::Arc, time::Duration};

use gitops_core::{Cancelled, MemoryTree, Scope, Tree};
use gix::hash::Kind as HashKind;
use tokio::time::Instant;

use super::{
    GitAccess, GitLimits, GitReference, GitSource,
    location::Location,
    origin::object_id,
    packet::{Packet, next_packet, put_line},
    session::{Service, Session},
    tree::GitTree,
};
use crate::SourceError;

pub use commit::{CommitOptions, GitBase, GitChange, GitCommit, GitPerson};

/// What a server may say about a push.
const MAX_REPORT: usize = 1 << 20;

/// A repository that commits are pushed to.
///
/// ```no_run
/// use std::{collections::BTreeMap, path::PathBuf};
///
/// use gitops_core::Scope;
/// use gitops_source::{CommitOptions, GitChange, GitPerson, Push, PushTarget};
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let scope = Scope::background();
/// let push = Push::new("https://git.example.com/fleet.git");
/// let base = push.checkout("main", &scope).await?;
/// let changes =
///     BTreeMap::from([(PathBuf::from("app/version"), GitChange::Write("1.2.3\n".into()))]);
/// let author = GitPerson { name: "Bot".into(), email: "bot@example.com".into() };
/// let at = "2026-01-01T00:00:00Z".parse()?;
/// let options = CommitOptions { author, at, message: "Update app", signer: None };
/// if let Some(commit) = base.commit(&changes, &options)? {
///     push.push(&commit, &[PushTarget::branch("main")], &[], &scope).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Push {
    url: String,
    access: Option<GitAccess>,
    timeout: Duration,
    limits: GitLimits,
}

/// A reference that a commit is pushed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushTarget {
    reference: String,
    force: bool,
}

impl PushTarget {
    /// A branch: it must be where the commit was made from, or not be there yet.
    pub fn branch(name: &str) -> Self {
        Self { reference: format!("refs/heads/{name}"), force: false }
    }

    /// Any reference by its full name, e.g. `refs/for/main`.
    pub fn reference(name: impl Into<String>) -> Self {
        Self { reference: name.into(), force: false }
    }

    /// From a refspec as `HEAD:refs/for/main` or `+refs/heads/a:refs/heads/b`, whose source is the
    /// branch that is pushed.
    ///
    /// # Errors
    /// When it is malformed, deletes, or its source is something else.
    pub fn from_refspec(text: &str, branch: &str) -> Result<Self, SourceError> {
        let invalid = |why: &str| {
            let text = crate::go::quoted(text);
            SourceError::Invalid(format!("malformed refspec {text}: {why}").into())
        };
        let (force, rest) = match text.strip_prefix('+') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (source, target) = rest.split_once(':').ok_or_else(|| invalid("no separator"))?;
        let full = format!("refs/heads/{branch}");
        if source != "HEAD" && source != branch && source != full {
            return Err(invalid("its source is not the branch that is pushed"));
        }
        if !target.starts_with("refs/") {
            return Err(invalid("its target is no full reference"));
        }
        Ok(Self { reference: target.to_owned(), force })
    }

    /// The same, wherever the reference is by then. Still nothing is lost that is pushed while this
    /// push is under way.
    #[must_use]
    pub fn forced(mut self) -> Self {
        self.force = true;
        self
    }

    /// Follows git's `check-ref-format`.
    fn check(&self) -> Result<(), SourceError> {
        let name = &self.reference;
        let bad_part =
            |part: &str| part.is_empty() || part.starts_with('.') || part.ends_with(".lock");
        let bad = !name.starts_with("refs/")
            || name.split('/').any(bad_part)
            || name.ends_with('.')
            || name.contains("..")
            || name.contains("@{")
            || name.chars().any(|c| c.is_control() || " ~^:?*[\\".contains(c));
        if bad {
            let name = crate::go::quoted(name);
            return Err(SourceError::Invalid(format!("malformed reference name {name}").into()));
        }
        Ok(())
    }
}

impl Push {
    /// A repository on a server; the timeout is 60 s.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            access: None,
            timeout: Duration::from_mins(1),
            limits: GitLimits::default(),
        }
    }

    /// The way to the server.
    #[must_use]
    pub fn with_transport(mut self, access: impl Into<GitAccess>) -> Self {
        self.access = Some(access.into());
        self
    }

    /// How long `checkout` and `push` may each take.
    #[must_use]
    pub fn with_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// What the server may send.
    #[must_use]
    pub fn with_limits(mut self, limits: GitLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The head of a branch, without its history. In a repository without any commit the base is
    /// empty.
    ///
    /// # Errors
    /// As a [`GitSource`]'s, and when there are commits but not this branch.
    pub async fn checkout(&self, branch: &str, scope: &Scope) -> Result<GitBase, SourceError> {
        let mut source = GitSource::new(&self.url, GitReference::Branch(branch.to_owned()))
            .with_timeout(self.timeout)
            .with_limits(self.limits);
        if let Some(access) = &self.access {
            source = source.with_transport(access.clone());
        }
        match source.base(scope).await {
            Err(SourceError::Empty) => Ok(GitBase {
                id: None,
                tree: None,
                format: source.format(scope).await?,
                objects: None,
                files: Arc::new(MemoryTree::new()),
            }),
            other => other,
        }
    }

    /// Pushes a commit to all targets, or, where the server can, to none. Options are told to the
    /// server's hooks as `key=value`.
    ///
    /// # Errors
    /// [`SourceError::Moved`] when a target is not where the commit was made from; then nothing
    /// was pushed. Else when the server refuses; then other targets may have moved.
    ///
    /// # Cancel safety
    /// When dropped the push may or may not have happened.
    pub async fn push(
        &self,
        commit: &GitCommit,
        targets: &[PushTarget],
        options: &[(String, String)],
        scope: &Scope,
    ) -> Result<(), SourceError> {
        let work = tokio::time::timeout(self.timeout, self.send(commit, targets, options));
        let pushed = match scope.run(work).await {
            Ok(Ok(pushed)) => pushed,
            Ok(Err(_)) => Err(SourceError::network("context deadline exceeded")),
            Err(Cancelled) => return Err(Cancelled.into()),
        };
        pushed.map_err(|error| error.during(format!("failed to push to remote '{}'", self.shown())))
    }

    fn shown(&self) -> String {
        match self.url.parse::<url::Url>() {
            Ok(url) => crate::go::masked(&url),
            Err(_) => self.url.clone(),
        }
    }

    async fn send(
        &self,
        commit: &GitCommit,
        targets: &[PushTarget],
        options: &[(String, String)],
    ) -> Result<(), SourceError> {
        let location = Location::parse(&self.url)?;
        let deadline = Instant::now() + self.timeout;
        let max = self.limits.advertisement_bytes;
        let access = self.access.as_ref();
        let session = Session::open(&location, access, Service::Push, max, deadline).await?;
        let updates = updates(&session, commit, targets)?;
        if updates.is_empty() {
            return Ok(());
        }
        let body = request(&session, &updates, options, &commit.pack.encode()?)?;
        let mut answer = session.ask(body.into(), Service::Push).await?;
        let mut all = Vec::new();
        while let Some(piece) = answer.next().await? {
            if all.len() + piece.len() > MAX_REPORT {
                return Err(SourceError::content("report of the push is too long"));
            }
            all.extend_from_slice(&piece);
        }
        if all.is_empty() {
            let cause = answer.complaint();
            return Err(cause.unwrap_or_else(|| SourceError::network("unexpected EOF")));
        }
        let side_band = session.advertisement.has("side-band-64k");
        report(&all, side_band, &updates)
    }
}

/// A reference, from where to where.
#[derive(Debug)]
struct Update {
    reference: String,
    old: String,
    new: String,
}

fn updates(
    session: &Session,
    commit: &GitCommit,
    targets: &[PushTarget],
) -> Result<Vec<Update>, SourceError> {
    let new = commit.id.to_string();
    let absent = "0".repeat(new.len());
    let base = commit.base.map(|id| id.to_string());
    let mut updates: Vec<Update> = Vec::with_capacity(targets.len());
    for target in targets {
        target.check()?;
        let reference = target.reference.clone();
        let known = session.advertisement.refs.get(&reference).map(|found| found.id.clone());
        let old = match (known, target.force) {
            (None, _) => absent.clone(),
            (Some(known), _) if known == new => continue,
            (Some(known), true) => known,
            (Some(known), false) if Some(&known) == base.as_ref() => known,
            (Some(_), false) => return Err(SourceError::Moved { reference: reference.into() }),
        };
        if updates.iter().all(|update| update.reference != reference) {
            updates.push(Update { reference, old, new: new.clone() });
        }
    }
    Ok(updates)
}

fn request(
    session: &Session,
    updates: &[Update],
    options: &[(String, String)],
    pack: &[u8],
) -> Result<Vec<u8>, SourceError> {
    let server = &session.advertisement;
    if !server.has("report-status") {
        return Err(SourceError::network("server does not report what becomes of a push"));
    }
    if !options.is_empty() && !server.has("push-options") {
        return Err(SourceError::Invalid("server does not support push options".into()));
    }
    let mut capabilities = vec!["report-status".to_owned()];
    for wished in ["side-band-64k", "quiet"] {
        if server.has(wished) {
            capabilities.push(wished.to_owned());
        }
    }
    if updates.len() > 1 && server.has("atomic") {
        capabilities.push("atomic".to_owned());
    }
    if !options.is_empty() {
        capabilities.push("push-options".to_owned());
    }
    let format = format!("object-format={}", server.object_format());
    if server.has(&format) {
        capabilities.push(format);
    }
    capabilities.push(concat!("agent=git/gitops-", env!("CARGO_PKG_VERSION")).to_owned());
    let mut out = Vec::with_capacity(pack.len() + 1024);
    for (index, Update { reference, old, new }) in updates.iter().enumerate() {
        let tail =
            if index == 0 { format!("\0 {}", capabilities.join(" ")) } else { String::new() };
        put_line(&mut out, &format!("{old} {new} {reference}{tail}"));
    }
    out.extend_from_slice(b"0000");
    if !options.is_empty() {
        for (key, value) in options {
            let line = if value.is_empty() { key.clone() } else { format!("{key}={value}") };
            if line.chars().any(char::is_control) || line.len() > 60_000 {
                return Err(SourceError::Invalid("malformed push option".into()));
            }
            put_line(&mut out, &line);
        }
        out.extend_from_slice(b"0000");
    }
    out.extend_from_slice(pack);
    Ok(out)
}

/// Reads what the server says became of each reference.
fn report(all: &[u8], side_band: bool, updates: &[Update]) -> Result<(), SourceError> {
    let (mut all, mut inner) = (all, Vec::new());
    let (mut said, mut fatal) = (String::new(), None);
    if side_band {
        while let Some(packet) = next_packet(&mut all)? {
            let Packet::Line(line) = packet else {
                continue;
            };
            match (line.first(), line.get(1..)) {
                (Some(1), Some(data)) => inner.extend_from_slice(data),
                (Some(2), Some(data)) => said.push_str(&String::from_utf8_lossy(data)),
                (Some(3), Some(data)) => fatal = Some(String::from_utf8_lossy(data).into_owned()),
                _ => {}
            }
        }
        all = &inner;
    }
    if let Some(fatal) = fatal {
        return Err(SourceError::network(format!("remote error: {}", shown(&fatal))));
    }
    let (mut unpacked, mut moved) = (false, Vec::new());
    while let Some(packet) = next_packet(&mut all)? {
        let Packet::Line(line) = packet else {
            continue;
        };
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end();
        if line == "unpack ok" {
            unpacked = true;
        } else if let Some(why) = line.strip_prefix("unpack ") {
            return Err(SourceError::network(format!("unpack error: {}", shown(why))));
        } else if let Some(reference) = line.strip_prefix("ok ") {
            moved.push(reference.to_owned());
        } else if let Some(refused) = line.strip_prefix("ng ") {
            let (reference, why) = refused.split_once(' ').unwrap_or((refused, "refused"));
            // Somebody was faster, between the hello and now.
            if ["failed to update ref", "fetch first", "non-fast-forward", "stale info"]
                .iter()
                .any(|text| why.contains(text))
            {
                return Err(SourceError::Moved { reference: reference.into() });
            }
            let hint = shown(&said);
            let hint = if hint.is_empty() { hint } else { format!(": {hint}") };
            let text = format!("command error on {reference}: {}{hint}", shown(why));
            return Err(SourceError::Denied(text.into()));
        }
    }
    let missing = updates.iter().find(|update| !moved.contains(&update.reference));
    match missing {
        None if unpacked => Ok(()),
        _ => Err(SourceError::network("server did not say what became of the push")),
    }
}

/// A text of the server's in one line, without what could trouble a terminal.
fn shown(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let text: String = words.join(" ").chars().filter(|c| !c.is_control()).collect();
    gitops_core::truncate(&text, 1024)
}

impl GitSource {
    /// What is at the reference, to build on.
    async fn base(&self, scope: &Scope) -> Result<GitBase, SourceError> {
        self.bounded(scope, async {
            let resolved = self.select().await?;
            let opened = self.opened.lock().take();
            let origin = match opened {
                Some(origin) => origin,
                None => self.open().await?,
            };
            let want = [resolved.target.clone()];
            let want = super::packet::Want { ids: &want, shallow: true, history_only: false };
            let objects = origin.objects(&want, &self.limits).await;
            let objects = objects.map_err(|error| self.cloning(error))?;
            let (limits, within, target) = (self.limits, scope.clone(), resolved.target);
            let read = move || {
                let commit = objects.commit(object_id(&target)?)?;
                let files = GitTree::load(objects, commit.tree, &[], &limits, &within)?;
                Ok(GitBase {
                    id: Some(commit.id),
                    tree: Some(commit.tree),
                    format: commit.id.kind(),
                    objects: Some(files.objects()),
                    files: Arc::new(files) as Arc<dyn Tree>,
                })
            };
            let joined = tokio::task::spawn_blocking(read).await;
            joined.map_err(|_| SourceError::Cancelled(Cancelled))?
        })
        .await
    }

    /// How an empty repository names its objects.
    async fn format(&self, scope: &Scope) -> Result<HashKind, SourceError> {
        self.bounded(scope, async { Ok(self.open().await?.format()) }).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refspecs() {
        for (text, expected) in [
            ("HEAD:refs/for/main", ("refs/for/main", false)),
            ("+refs/heads/auto:refs/heads/x", ("refs/heads/x", true)),
            ("auto:refs/heads/auto", ("refs/heads/auto", false)),
        ] {
            let target = PushTarget::from_refspec(text, "auto").unwrap();
            assert_eq!((target.reference.as_str(), target.force), expected, "{text}");
        }
        for text in ["", "auto", ":refs/heads/x", "other:refs/heads/x", "HEAD:main"] {
            assert!(PushTarget::from_refspec(text, "auto").is_err(), "{text}");
        }
    }

    #[test]
    fn names_of_references() {
        assert!(PushTarget::branch("feature/x-1").check().is_ok());
        for name in ["", "a..b", "a b", "a/.b", "a.lock", "a~1", "x\ny", "a/", "a@{1}", "a."] {
            assert!(PushTarget::branch(name).check().is_err(), "{name}");
        }
    }

    #[test]
    fn reports() {
        let update = |reference: &str| Update {
            reference: reference.into(),
            old: String::new(),
            new: String::new(),
        };
        let of = |lines: &[&str]| {
            let mut out = Vec::new();
            for line in lines {
                put_line(&mut out, line);
            }
            out.extend_from_slice(b"0000");
            report(&out, false, &[update("refs/heads/main")])
        };
        assert!(of(&["unpack ok\n", "ok refs/heads/main\n"]).is_ok());
        for (lines, says) in [
            (&["unpack ok\n"][..], "did not say"),
            (&["ok refs/heads/main\n"], "did not say"),
            (&["unpack index-pack failed\n"], "unpack error: index-pack failed"),
            (&["unpack ok\n", "ng refs/heads/main hook declined\n"], "hook declined"),
            (&["unpack ok\n", "ng refs/heads/main failed to update ref\n"], "non-fast-forward"),
        ] {
            let error = of(lines).unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
        }
    }
}
