//! A chart with what it is told, what we make of it, and how to make it smaller.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use gitops_core::{MemoryTree, Scope, one_line};
use gitops_helm::{
    Capabilities, Chart, Compat, EngineOptions, File, KubeVersion, LoadOptions, ReleaseInfo,
    RenderOptions, SetMode, Shown, Values, coalesce, process_dependencies, read_values, render,
    render_templates, set, set_json,
};
use gitops_template::{Limits, Sealed, bytes::to_bytes};

/// Far more than a case of the test needs.
const LIMITS: Limits = Limits { steps: 3_000_000, output: 64 << 20, depth: 2000 };

/// The cluster that all cases are told of.
pub(crate) const KUBE_VERSION: &str = "v1.33.0";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "flags of a command")]
pub(crate) struct Case {
    /// Follows Helm 3, not Helm 4.
    pub(crate) helm3: bool,
    /// Only the engine runs, and what counts are the templates' texts as they are.
    pub(crate) engine: bool,
    pub(crate) files: BTreeMap<String, String>,
    /// A values file.
    pub(crate) values: String,
    /// Arguments of `--set`, `--set-string`, `--set-json` and `--set-literal`.
    pub(crate) set: [Vec<String>; 4],
    pub(crate) api_versions: Vec<String>,
    pub(crate) include_crds: bool,
    pub(crate) sub_notes: bool,
    pub(crate) is_upgrade: bool,
}

/// What a chart gave, or why it gave nothing.
pub(crate) type Outcome = Result<String, String>;

impl Case {
    fn compat(&self) -> Compat {
        if self.helm3 { Compat::Helm3 } else { Compat::Helm4 }
    }

    /// What this library makes of it.
    pub(crate) fn ours(&self) -> Outcome {
        let run = || catch_unwind(AssertUnwindSafe(|| self.rendered()));
        run().unwrap_or_else(|_| Ok("PANIC".to_owned()))
    }

    fn rendered(&self) -> Outcome {
        let compat = self.compat();
        let files =
            self.files.iter().map(|(name, text)| File::new(name, text.clone().into_bytes()));
        let chart = if self.files.contains_key(".helmignore") {
            self.directory(compat)?
        } else {
            Chart::from_files(files.collect(), &LoadOptions::new(compat))
                .map_err(|error| one_line(&error))?
        };
        let values = self.given(compat)?;
        let mut capabilities = Capabilities::new(compat);
        capabilities.kube_version = KubeVersion::parse(KUBE_VERSION, compat).expect("it is one");
        // The libraries have no version of a release.
        capabilities.helm_version = if self.helm3 { "v3.22" } else { "v4.3" };
        capabilities.api_versions.extend(self.api_versions.iter().cloned());
        let release = ReleaseInfo {
            name: "rel".to_owned(),
            namespace: "ns".to_owned(),
            revision: 1,
            is_upgrade: self.is_upgrade,
        };
        if self.engine {
            return self.texts(chart, &values, &release, &capabilities);
        }
        let mut options = RenderOptions::new(compat);
        options.capabilities = capabilities;
        options.limits = LIMITS;
        options.subchart_notes = self.sub_notes;
        let done = render(chart, &values, &release, &options, &Sealed, &Scope::background())
            .map_err(|error| one_line(&error))?;
        let shown = Shown { crds: self.include_crds, hooks: true, tests: true };
        Ok(readable(&to_bytes(&format!("{}NOTES:\n{}", done.text(shown), done.notes))))
    }

    /// Only of a directory files are left out.
    fn directory(&self, compat: Compat) -> Result<Chart, String> {
        let mut tree = MemoryTree::new();
        for (name, text) in &self.files {
            tree.insert(Path::new("chart").join(name), text.clone().into_bytes())
                .map_err(|error| one_line(&error))?;
        }
        Chart::load(&tree, Path::new("chart"), &LoadOptions::new(compat))
            .map_err(|error| one_line(&error))
    }

    fn given(&self, compat: Compat) -> Result<Values, String> {
        let mut values = read_values(self.values.as_bytes(), compat)
            .map_err(|error| format!("failed to parse VALUES: {}", one_line(&error)))?;
        let [typed, text, json, literal] = &self.set;
        for one in json {
            set_json(one, &mut values, compat).map_err(|error| one_line(&error))?;
        }
        for (all, mode, flag) in [
            (typed, SetMode::Typed, "--set"),
            (text, SetMode::Text, "--set-string"),
            (literal, SetMode::Literal, "--set-literal"),
        ] {
            for one in all {
                set(one, &mut values, mode, compat)
                    .map_err(|error| format!("failed parsing {flag} data: {}", one_line(&error)))?;
            }
        }
        Ok(values)
    }

