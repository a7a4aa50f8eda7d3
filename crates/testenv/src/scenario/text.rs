//! The text of a scenario.

use std::{fmt, str::FromStr};

use anyhow::bail;

/// A scenario: what it shows, and its steps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scenario {
    /// The text before the first step.
    pub title: String,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

/// A step: the words between `--` and `--`, and the lines below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// What to do, and with what.
    pub words: Vec<String>,
    /// The text that goes with it.
    pub body: String,
}

impl FromStr for Scenario {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let mut scenario = Self::default();
        for line in text.lines() {
            let step = line.strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --"));
            if let Some(words) = step {
                let words: Vec<String> = words.split_whitespace().map(Into::into).collect();
                if words.is_empty() {
                    bail!("a step without words");
                }
                scenario.steps.push(Step { words, body: String::new() });
            } else {
                let part = scenario.steps.last_mut().map_or(&mut scenario.title, |s| &mut s.body);
                part.push_str(line);
                part.push('\n');
            }
        }
        if scenario.steps.is_empty() {
            bail!("no step");
        }
        Ok(scenario)
    }
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.title)?;
        for step in &self.steps {
            writeln!(f, "-- {} --", step.words.join(" "))?;
            f.write_str(&step.body)?;
            if !step.body.is_empty() && !step.body.ends_with('\n') {
                f.write_str("\n")?;
            }
        }
        Ok(())
    }
}

/// The files of a `commit`: path and content, or nothing for a file to remove.
pub(super) fn files(body: &str) -> anyhow::Result<Vec<(String, Option<String>)>> {
    let mut files: Vec<(String, Option<String>)> = Vec::new();
    for line in body.lines() {
        if let Some(path) = line.strip_prefix(">>> ") {
            files.push(match path.strip_suffix(" -") {
                Some(path) => (path.trim().into(), None),
                None => (path.trim().into(), Some(String::new())),
            });
        } else if let Some((path, content)) = files.last_mut() {
            let Some(content) = content else {
                if line.is_empty() {
                    continue;
                }
                bail!("{path} is to be removed and has content");
            };
            content.push_str(line);
            content.push('\n');
        } else if !line.is_empty() {
            bail!("a line before the first `>>> PATH`: {line}");
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_survive() {
        let text = "What it shows.\n\n-- commit app.git main one two --\n>>> a.yaml\nkind: A\n---\n\
                    kind: B\n-- wait GitRepository/src ready 5s --\n-- events --\nNormal x\n";
        let scenario: Scenario = text.parse().unwrap();
        assert_eq!(scenario.to_string(), text);
        assert_eq!(scenario.steps.len(), 3);
        assert_eq!(scenario.steps[0].words, ["commit", "app.git", "main", "one", "two"]);
        assert!("only words".parse::<Scenario>().is_err());
    }

    #[test]
    fn files_of_a_commit() {
        let read = files(">>> a/b.yaml\none\n\ntwo\n>>> gone.yaml -\n\n>>> empty\n").unwrap();
        assert_eq!(
            read,
            [
                ("a/b.yaml".into(), Some("one\n\ntwo\n".into())),
                ("gone.yaml".into(), None),
                ("empty".into(), Some(String::new())),
            ]
        );
        assert!(files("lost\n>>> a\n").is_err());
        assert!(files(">>> a -\nkept\n").is_err());
    }
}
