//! Charts in a registry.

use std::fs;

use gitops_testenv::{Registry, RegistryHabits};
use serde_json::json;

use crate::{charts, helm, stderr, stdout};

#[tokio::test(flavor = "multi_thread")]
async fn charts_come_from_registries() {
    let directory = charts();
    let root = directory.path().to_owned();
    let credentials = Some(("user".to_owned(), "pass word".to_owned()));
    let registry =
        Registry::start(RegistryHabits { credentials, ..RegistryHabits::default() }).await.unwrap();
    for version in ["1.2.3", "1.3.0", "2.0.0-rc.1"] {
        stdout(&helm(&root, &["package", "web", "--version", version]));
        let archive = fs::read(root.join(format!("web-{version}.tgz"))).unwrap();
        let size = archive.len();
        let layer = registry.put_blob(archive);
        let config = registry.put_blob(&b"{}"[..]);
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {
                "mediaType": "application/vnd.cncf.helm.config.v1+json",
                "digest": config.to_string(), "size": 2,
            },
            "layers": [{
                "mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip",
                "digest": layer.to_string(), "size": size,
            }],
        });
        registry.put_manifest("charts/web", Some(version), &manifest);
    }
    let url = format!("oci://{}/charts/web", registry.host());
    let parent = format!("oci://{}/charts", registry.host());
    let lock = format!(
        "apiVersion: v2\nname: all\nversion: 0.1.0\ndependencies:\n- {{name: web, version: 1.x, \
         repository: '{parent}'}}\n"
    );
    fs::create_dir_all(root.join("all/templates")).unwrap();
    fs::write(root.join("all/Chart.yaml"), lock).unwrap();
    let place = root.clone();
    let asked = move |words: &[&str]| {
        let access = ["--plain-http", "--username", "user", "--password", "pass word"];
        helm(&root, &[words, &access].concat())
    };
    let done = tokio::task::spawn_blocking(move || {
        let version = |more: &[&str]| {
            let text = stdout(&asked(&[&["show", "chart", &url], more].concat()));
            text.lines().find_map(|line| line.strip_prefix("version: ").map(str::to_owned)).unwrap()
        };
        assert_eq!(version(&[]), "1.3.0");
        assert_eq!(version(&["--version", "~1.2"]), "1.2.3");
        assert_eq!(version(&["--version", "2.0.0-rc.1"]), "2.0.0-rc.1");
        assert_eq!(version(&["--devel"]), "2.0.0-rc.1");
        assert!(stdout(&asked(&["template", "web", &url])).contains("kind: ConfigMap"));
        let refused = stderr(&asked(&["template", &url, "--verify"]));
        assert!(refused.starts_with("Error: failed to fetch provenance \"oci://"), "{refused}");
        stdout(&asked(&["dependency", "update", "all"]));
        let list = stdout(&helm(&place, &["dependency", "list", "all"]));
        assert!(list.contains("\tok"), "{list}");
        let rendered = stdout(&asked(&["template", "all"]));
        assert!(rendered.contains("# Source: all/charts/web/templates/a.yaml"), "{rendered}");
    });
    done.await.unwrap();
}
