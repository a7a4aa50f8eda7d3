//! `gitops kustomize build` with bases and files that stand elsewhere: on loopback.
#![allow(clippy::unwrap_used, reason = "a failure is the test's")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::Command,
    thread::JoinHandle,
};

use gitops_testenv::{Access, GitRepo, GitServer, git_is_installed};

fn gitops(arguments: &[&str], directory: &Path) -> (Option<i32>, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_gitops"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

fn config_map(name: &str) -> String {
    format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n")
}

/// A repository with an overlay, a tag, and a branch that differs.
fn repository(directory: &Path) {
    let mut repo = GitRepo::init(directory).unwrap();
    let overlay = "resources: [../base]\nnamePrefix: prod-\n";
    let base = "resources: [cm.yaml]\n";
    let app = config_map("app");
    let first = repo
        .commit(
            "main",
            &[
                ("overlays/prod/kustomization.yaml", Some(overlay)),
                ("overlays/base/kustomization.yaml", Some(base)),
                ("overlays/base/cm.yaml", Some(app.as_str())),
            ],
            "first",
        )
        .unwrap();
    repo.point("refs/tags/v1", &first).unwrap();
    let app = config_map("changed");
    repo.commit(
        "next",
        &[
            ("overlays/prod/kustomization.yaml", Some(overlay)),
            ("overlays/base/kustomization.yaml", Some(base)),
            ("overlays/base/cm.yaml", Some(app.as_str())),
        ],
        "second",
    )
    .unwrap();
}

/// Answers each request with a file or with 404, until as many came as it expects.
fn serve(requests: usize) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let task = std::thread::spawn(move || {
        for _ in 0..requests {
            let (mut stream, _) = listener.accept().unwrap();
            let mut buffer = [0; 4096];
            let length = stream.read(&mut buffer).unwrap();
            let request = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let (status, body) = match request.split(' ').nth(1) {
                Some("/files/cm.yaml") => ("200 OK", config_map("file")),
                _ => ("404 Not Found", "nothing here".to_owned()),
            };
            let length = body.len();
            write!(
                stream,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
            )
            .unwrap();
        }
    });
    (address, task)
}

#[test]
fn bases_come_from_git() {
    if !git_is_installed() {
        println!("skipped: git is not installed");
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    repository(&root.join("org/fleet.git"));
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let server = runtime.block_on(GitServer::start(root, Access::default())).unwrap();
    let url = server.url("org/fleet.git");
    let prod = config_map("prod-app");

    let target = format!("{url}//overlays/prod?ref=v1");
    assert_eq!(
        gitops(&["kustomize", "build", &target], root),
        (Some(0), prod.clone(), String::new())
    );
    let target = format!("{url}/overlays/prod?ref=next");
    assert_eq!(gitops(&["kustomize", "build", &target], root).1, config_map("prod-changed"));
    let target = format!("file://{}//overlays/prod?ref=v1", root.join("org/fleet.git").display());
    assert_eq!(gitops(&["kustomize", "build", &target], root).1, prod);

    // As a base, twice: it is fetched once.
    fs::create_dir(root.join("top")).unwrap();
    let top = format!(
        "resources: ['{url}//overlays/prod?ref=v1', '{url}//overlays/base?ref=v1']\nnameSuffix: -x\n"
    );
    fs::write(root.join("top/kustomization.yaml"), top).unwrap();
    let (code, out, errors) = gitops(&["kustomize", "build", "top"], root);
    assert_eq!((code, errors.as_str()), (Some(0), ""), "{errors}");
    assert_eq!(out, format!("{}---\n{}", config_map("app-x"), config_map("prod-app-x")));

    let (code, _, errors) = gitops(&["kustomize", "build", "top", "--no-remote-bases"], root);
    assert_eq!(code, Some(1));
    assert!(errors.contains("is not allowed in this build"), "{errors}");
    let (code, _, errors) = gitops(&["kustomize", "build", &format!("{url}?ref=absent")], root);
    assert_eq!(code, Some(1));
    assert!(errors.contains("failed to fetch"), "{errors}");
}

#[test]
fn files_come_over_http() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path();
    let (address, server) = serve(1);
    fs::write(
        root.join("kustomization.yaml"),
        format!("resources: ['{address}/files/cm.yaml']\nnamePrefix: p-\n"),
    )
    .unwrap();
    let (code, out, errors) = gitops(&["kustomize", "build"], root);
    assert_eq!((code, out.as_str(), errors.as_str()), (Some(0), config_map("p-file").as_str(), ""));
    server.join().unwrap();

    let (address, server) = serve(1);
    fs::write(root.join("kustomization.yaml"), format!("resources: ['{address}/none']\n")).unwrap();
    let (code, _, errors) = gitops(&["kustomize", "build"], root);
    assert_eq!(code, Some(1));
    assert!(errors.contains("HTTP Error: status code 404 (Not Found)"), "{errors}");
    server.join().unwrap();
}
