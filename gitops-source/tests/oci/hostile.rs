//! Hostile registries: whatever they answer, nothing wrong is taken for right, and nothing is
//! without a bound.

#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

use std::{io::Write as _, time::Duration};

use flate2::{Compression, write::GzEncoder};
use gitops_core::{Digest, Limits, Scope, one_line};
use gitops_source::{
    DockerConfig, OciReference, OciSource, RegistryCredential, Source as _, SourceError,
};
use gitops_testenv::{Registry, RegistryHabits};
use serde_json::{Value, json};

const INDEX: &str = "application/vnd.oci.image.index.v1+json";

async fn registry() -> Registry {
    rustls::crypto::ring::default_provider().install_default().ok();
    Registry::start(RegistryHabits::default()).await.unwrap()
}

fn source(registry: &Registry, tag: &str) -> OciSource {
    let url = format!("oci://{}/o/r", registry.host());
    OciSource::new(&url, OciReference::Tag(tag.into()))
        .unwrap()
        .with_timeout(Duration::from_secs(20))
}

async fn fetch(source: &OciSource) -> Result<Vec<String>, SourceError> {
    let scope = Scope::background();
    let at = source.resolve(&scope).await?;
    let fetched = source.fetch(&at, &scope).await?;
    let entries = fetched.tree.list("".as_ref()).unwrap();
    Ok(entries.into_iter().map(|entry| entry.name).collect())
}

async fn refusal(source: &OciSource) -> String {
    one_line(&fetch(source).await.unwrap_err())
}

fn layer(digest: &Digest) -> Value {
    json!({"mediaType": "application/x", "digest": digest.to_string(), "size": 1})
}

fn archive(fill: impl FnOnce(&mut tar::Builder<GzEncoder<Vec<u8>>>)) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    fill(&mut archive);
    archive.into_inner().unwrap().finish().unwrap()
}

/// An entry with a name that the library itself would refuse to write.
fn entry(archive: &mut tar::Builder<GzEncoder<Vec<u8>>>, name: &str, kind: tar::EntryType) {
    let mut header = tar::Header::new_old();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o4777);
    let content: &[u8] = if kind == tar::EntryType::Regular { b"evil" } else { b"" };
    header.set_size(content.len() as u64);
    if kind.is_symlink() || kind.is_hard_link() {
        header.set_link_name("/etc/passwd").unwrap();
    }
    header.set_cksum();
    archive.append(&header, content).unwrap();
}

/// Rows 51 and 67 of the list of attacks.
#[tokio::test]
async fn manifests_that_lie_or_lead_nowhere() {
    let registry = registry().await;
    let blob = registry.put_blob("not an archive");
    // Ten thousand layers.
    let many: Vec<Value> = (0..10_000).map(|_| layer(&blob)).collect();
    registry.put_manifest("o/r", Some("many"), &json!({"layers": many}));
    let error = refusal(&source(&registry, "many")).await;
    assert!(error.contains("more than 4096 entries"), "{error}");
    // An index that leads to itself cannot be made with digests; one that leads to an index can.
    let inner = registry.put_manifest(
        "o/r",
        None,
        &json!({"mediaType": INDEX, "manifests": [
            {"mediaType": INDEX, "digest": blob.to_string(), "size": 1},
        ]}),
    );
    let outer = json!({"mediaType": INDEX, "manifests": [
        {"mediaType": INDEX, "digest": inner.to_string(), "size": 1},
    ]});
    registry.put_manifest("o/r", Some("nested"), &outer);
    let error = refusal(&source(&registry, "nested")).await;
    assert!(error.contains("index that leads to another index"), "{error}");
    // Layers elsewhere are not fetched from there.
    let missing = Digest::sha256(b"missing");
    let foreign = json!({"layers": [{
        "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "digest": missing.to_string(), "size": 1, "urls": ["http://169.254.169.254/latest"],
    }]});
    registry.put_manifest("o/r", Some("foreign"), &foreign);
    let error = refusal(&source(&registry, "foreign")).await;
    assert!(error.contains("BLOB_UNKNOWN"), "{error}");
    for (tag, manifest) in [
        ("digest", json!({"layers": [{"mediaType": "x", "digest": "sha256:../../x", "size": 1}]})),
        ("md5", json!({"layers": [{"mediaType": "x", "digest": "md5:00", "size": 1}]})),
        ("type", json!({"layers": {"a": 1}})),
        ("list", json!([1])),
    ] {
        registry.put_manifest("o/r", Some(tag), &manifest);
        assert!(fetch(&source(&registry, tag)).await.is_err(), "{tag}");
    }
}

