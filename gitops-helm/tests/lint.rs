//! What `lint` says, in Helm's words: recorded from Helm v4.3.0 and v3.22.0.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use gitops_core::MemoryTree;
use gitops_helm::{Compat, LintOptions, Values, lint};
use gitops_template::Sealed;

/// The lines about one file of a chart.
fn said(files: &[(&str, &[u8])], of: &str, compat: Compat) -> Vec<String> {
    let mut tree = MemoryTree::new();
    for (name, content) in files {
        tree.insert(Path::new("c").join(name), content.to_vec()).unwrap();
    }
    let options = LintOptions::new(compat);
    let messages = lint(&tree, Path::new("c"), "c", &Values::new(), &options, &Sealed);
    messages.iter().filter(|message| message.path == of).map(ToString::to_string).collect()
}

fn of_chart_file(text: &str, compat: Compat) -> Vec<String> {
    said(&[("Chart.yaml", text.as_bytes())], "Chart.yaml", compat)
}

const ICON: &str = "[INFO] Chart.yaml: icon is recommended";

#[test]
fn keys_that_stand_twice_are_told_by_helm_4() {
    let text = "apiVersion: v2\nname: a\nversion: 1.0.0\nname: c\n";
    let twice = "[WARNING] Chart.yaml: failed to strictly parse chart metadata file\n\terror \
                 converting YAML to JSON: yaml: unmarshal errors:\n  line 4: key \"name\" already \
                 set in map";
    assert_eq!(of_chart_file(text, Compat::Helm4), [twice, ICON]);
    assert_eq!(of_chart_file(text, Compat::Helm3), [ICON]);
}

#[test]
fn types_are_named_as_each_helm_names_them() {
    let text = "apiVersion: v2\nname: c\nversion: 1.0.0\nmaintainers: [x]\n";
    for (compat, name) in [(Compat::Helm4, "v2"), (Compat::Helm3, "chart")] {
        let error = format!(
            "[ERROR] Chart.yaml: unable to parse YAML\n\terror unmarshaling JSON: while decoding \
             JSON: json: cannot unmarshal string into Go struct field Metadata.maintainers of type \
             {name}.Maintainer"
        );
        assert_eq!(of_chart_file(text, compat), [error]);
    }
}

#[test]
fn addresses_are_read_as_go_reads_them() {
    let icon = |address: &str| {
        let text = format!("apiVersion: v2\nname: c\nversion: 1.0.0\nicon: '{address}'\n");
        of_chart_file(&text, Compat::Helm4)
    };
    for sound in ["https://example.org/i.png", "data:image/png", "file:///i", "https://é.org"] {
        assert_eq!(icon(sound), Vec::<String>::new(), "{sound}");
    }
    for wrong in ["https://${NAME}.org/icon", "/i.png", "i.png", "https://a b", "://x"] {
        let error = format!("[ERROR] Chart.yaml: invalid icon URL '{wrong}'");
        assert_eq!(icon(wrong), [error], "{wrong}");
    }
}

#[test]
fn bytes_that_are_no_text_are_no_manifest() {
    let files: &[(&str, &[u8])] = &[
        ("Chart.yaml", b"apiVersion: v2\nname: c\nversion: 1.0.0\n"),
        ("templates/t.yaml", b"a: \xff\xfe\n"),
    ];
    let error = "[ERROR] templates/t.yaml: unable to parse YAML: error converting YAML to JSON: \
                 yaml: invalid leading UTF-8 octet";
    for compat in [Compat::Helm4, Compat::Helm3] {
        assert_eq!(said(files, "templates/t.yaml", compat), [error]);
    }
}
