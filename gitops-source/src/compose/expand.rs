//! One artifact per directory that fits a pattern.

use std::{collections::BTreeMap, path::Path};

use gitops_core::{Class, Classify, MemoryTree, Tree as _, TreeError, quoted};
use regex::Regex;

/// `@<source>/<path>` in which parts in braces take any name.
#[derive(Clone, Debug)]
pub struct PathPattern {
    text: String,
    source: String,
    regex: Regex,
    captures: Vec<String>,
}

/// A directory that fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expansion {
    /// The directory.
    pub directory: String,
    /// What the braces took, as it was found.
    pub captured: BTreeMap<String, String>,
    /// The same in lower case, as names and labels have it.
    pub labels: BTreeMap<String, String>,
}

/// A pattern that cannot be used, or with which something found cannot be named.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExpandError {
    /// The pattern or what it found is not allowed.
    #[error("{0}")]
    Invalid(Box<str>),
    /// The files cannot be read.
    #[error("failed to walk source directory")]
    Tree(#[from] TreeError),
}

impl Classify for ExpandError {
    fn class(&self) -> Class {
        match self {
            Self::Invalid(_) => Class::Invalid,
            Self::Tree(error) => error.class(),
        }
    }
}

impl PathPattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn parse(text: &str) -> Result<Self, ExpandError> {
        let invalid = |why: String| ExpandError::Invalid(why.into());
        let shown = quoted(text);
        let (source, path) = text
            .strip_prefix('@')
            .and_then(|rest| rest.split_once('/'))
            .ok_or_else(|| invalid(format!("invalid pathPattern format: {text}")))?;
        let mut regex = String::from("^");
        let mut captures: Vec<String> = Vec::new();
        let mut rest = path;
        while let Some(at) = rest.find(['{', '}']) {
            let offset = path.len() - rest.len() + at;
            regex.push_str(&regex::escape(&rest[..at]));
            if rest.as_bytes()[at] == b'}' {
                return Err(invalid(format!(
                    "pathPattern {shown}: invalid capture ending at offset {offset}: missing \
                     opening brace"
                )));
            }
            let (name, after) = rest[at + 1..].split_once('}').ok_or_else(|| {
                invalid(format!(
                    "pathPattern {shown}: invalid capture starting at offset {offset}: missing \
                     closing brace"
                ))
            })?;
            check_capture(name, &format!("pathPattern {shown}: ")).map_err(&invalid)?;
            if captures.iter().any(|known| known == name) {
                let name = quoted(name);
                return Err(invalid(format!(
                    "pathPattern {shown}: duplicate capture variable {name}"
                )));
            }
            captures.push(name.to_owned());
            regex.push_str("([^/]+)");
            rest = after;
        }
        regex.push_str(&regex::escape(rest));
        regex.push('$');
        let regex = Regex::new(&regex)
            .map_err(|_| invalid(format!("pathPattern {shown}: failed to compile path pattern")))?;
        Ok(Self { text: text.to_owned(), source: source.to_owned(), regex, captures })
    }

    /// The alias of the source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// All directories of a tree that fit, in their order.
    ///
    /// # Errors
    /// When the tree cannot be read, or a name that was found can be no label.
    pub fn expand(&self, tree: &MemoryTree) -> Result<Vec<Expansion>, ExpandError> {
        let mut found = Vec::new();
        self.walk(tree, Path::new(""), &mut found)?;
        Ok(found)
    }

    fn walk(
        &self,
        tree: &MemoryTree,
        dir: &Path,
        found: &mut Vec<Expansion>,
    ) -> Result<(), ExpandError> {
        for entry in tree.list(dir)?.iter().filter(|entry| entry.is_dir()) {
            let path = dir.join(&entry.name);
            let text = path.to_string_lossy();
            if let Some(groups) = self.regex.captures(&text) {
                let mut expansion =
                    Expansion { directory: text.clone().into_owned(), ..Expansion::default() };
                for (name, group) in self.captures.iter().zip(groups.iter().skip(1)) {
                    let value = group.map_or("", |group| group.as_str());
                    let label = value.to_lowercase();
                    if !is_label_value(&label) {
                        return Err(ExpandError::Invalid(
                            format!(
                                "pathPattern {}: captured value {} for variable {} is not a valid \
                                 Kubernetes label value: {}",
                                quoted(&self.text),
                                quoted(&label),
                                quoted(name),
                                label_rule(&label)
                            )
                            .into(),
                        ));
                    }
                    expansion.captured.insert(name.clone(), value.to_owned());
                    expansion.labels.insert(name.clone(), label);
                }
                found.push(expansion);
            }
            self.walk(tree, &path, found)?;
        }
        Ok(())
    }
}

