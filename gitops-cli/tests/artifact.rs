//! `gitops push|pull|tag|list|diff artifact` and `gitops fetch`, as a user runs them.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{fs, path::Path, process::Output};

use gitops_testenv::{GitRepo, Registry, RegistryHabits};

struct Place {
    directory: tempfile::TempDir,
    registry: Registry,
}

impl Place {
    async fn new(habits: RegistryHabits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        for (file, text) in
            [("app/cm.yaml", "kind: ConfigMap\n"), ("app/sub/logo.png", "x"), ("app/run.sh", "#!")]
        {
            let file = directory.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        }
        Self { directory, registry: Registry::start(habits).await.unwrap() }
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn url(&self, tail: &str) -> String {
        format!("oci://{}/cli/app{tail}", self.registry.host())
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        tokio::process::Command::new(env!("CARGO_BIN_EXE_gitops"))
            .args(arguments)
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap()
    }

    /// Exit code, stdout, stderr, with the registry's address scrubbed.
    async fn told(&self, arguments: &[&str]) -> (i32, String, String) {
        let done = self.run(arguments).await;
        let text = |bytes: Vec<u8>| {
            String::from_utf8(bytes).unwrap().replace(&self.registry.host(), "HOST")
        };
        (done.status.code().unwrap(), text(done.stdout), text(done.stderr))
    }

    async fn push(&self, tag: &str) -> String {
        let url = self.url(&format!(":{tag}"));
        let (code, out, err) = self
            .told(&[
                "push",
                "artifact",
                &url,
                "--path=app",
                "--source=https://example.com/x.git",
                "--revision=main@sha1:abc",
                "--insecure-registry",
                "--reproducible",
            ])
            .await;
        assert_eq!((code, out.as_str()), (0, ""), "{err}");
        err
    }
}

#[tokio::test]
async fn the_life_of_an_artifact() {
    let place = Place::new(RegistryHabits::default()).await;
    let told = place.push("v1").await;
    let digest = told.trim().rsplit_once('@').unwrap().1.to_owned();
    let expected = format!(
        "► pushing artifact to HOST/cli/app:v1\n✔ artifact successfully pushed to HOST/cli/app@{digest}\n"
    );
    assert_eq!(told, expected);
    assert_eq!(place.push("v1").await, expected, "is reproducible");

    let url = place.url(":v1");
    let (code, _, err) = place.told(&["tag", "artifact", &url, "--tag", "latest,v1.2.3"]).await;
    let expected = "► tagging artifact\n✔ artifact tagged as HOST/cli/app:latest\n✔ artifact tagged as \
                    HOST/cli/app:v1.2.3\n";
    assert_eq!((code, err.as_str()), (0, expected));

    let (code, out, err) = place.told(&["list", "artifacts", &place.url("")]).await;
    assert_eq!(code, 0, "{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("ARTIFACT") && lines[0].ends_with("\tREVISION      "), "{out:?}");
    let tags: Vec<&str> = lines[1..]
        .iter()
        .map(|line| line.split('\t').next().unwrap().trim().rsplit_once(':').unwrap().1)
        .collect();
    assert_eq!(tags, ["v1.2.3", "v1", "latest"]);
    let row: Vec<&str> = lines[2].split('\t').map(str::trim).collect();
    assert_eq!(row, ["HOST/cli/app:v1", &digest, "https://example.com/x.git", "main@sha1:abc", ""]);
    let url = place.url("");
    let (_, out, _) = place.told(&["list", "artifacts", &url, "--filter-semver", ">=1.2"]).await;
    assert_eq!(out.lines().count(), 2, "{out}");
    let (_, out, _) = place.told(&["list", "artifacts", &url, "--filter-regex", "^l"]).await;
    assert!(out.contains("latest") && out.lines().count() == 2, "{out}");

    fs::create_dir(place.path().join("out")).unwrap();
    let url = place.url(":v1");
    let (code, _, err) = place.told(&["pull", "artifact", &url, "--output", "out"]).await;
    let expected = format!(
        "► pulling artifact from HOST/cli/app:v1\n✔ source https://example.com/x.git\n✔ revision \
         main@sha1:abc\n✔ digest HOST/cli/app@{digest}\n✔ artifact content extracted to out\n"
    );
    assert_eq!((code, err), (0, expected));
    assert_eq!(fs::read_to_string(place.path().join("out/cm.yaml")).unwrap(), "kind: ConfigMap\n");
    assert!(!place.path().join("out/sub/logo.png").exists(), "pictures stay out");

    let diff = ["diff", "artifact", &url, "--path=app", "--insecure-registry"];
    let (code, _, err) = place.told(&diff).await;
    assert_eq!((code, err.as_str()), (0, "✔ no changes detected\n"));
    fs::write(place.path().join("app/cm.yaml"), "kind: Secret\n").unwrap();
    let (code, _, err) = place.told(&diff).await;
    let expected = "✗ the remote artifact contents differs from the local one\n";
    assert_eq!((code, err.as_str()), (1, expected));
}

#[tokio::test]
async fn mistakes_are_told_as_flux_does() {
    let place = Place::new(RegistryHabits::default()).await;
    let url = place.url(":v1");
    for (arguments, text) in [
        (&["push", "artifact"][..], "✗ artifact URL is required"),
        (&["push", "artifact", &url], "✗ --source is required"),
        (&["push", "artifact", &url, "--source=x"], "✗ --revision is required"),
        (&["push", "artifact", &url, "--source=x", "--revision=y"], "✗ invalid path \"\""),
        (
            &["push", "artifact", &url, "--source=x", "--revision=y", "--path=none"],
            "✗ invalid path 'none', must point to an existing directory or file",
        ),
        (&["pull", "artifact", &url], "✗ output path cannot be empty"),
        (&["pull", "artifact", &url, "-o", "none"], "✗ invalid output path \"none\""),
        (&["tag", "artifact", &url], "✗ --tag is required"),
        (&["tag", "artifact", &url, "--insecure-registry"], "✗ unknown flag: --insecure-registry"),
        (&["diff", "artifact", &url, "--path=app"], "MANIFEST_UNKNOWN"),
        (&["list", "artifacts", "http://h/o"], "URL must be in format"),
        (
            &["push", "artifact", &url, "-a", "x", "--source=x", "--revision=y", "-f", "app"],
            "✗ invalid annotation x, must be in the format key=value",
        ),
    ] {
        let (code, out, err) = place.told(arguments).await;
        assert_eq!((code, out.as_str()), (1, ""), "{arguments:?}");
        assert!(err.contains(text), "{arguments:?}: {err}");
    }
}

#[tokio::test]
async fn credentials_by_flag_and_by_file() {
    let place = Place::new(RegistryHabits {
        credentials: Some(("flux".into(), "s3cret".into())),
        ..RegistryHabits::default()
    })
    .await;
    let url = place.url(":v1");
    let push = ["push", "artifact", &url, "-f", "app", "--source=x", "--revision=y", "-o", "json"];
    let (code, _, err) = place.told(&push).await;
    assert_eq!(code, 1);
    assert!(err.contains("401 Unauthorized"), "{err}");
    let (code, _, err) = place.told(&[&push[..], &["--creds=flux:c4nary"]].concat()).await;
    assert_eq!(code, 1);
    assert!(!err.contains("c4nary"), "{err}");

    let (code, out, err) = place.told(&[&push[..], &["--creds=flux:s3cret"]].concat()).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(err, "► logging in to registry with credentials\n");
    let facts: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(facts["repository"], "HOST/cli/app");
    assert_eq!(facts["tag"], "v1");

    let host = place.registry.host();
    let json = format!("{{\"auths\": {{\"{host}\": {{\"auth\": \"Zmx1eDpzM2NyZXQ=\"}}}}}}");
    fs::create_dir(place.path().join(".docker")).unwrap();
    fs::write(place.path().join(".docker/config.json"), json).unwrap();
    assert_eq!(place.told(&push).await.0, 0);
}

#[tokio::test]
async fn sources_are_fetched_to_directories_and_archives() {
    let place = Place::new(RegistryHabits::default()).await;
    place.push("v1.0.0").await;
    let url = place.url(":v1.0.0");
    let (code, out, err) = place.told(&["fetch", "oci", &url, "-o", "out"]).await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(fs::read_to_string(place.path().join("out/run.sh")).unwrap(), "#!");
    let lines: Vec<&str> = out.lines().collect();
    assert!(lines[0].starts_with("revision: v1.0.0@sha256:"), "{out}");
    let url = place.url("");
    let archive = ["fetch", "oci", &url, "--semver=>=1.0", "-o", "out.tar.gz"];
    let (code, again, err) = place.told(&archive).await;
    assert_eq!((code, &again), (0, &out), "{err}");
    let digest = gitops_core::Digest::sha256(&fs::read(place.path().join("out.tar.gz")).unwrap());
    assert_eq!(lines[1], format!("digest: {digest}"));

    let (code, _, err) = place.told(&["fetch", "oci", &url, "-o", "out"]).await;
    assert_eq!(code, 1);
    assert!(err.contains("'out' is not empty"), "{err}");
    let key = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhyQCx0E9wQWSFI9ULGwy3BuRklnt\n\
               IqozONbbdbqz11hlRJy9c7SG+hdcFl9jE9uE/dwtuwU2MqU9T/cN0YkWww==\n-----END PUBLIC KEY-----\n";
    fs::write(place.path().join("cosign.pub"), key).unwrap();
    let url = place.url(":v1.0.0");
    let verified = ["fetch", "oci", &url, "--verify-key=cosign.pub", "-o", "verified"];
    let (code, _, err) = place.told(&verified).await;
    assert_eq!(code, 1);
    assert!(err.contains("no matching signatures were found"), "{err}");
    assert!(!place.path().join("verified").exists(), "nothing unverified is written");

    let mut repo = GitRepo::init(place.path().join("app.git")).unwrap();
    let files = [("a/cm.yaml", Some("kind: A\n")), ("b/cm.yaml", Some("kind: B\n"))];
    let commit = repo.commit("main", &files, "first").unwrap();
    let url = format!("file://{}", place.path().join("app.git").display());
    let fetch = ["fetch", "git", &url, "--branch=main", "-o", "git"];
    let (code, out, err) = place.told(&fetch).await;
    assert_eq!(code, 0, "{err}");
    assert!(out.starts_with(&format!("revision: main@sha1:{commit}\n")), "{out}");
    assert_eq!(fs::read_to_string(place.path().join("git/a/cm.yaml")).unwrap(), "kind: A\n");

    let sparse = ["fetch", "git", &url, "--sparse=b", "--recurse-submodules", "-o", "sparse"];
    let (code, _, err) = place.told(&sparse).await;
    assert_eq!(code, 0, "{err}");
    assert!(place.path().join("sparse/b/cm.yaml").is_file());
    assert!(!place.path().join("sparse/a").exists(), "only what was asked for");
}
