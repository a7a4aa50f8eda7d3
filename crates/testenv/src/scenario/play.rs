//! Doing what a scenario says.

use std::{collections::BTreeMap, time::Duration};

use anyhow::{Context, bail};
use gitops_api::meta::annotation::RECONCILE_REQUESTED_AT;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{
    render,
    text::{Scenario, Step, files},
};
use crate::{
    Access, Cluster, Fault, GitRepo, GitServer, Namespace, Scrubber, Sink, cluster::is_ready,
};

/// How long a wait lasts unless it says otherwise.
const LIMIT: Duration = Duration::from_secs(30);

/// How long what is seen may take to become what is expected.
const GRACE: Duration = Duration::from_secs(3);

/// Where a scenario happens: a namespace, a Git server and a sink. The controllers are started by
/// the test, which knows which ones it needs.
#[derive(Debug)]
pub struct World {
    namespace: Namespace,
    git: GitServer,
    sink: Sink,
    repositories: BTreeMap<String, GitRepo>,
    asked: u32,
    // Holds the repositories; deleted with the world.
    directory: TempDir,
}

impl World {
    /// An empty world, named after a test.
    ///
    /// # Errors
    /// When the namespace, a directory or a port cannot be had.
    pub async fn new(cluster: &Cluster, test: &str) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        Ok(Self {
            namespace: cluster.namespace(test).await?,
            git: GitServer::start(directory.path(), Access::Open).await?,
            sink: Sink::start().await?,
            repositories: BTreeMap::new(),
            asked: 0,
            directory,
        })
    }

    /// The namespace.
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    /// The Git server.
    pub fn git(&self) -> &GitServer {
        &self.git
    }

    /// The sink.
    pub fn sink(&self) -> &Sink {
        &self.sink
    }

    /// Does every step, and returns the scenario with what there was in place of what it expects.
    ///
    /// # Errors
    /// When a step cannot be done or a wait is in vain.
    pub async fn play(&mut self, scenario: &Scenario) -> anyhow::Result<Scenario> {
        let mut played = scenario.clone();
        for (index, step) in played.steps.iter_mut().enumerate() {
            let seen = self
                .step(step)
                .await
                .with_context(|| format!("step {} (-- {} --)", index + 1, step.words.join(" ")))?;
            if let Some(seen) = seen {
                step.body = seen;
            }
        }
        Ok(played)
    }

    /// Does a step; what it returns stands in place of the step's text.
    async fn step(&mut self, step: &Step) -> anyhow::Result<Option<String>> {
        let words: Vec<&str> = step.words.iter().map(String::as_str).collect();
        match words[..] {
            ["commit", repository, branch, ref message @ ..] if !message.is_empty() => {
                let files = files(&self.fill(&step.body))?;
                let files: Vec<(&str, Option<&str>)> =
                    files.iter().map(|(path, content)| (&**path, content.as_deref())).collect();
                self.repository(repository)?.commit(branch, &files, &message.join(" "))?;
            }
            ["tag", repository, tag, branch, ref message @ ..] => {
                let repository = self.repository(repository)?;
                let commit = repository.resolve(&format!("refs/heads/{branch}"))?;
                if message.is_empty() {
                    repository.point(&format!("refs/tags/{tag}"), &commit)?;
                } else {
                    repository.annotate(tag, &commit, &message.join(" "))?;
                }
            }
            ["fault", ref fault @ ..] => self.git.set_fault(read_fault(fault)?),
            ["apply"] => self.namespace.apply(&self.fill(&step.body)).await?,
            ["patch", object] => {
                let patch = gitops_yaml::read(self.fill(&step.body))?.to_json()?;
                self.namespace.patch(object, &patch).await?;
            }
            ["reconcile", object] => {
                self.asked += 1;
                let at = format!("request-{}", self.asked);
                let patch =
                    json!({ "metadata": { "annotations": { RECONCILE_REQUESTED_AT: at } } });
                self.namespace.patch(object, &patch).await?;
            }
            ["delete", object] => self.namespace.delete(object).await?,
            ["wait", object, what] => self.wait(object, what, LIMIT).await?,
            ["wait", object, what, limit] => {
                let limit: gitops_api::meta::Duration = limit.parse()?;
                self.wait(object, what, limit.get()).await?;
            }
            _ => return self.observe(&words, &step.body).await.map(Some),
        }
        Ok(None)
    }

    /// What there is, as soon as it is what is expected, or when there was time enough for it:
    /// events and notifications come a little later than the status.
    async fn observe(&self, words: &[&str], expected: &str) -> anyhow::Result<String> {
        let deadline = tokio::time::Instant::now() + GRACE;
        loop {
            let seen = match words {
                ["expect", object] => self.show(object, "").await?,
                ["expect", object, pointer] => self.show(object, pointer).await?,
                ["events"] => self.events(None).await?,
                ["events", object] => self.events(Some(object)).await?,
                ["requests"] => render::requests(&self.sink.requests(), &self.scrubber())?,
                _ => bail!("no such step"),
            };
            if seen.trim_end() == expected.trim_end() || tokio::time::Instant::now() >= deadline {
                return Ok(seen);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn repository(&mut self, name: &str) -> anyhow::Result<&mut GitRepo> {
        if name.contains(['/', '\\']) || name.starts_with('.') {
            bail!("{name} is no name of a repository");
        }
        if !self.repositories.contains_key(name) {
            let repository = GitRepo::init(self.directory.path().join(name))?;
            self.repositories.insert(name.into(), repository);
        }
        self.repositories.get_mut(name).context("the repository was just made")
    }

    fn fill(&self, text: &str) -> String {
        text.replace("@GIT@", self.git.url("").trim_end_matches('/'))
            .replace("@SINK@", self.sink.url().trim_end_matches('/'))
            .replace("@NS@", self.namespace.name())
    }

    fn scrubber(&self) -> Scrubber {
        Scrubber::new()
            .hide(self.git.url("").trim_end_matches('/'), "@GIT@")
            .hide(self.sink.url().trim_end_matches('/'), "@SINK@")
            .hide(self.namespace.name(), "@NS@")
    }

    async fn wait(&self, object: &str, what: &str, limit: Duration) -> anyhow::Result<()> {
        let wanted = Wanted::read(&self.fill(what))?;
        self.namespace.wait_for(object, limit, |seen| wanted.accepts(seen)).await?;
        Ok(())
    }

    async fn show(&self, object: &str, pointer: &str) -> anyhow::Result<String> {
        let found = self.namespace.get(object).await?;
        let part = found.as_ref().and_then(|object| object.pointer(pointer));
        match part {
            Some(part) => render::yaml(part, &self.scrubber()),
            None => Ok("(absent)\n".into()),
        }
    }

    async fn events(&self, object: Option<&str>) -> anyhow::Result<String> {
        Ok(render::events(&self.namespace.events().await?, object, &self.scrubber()))
    }
}

fn read_fault(words: &[&str]) -> anyhow::Result<Fault> {
    Ok(match words {
        ["none"] => Fault::None,
        ["status", status] => Fault::Status(status.parse()?),
        ["cut", bytes] => Fault::Cut(bytes.parse()?),
        ["late", time] => Fault::Late(time.parse::<gitops_api::meta::Duration>()?.get()),
        ["redirect", url] => Fault::Redirect((*url).into()),
        _ => bail!("no such fault"),
    })
}

/// What a wait waits for.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Ready,
    There,
    Gone,
    Field { pointer: String, text: String },
    Condition { type_: String, status: String, reason: Option<String> },
}

impl Wanted {
    fn read(text: &str) -> anyhow::Result<Self> {
        let field = |(name, value): (&str, &str)| {
            if name.starts_with('/') {
                return Self::Field { pointer: name.into(), text: value.into() };
            }
            let (status, reason) = match value.split_once('/') {
                Some((status, reason)) => (status, Some(reason.to_owned())),
                None => (value, None),
            };
            Self::Condition { type_: name.into(), status: status.into(), reason }
        };
        Ok(match text {
            "ready" => Self::Ready,
            "there" => Self::There,
            "gone" => Self::Gone,
            _ => text.split_once('=').map(field).context("no such thing to wait for")?,
        })
    }

    fn accepts(&self, seen: Option<&Value>) -> bool {
        let Some(seen) = seen else {
            return *self == Self::Gone;
        };
        match self {
            Self::Ready => is_ready(seen),
            Self::There => true,
            Self::Gone => false,
            Self::Field { pointer, text } => match seen.pointer(pointer) {
                Some(Value::String(found)) => found == text,
                Some(found) => found.to_string().as_str() == text,
                None => text.is_empty(),
            },
            Self::Condition { type_, status, reason } => {
                let conditions = seen.pointer("/status/conditions").and_then(Value::as_array);
                conditions.into_iter().flatten().any(|condition| {
                    let generation = &condition["observedGeneration"];
                    condition["type"] == type_.as_str()
                        && condition["status"] == status.as_str()
                        && reason
                            .as_ref()
                            .is_none_or(|reason| condition["reason"] == reason.as_str())
                        && (generation.is_null() || *generation == seen["metadata"]["generation"])
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits() {
        let object = json!({
            "metadata": { "generation": 2 },
            "spec": { "replicas": 3 },
            "status": { "url": "http://a", "conditions": [
                { "type": "Ready", "status": "False", "reason": "Failed", "observedGeneration": 2 },
                { "type": "Stalled", "status": "True", "reason": "Old", "observedGeneration": 1 },
            ]},
        });
        for (text, accepted) in [
            ("there", true),
            ("gone", false),
            ("ready", false),
            ("Ready=False", true),
            ("Ready=False/Failed", true),
            ("Ready=False/Other", false),
            ("Stalled=True", false),
            ("/spec/replicas=3", true),
            ("/status/url=http://a", true),
            ("/status/absent=", true),
            ("/status/absent=x", false),
        ] {
            assert_eq!(Wanted::read(text).unwrap().accepts(Some(&object)), accepted, "{text}");
            assert_eq!(Wanted::read(text).unwrap().accepts(None), text == "gone", "{text}");
        }
        assert!(Wanted::read("soon").is_err());
        assert!(read_fault(&["status", "often"]).is_err());
    }
}