    fn texts(
        &self,
        mut chart: Chart,
        values: &Values,
        release: &ReleaseInfo,
        capabilities: &Capabilities,
    ) -> Outcome {
        let compat = self.compat();
        process_dependencies(&mut chart, values, compat, &mut Vec::new())
            .map_err(|error| one_line(&error))?;
        let values =
            coalesce(&chart, values, compat, &mut Vec::new()).map_err(|error| one_line(&error))?;
        let options = EngineOptions { limits: LIMITS, ..EngineOptions::new(compat) };
        let scope = Scope::background();
        let texts =
            render_templates(&chart, &values, release, capabilities, &options, &Sealed, &scope)
                .map_err(|error| readable(&to_bytes(&error.to_string())))?;
        let texts = texts.iter().map(|(path, text)| (path.as_str(), to_bytes(text)));
        Ok(joined(texts.map(|(path, text)| (path, readable(&text)))))
    }

    /// The text of the case, as its author would have written it.
    pub(crate) fn show(&self) -> String {
        let mut text = format!("compat {}\n", if self.helm3 { 3 } else { 4 });
        for (flag, all) in
            ["--set", "--set-string", "--set-json", "--set-literal"].iter().zip(&self.set)
        {
            for one in all {
                text.push_str(&format!(
                    "{flag} {one}
"
                ));
            }
        }
        for (flag, given) in [
            ("--include-crds", self.include_crds),
            ("--render-subchart-notes", self.sub_notes),
            ("--is-upgrade", self.is_upgrade),
        ] {
            text.push_str(&if given { format!("{flag}\n") } else { String::new() });
        }
        if !self.values.is_empty() {
            text.push_str(&format!("-- VALUES --\n{}\n", self.values.trim_end()));
        }
        for (name, content) in &self.files {
            text.push_str(&format!("-- {name} --\n{content}\n"));
        }
        text
    }

    /// Cases with less: coarse cuts first.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for name in self.files.keys().filter(|name| *name != "Chart.yaml") {
            let mut copy = self.clone();
            copy.files.remove(name);
            all.push(copy);
        }
        for flag in 0..self.set.len() {
            for at in 0..self.set[flag].len() {
                let mut copy = self.clone();
                copy.set[flag].remove(at);
                all.push(copy);
            }
        }
        for (values, include_crds, sub_notes, is_upgrade) in [
            (String::new(), self.include_crds, self.sub_notes, self.is_upgrade),
            (self.values.clone(), false, false, false),
        ] {
            all.push(Self { values, include_crds, sub_notes, is_upgrade, ..self.clone() });
        }
        for text in cuts(&self.values) {
            all.push(Self { values: text, ..self.clone() });
        }
        for (name, text) in &self.files {
            for text in cuts(text) {
                let mut copy = self.clone();
                copy.files.insert(name.clone(), text);
                all.push(copy);
            }
        }
        all.retain(|case| case != self);
        all
    }
}

/// Texts by name as one.
pub(crate) fn joined(texts: impl Iterator<Item = (impl AsRef<str>, String)>) -> String {
    texts.map(|(path, text)| format!("== {}\n{text}\n", path.as_ref())).collect()
}

/// Each byte that is no text becomes visible, and stays distinct.
pub(crate) fn readable(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\u{fffd}{byte:02x}")));
    }
    text
}

/// The text without some of it: halves, quarters, …, then lines, actions and words.
fn cuts(text: &str) -> Vec<String> {
    let mut pieces: Vec<&str> = Vec::new();
    let mut start = 0;
    let mut class = 0;
    for (at, letter) in text.char_indices() {
        let next = match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' => 1,
            ' ' => 2,
            '{' => 3,
            '}' => 4,
            _ => 5,
        };
        if at > start && (next != class || next == 5) {
            pieces.push(&text[start..at]);
            start = at;
        }
        class = next;
    }
    pieces.push(&text[start..]);
    let without = |from: usize, to: usize| -> String {
        pieces[..from].iter().chain(&pieces[to..]).copied().collect()
    };
    let mut all = Vec::new();
    let mut length = pieces.len();
    while length > 1 {
        length = length.div_ceil(2);
        for from in (0..pieces.len()).step_by(length) {
            all.push(without(from, (from + length).min(pieces.len())));
        }
    }
    // Brackets go with what they hold, or without it.
    for (from, piece) in pieces.iter().enumerate() {
        let close = match *piece {
            "(" => ")",
            "{{" => "}}",
            _ => continue,
        };
        let mut depth = 0;
        for (to, other) in pieces.iter().enumerate().skip(from) {
            depth += i32::from(other == piece) - i32::from(*other == close);
            if depth == 0 {
                all.push(without(from, to + 1));
                let inner = pieces[from + 1..to].iter();
                all.push(
                    pieces[..from].iter().chain(inner).chain(&pieces[to + 1..]).copied().collect(),
                );
                break;
            }
        }
    }
    // The body of a block goes, or stays without its ends.
    for from in 0..pieces.len() {
        for to in from + 2..pieces.len().min(from + 7) {
            all.push(without(from, to));
        }
    }
    all
}