/// Row 51: what was resolved is what is pulled.
#[tokio::test]
async fn a_tag_that_moves_between_two_requests_changes_nothing() {
    let registry = registry().await;
    let bytes = archive(|archive| entry(archive, "good", tar::EntryType::Regular));
    let good = registry.put_blob(bytes);
    registry.put_manifest("o/r", Some("v1"), &json!({"layers": [layer(&good)]}));
    let source = source(&registry, "v1");
    let scope = Scope::background();
    let at = source.resolve(&scope).await.unwrap();
    let bytes = archive(|archive| entry(archive, "evil", tar::EntryType::Regular));
    let evil = registry.put_blob(bytes.clone());
    registry.put_manifest("o/r", Some("v1"), &json!({"layers": [layer(&evil)]}));
    let fetched = source.fetch(&at, &scope).await.unwrap();
    assert!(fetched.tree.stat("good".as_ref()).is_ok());
    // Nor do other bytes under the same digest.
    registry.tamper_blob(&good, bytes);
    let error = one_line(&source.fetch(&at, &scope).await.unwrap_err());
    assert!(error.contains("layer digest does not match"), "{error}");
    let digest: Digest = at.target().parse().unwrap();
    registry.tamper_manifest("o/r", &digest, json!({"layers": [layer(&evil)]}).to_string());
    let error = one_line(&source.fetch(&at, &scope).await.unwrap_err());
    assert!(error.contains("manifest digest does not match"), "{error}");
}

/// Rows 32, 33, 68 and 69: archives.
#[tokio::test]
async fn archives_that_climb_link_or_burst() {
    let registry = registry().await;
    let put = |tag: &str, bytes: Vec<u8>| {
        let blob = registry.put_blob(bytes);
        registry.put_manifest("o/r", Some(tag), &json!({"layers": [layer(&blob)]}));
    };
    use tar::EntryType as Kind;
    for (tag, name, kind, why) in [
        ("up", "../evil", Kind::Regular, "tar contained invalid name error \"../evil\""),
        ("deep", "a/../../evil", Kind::Regular, "invalid name error \"a/../../evil\""),
        ("inner", "a/../b", Kind::Regular, "invalid name error \"a/../b\""),
        ("root", "/evil", Kind::Regular, "invalid name error \"/evil\""),
        ("pipe", "p", Kind::Fifo, "tar file entry p contained unsupported file type p"),
        ("device", "c", Kind::Char, "tar file entry c contained unsupported file type Dc"),
        ("disk", "b", Kind::Block, "tar file entry b contained unsupported file type D"),
    ] {
        put(tag, archive(|archive| entry(archive, name, kind)));
        let error = refusal(&source(&registry, tag)).await;
        assert!(error.contains(why), "{error}");
    }
    let special = [Kind::Symlink, Kind::Link];
    put(
        "links",
        archive(|archive| {
            for (number, kind) in special.into_iter().enumerate() {
                entry(archive, &format!("special-{number}"), kind);
            }
            entry(archive, "file", Kind::Regular);
        }),
    );
    assert_eq!(fetch(&source(&registry, "links")).await.unwrap(), ["file"]);

    let zeros = vec![0; 1 << 20];
    put(
        "bomb",
        archive(|archive| {
            for number in 0..8 {
                let mut header = tar::Header::new_gnu();
                header.set_size(zeros.len() as u64);
                header.set_mode(0o644);
                archive.append_data(&mut header, format!("zeros-{number}"), &zeros[..]).unwrap();
            }
        }),
    );
    let bounded = || Limits { bytes: 4 << 20, ..Limits::default() };
    let error = refusal(&source(&registry, "bomb").with_limits(bounded())).await;
    assert!(error.contains("more than 4194304 bytes unpacked"), "{error}");
    put(
        "many",
        archive(|archive| {
            for number in 0..100 {
                entry(archive, &format!("file-{number}"), Kind::Regular);
            }
        }),
    );
    let few = Limits { entries: 50, ..Limits::default() };
    let error = refusal(&source(&registry, "many").with_limits(few)).await;
    assert!(error.contains("more than 50 entries"), "{error}");
    let mut cut = archive(|archive| entry(archive, "file", Kind::Regular));
    cut.truncate(cut.len() / 2);
    put("cut", cut);
    assert!(fetch(&source(&registry, "cut")).await.is_err());
    let mut lying = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    let mut header = tar::Header::new_gnu();
    header.set_path("lie").unwrap();
    header.set_size(u64::MAX >> 2);
    header.set_cksum();
    lying.get_mut().write_all(header.as_bytes()).unwrap();
    put("lying", lying.into_inner().unwrap().finish().unwrap());
    assert!(fetch(&source(&registry, "lying")).await.is_err());
}

