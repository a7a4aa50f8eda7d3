//! Charts that are signed: with keys of `gpg`, for Helm and for us.

use std::{fs, path::Path, process::Command};

use crate::{charts, helm, stderr, stdout};

const NAME: &str = "Chart Signer <signer@example.org>";

/// Two keyrings of a new key, secret and public; `None` where `gpg` is not installed.
fn keyrings(root: &Path, passphrase: &str) -> Option<()> {
    let home = root.join("gnupg");
    fs::create_dir_all(&home).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&home, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let gpg = |words: &[&str]| {
        let mut command = Command::new("gpg");
        command.arg("--homedir").arg(&home).args([
            "--batch",
            "--yes",
            "--pinentry-mode",
            "loopback",
        ]);
        command.args(["--passphrase", passphrase]).args(words).current_dir(root).output().ok()
    };
    let made = gpg(&["--quick-generate-key", NAME, "rsa2048", "sign", "never"])?;
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    gpg(&["--output", "secret.gpg", "--export-secret-keys"])?;
    gpg(&["--output", "public.gpg", "--export"])?;
    let mut stop = Command::new("gpgconf");
    stop.arg("--homedir").arg(&home).args(["--kill", "gpg-agent"]).output().ok();
    Some(())
}

#[test]
fn packages_are_signed_for_helm_and_verified() {
    let directory = charts();
    let root = directory.path();
    if keyrings(root, "secret words").is_none() {
        println!("skipped: GnuPG is not installed");
        return;
    }
    fs::write(root.join("phrase"), "secret words\nmore\n").unwrap();
    fs::write(root.join("wrong"), "other words\n").unwrap();
    let sign = ["package", "web", "--sign", "--key", "Chart Signer", "--keyring", "secret.gpg"];
    let with = |phrase: &str| helm(root, &[&sign[..], &["--passphrase-file", phrase]].concat());
    stderr(&with("wrong"));
    stdout(&with("phrase"));
    let prov = fs::read_to_string(root.join("web-1.2.3.tgz.prov")).unwrap();
    assert!(prov.starts_with("-----BEGIN PGP SIGNED MESSAGE-----\n"), "{prov}");

    let template = |chart: &str, keyring: &str| {
        helm(root, &["template", chart, "--verify", "--keyring", keyring])
    };
    assert!(stdout(&template("web-1.2.3.tgz", "public.gpg")).contains("kind: ConfigMap"));
    let missing = stderr(&template("web-1.2.3.tgz", "nope.gpg"));
    assert_eq!(
        missing,
        "Error: failed to load keyring: open nope.gpg: no such file or directory\n"
    );
    stdout(&helm(root, &["show", "chart", "web-1.2.3.tgz", "--verify", "--keyring", "public.gpg"]));

    // The real one agrees, where it is there.
    for peer in ["helm", "helm3"] {
        let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers").join(peer);
        if !peer.exists() {
            println!("not asked: {}; build it with `cargo run -p xtask -- peers`", peer.display());
            continue;
        }
        let words = ["verify", "web-1.2.3.tgz", "--keyring", "public.gpg"];
        let output = Command::new(peer).args(words).current_dir(root).output().unwrap();
        assert!(stdout(&output).contains("Signed by: Chart Signer"));
    }

    fs::write(root.join("web-1.2.3.tgz.prov"), prov.replace("sha256:", "sha256:0")).unwrap();
    stderr(&template("web-1.2.3.tgz", "public.gpg"));
}
