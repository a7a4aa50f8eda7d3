//! `--post-renderer`: a plugin of Helm 4, or with Helm 3's rules a program. Nothing but what the
//! command line names is ever run.

use std::{
    collections::HashMap,
    error::Error,
    fs,
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
};

use anyhow::{anyhow, bail};
use gitops_core::quoted;
use gitops_helm::{Compat, PostRenderer};
use gitops_yaml::Node;

use super::super::place::Settings;

/// The post-renderer of a name.
pub(super) fn find(
    name: &str,
    args: &[String],
    settings: &Settings,
    compat: Compat,
) -> anyhow::Result<Arc<dyn PostRenderer>> {
    let program = match compat {
        Compat::Helm4 => plugin(name, args, settings),
        Compat::Helm3 => executable(name, args),
    };
    let program = program.map_err(|error| {
        anyhow!("invalid argument {} for \"--post-renderer\" flag: {error}", quoted(name))
    })?;
    Ok(Arc::new(program))
}

/// A program that reads manifests and writes others.
#[derive(Debug)]
struct Program {
    /// The name of the plugin; none of a mere executable.
    plugin: Option<String>,
    path: PathBuf,
    args: Vec<String>,
    variables: Vec<(&'static str, String)>,
}

fn executable(name: &str, args: &[String]) -> anyhow::Result<Program> {
    let found = if name.contains('/') {
        Some(PathBuf::from(name)).filter(|path| is_executable(path))
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut places = std::env::split_paths(&path).map(|directory| directory.join(name));
        places.find(|path| is_executable(path))
    };
    let Some(path) = found else {
        let why = if name.contains('/') {
            format!("exec: \"{name}\": stat {name}: no such file or directory")
        } else {
            format!("exec: \"{name}\": executable file not found in $PATH")
        };
        bail!("unable to find binary at {name}: {why}")
    };
    let path = std::path::absolute(path)?;
    Ok(Program { plugin: None, path, args: args.to_vec(), variables: Vec::new() })
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

const KIND: &str = "postrenderer/v1";

fn plugin(name: &str, args: &[String], settings: &Settings) -> anyhow::Result<Program> {
    for directory in settings.plugins() {
        let Ok(entries) = fs::read_dir(directory) else { continue };
        let mut places: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        places.sort();
        for place in places {
            let Ok(text) = fs::read(place.join("plugin.yaml")) else { continue };
            let Ok(manifest) = gitops_yaml::read(&text) else { continue };
            let says = |key: &str| manifest.get(key).and_then(Node::text).unwrap_or_default();
            if says("name") == name && says("type") == KIND {
                if says("runtime") != "subprocess" {
                    bail!("plugin {} wants the runtime {:?}", quoted(name), says("runtime"));
                }
                return prepared(name, &manifest, &place, args);
            }
        }
    }
    bail!("plugin: {{Name:{name} Type:{KIND}}} not found")
}

/// The command of a plugin for this machine.
fn prepared(name: &str, manifest: &Node, place: &Path, more: &[String]) -> anyhow::Result<Program> {
    let commands = manifest.at(["runtimeConfig", "platformCommand"]).and_then(Node::as_sequence);
    let fits = |command: &Node| {
        let says = |key: &str| command.get(key).and_then(Node::text).unwrap_or_default();
        let (os, arch) = (says("os"), says("arch"));
        let own_os =
            os.eq_ignore_ascii_case(std::env::consts::OS.replace("macos", "darwin").as_str());
        match (os.is_empty(), arch.is_empty()) {
            _ if own_os && arch.eq_ignore_ascii_case(architecture()) => 3,
            (false, true) if own_os => 2,
            (true, true) => 1,
            _ => 0,
        }
    };
    // Of those that fit equally well, the first one.
    let commands = commands.unwrap_or_default().iter().rev().filter(|command| fits(command) > 0);
    let command = commands.max_by_key(|command| fits(command));
    let variables = vec![
        ("HELM_PLUGIN_NAME", name.to_owned()),
        ("HELM_PLUGIN_DIR", place.display().to_string()),
    ];
    let mut known: HashMap<String, String> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    known.extend(variables.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    let line = command.and_then(|command| command.get("command")?.text()).unwrap_or_default();
    let mut words = line.split(' ').map(|word| expanded(word, &known));
    let path = words.next().filter(|word| !word.is_empty());
    let path = path.ok_or_else(|| anyhow!("no plugin command is applicable"))?;
    let own = command.and_then(|command| command.get("args")?.as_sequence()).unwrap_or_default();
    let own = own.iter().filter_map(Node::text).map(|word| expanded(word, &known));
    let args = words.chain(own).chain(more.iter().cloned()).collect();
    Ok(Program { plugin: Some(name.to_owned()), path: path.into(), args, variables })
}

/// Go's name of this machine's processor.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    }
}

/// `$NAME` and `${NAME}` become what is known of them, or nothing.
fn expanded(text: &str, known: &HashMap<String, String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, behind) = match after.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some(braced) => braced,
            None => {
                let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
                after.split_at(after.find(|c| !word(c)).unwrap_or(after.len()))
            }
        };
        out.push_str(known.get(name).map_or("", String::as_str));
        rest = behind;
    }
    out.push_str(rest);
    out
}

impl PostRenderer for Program {
    fn run(&self, manifests: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
        let Some(plugin) = &self.plugin else {
            return self.output(manifests).map_err(|(why, errors)| {
                let path = self.path.display();
                format!("error while running command {path}. error output:\n{errors}: {why}").into()
            });
        };
        let output = self.output(manifests).map_err(|(why, errors)| {
            anstream::eprint!("{errors}");
            let why = if why.starts_with("exit status") {
                format!("plugin {} exited with error", quoted(plugin))
            } else {
                why
            };
            format!("failed to invoke post-renderer plugin {}: {why}", quoted(plugin))
        })?;
        if output.trim().is_empty() {
            return Err(format!("post-renderer {} produced empty output", quoted(plugin)).into());
        }
        Ok(output)
    }
}

impl Program {
    /// What the program writes, or why not and what it says.
    fn output(&self, manifests: &str) -> Result<String, (String, String)> {
        let failed = |error: std::io::Error| (error.to_string(), String::new());
        let mut child = Command::new(&self.path)
            .args(&self.args)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(failed)?;
        let (stdin, stderr) = (child.stdin.take(), child.stderr.take());
        let errors = std::thread::scope(|scope| {
            scope.spawn(move || {
                // A program that does not read to the end has its reasons.
                stdin.map(|mut stdin| stdin.write_all(&gitops_template::bytes::to_bytes(manifests)))
            });
            let errors = scope.spawn(move || {
                let mut text = Vec::new();
                stderr.map(|mut stderr| stderr.read_to_end(&mut text));
                String::from_utf8_lossy(&text).into_owned()
            });
            let mut output = Vec::new();
            let read = child.stdout.take().map(|mut stdout| stdout.read_to_end(&mut output));
            let errors = errors.join().unwrap_or_default();
            read.transpose().map(|_| (output, errors))
        });
        let (output, errors) = errors.map_err(failed)?;
        let status = child.wait().map_err(failed)?;
        if !status.success() {
            let code = status
                .code()
                .map_or_else(|| status.to_string(), |code| format!("exit status {code}"));
            return Err((code, errors));
        }
        Ok(gitops_template::bytes::from_bytes(&output).into_owned())
    }
}
