//! `gitops run` as a user calls it, without a cluster.
#![expect(clippy::unwrap_used, reason = "a failure is the test's")]

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use gitops_testenv::{Access, GitRepo, GitServer, SshServer, git_is_installed};
use serde_json::Value;

const A_CONFIG_MAP: &str =
    "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {key: one}\n";

const SYNC: &str = "\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: repo, namespace: flux-system}
spec: {interval: 1m, url: https://git.invalid/fleet.git, ref: {branch: main}}
";

fn kustomization(name: &str, path: &str, more: &str) -> String {
    format!(
        "---\napiVersion: kustomize.toolkit.fluxcd.io/v1\nkind: Kustomization\n\
         metadata: {{name: {name}, namespace: flux-system}}\n\
         spec:\n  interval: 10m\n  path: {path}\n  prune: true\n  targetNamespace: default\n\
         \x20 sourceRef: {{kind: GitRepository, name: repo}}\n{more}"
    )
}

fn config_map(name: &str, value: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: {name}}}\ndata: {{key: {value}}}\n")
}

fn write(root: &Path, file: &str, text: &str) {
    let file = root.join(file);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, text).unwrap();
}

fn command(root: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gitops"));
    command.arg("run").arg(root).args(arguments).env_remove("KUBECONFIG").stdin(Stdio::null());
    command
}

fn once(root: &Path, arguments: &[&str]) -> Output {
    let mut all = vec!["--once"];
    all.extend(arguments);
    command(root, &all).output().unwrap()
}

fn report(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn the_example_fleet_becomes_ready() {
    let fleet = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/fleet");
    let written = tempfile::tempdir().unwrap();
    let directory = written.path().to_str().unwrap();
    let output = once(&fleet, &["-o", "json", "--write", directory]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = report(&output);
    assert_eq!((&report["ready"], &report["settled"]), (&Value::Bool(true), &Value::Bool(true)));
    assert_eq!(report["items"].as_array().unwrap().len(), 5);
    assert_eq!(report["unhealthy"], serde_json::json!({}));
    let deployment = fs::read_to_string(written.path().join("apps_deployment_apps_podinfo.yaml"));
    assert!(deployment.unwrap().contains("kustomize.toolkit.fluxcd.io/name: apps"));
    let secrets: Vec<String> = fs::read_dir(written.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("secret_"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert!(!secrets.is_empty() && secrets.iter().all(|secret| secret.contains("*****")));
}

#[test]
fn failures_name_their_cause_their_place_and_who_waits() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let after = |name: &str| format!("  dependsOn: [{{name: {name}}}]\n");
    let all = [
        SYNC.to_owned(),
        kustomization("good", "./good", ""),
        kustomization("bad", "./bad", ""),
        kustomization("waits", "./good2", &after("bad")),
        kustomization("waits-too", "./good3", &after("waits")),
    ];
    write(root, "cluster/sync.yaml", &all.concat());
    write(root, "good/a.yaml", &config_map("a", "one"));
    write(root, "good2/b.yaml", &config_map("b", "one"));
    write(root, "good3/c.yaml", &config_map("c", "one"));
    let role = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: fine}\n---\n\
                apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: broken}\nspec: {replicas: 1}\n";
    write(root, "bad/b.yaml", role);
    let output = once(root, &[]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("✗ Kustomization/flux-system/bad  ReconciliationFailed"), "{text}");
    assert!(text.contains("Deployment/default/broken"), "{text}");
    assert!(text.contains("at bad/b.yaml:8"), "{text}");
    let waiting =
        "waiting for it: Kustomization/flux-system/waits, Kustomization/flux-system/waits-too";
    assert!(text.contains(waiting), "{text}");
    assert!(text.contains("2 of 5 ready"), "{text}");
    let waits = "◷ Kustomization/flux-system/waits  dependency 'flux-system/bad' is not ready\n";
    assert!(text.contains(&format!("─ {waits}")), "{text}");
    let report = report(&once(root, &["-o", "json"]));
    assert_eq!((&report["ready"], &report["settled"]), (&Value::Bool(false), &Value::Bool(true)));
}

#[test]
fn what_is_wrong_in_a_file_is_shown_where_it_stands() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let all = [
        SYNC.to_owned(),
        kustomization("field", "./field", ""),
        kustomization("syntax", "./syntax", ""),
    ];
    write(root, "cluster/sync.yaml", &all.concat());
    let deployment =
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: many\n";
    write(root, "field/web.yaml", deployment);
    write(root, "syntax/kustomization.yaml", "namespace: x\nresources:\n- a.yaml\n");
    write(root, "syntax/a.yaml", "kind: ConfigMap\nmetadata: [\n");
    let output = once(root, &["--timeout", "60"]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("at field/web.yaml:5"), "{text}");
    assert!(text.contains("      --> syntax/a.yaml:"), "{text}");
    assert!(text.contains("      chain: syntax/kustomization.yaml:3"), "{text}");
    let report = report(&once(root, &["-o", "json"]));
    let page = report["failures"]["Kustomization/flux-system/syntax"].as_str().unwrap();
    assert!(page.contains("--> syntax/a.yaml:"), "{page}");
}

