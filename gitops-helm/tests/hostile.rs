//! Charts, values and indexes that mean harm: each ends in an error or in nothing, soon and within
//! bounds.
#![expect(clippy::unwrap_used, clippy::format_push_string, reason = "helpers of tests")]

use std::{
    io::Write as _,
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use gitops_core::MemoryTree;
use gitops_helm::{
    Chart, Compat, File, Index, LoadOptions, SetMode, Values, read_values, set, sort_manifests,
};

fn tgz(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, data) in entries {
        append(&mut archive, name, data, tar::EntryType::Regular);
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// Writes names that the library itself would refuse.
fn append<W: std::io::Write>(
    archive: &mut tar::Builder<W>,
    name: &str,
    data: &[u8],
    kind: tar::EntryType,
) {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(data.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    archive.append(&header, data).unwrap();
}

fn error(archive: &[u8]) -> String {
    Chart::from_archive(archive, &LoadOptions::default()).unwrap_err().helm_text()
}

const METADATA: &[u8] = b"apiVersion: v2\nname: a\nversion: 1.0.0\n";

/// Rows 30 and 31 of the list of attacks: names that lead elsewhere.
#[test]
fn names_that_lead_elsewhere() {
    for name in ["../../x", ".", "..", "/abs", "a/b", "a\\b"] {
        let metadata = format!("apiVersion: v2\nname: '{name}'\nversion: 1.0.0\n");
        let files = vec![File::new("Chart.yaml", metadata.into_bytes())];
        assert!(Chart::from_files(files, &LoadOptions::default()).is_err(), "{name}");
    }
    for name in ["a/../../x", "a//etc/passwd", "a\\..\\..\\x", "a/C:/x", "Chart.yaml", ".."] {
        let text = error(&tgz(&[("a/Chart.yaml", METADATA), (name, b"x")]));
        assert!(text.starts_with("chart "), "{name}: {text}");
    }
}

/// Row 32: a link has no content, and nothing is ever written through one.
#[test]
fn links_are_empty_files() {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    append(&mut archive, "a/Chart.yaml", METADATA, tar::EntryType::Regular);
    append(&mut archive, "a/templates/l.yaml", b"", tar::EntryType::Symlink);
    append(&mut archive, "a/fifo", b"", tar::EntryType::Fifo);
    let archive = archive.into_inner().unwrap().finish().unwrap();
    let chart = Chart::from_archive(&archive, &LoadOptions::default()).unwrap();
    assert!(chart.templates[0].data.is_empty());
}

/// Row 33: small archives that become large ones.
#[test]
fn archives_that_grow() {
    let zeros = vec![0_u8; 6 << 20];
    let text = error(&tgz(&[("a/Chart.yaml", METADATA), ("a/big", &zeros)]));
    assert!(text.contains("is larger than the maximum file size 5242880"), "{text}");

    let block = vec![0_u8; 5 << 20];
    let names: Vec<_> = (0..25).map(|index| format!("a/f{index}")).collect();
    let mut entries: Vec<(&str, &[u8])> = vec![("a/Chart.yaml", METADATA)];
    entries.extend(names.iter().map(|name| (name.as_str(), block.as_slice())));
    let text = error(&tgz(&entries));
    assert_eq!(text, "decompressed chart is larger than the maximum size 104857600");

    // Each archive holds the next one, many times.
    let mut inner = tgz(&[("a/Chart.yaml", METADATA), ("a/zeros", &zeros[..4 << 20])]);
    for _ in 0..9 {
        let names: Vec<_> = (0..8).map(|index| format!("a/charts/c{index}.tgz")).collect();
        let mut entries: Vec<(&str, &[u8])> = vec![("a/Chart.yaml", METADATA)];
        entries.extend(names.iter().map(|name| (name.as_str(), inner.as_slice())));
        inner = tgz(&entries);
        if inner.len() > 4 << 20 {
            break;
        }
    }
    let started = Instant::now();
    let text = error(&inner);
    assert!(text.contains("larger than the maximum"), "{text}");
    assert!(started.elapsed() < Duration::from_secs(30));

    let mut deep = tgz(&[("a/Chart.yaml", METADATA)]);
    for _ in 0..40 {
        deep = tgz(&[("a/Chart.yaml", METADATA), ("a/charts/a.tgz", &deep)]);
    }
    let text = error(&deep);
    assert!(text.contains("nested more than 32 levels deep"), "{text}");

    let mut many = GzEncoder::new(Vec::new(), Compression::fast());
    {
        let mut archive = tar::Builder::new(&mut many);
        append(&mut archive, "a/Chart.yaml", METADATA, tar::EntryType::Regular);
        for index in 0..100_001 {
            append(&mut archive, &format!("a/{index}"), b"", tar::EntryType::Regular);
        }
        archive.finish().unwrap();
    }
    let text = error(&many.finish().unwrap());
    assert_eq!(text, "chart has more than 100000 files");
}

/// A tree whose directories have no end.
#[test]
fn endless_directories() {
    let path = format!("a/{}x", "d/".repeat(200));
    let tree = MemoryTree::from_iter([
        ("a/Chart.yaml", "apiVersion: v2\nname: a\nversion: 1.0.0\n"),
        (path.as_str(), ""),
    ]);
    let text = Chart::load(&tree, "a".as_ref(), &LoadOptions::default()).unwrap_err().helm_text();
    assert_eq!(text, "chart has directories more than 100 levels deep");
}

/// Rows 41 and 53: metadata that is not what it should be.
#[test]
fn metadata_of_the_wrong_shape() {
    for metadata in [
        "",
        "null",
        "[]",
        "name: a",
        "name: {a: b}\nversion: 1.0.0",
        "name: a\nversion: 1.0.0\nmaintainers: [null]",
        "name: a\nversion: 1.0.0\ndependencies: [null]",
        "name: a\nversion: 1.0.0\ndependencies: {a: b}",
        "name: a\nversion: 1.0.0\ndependencies: [{name: b, alias: ../x}]",
        "name: a\nversion: 1.0.0\ndependencies: [{name: b, alias: \"a\\nb\"}]",
        "name: a\nversion: 1.0.0\nannotations: {a: [b]}",
        "a: &a [*a]",
    ] {
        let files = vec![File::new("Chart.yaml", metadata.as_bytes().to_vec())];
        assert!(Chart::from_files(files, &LoadOptions::default()).is_err(), "{metadata}");
    }
    let text = "name: a\nversion: 1.0.0\ndescription: \"a\\u001b[31mb\\u0007\"\n";
    let files = vec![File::new("Chart.yaml", text.as_bytes().to_vec())];
    let chart = Chart::from_files(files, &LoadOptions::default()).unwrap();
    assert_eq!(chart.metadata.description, "a[31mb");
}

/// Row 42: expressions of `--set` that ask for much.
#[test]
fn expressions_that_ask_for_much() {
    let fails = |expression: &str| {
        set(expression, &mut Values::new(), SetMode::Typed, Compat::Helm4).unwrap_err().to_string()
    };
    assert!(fails("a[2147483647]=x").contains("greater than maximum supported index"));
    assert!(fails("a[99999999999999999999]=x").contains("value out of range"));
    assert_eq!(fails("a[-1]=x"), "negative -1 index not allowed");
    assert!(fails(&format!("{}=x", vec!["a"; 100_000].join("."))).contains("nested level"));
    assert!(fails(&format!("a{}=x", "[0]".repeat(100_000))).contains("nested more than"));
    let many: Vec<_> = (0..100).map(|index| format!("k{index}[65536]=x")).collect();
    assert!(fails(&many.join(",")).contains("lists have more than"));
    assert!(fails(&format!("a={{{}", "x,".repeat(2 << 20))).contains("lists have more than"));
    let deep = format!("a={}", "[".repeat(100_000));
    assert!(set(&deep, &mut Values::new(), SetMode::Json, Compat::Helm4).is_err());
}

/// Rows 1 to 3 and 38 to 40 for values and indexes.
#[test]
fn documents_that_grow() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let before = format!("*a{}", level - 1);
        let items = vec![before; 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{items}]\n"));
    }
    assert!(read_values(bomb.as_bytes(), Compat::Helm4).is_err());
    assert!(read_values("[".repeat(100_000).as_bytes(), Compat::Helm4).is_err());
    let index = format!("apiVersion: v1\nentries:\n  web:\n  - urls: {}", "[".repeat(100_000));
    assert!(Index::read(index.into_bytes()).and_then(|index| index.versions("web")).is_err());
    let index = format!("apiVersion: v1\nentries:\n{bomb}");
    assert!(Index::read(index.into_bytes()).is_err());
    for manifest in [bomb.as_str(), &"[".repeat(100_000), &"a: ".repeat(100_000)] {
        let files = [("c/templates/a.yaml", manifest)];
        let order = gitops_helm::KindOrder::Install;
        assert!(sort_manifests(files, order, Compat::Helm4, &mut Vec::new()).is_err());
    }
}

/// Row 39: a name that is there twice, one of them hidden in a text.
#[test]
fn names_that_hide() {
    let index = "apiVersion: v1\nentries:\n  web:\n  - name: web\n    version: 1.0.0\n    \
                 description: \"x\n  web:\n  - name: web\n    version: 9.0.0\n    urls: [evil]\"\n";
    let index = Index::read(index.as_bytes().to_vec()).unwrap();
    assert_eq!(index.get("web", "").unwrap().metadata.version, "1.0.0");
    let twice = "apiVersion: v1\nentries:\n  web: []\n  \"web\": []\n";
    assert!(Index::read(twice.as_bytes().to_vec()).is_err());
}

/// A gzip stream within a gzip stream, cut short, or with rubbish behind it.
#[test]
fn broken_streams() {
    let good = tgz(&[("a/Chart.yaml", METADATA)]);
    for cut in [0, 1, 5, 10, good.len() / 2] {
        assert!(Chart::from_archive(&good[..cut], &LoadOptions::default()).is_err(), "{cut}");
    }
    let mut double = GzEncoder::new(Vec::new(), Compression::fast());
    double.write_all(&good).unwrap();
    assert!(Chart::from_archive(&double.finish().unwrap(), &LoadOptions::default()).is_err());
}
