//! `gitops helm`, as somebody types it.

#![allow(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests")]

mod command_line;
mod registry;
mod signed;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const FILES: &[(&str, &str)] = &[
    ("web/Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.2.3\nappVersion: v1\n"),
    ("web/values.yaml", "replicas: 2\nimage: {tag: v1}\nlist:\n- name: a\n- name: b\n"),
    (
        "web/templates/a.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: web\ndata:\n  tag: {{ .Values.image.tag \
         }}\n",
    ),
    ("prod.yaml", "image:\n  tag: v2\n"),
    ("broken/Chart.yaml", "apiVersion: v2\nname: broken\nversion: 0.1.0\n"),
    ("broken/templates/a.yaml", "a: 1\nb: {{ .Values.db.host }}\n"),
];

/// A directory with charts.
fn charts() -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in FILES {
        let file = directory.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    directory
}

fn helm(directory: &Path, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gitops"));
    command.arg("helm").args(words).current_dir(directory);
    command.env("HOME", directory).env_remove("HELM_PLUGINS");
    command.output().unwrap()
}

#[track_caller]
fn stdout(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[track_caller]
fn stderr(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(1));
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn explanations_name_templates_values_and_who_set_them() {
    let directory = charts();
    let explain = |more: &[&str]| {
        let words = ["template", "web", "-f", "prod.yaml", "--explain", "ConfigMap/web.data.tag"];
        stdout(&helm(directory.path(), &[&words, more].concat()))
    };
    assert_eq!(
        explain(&[]),
        "ConfigMap/web data.tag = \"v2\"\n  web/templates/a.yaml:6:11  {{.Values.image.tag}}\n    \
         .Values.image.tag = \"v2\"  prod.yaml:2:8, over web/values.yaml:2:14\n"
    );
    let json = explain(&["--set", "image.tag=v3", "--explain-format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let value = &json["lines"][0]["origins"][0]["values"][0];
    assert_eq!(value["value"], "v3");
    assert_eq!(value["settings"][0]["by"], "--set image.tag=v3");
    assert_eq!(value["settings"][1]["line"], 2);
    let line = stdout(&helm(directory.path(), &["template", "web", "--explain", "8"]));
    assert!(line.starts_with("  tag: v1\n  web/templates/a.yaml:6:11  {{.Values"), "{line}");
    let error = stderr(&helm(directory.path(), &["template", "web", "--explain", "Pod/x"]));
    assert_eq!(error, "Error: no object of the release is \"Pod/x\"; there are ConfigMap/web\n");
}

#[test]
fn failures_are_told_in_three_forms() {
    let directory = charts();
    let failure = |format: &str| {
        stderr(&helm(directory.path(), &["template", "broken", "--error-format", format]))
    };
    let line = failure("line");
    assert!(line.starts_with("Error: broken/templates/a.yaml:2:13\n"), "{line}");
    assert!(line.ends_with("\n\nUse --debug flag to render out invalid YAML\n"), "{line}");
    assert_eq!(failure("auto"), line, "no terminal");
    let full = failure("full");
    let helm_says = line.trim_end_matches("\n\nUse --debug flag to render out invalid YAML\n");
    assert!(full.starts_with(helm_says), "{full}");
    assert!(full.contains("\n  --> broken/templates/a.yaml:2:14\n"), "{full}");
    assert!(full.contains("\n  hint: "), "{full}");
    let json: serde_json::Value = serde_json::from_str(&failure("json")).unwrap();
    assert_eq!(json["code"], "template");
    assert_eq!((&json["line"], &json["column"]), (&2.into(), &14.into()));
    assert_eq!(json["snippet"], "b: {{ .Values.db.host }}");
    let none = stderr(&helm(directory.path(), &["template", "./no", "--error-format", "json"]));
    let json: serde_json::Value = serde_json::from_str(&none).unwrap();
    assert_eq!(json["code"], "io");
    assert_eq!(json["message"], "path \"./no\" not found");
}

fn executable(file: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    fs::write(file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn post_renderers_are_plugins_of_helm_4_and_programs_of_helm_3() {
    let directory = charts();
    let root = directory.path();
    let plugin = root.join(".local/share/helm/plugins/renaming");
    let script = plugin.join("run.sh");
    executable(&script, "echo \"$@\" > \"$HELM_PLUGIN_DIR/args\"; sed 's/name: web/name: other/'");
    fs::write(
        plugin.join("plugin.yaml"),
        "apiVersion: v1\ntype: postrenderer/v1\nname: renaming\nversion: 0.1.0\nruntime: \
         subprocess\nruntimeConfig:\n  platformCommand:\n  - {os: plan9, command: nothing}\n  - \
         command: ${HELM_PLUGIN_DIR}/run.sh one\n    args: [two]\n",
    )
    .unwrap();
    let more = ["--post-renderer-args", "a b", "--post-renderer-args", "--c"];
    let words = ["template", "web", "--post-renderer", "renaming"];
    let text = stdout(&helm(root, &[&words[..], &more].concat()));
    assert!(text.starts_with("---\n# Source: web/templates/a.yaml\napiVersion: v1\n"), "{text}");
    assert!(text.contains("\n  name: other\ndata:\n"), "{text}");
    assert_eq!(fs::read_to_string(plugin.join("args")).unwrap(), "one two a b --c\n");

    let by_path = ["template", "web", "--helm-compat", "3", "--post-renderer", "./sorry.sh"];
    executable(&root.join("sorry.sh"), "sed 's/tag: .*/tag: none/'");
    let text = stdout(&helm(root, &by_path));
    assert!(text.contains("\n  tag: none\n"), "{text}");

    let told = |words: &[&str]| stderr(&helm(root, words));
    assert_eq!(
        told(&["template", "web", "--post-renderer", "nope"]),
        "Error: invalid argument \"nope\" for \"--post-renderer\" flag: plugin: {Name:nope \
         Type:postrenderer/v1} not found\n"
    );
    assert_eq!(
        told(&[&words[..], &["--post-renderer", "again"]].concat()),
        "Error: invalid argument \"again\" for \"--post-renderer\" flag: cannot specify \
         --post-renderer flag more than once\n"
    );
    executable(&script, "cat > /dev/null");
    assert_eq!(
        told(&words),
        "Error: error while running post render on files: post-renderer \"renaming\" produced \
         empty output\n\nUse --debug flag to render out invalid YAML\n"
    );
    executable(&script, "exit 3");
    assert_eq!(
        told(&words),
        "Error: error while running post render on files: failed to invoke post-renderer plugin \
         \"renaming\": plugin \"renaming\" exited with error\n\nUse --debug flag to render out \
         invalid YAML\n"
    );
}

/// Serves files over HTTP until the process ends, to those who say who they are if that is wanted.
fn serve(directory: &Path, login: Option<&'static str>) -> String {
    use std::io::{BufRead as _, BufReader, Write as _};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let directory = directory.to_owned();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let lines: Vec<String> =
                lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let known = login.is_none_or(|login| {
                lines
                    .iter()
                    .any(|line| line.eq_ignore_ascii_case(&format!("authorization: {login}")))
            });
            let path = lines.first().and_then(|line| line.split(' ').nth(1)).unwrap_or("/");
            let content = fs::read(directory.join(path.trim_start_matches('/')));
            let (status, content) = match content {
                _ if !known => ("401 Unauthorized", Vec::new()),
                Ok(content) => ("200 OK", content),
                Err(_) => ("404 Not Found", Vec::new()),
            };
            let length = content.len();
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(&[head.as_bytes(), &content].concat());
        }
    });
    format!("http://{address}")
}

#[test]
fn charts_and_values_come_from_repositories_and_urls() {
    let directory = charts();
    let root = directory.path();
    let served = root.join("served");
    for version in ["1.2.3", "1.3.0", "2.0.0-rc.1"] {
        let words = ["package", "web", "-d", "served", "--version", version];
        stdout(&helm(root, &words));
    }
    let entry = |version: &str| {
        format!(
            "  - {{name: web, version: {version}, apiVersion: v2, urls: [web-{version}.tgz]}}\n"
        )
    };
    let entries = ["2.0.0-rc.1", "1.3.0", "1.2.3"].map(entry).concat();
    fs::write(served.join("index.yaml"), format!("apiVersion: v1\nentries:\n  web:\n{entries}"))
        .unwrap();
    fs::write(served.join("v.yaml"), "image: {tag: served}\n").unwrap();
    // ada:secret
    let url = serve(&served, Some("Basic YWRhOnNlY3JldA=="));
    let login = ["--username", "ada", "--password", "secret"];
    let version = |words: &[&str]| {
        let text = stdout(&helm(root, words));
        text.lines().find_map(|line| line.strip_prefix("version: ")).map(str::to_owned).unwrap()
    };
    let show = ["show", "chart", "web", "--repo", &url];
    assert_eq!(version(&[&show[..], &login].concat()), "1.3.0");
    assert_eq!(version(&[&show[..], &login, &["--version", "~1.2"]].concat()), "1.2.3");
    assert_eq!(version(&[&show[..], &login, &["--devel"]].concat()), "2.0.0-rc.1");
    let package = format!("{url}/web-1.2.3.tgz");
    assert_eq!(version(&[&["show", "chart", &package][..], &login].concat()), "1.2.3");
    let denied = stderr(&helm(root, &show));
    assert!(denied.contains("401"), "{denied}");

    let config = root.join(".config/helm");
    fs::create_dir_all(&config).unwrap();
    fs::write(
        config.join("repositories.yaml"),
        format!("repositories:\n- {{name: mine, url: '{url}', username: ada, password: secret}}\n"),
    )
    .unwrap();
    assert_eq!(version(&["show", "chart", "mine/web"]), "1.3.0");
    let missing = stderr(&helm(root, &["show", "chart", "other/web"]));
    assert_eq!(missing, "Error: repo other not found\n");

    let open = serve(&served, None);
    let values = format!("{open}/v.yaml");
    let text = stdout(&helm(root, &["template", "mine/web", "-f", &values]));
    assert!(text.contains("\n  tag: served\n"), "{text}");
    let none = stderr(&helm(root, &["template", "web", "-f", &format!("{open}/no.yaml")]));
    assert!(none.contains("/no.yaml : ") && none.contains("404"), "{none}");
}

#[test]
fn dependencies_are_fetched_and_locked() {
    let directory = charts();
    let root = directory.path();
    for version in ["1.2.3", "1.3.0"] {
        stdout(&helm(root, &["package", "web", "-d", "served", "--version", version]));
    }
    let entry = |version: &str| {
        format!(
            "  - {{name: web, version: {version}, apiVersion: v2, urls: [web-{version}.tgz]}}\n"
        )
    };
    let index = |versions: &[&str]| {
        let entries: String = versions.iter().map(|version| entry(version)).collect();
        let text = format!("apiVersion: v1\nentries:\n  web:\n{entries}");
        fs::write(root.join("served/index.yaml"), text).unwrap();
    };
    index(&["1.2.3"]);
    let url = serve(&root.join("served"), None);
    fs::create_dir_all(root.join("all/charts/own/templates")).unwrap();
    let chart = |range: &str| {
        format!(
            "apiVersion: v2\nname: all\nversion: 0.1.0\ndependencies:\n- {{name: web, version: \
             {range}, repository: '{url}'}}\n- {{name: broken, version: 0.x, repository: \
             'file://../broken'}}\n- {{name: own, version: '>=1', repository: ''}}\n"
        )
    };
    fs::write(root.join("all/Chart.yaml"), chart("1.x")).unwrap();
    let own = "apiVersion: v2\nname: own\nversion: 1.0.0\n";
    fs::write(root.join("all/charts/own/Chart.yaml"), own).unwrap();
    stdout(&helm(root, &["package", "web", "-d", "all/charts", "--version", "0.9.0"]));

    let text = stdout(&helm(root, &["dependency", "update", "all"]));
    assert_eq!(
        text,
        format!(
            "Getting updates for unmanaged Helm repositories...\n...Successfully got an update from \
             the \"{url}\" chart repository\nSaving 3 charts\nDownloading web from repo {url}\n\
             Dependency own did not declare a repository. Assuming it exists in the charts \
             directory\nDeleting outdated charts\n"
        )
    );
    let there = || {
        let entries = fs::read_dir(root.join("all/charts")).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(there(), ["broken-0.1.0.tgz", "own", "web-1.2.3.tgz"]);
    let lock = fs::read_to_string(root.join("all/Chart.lock")).unwrap();
    assert!(
        lock.starts_with(&format!(
            "dependencies:\n- name: web\n  repository: {url}\n  version: 1.2.3\n- name: broken\n  \
             repository: file://../broken\n  version: 0.1.0\n- name: own\n  repository: \"\"\n  \
             version: '>=1'\ndigest: sha256:"
        )),
        "{lock}"
    );
    let list = stdout(&helm(root, &["dependency", "list", "all"]));
    assert_eq!(list.matches("\tok").count() + list.matches("\tunpacked").count(), 3, "{list}");

    // A newer version changes nothing for those who build from the lock.
    index(&["1.3.0", "1.2.3"]);
    fs::remove_file(root.join("all/charts/web-1.2.3.tgz")).unwrap();
    stdout(&helm(root, &["dependency", "build", "all"]));
    assert_eq!(there(), ["broken-0.1.0.tgz", "own", "web-1.2.3.tgz"]);
    assert_eq!(fs::read_to_string(root.join("all/Chart.lock")).unwrap(), lock);
    stdout(&helm(root, &["dependency", "update", "all"]));
    assert_eq!(there(), ["broken-0.1.0.tgz", "own", "web-1.3.0.tgz"]);

    fs::write(root.join("all/Chart.yaml"), chart("~1.3")).unwrap();
    assert_eq!(
        stderr(&helm(root, &["dependency", "build", "all"])),
        "Error: the lock file (Chart.lock) is out of sync with the dependencies file (Chart.yaml). \
         Please update the dependencies with 'helm dependency update'\n"
    );
    fs::write(root.join("all/Chart.yaml"), chart("^9")).unwrap();
    let missing = stderr(&helm(root, &["dependency", "update", "all"]));
    assert!(missing.starts_with("Error: can't get a valid version for 1 subchart(s): \"web\""));
    assert_eq!(there(), ["broken-0.1.0.tgz", "own", "web-1.3.0.tgz"], "as it was");
}

#[test]
fn wrong_command_lines_have_the_exit_code_of_helm() {
    let directory = charts();
    let told = |words: &[&str]| stderr(&helm(directory.path(), words));
    assert_eq!(told(&["package"]), "Error: need at least one argument, the path to the chart\n");
    assert!(told(&["template", "web", "--no-such-flag"]).contains("--no-such-flag"));
    let not_there = told(&["package", "web/values.yaml"]);
    assert!(not_there.ends_with("/web/values.yaml/Chart.yaml: not a directory\n"), "{not_there}");
}

/// Row 34 of the list of attacks (CVE-2025-53547): a chart of somebody else's, whose lock file is a link.
#[test]
fn a_lock_file_that_is_a_link_is_not_written_through() {
    let directory = charts();
    let root = directory.path();
    fs::write(root.join("precious"), "mine: true").unwrap();
    for (api, file, declared) in
        [("v2", "Chart.lock", "Chart.yaml"), ("v1", "requirements.lock", "requirements.yaml")]
    {
        let chart = root.join(format!("evil-{api}"));
        fs::create_dir_all(&chart).unwrap();
        let own = format!("apiVersion: {api}\nname: evil\nversion: 0.1.0\n");
        fs::write(chart.join("Chart.yaml"), &own).unwrap();
        let dependencies =
            "dependencies:\n- {name: web, version: 1.x, repository: 'file://../web'}\n";
        let text = if api == "v2" { own + dependencies } else { dependencies.to_owned() };
        fs::write(chart.join(declared), text).unwrap();
        for target in ["../precious", "../absent"] {
            let link = chart.join(file);
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(target, &link).unwrap();
            let name = chart.file_name().unwrap().to_str().unwrap();
            let told = stderr(&helm(root, &["dependency", "update", name]));
            let expected = format!("the {file} file is a symlink to \"{target}\"");
            assert!(target == "../absent" || told.contains(&expected), "{told}");
            assert_eq!(fs::read_to_string(root.join("precious")).unwrap(), "mine: true");
            assert!(!root.join("absent").exists() && link.is_symlink(), "{target}");
        }
    }
}