/// Row 71.
///
/// Every field that may hold a secret, and every text that might tell it.
#[tokio::test]
async fn no_credential_is_told() {
    const CANARY: &str = "c4nary-s3cret";
    let habits = RegistryHabits {
        credentials: Some(("oci".into(), "other".into())),
        ..RegistryHabits::default()
    };
    rustls::crypto::ring::default_provider().install_default().ok();
    for tokens in [false, true] {
        let registry = Registry::start(RegistryHabits { tokens, ..habits.clone() }).await.unwrap();
        registry.put_manifest("o/r", Some("v1"), &json!({"layers": []}));
        for credential in [
            RegistryCredential::Basic { username: "oci".into(), password: CANARY.into() },
            RegistryCredential::Identity(CANARY.into()),
            RegistryCredential::Bearer(CANARY.into()),
        ] {
            let shown = format!("{credential:?}");
            assert!(!shown.contains(CANARY), "{shown}");
            let config = DockerConfig::single(&registry.host(), credential);
            let proxied = format!("http://user:{CANARY}@127.0.0.1:1").parse().unwrap();
            for proxy in [None, Some(proxied)] {
                let source =
                    source(&registry, "v1").with_credentials(config.clone()).with_proxy(proxy);
                let error = fetch(&source).await.unwrap_err();
                let told = format!("{source:?} {error:?} {error} {}", one_line(&error));
                assert!(!told.contains(CANARY), "{told}");
            }
        }
    }
    for json in [
        format!("{{\"auths\": {{\"h\": {{\"auth\": \"{CANARY}\"}}}}}}"),
        format!("{{\"auths\": {{\"h\": {{\"password\": [\"{CANARY}\"]}}}}}}"),
        format!("{{\"auths\": \"{CANARY}\"}}"),
    ] {
        let error = DockerConfig::parse(json.as_bytes()).unwrap_err();
        let told = format!("{error:?} {}", one_line(&error));
        assert!(!told.contains(CANARY), "{told}");
    }
}

/// Row 110.
///
/// One byte a second, and then nothing.
#[tokio::test]
async fn a_registry_that_trickles_is_given_up() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("oci://{}/o/r", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut asked = [0; 1024];
                let amount = stream.read(&mut asked).await.unwrap_or(0);
                if !asked[..amount].starts_with(b"GET /v2/ ") && !asked.starts_with(b"HEAD") {
                    return;
                }
                let head = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n";
                let _ = stream.write_all(head).await;
                while stream.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            });
        }
    });
    rustls::crypto::ring::default_provider().install_default().ok();
    let source = OciSource::new(&url, OciReference::Tag("v1".into()))
        .unwrap()
        .with_timeout(Duration::from_secs(2));
    let started = tokio::time::Instant::now();
    assert!(fetch(&source).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(10));
}
