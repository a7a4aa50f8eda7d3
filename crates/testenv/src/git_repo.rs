//! Git repositories made for a test, with fixed dates, so that every hash is the same everywhere.

use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};

/// The date of the first commit of every repository; each further one is a minute later.
const FIRST_COMMIT: u64 = 1_767_225_600;

/// A bare repository on disk, written with `git fast-import`.
#[derive(Debug)]
pub struct GitRepo {
    path: PathBuf,
    commits: u64,
}

impl GitRepo {
    /// Makes an empty repository whose default branch is `main`.
    ///
    /// # Errors
    /// When git is missing or the directory cannot be written.
    pub fn init(path: impl Into<PathBuf>) -> anyhow::Result<Self> {
        let path = path.into();
        std::fs::create_dir_all(&path)?;
        git(&path, &["init", "--quiet", "--bare", "--initial-branch=main", "."])?;
        git(&path, &["config", "uploadpack.allowAnySHA1InWant", "true"])?;
        git(&path, &["config", "http.receivepack", "true"])?;
        Ok(Self { path, commits: 0 })
    }

    /// Where the repository stands.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Commits changes to a branch, which is made if it is not there: a path with content is
    /// written, one with `None` removed. Returns the commit's hash.
    ///
    /// # Errors
    /// When git refuses.
    pub fn commit(
        &mut self,
        branch: &str,
        changes: &[(&str, Option<&str>)],
        message: &str,
    ) -> anyhow::Result<String> {
        let reference = format!("refs/heads/{branch}");
        let parent = self.resolve(&reference).ok();
        let mut stream = Vec::new();
        writeln!(stream, "commit {reference}")?;
        writeln!(stream, "{}", self.signature("committer"))?;
        data(&mut stream, message)?;
        if let Some(parent) = parent {
            writeln!(stream, "from {parent}")?;
        }
        for (path, content) in changes {
            if let Some(content) = content {
                writeln!(stream, "M 100644 inline {path}")?;
                data(&mut stream, content)?;
            } else {
                writeln!(stream, "D {path}")?;
            }
        }
        self.commits += 1;
        self.fast_import(&stream)?;
        self.resolve(&reference)
    }

    /// Points a lightweight tag or any other reference at a commit.
    ///
    /// # Errors
    /// When git refuses.
    pub fn point(&self, reference: &str, commit: &str) -> anyhow::Result<()> {
        git(&self.path, &["update-ref", reference, commit]).map(drop)
    }

    /// Makes an annotated tag. Returns the hash of the tag object.
    ///
    /// # Errors
    /// When git refuses.
    pub fn annotate(&mut self, tag: &str, commit: &str, message: &str) -> anyhow::Result<String> {
        let mut stream = Vec::new();
        writeln!(stream, "tag {tag}\nfrom {commit}\n{}", self.signature("tagger"))?;
        data(&mut stream, message)?;
        self.commits += 1;
        self.fast_import(&stream)?;
        self.resolve(&format!("refs/tags/{tag}"))
    }

    /// The hash of what a reference names.
    ///
    /// # Errors
    /// When there is no such reference.
    pub fn resolve(&self, reference: &str) -> anyhow::Result<String> {
        git(&self.path, &["rev-parse", "--verify", "--quiet", reference])
    }

    fn signature(&self, role: &str) -> String {
        let at = FIRST_COMMIT + 60 * self.commits;
        format!("{role} Test <test@example.com> {at} +0000")
    }

    fn fast_import(&self, stream: &[u8]) -> anyhow::Result<()> {
        let mut child = Command::new("git")
            .args(["fast-import", "--quiet", "--force"])
            .current_dir(&self.path)
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("git fast-import")?;
        child.stdin.take().context("stdin is piped")?.write_all(stream)?;
        let output = child.wait_with_output()?;
        let errors = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "git fast-import: {errors}");
        Ok(())
    }
}

/// Whether a git that can serve is installed; tests that need it say so when it is not.
pub fn git_is_installed() -> bool {
    Command::new("git").arg("--version").output().is_ok_and(|output| output.status.success())
}

fn data(stream: &mut Vec<u8>, content: &str) -> std::io::Result<()> {
    writeln!(stream, "data {}\n{content}", content.len())
}

fn git(directory: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let output =
        Command::new("git").args(arguments).current_dir(directory).output().context("git")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "git {}: {errors}", arguments.join(" "));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_stable() {
        if !git_is_installed() {
            println!("SKIPPED: git is not installed");
            return;
        }
        let make = || -> anyhow::Result<(String, String)> {
            let directory = tempfile::tempdir()?;
            let mut repo = GitRepo::init(directory.path())?;
            let first = repo.commit("main", &[("a/b.yaml", Some("x: 1\n"))], "one")?;
            repo.point("refs/tags/v1.0.0", &first)?;
            let tag = repo.annotate("v1.1.0", &first, "release")?;
            assert_ne!(tag, first);
            let second = repo.commit("main", &[("a/b.yaml", None), ("c", Some(""))], "two")?;
            Ok((first, second))
        };
        let (first, second) = make().unwrap();
        assert_eq!(make().unwrap(), (first.clone(), second.clone()));
        assert_ne!(first, second);
    }
}