#[test]
fn workloads_stay_as_they_were_applied_without_the_simulator() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let wait = "  wait: true\n";
    write(root, "c/sync.yaml", &(SYNC.to_owned() + &kustomization("app", "./app", wait)));
    let deployment = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n\
        \x20 selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: web}}\n\
        \x20   spec: {containers: [{name: web, image: web}]}\n";
    write(root, "app/web.yaml", deployment);
    assert_eq!(once(root, &[]).status.code(), Some(0));
    // Long enough for a busy machine to get to the workload.
    let output = once(root, &["--no-simulate", "--timeout", "12"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(
        text.contains("Deployment/default/web: InProgress") && text.contains("time is up"),
        "{text}"
    );
    // What is waited for is shown while it is waited for.
    let (during, _) = text.split_once("time is up").unwrap();
    assert!(during.contains("◌ Deployment/default/web  InProgress"), "{text}");
}

#[test]
fn a_repository_without_sync_objects_gets_a_hint() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "a.yaml", &config_map("a", "one"));
    let output = once(root.path(), &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("Kustomization") && text.contains("--path"), "{text}");
}

#[test]
fn several_clusters_are_listed_and_one_can_be_named() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    for cluster in ["prod", "test"] {
        let sync = SYNC.to_owned() + &kustomization("app", &format!("./apps/{cluster}"), "");
        write(root, &format!("clusters/{cluster}/flux-system/gotk-sync.yaml"), &sync);
        write(root, &format!("apps/{cluster}/a.yaml"), &config_map(cluster, "one"));
    }
    let output = once(root, &[]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("--path clusters/prod\n  --path clusters/test"), "{text}");
    let report = report(&once(root, &["--path", "clusters/test", "-o", "json"]));
    let objects = report["items"][1]["objects"].to_string();
    assert_eq!(objects, r#"["ConfigMap/default/test"]"#);
}

#[test]
fn a_source_that_cannot_be_reached_is_a_failure_with_a_cause() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    // Port 9 of loopback: nobody listens, and the answer comes at once.
    let other = "---\napiVersion: source.toolkit.fluxcd.io/v1\nkind: GitRepository\n\
        metadata: {name: other, namespace: flux-system}\n\
        spec: {interval: 1m, timeout: 5s, url: \"http://127.0.0.1:9/other.git\"}\n";
    let theirs = kustomization("theirs", "./", "").replace("name: repo", "name: other");
    let sync = [SYNC, &kustomization("ours", "./ours", ""), other, &theirs].concat();
    write(root, "c/sync.yaml", &sync);
    write(root, "ours/a.yaml", &config_map("a", "one"));
    let start = Instant::now();
    let output = once(root, &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("✗ GitRepository/flux-system/other"), "{text}");
    assert!(text.contains("127.0.0.1:9"), "{text}");
    assert!(text.contains("waiting for it: Kustomization/flux-system/theirs"), "{text}");
    assert!(text.contains("✔ Kustomization/flux-system/ours"), "{text}");
    assert!(!text.contains("time is up") && start.elapsed() < Duration::from_secs(60), "{text}");
}

