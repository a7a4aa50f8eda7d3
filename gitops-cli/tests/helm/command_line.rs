//! Command lines, right and wrong, and what Helm v4.3.0 and v3.22.0 said of them.

use std::fs;

use crate::{charts, helm, stdout};

/// What `gitops helm LINE` tells on stderr.
fn told(line: &str) -> (Option<i32>, String) {
    let directory = charts();
    let words: Vec<&str> = line.split(' ').collect();
    let output = helm(directory.path(), &words);
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn wrong_lines_are_told_as_helm_tells_them() {
    let usage = |command: &str, wanted: &str, usage: &str| {
        format!("\"helm {command}\" {wanted}\n\nUsage:  helm {usage} [flags]")
    };
    for (line, error) in [
        ("template", usage("template", "requires at least 1 argument", "template [NAME] [CHART]")),
        ("lint", usage("lint", "requires at least 1 argument", "lint PATH")),
        ("show values a b", usage("show values", "requires 1 argument", "show values [CHART]")),
        (
            "dep ls a b",
            usage("dependency list", "accepts at most 1 argument", "dependency list CHART"),
        ),
        ("package", "need at least one argument, the path to the chart".to_owned()),
        ("template web --nope", "unknown flag: --nope".to_owned()),
        ("template web -Z", "unknown shorthand flag: 'Z' in -Z".to_owned()),
        ("template web --set", "flag needs an argument: --set".to_owned()),
        (
            "template web --include-crds=maybe",
            "invalid argument \"maybe\" for \"--include-crds\" flag: strconv.ParseBool: parsing \
             \"maybe\": invalid syntax"
                .to_owned(),
        ),
        (
            "template web --timeout 5",
            "invalid argument \"5\" for \"--timeout\" flag: time: missing unit in duration \"5\""
                .to_owned(),
        ),
        (
            "template web --dry-run=none",
            "invalid dry-run value (\"none\"). Must be \"server\" or \"client\"".to_owned(),
        ),
        (
            "template web --dry-run=nope --helm-compat 3",
            "Invalid dry-run flag. Flag must one of the following: false, true, none, client, server"
                .to_owned(),
        ),
        ("template web --force-replace --helm-compat 3", "unknown flag: --force-replace".to_owned()),
        ("template web -f .", "read .: is a directory".to_owned()),
        ("template web --verify", "unpacked charts cannot be verified".to_owned()),
        ("template ftp://x/y", "scheme \"ftp\" not supported".to_owned()),
        (
            "template http://",
            "non-absolute URLs should be in form of repo_name/path_to_chart, got: http:".to_owned(),
        ),
        ("template web --repo nope", "could not find protocol handler for: ".to_owned()),
        (
            "show chart web --ca-file nope",
            "missing registry client: can't create TLS config for client: can't read CA file: \
             \"nope\": open nope: no such file or directory"
                .to_owned(),
        ),
        (
            "show values web --jsonpath {.a",
            "error parsing jsonpath {.a: unclosed action".to_owned(),
        ),
        (
            "template web --output-dir out --show-only templates/a.yaml",
            "could not find template templates/a.yaml in chart".to_owned(),
        ),
        ("frobnicate", "unknown command \"frobnicate\" for \"helm\"\nRun 'helm --help' for usage.".to_owned()),
    ] {
        assert_eq!(told(line), (Some(1), format!("Error: {error}\n")), "{line}");
    }
}

#[test]
fn flags_are_read_as_pflag_reads_them() {
    let directory = charts();
    let run = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        stdout(&helm(directory.path(), &words))
    };
    let plain = run("template web");
    for line in [
        "-n default template web",
        "template web --namespace=x --namespace default",
        "template web --include-crds=false --skip-tests=0 --name-template= --output-dir=",
        "template web --create-namespace --timeout 5s --labels a=b,c=d --kubeconfig none --qps 5",
        "template -- web",
    ] {
        assert_eq!(run(line), plain, "{line}");
    }
    fs::write(directory.path().join("a,b.yaml"), "image: {tag: v3}\n").unwrap();
    assert!(run("template web -f \"a,b.yaml\"").contains("tag: v3\n"));
    assert!(run("template web -fprod.yaml,prod.yaml --set=image.tag=v4").contains("tag: v4\n"));
    let wrote = run("template web --output-dir out");
    assert_eq!(wrote, "wrote out/web/templates/a.yaml\n\n");
    let crd = directory.path().join("web/crds/c.yaml");
    fs::create_dir(crd.parent().unwrap()).unwrap();
    fs::write(crd, "kind: CustomResourceDefinition\n").unwrap();
    let wrote = run("template my web --output-dir out --include-crds --release-name");
    assert_eq!(wrote, "wrote out/web/crds/c.yaml\nwrote out/my/web/templates/a.yaml\n\n");
}

#[test]
fn parts_of_values_are_shown_by_their_path() {
    let directory = charts();
    let show = |path: &str| {
        stdout(&helm(directory.path(), &["show", "values", "web", "--jsonpath", path]))
    };
    assert_eq!(show("{.image.tag} {.replicas}"), "v1 2");
    assert_eq!(show("{range .list[*]}{.name};{end}"), "a;b;");
    assert_eq!(show("{.image}"), "{\"tag\":\"v1\"}");
    assert_eq!(show("{.nope} {.replicas}"), "", "as Helm has it");
}

#[test]
fn columns_are_as_wide_as_is_wanted() {
    let directory = charts();
    let file = directory.path().join("web/Chart.yaml");
    let mut text = fs::read_to_string(&file).unwrap();
    text.push_str("dependencies:\n- {name: a-long-name, version: 1.x, repository: https://example.org/charts}\n");
    fs::write(file, text).unwrap();
    let list = |width: &str| {
        stdout(&helm(directory.path(), &["dependency", "list", "web", "--max-col-width", width]))
    };
    assert_eq!(
        list("8"),
        "NAME    \tVERSION\tREPOS...\tSTATUS \na-lon...\t1.x    \thttps...\tmissing\n\n"
    );
    assert!(list("0").contains("\thttps://example.org/charts\t"));
}

#[test]
fn what_went_wrong_is_shown_where_it_is_wanted() {
    let directory = charts();
    let file = directory.path().join("broken/templates/a.yaml");
    fs::write(file, "a: b: c\n").unwrap();
    let output = helm(directory.path(), &["template", "broken", "--debug"]);
    assert_eq!(output.status.code(), Some(1));
    let shown = String::from_utf8(output.stdout).unwrap();
    assert_eq!(shown, "---\n# Source: broken/templates/a.yaml\na: b: c\n");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.starts_with("Error: YAML parse error on broken/templates/a.yaml"), "{told}");
    assert!(!told.contains("--debug"), "{told}");
}

#[test]
fn charts_that_make_keys_are_linted() {
    let directory = charts();
    let file = directory.path().join("web/templates/key.yaml");
    let text = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: key\ndata:\n  key: {{ genPrivateKey \
                \"ed25519\" | b64enc }}\n";
    fs::write(file, text).unwrap();
    let text = stdout(&helm(directory.path(), &["lint", "web"]));
    assert!(text.ends_with("1 chart(s) linted, 0 chart(s) failed\n"), "{text}");
}
