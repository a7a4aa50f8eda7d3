//! A random overlay as a list of parts, so that a failing one can be made smaller part by part.

use std::collections::BTreeMap;

/// A field of a kustomization file: a head line, and items each of which can be left out.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) head: String,
    pub(crate) items: Vec<String>,
}

/// Files of a case. The path of a kustomization leads to fields, all others to documents.
#[derive(Clone, Debug, Default)]
pub(crate) struct Case {
    /// The directory that is built.
    pub(crate) top: String,
    pub(crate) kustomizations: BTreeMap<String, Vec<Field>>,
    pub(crate) files: BTreeMap<String, Vec<String>>,
    /// Files that are no text.
    pub(crate) binary: BTreeMap<String, Vec<u8>>,
    /// Flags of `kustomize build`.
    pub(crate) unrestricted: bool,
}

impl Case {
    /// The content of all files.
    pub(crate) fn render(&self) -> BTreeMap<String, Vec<u8>> {
        let texts = self.texts().into_iter().map(|(path, text)| (path, text.into_bytes()));
        self.binary.clone().into_iter().chain(texts).collect()
    }

    /// The content of all files that are texts.
    pub(crate) fn texts(&self) -> BTreeMap<String, String> {
        let mut all = BTreeMap::new();
        for (path, fields) in &self.kustomizations {
            let mut text = String::new();
            for field in fields.iter().filter(|field| !field.items.is_empty()) {
                text.push_str(&field.head);
                field.items.iter().for_each(|item| text.push_str(item));
            }
            all.insert(path.clone(), text);
        }
        for (path, documents) in &self.files {
            all.insert(path.clone(), joined(documents));
        }
        all
    }

    /// Whether some file has this text in it.
    pub(crate) fn holds(&self, text: &str) -> bool {
        self.texts().values().any(|content| content.contains(text))
    }

    /// Every case that has one part less.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for (path, fields) in &self.kustomizations {
            for at in 0..fields.len() {
                let mut copy = self.clone();
                copy.kustomizations.get_mut(path).expect("it is a copy").remove(at);
                all.push(copy);
            }
            for (at, field) in fields.iter().enumerate().filter(|(_, field)| field.items.len() > 1)
            {
                for item in 0..field.items.len() {
                    let mut copy = self.clone();
                    copy.kustomizations.get_mut(path).expect("it is a copy")[at].items.remove(item);
                    all.push(copy);
                }
            }
        }
        for (path, documents) in &self.files {
            for at in 0..documents.len() {
                let mut copy = self.clone();
                copy.files.get_mut(path).expect("it is a copy").remove(at);
                all.push(copy);
            }
            for (at, document) in documents.iter().enumerate() {
                for text in without_lines(document) {
                    let mut copy = self.clone();
                    copy.files.get_mut(path).expect("it is a copy")[at] = text;
                    all.push(copy);
                }
            }
        }
        for (path, fields) in &self.kustomizations {
            for (at, field) in fields.iter().enumerate() {
                for (item, text) in field.items.iter().enumerate() {
                    for text in without_lines(text) {
                        let mut copy = self.clone();
                        copy.kustomizations.get_mut(path).expect("it is a copy")[at].items[item] =
                            text;
                        all.push(copy);
                    }
                }
            }
        }
        all
    }
}

/// A text without each of its lines and what is indented below it.
fn without_lines(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut all = Vec::new();
    for start in 1..lines.len() {
        let mut end = start + 1;
        while end < lines.len()
            && (indent(lines[end]) > indent(lines[start]) || lines[end].trim().is_empty())
        {
            end += 1;
        }
        all.push(lines[..start].iter().chain(&lines[end..]).copied().collect());
    }
    all
}

/// Documents of one file; one that does not end its last line gets a break.
fn joined(documents: &[String]) -> String {
    let mut text = String::new();
    for (index, document) in documents.iter().enumerate() {
        if index > 0 {
            text.push_str(if text.is_empty() || text.ends_with('\n') {
                "---\n"
            } else {
                "\n---\n"
            });
        }
        text.push_str(document);
    }
    text
}