#[test]
fn a_repository_is_run_by_its_url() {
    if !git_is_installed() {
        println!("SKIPPED: git is not installed");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut repository = GitRepo::init(directory.path().join("fleet.git")).unwrap();
    let sync = SYNC.to_owned() + &kustomization("app", "./app", "");
    let one = [("c/sync.yaml", Some(&*sync)), ("app/a.yaml", Some(A_CONFIG_MAP))];
    let first = repository.commit("main", &one, "one").unwrap();
    repository.point("refs/tags/v1", &first).unwrap();
    let broken = [("app/a.yaml", Some("kind: ["))];
    repository.commit("main", &broken, "two").unwrap();

    let runtime = tokio::runtime::Runtime::new().unwrap();
    let access = Access::Basic { username: "me".into(), password: "s3cret".into() };
    let server = runtime.block_on(GitServer::start(directory.path(), access)).unwrap();
    let url = server.url("fleet.git").replace("http://", "http://me:s3cret@");
    let run = |target: &str| once(Path::new(target), &[]);

    let output = run(&format!("{url}?ref=v1"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{:?}", output.stderr);
    assert!(text.contains("ConfigMap/default/a") && text.contains("v1@sha1:"), "{text}");
    assert!(!text.contains("s3cret"), "{text}");
    assert_eq!(run(&format!("{url}?ref={first}")).status.code(), Some(0));
    // The head of the default branch is broken.
    let output = run(&url);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("BuildFailed"));

    let output = run(&format!("{url}?ref=gone"));
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("gone") && !text.contains("s3cret"), "{text}");
}

#[test]
fn a_repository_is_run_by_its_ssh_url() {
    if !git_is_installed() || !SshServer::is_installed() {
        println!("SKIPPED: git, sshd or ssh-keygen is not installed");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let mut repository = GitRepo::init(directory.path().join("fleet.git")).unwrap();
    let sync = SYNC.to_owned() + &kustomization("app", "./app", "");
    let files = [("c/sync.yaml", Some(&*sync)), ("app/a.yaml", Some(A_CONFIG_MAP))];
    repository.commit("main", &files, "one").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let place = directory.path().join("ssh");
    let server = runtime.block_on(SshServer::start(&place, &["ed25519"], "")).unwrap();
    let url = server.url(repository.path());
    // A home as people have it.
    let home = directory.path().join("home");
    write(&home, ".ssh/id_ed25519", &server.make_key("key", "ed25519", "").unwrap());
    let run = |url: &str| {
        let mut command = command(Path::new(url), &["--once"]);
        command.env("HOME", &home).env_remove("SSH_AUTH_SOCK").output().unwrap()
    };
    write(
        &home,
        ".ssh/known_hosts",
        "elsewhere ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ",
    );
    let output = run(&url);
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(text.contains("knownhosts: key is unknown"), "{text}");
    write(&home, ".ssh/known_hosts", &server.known_hosts().unwrap());
    let output = run(&format!("{url}?ref=main"));
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("ConfigMap/default/a"), "{text}");
}

#[test]
fn secrets_are_written_when_they_are_asked_for() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    write(root, "c/sync.yaml", &(SYNC.to_owned() + &kustomization("app", "./app", "")));
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {key: hush}\n";
    write(root, "app/s.yaml", secret);
    let out = tempfile::tempdir().unwrap();
    let directory = out.path().to_str().unwrap();
    let read = || fs::read_to_string(out.path().join("secret_default_s.yaml")).unwrap();
    once(root, &["--write", directory]);
    assert!(!read().contains("aHVzaA=="), "{}", read());
    once(root, &["--write", directory, "--show-secrets"]);
    assert!(read().contains("aHVzaA=="), "{}", read());
}

/// A run that goes on, and what it says.
struct Running {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
}

impl Running {
    fn start(root: &Path) -> Self {
        let mut child = command(root, &[]).stdout(Stdio::piped()).spawn().unwrap();
        let (tell, lines) = channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if tell.send(line).is_err() {
                    return;
                }
            }
        });
        Self { child, lines, seen: Vec::new() }
    }

    /// Waits for a line that holds the text.
    fn wait(&mut self, text: &str) {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("no {text:?} in\n{}", self.seen.join("\n"));
            };
            let found = line.contains(text);
            self.seen.push(line);
            if found {
                return;
            }
        }
    }

    /// Ctrl-C, and the code of the end.
    fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn saved_edits_are_reconciled_shown_and_pruned() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    write(root, "c/sync.yaml", &(SYNC.to_owned() + &kustomization("app", "./app", "")));
    write(root, "app/a.yaml", &config_map("a", "one"));
    write(root, "app/b.yaml", &config_map("b", "one"));
    let mut run = Running::start(root);
    run.wait("✔ Kustomization/flux-system/app");

    write(root, "app/a.yaml", &config_map("a", "two"));
    run.wait("~ ConfigMap/default/a configured");
    run.wait("-  key: one");
    run.wait("+  key: two");

    // What is broken leaves the last good state.
    write(root, "app/a.yaml", "kind: [\n");
    run.wait("✗ Kustomization/flux-system/app");
    write(root, "app/a.yaml", &config_map("a", "three"));
    fs::remove_file(root.join("app/b.yaml")).unwrap();
    run.wait("✔ Kustomization/flux-system/app");
    run.wait("+  key: three");
    run.wait("- ConfigMap/default/b deleted");
    assert_eq!(run.stop(), Some(0));
}
