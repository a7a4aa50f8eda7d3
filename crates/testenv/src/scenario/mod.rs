//! Scenarios: a text that says what is given, what is done and what comes of it.
//!
//! ```text
//! A branch is applied, and what goes from it is deleted.
//!
//! -- commit app.git main first --
//! >>> a.yaml
//! apiVersion: v1
//! kind: ConfigMap
//! metadata: {name: a}
//! -- apply --
//! apiVersion: source.toolkit.fluxcd.io/v1
//! kind: GitRepository
//! metadata: {name: src}
//! spec: {interval: 1h, url: '@GIT@/app.git', ref: {branch: main}}
//! -- wait GitRepository/src ready --
//! -- expect GitRepository/src /status/artifact/revision --
//! main@sha1:6cf7fd9c823fecda301501de49a950dba84a21bd
//! -- events GitRepository/src --
//! Normal GitRepository/src NewArtifact: stored artifact for commit 'first'
//! ```
//!
//! | step | what it does |
//! |---|---|
//! | `commit REPO BRANCH MESSAGE` | commits files, placeholders filled in: `>>> PATH` begins one, `>>> PATH -` removes one |
//! | `tag REPO TAG BRANCH [MESSAGE]` | tags a branch; with a message the tag is annotated |
//! | `fault none`, `status 500`, `cut 100`, `late 2s` | what the Git server does from now on |
//! | `apply` | applies YAML; `@NS@`, `@GIT@` and `@SINK@` stand for namespace and servers |
//! | `patch OBJECT` | merges YAML into an object |
//! | `reconcile OBJECT` | asks for a reconciliation by annotation |
//! | `delete OBJECT` | deletes an object |
//! | `wait OBJECT WHAT [LIMIT]` | waits, 30 seconds unless it says otherwise: `ready`, `there`, `gone`, `Type=Status`, `Type=Status/Reason`, `/pointer=text` |
//! | `expect OBJECT [/POINTER]` | the object, or a part of it, as YAML |
//! | `events [OBJECT]` | the events so far, in order, each once, with annotations |
//! | `requests` | what the sink received so far |
//!
//! The last three compare their text with what there is, scrubbed. `UPDATE_SCENARIOS=1` writes what
//! there is into the file instead; look at the difference before you commit it.

mod play;
mod render;
mod text;

use std::{fmt::Write, path::Path};

use anyhow::{Context, bail};
pub use play::World;
use similar::TextDiff;
pub use text::{Scenario, Step};

/// Plays the scenario of a file in a world whose controllers run, and compares what came of it.
///
/// # Errors
/// When a step cannot be done, a wait is in vain, or something differs from what the file says; the
/// message has the differences.
pub async fn check_scenario(path: &Path, world: &mut World) -> anyhow::Result<()> {
    let shown = path.display();
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {shown}"))?;
    let expected: Scenario = text.parse().with_context(|| format!("{shown} is no scenario"))?;
    let actual = world.play(&expected).await.with_context(|| format!("{shown} failed"))?;
    #[allow(clippy::disallowed_methods, reason = "a switch for the person who runs the test")]
    if std::env::var("UPDATE_SCENARIOS").is_ok_and(|update| update == "1") {
        std::fs::write(path, actual.to_string())?;
        return Ok(());
    }
    let differences = differences(&expected, &actual);
    if differences.is_empty() {
        Ok(())
    } else {
        bail!("{shown} has other results (`-` in the file, `+` now):\n{differences}")
    }
}

/// What differs between a scenario as written and as played, step by step; empty if nothing does.
pub fn differences(expected: &Scenario, actual: &Scenario) -> String {
    let mut report = String::new();
    for (expected, actual) in expected.steps.iter().zip(&actual.steps) {
        if expected.body.trim_end() != actual.body.trim_end() {
            let difference = TextDiff::from_lines(&expected.body, &actual.body);
            let difference = difference.unified_diff().context_radius(2).to_string();
            // Writing to a string does not fail.
            let _ = writeln!(report, "-- {} --\n{difference}", expected.words.join(" "));
        }
    }
    report
}