impl Expansion {
    /// A text with what was found in place of braces, as it was found.
    ///
    /// # Errors
    /// When the text names something that the pattern does not take.
    pub fn render(&self, text: &str) -> Result<String, String> {
        render(text, &self.captured)
    }

    /// The same in lower case.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub fn render_name(&self, text: &str) -> Result<String, String> {
        render(text, &self.labels)
    }
}

fn render(text: &str, values: &BTreeMap<String, String>) -> Result<String, String> {
    let shown = quoted(text);
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let offset = text.len() - rest.len() + at;
        out.push_str(&rest[..at]);
        if rest.as_bytes()[at] == b'}' {
            return Err(format!(
                "invalid template {shown}: capture ending at offset {offset} is missing opening \
                 brace"
            ));
        }
        let (name, after) = rest[at + 1..].split_once('}').ok_or_else(|| {
            format!(
                "invalid template {shown}: capture starting at offset {offset} is missing closing \
                 brace"
            )
        })?;
        check_capture(name, &format!("invalid template {shown}: "))?;
        let value = values.get(name).ok_or_else(|| {
            let name = quoted(name);
            format!(
                "invalid template {shown}: capture variable {name} is not defined by pathPattern"
            )
        })?;
        out.push_str(value);
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn check_capture(name: &str, place: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("{place}empty capture variable"));
    }
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if !name.chars().all(word) || name.starts_with(|c: char| c.is_ascii_digit()) {
        let name = quoted(name);
        return Err(format!(
            "{place}capture variable {name} must be a valid capture name matching \
             [A-Za-z_][A-Za-z0-9_]*"
        ));
    }
    Ok(())
}

fn is_label_value(text: &str) -> bool {
    let inner = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let ends = |b: Option<&u8>| b.is_none_or(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && bytes.iter().all(|b| inner(*b))
        && ends(bytes.first())
        && ends(bytes.last())
}

/// What Kubernetes says of a text that can be no label's value.
fn label_rule(value: &str) -> &'static str {
    if value.len() > 63 {
        return "must be no more than 63 bytes";
    }
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
     and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or \
     '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_that_fit() {
        let tree = MemoryTree::from_iter([
            ("apps/Web/envs/dev/a", ""),
            ("apps/Web/envs/prod/a", ""),
            ("apps/api/x/dev/a", ""),
        ]);
        let pattern = PathPattern::parse("@repo/apps/{app}/envs/{env}").unwrap();
        assert_eq!(pattern.source(), "repo");
        let found = pattern.expand(&tree).unwrap();
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].directory, "apps/Web/envs/dev");
        assert_eq!(found[0].render_name("{app}-{env}").unwrap(), "web-dev");
        assert_eq!(found[0].render("@repo/apps/{app}/**").unwrap(), "@repo/apps/Web/**");
        assert!(found[0].render("{other}").unwrap_err().contains("not defined by pathPattern"));
    }

    #[test]
    fn bad_patterns() {
        for (pattern, text) in [
            ("repo/a", "invalid pathPattern format"),
            ("@repo/{a", "missing closing brace"),
            ("@repo/a}", "missing opening brace"),
            ("@repo/{}", "empty capture variable"),
            ("@repo/{1a}", "must be a valid capture name"),
            ("@repo/{a}/{a}", "duplicate capture variable \"a\""),
        ] {
            let error = PathPattern::parse(pattern).unwrap_err().to_string();
            assert!(error.contains(text), "{error}");
        }
        let tree = MemoryTree::from_iter([("-a/f", "")]);
        let error = PathPattern::parse("@r/{x}").unwrap().expand(&tree).unwrap_err();
        assert!(error.to_string().contains("is not a valid Kubernetes label value"));
    }
}
