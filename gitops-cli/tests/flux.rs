//! What `flux push|pull|tag|list|diff artifact` answer, and `gitops` with them: the conversations in
//! `tests/flux/*.txt` were recorded from the real program.
//!
//! `$` begins a command, `>` is what it says on stdout, `!` on stderr, `=` its exit code where that
//! is not 0. `REG` is the registry, `<1>` the first digest that occurs (the bytes of two programs'
//! gzip differ). `$ show NAME` is ours: the manifest, the configuration and the archive under a name;
//! `$ files DIR` a directory. A command below a line with `~` is one where we differ on purpose, with
//! the reason.
//!
//! `UPDATE_CASES=1 GITOPS_FLUX=PATH cargo test -p gitops-cli --test flux` records anew what the program at
//! PATH says (`cargo run -p xtask -- peers` builds it), but not below a `~`; without `GITOPS_FLUX` only what
//! ours says below a `~` is written.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
#![allow(clippy::format_push_string, reason = "the texts are short")]

use std::{
    env, fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Stdio,
};

use gitops_testenv::{Registry, RegistryHabits};
use tokio::io::AsyncWriteExt as _;

struct Place {
    directory: tempfile::TempDir,
    registry: Registry,
    program: PathBuf,
    digests: Vec<String>,
}

impl Place {
    async fn new(program: PathBuf, habits: RegistryHabits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for (file, text) in [
            ("app/cm.yaml", "kind: ConfigMap\n"),
            ("app/sub/logo.png", "x"),
            ("app/sub/deep/a.yaml", "a: 1\n"),
            ("app/.gitignore", "run.sh\n"),
            ("app/run.sh", "#!"),
            ("app/notes.txt", "n"),
            ("other/cm.yaml", "kind: Secret\n"),
            ("outside", "out"),
        ] {
            let file = root.join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        fs::set_permissions(root.join("app/run.sh"), fs::Permissions::from_mode(0o750)).unwrap();
        fs::create_dir(root.join("out")).unwrap();
        fs::create_dir_all(root.join("links/sub")).unwrap();
        fs::write(root.join("links/own.yaml"), "own: true\n").unwrap();
        symlink("own.yaml", root.join("links/inner.yaml")).unwrap();
        symlink("../outside", root.join("links/outer.yaml")).unwrap();
        symlink("../../app/sub", root.join("links/sub/directory")).unwrap();
        fs::create_dir(root.join("broken")).unwrap();
        symlink("nowhere", root.join("broken/link.yaml")).unwrap();
        fs::create_dir_all(root.join("circle/inner")).unwrap();
        fs::write(root.join("circle/a.yaml"), "a: 1").unwrap();
        symlink("..", root.join("circle/inner/back")).unwrap();
        let registry = Registry::start(habits).await.unwrap();
        Self { directory, registry, program, digests: Vec::new() }
    }

    /// Runs a line of a conversation; gives what came of it.
    async fn answer(&mut self, line: &str) -> String {
        let words = words(&line.replace("REG", &self.registry.host()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let told = match words.as_slice() {
            ["show", name] => marked('>', &self.shown(name)),
            ["files", directory] => marked('>', &files(&self.directory.path().join(directory))),
            ["tags", repository] => marked('>', &self.registry.tags(repository).join("\n")),
            words => self.run(words).await,
        };
        self.scrub(&told)
    }

    async fn run(&self, words: &[&str]) -> String {
        // `--creds` and the like are no files; what stands behind `<` comes in on stdin.
        let (words, input) = match words {
            [words @ .., "<", input] => (words, Some(*input)),
            words => (words, None),
        };
        let mut child = tokio::process::Command::new(&self.program)
            .args(words)
            .current_dir(self.directory.path())
            .env_clear()
            .env("HOME", self.directory.path())
            .kill_on_drop(true)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        if let Some(input) = input {
            stdin.write_all(input.as_bytes()).await.unwrap();
        }
        drop(stdin);
        let done = child.wait_with_output().await.unwrap();
        let mut told = marked('>', &String::from_utf8(done.stdout).unwrap());
        told += &marked('!', &String::from_utf8(done.stderr).unwrap());
        match done.status.code() {
            Some(0) => {}
            code => told += &format!("= {}\n", code.unwrap_or(-1)),
        }
        told
    }

    /// The manifest, the configuration and the first layer of what stands under a name.
    fn shown(&self, name: &str) -> String {
        let (repository, tag) = name.split_once(':').unwrap();
        let Some(manifest) = self.registry.manifest(repository, tag) else {
            return "nothing".to_owned();
        };
        let blob = |digest: &serde_json::Value| {
            self.registry.blob(&digest.as_str().unwrap().parse().unwrap()).unwrap()
        };
        let mut manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
        let layer = blob(&manifest["layers"][0]["digest"]);
        manifest["layers"][0]["size"] = "SIZE".into();
        // Where it is not set, it is the time of the push.
        if let Some(created) = manifest.pointer_mut("/annotations/org.opencontainers.image.created")
            && created.as_str().is_some_and(|at| !at.starts_with("19") && at.ends_with('Z'))
        {
            *created = "NOW".into();
        }
        let mut text = manifest.to_string();
        let config = blob(&manifest["config"]["digest"]);
        text += &format!("\n{}\n", String::from_utf8_lossy(&config));
        for entry in tar::Archive::new(flate2::read::GzDecoder::new(&layer[..])).entries().unwrap()
        {
            let entry = entry.unwrap();
            let (header, path) = (entry.header(), entry.path().unwrap());
            let (mode, size) = (header.mode().unwrap(), header.size().unwrap());
            let (kind, time) = (header.entry_type(), header.mtime().unwrap());
            text += &format!("{kind:?} {mode:o} {size} @{time} {}\n", path.display());
        }
        text
    }

    fn scrub(&mut self, text: &str) -> String {
        let directory = self.directory.path().display().to_string();
        let mut text = text.replace(&self.registry.host(), "REG").replace(&directory, "DIR");
        let digest = regex::Regex::new("sha256:[0-9a-f]{64}").unwrap();
        let found: Vec<String> =
            digest.find_iter(&text).map(|found| found.as_str().to_owned()).collect();
        for digest in found {
            let at = self.digests.iter().position(|known| *known == digest);
            let at = at.unwrap_or_else(|| {
                self.digests.push(digest.clone());
                self.digests.len() - 1
            });
            text = text.replace(&digest, &format!("<{}>", at + 1));
        }
        text
    }
}

/// Words as a shell takes them: `'…'` is one.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word: Option<String> = None;
    let mut quoted = false;
    for letter in line.chars() {
        match letter {
            '\'' => {
                quoted = !quoted;
                word.get_or_insert_default();
            }
            ' ' if !quoted => words.extend(word.take()),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

fn marked(mark: char, text: &str) -> String {
    text.lines()
        .map(|line| format!("{mark} {line}").trim_end_matches(' ').to_owned() + "\n")
        .collect()
}

/// All files below a directory, with their permissions and sizes.
fn files(directory: &Path) -> String {
    let mut lines = vec![];
    let mut waiting = vec![directory.to_owned()];
    while let Some(place) = waiting.pop() {
        for entry in fs::read_dir(place).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let name = path.strip_prefix(directory).unwrap().display().to_string();
            if metadata.is_dir() {
                lines.push(format!("{name}/"));
                waiting.push(path);
            } else {
                let mode = metadata.permissions().mode() & 0o777;
                lines.push(format!("{name} {mode:o} {}", metadata.len()));
            }
        }
    }
    lines.sort();
    lines.join("\n")
}

/// The text of a conversation, and the text with what the program says now where `told` (does it
/// stand below a `~`?) wants it.
async fn replay(path: &Path, program: &Path, told: fn(bool) -> bool) -> (String, String) {
    let text = fs::read_to_string(path).unwrap();
    let habits = if text.starts_with("With credentials") {
        RegistryHabits {
            credentials: Some(("user".into(), "s3cret".into())),
            ..RegistryHabits::default()
        }
    } else {
        RegistryHabits::default()
    };
    let mut place = Place::new(program.to_owned(), habits).await;
    let mut played = String::new();
    let mut differs = false;
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        played += &format!("{line}\n");
        differs |= line.starts_with('~');
        let Some(command) = line.strip_prefix("$ ") else { continue };
        let mut written = String::new();
        while let Some(line) = lines.next_if(|line| line.starts_with(['>', '!', '='])) {
            written += &format!("{line}\n");
        }
        let answer = place.answer(command).await;
        played += if told(std::mem::take(&mut differs)) { &answer } else { &written };
    }
    (text, played)
}

#[tokio::test]
async fn conversations() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/flux");
    let recording = env::var_os("UPDATE_CASES").is_some();
    let ours = PathBuf::from(env!("CARGO_BIN_EXE_gitops"));
    let (program, told): (PathBuf, fn(bool) -> bool) = match env::var_os("GITOPS_FLUX") {
        Some(flux) if recording => (flux.into(), |differs| !differs),
        _ if recording => (ours, |differs| differs),
        _ => (ours, |_| true),
    };
    let mut paths: Vec<PathBuf> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    let mut wrong = String::new();
    for path in paths {
        let (text, played) = replay(&path, &program, told).await;
        if text == played {
            continue;
        }
        if recording {
            fs::write(&path, played).unwrap();
            continue;
        }
        let difference = similar::TextDiff::from_lines(&text, &played);
        wrong += &format!("{}\n{}\n", path.display(), difference.unified_diff().context_radius(2));
    }
    assert!(wrong.is_empty(), "{wrong}");
}
