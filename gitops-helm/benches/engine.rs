//! Rendering, and splitting and sorting what was rendered, in the process:
//! `cargo bench -p gitops-helm --bench engine`.
//!
//! Helm's own medians and allocations stand before ours where `cargo run -p xtask -- peers` built
//! `target/peers/helm-engine`. Public charts come from `$GITOPS_SHARED/corpus` (or `../shared/corpus`)
//! and are left out without it.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "benches")]

use std::{
    collections::BTreeMap,
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::Command,
    sync::LazyLock,
};

use divan::{AllocProfiler, Bencher};
use gitops_core::Scope;
use gitops_helm::{
    Capabilities, Chart, Compat, EngineOptions, File, KindOrder, KubeVersion, LoadOptions,
    ReleaseInfo, RenderOptions, Values, coalesce, process_dependencies, read_values, render,
    render_templates, sort_manifests,
};
use gitops_template::Sealed;

#[global_allocator]
static ALLOCATOR: AllocProfiler = AllocProfiler::system();

const COMPAT: Compat = Compat::Helm4;

/// Charts of the corpus and the values they get.
const PUBLIC: &[(&str, &str, &str)] = &[
    ("podinfo", "stefanprodan__podinfo__charts_podinfo", ""),
    ("ingress-nginx", "kubernetes__ingress-nginx__charts_ingress-nginx", ""),
    (
        "kube-prometheus-stack",
        "prometheus-community__helm-charts__charts_kube-prometheus-stack",
        "",
    ),
    ("app-template", "bjw-s-labs__helm-charts__charts_other_app-template", APPS),
];

/// Values of a usual application: three workloads, with what belongs to them.
const APPS: &str = "
controllers:
  main: &main
    replicas: 2
    strategy: RollingUpdate
    pod: {securityContext: {runAsUser: 568, fsGroup: 568}}
    initContainers: {init: {image: {repository: busybox, tag: '1'}, command: [sh, -c, 'true']}}
    containers:
      main:
        image: {repository: ghcr.io/example/app, tag: 1.2.3}
        env: {TZ: UTC, LEVEL: info, URL: 'https://{{ .Release.Name }}.example.org', N: 5}
        envFrom: [{secretRef: {name: secrets}}]
        probes: {liveness: {enabled: true}, readiness: {enabled: true}, startup: {enabled: true}}
        resources: {requests: {cpu: 10m, memory: 64Mi}, limits: {memory: 256Mi}}
        securityContext: {readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      sidecar:
        image: {repository: ghcr.io/example/sidecar, tag: latest}
        args: [--config, /config/a.yaml]
  worker: *main
  jobs:
    type: cronjob
    cronjob: {schedule: '@daily'}
    containers: {main: {image: {repository: ghcr.io/example/job, tag: v1}}}
defaultPodOptions: {automountServiceAccountToken: false}
service:
  main: {controller: main, ports: {http: {port: 80}, metrics: {port: 9090}}}
  worker: {controller: worker, ports: {http: {port: 8080}}}
ingress:
  main:
    className: nginx
    hosts: [{host: app.example.org, paths: [{path: /, service: {identifier: main, port: http}}]}]
persistence:
  config: {type: persistentVolumeClaim, accessMode: ReadWriteOnce, size: 1Gi}
  cache: {type: emptyDir}
configMaps: {settings: {data: {a.yaml: 'x: 1', b.yaml: 'y: {{ .Release.Name }}'}}}
serviceMonitor: {main: {serviceName: '{{ .Release.Name }}', endpoints: [{port: metrics}]}}
";

const LOOP: &str = "
{{- range $index := until (int .Values.count) }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include \"loop.name\" $ }}-{{ $index }}
  labels:
    {{- include \"loop.labels\" $ | nindent 4 }}
spec:
  replicas: {{ $.Values.replicas }}
  selector:
    matchLabels:
      {{- include \"loop.labels\" $ | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include \"loop.labels\" $ | nindent 8 }}
      annotations:
        checksum: {{ printf \"%s-%d\" $.Release.Name $index | sha256sum | quote }}
    spec:
      containers:
      - name: main
        image: \"{{ $.Values.image.repository }}:{{ $.Values.image.tag | default $.Chart.AppVersion }}\"
        {{- with $.Values.resources }}
        resources:
          {{- toYaml . | nindent 10 }}
        {{- end }}
        {{- if eq (mod $index 2) 0 }}
        env:
        - {name: INDEX, value: {{ $index | quote }}}
        {{- end }}
{{- end }}
";

const LOOP_NAMED: &str = "
{{- define \"loop.name\" -}}{{ .Chart.Name | trunc 63 | trimSuffix \"-\" }}{{- end -}}
{{- define \"loop.labels\" -}}
app.kubernetes.io/name: {{ include \"loop.name\" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}
";

/// A chart's files, and the values it gets.
struct Case {
    files: BTreeMap<String, String>,
    values: String,
}

static CASES: LazyLock<BTreeMap<String, Case>> = LazyLock::new(|| {
    let mut cases = public();
    for count in [1000, 10_000] {
        let values = format!("count: {count}\n");
        cases.insert(format!("loop-{count}"), Case { files: looping(), values });
    }
    cases
});

fn looping() -> BTreeMap<String, String> {
    let values = "replicas: 2\nimage: {repository: registry.example.org/app, tag: \"\"}\n\
                  resources: {limits: {cpu: 100m, memory: 128Mi}, requests: {cpu: 50m, memory: 64Mi}}\n";
    [
        ("Chart.yaml", "apiVersion: v2\nname: loop\nversion: 1.0.0\nappVersion: 2.0.0\n"),
        ("values.yaml", values),
        ("templates/_names.tpl", LOOP_NAMED),
        ("templates/all.yaml", LOOP),
    ]
    .into_iter()
    .map(|(name, text)| (name.to_owned(), text.to_owned()))
    .collect()
}

fn shared() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared");
    std::env::var_os("GITOPS_SHARED").map_or(beside, PathBuf::from)
}

fn public() -> BTreeMap<String, Case> {
    let mut cases = BTreeMap::new();
    let Ok(archive) = fs::File::open(shared().join("corpus/helm.tar.gz")) else {
        println!("no corpus: without the public charts");
        return cases;
    };
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(archive));
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_string_lossy().into_owned();
        let Some((case, file)) =
            path.split_once("helm/charts/").and_then(|(_, rest)| rest.split_once("/chart/"))
        else {
            continue;
        };
        let Some((name, _, values)) = PUBLIC.iter().find(|(_, directory, _)| *directory == case)
        else {
            continue;
        };
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).unwrap();
        // A directory, or an archive of a dependency, which these charts have unpacked.
        let (Ok(text), true) = (String::from_utf8(bytes), entry.header().entry_type().is_file())
        else {
            continue;
        };
        let values = (*values).to_owned();
        let empty = || Case { files: BTreeMap::new(), values };
        let case: &mut Case = cases.entry((*name).to_owned()).or_insert_with(empty);
        case.files.insert(file.to_owned(), text);
    }
    cases
}

fn names() -> Vec<String> {
    CASES.keys().cloned().collect()
}

fn main() {
    if std::env::args().any(|argument| argument == "--bench") {
        original();
    }
    divan::main();
}

/// Prints the original's figures for all charts.
fn original() {
    let peer = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/peers/helm-engine");
    if !peer.exists() {
        println!("no helm-engine: build it with `cargo run -p xtask -- peers`");
        return;
    }
    let list: Vec<_> = CASES
        .iter()
        .map(|(name, case)| {
            let (files, values) = (&case.files, &case.values);
            serde_json::json!({"name": name, "files": files, "values": values, "kube_version": "v1.33.0"})
        })
        .collect();
    let file = std::env::temp_dir().join(format!("charts-{}.json", std::process::id()));
    fs::write(&file, serde_json::Value::from(list).to_string()).unwrap();
    let output = Command::new(peer).arg("bench").arg(&file).output().unwrap();
    fs::remove_file(file).unwrap();
    println!(
        "{:<24}{:>14}{:>14}{:>14}{:>14}",
        "helm", "render ms", "allocations", "sort ms", "allocations"
    );
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, render, allocations, sort, more] = words[..] else { continue };
        let ms = |text: &str| text.parse::<f64>().unwrap() / 1e6;
        println!("{name:<24}{:>14.3}{allocations:>14}{:>14.3}{more:>14}", ms(render), ms(sort));
    }
    print!("{}", String::from_utf8_lossy(&output.stderr));
}

/// What the engine is given: the loaded chart and all that is visible to its templates.
struct Prepared {
    chart: Chart,
    values: Values,
    release: ReleaseInfo,
    capabilities: Capabilities,
}

fn release() -> ReleaseInfo {
    ReleaseInfo { name: "rel".into(), namespace: "ns".into(), revision: 1, is_upgrade: false }
}

fn load(case: &Case) -> Chart {
    let files = case.files.iter().map(|(name, text)| File::new(name.clone(), text.clone()));
    Chart::from_files(files.collect(), &LoadOptions::new(COMPAT)).unwrap()
}

fn prepare(case: &Case) -> Prepared {
    let mut chart = load(case);
    let given = read_values(case.values.as_bytes(), COMPAT).unwrap();
    process_dependencies(&mut chart, &given, COMPAT, &mut Vec::new()).unwrap();
    let values = coalesce(&chart, &given, COMPAT, &mut Vec::new()).unwrap();
    let mut capabilities = Capabilities::new(COMPAT);
    capabilities.kube_version = KubeVersion::parse("v1.33.0", COMPAT).unwrap();
    Prepared { chart, values, release: release(), capabilities }
}

impl Prepared {
    fn render(&self) -> BTreeMap<String, String> {
        let (options, scope) = (EngineOptions::new(COMPAT), Scope::background());
        let Self { chart, values, release, capabilities } = self;
        render_templates(chart, values, release, capabilities, &options, &Sealed, &scope).unwrap()
    }
}

#[divan::bench(args = names(), max_time = 5)]
fn engine(bencher: Bencher<'_, '_>, name: &str) {
    let prepared = prepare(&CASES[name]);
    bencher.bench_local(|| prepared.render());
}

#[divan::bench(args = names(), max_time = 5)]
fn split_and_sort(bencher: Bencher<'_, '_>, name: &str) {
    let mut rendered = prepare(&CASES[name]).render();
    rendered.retain(|path, _| !path.ends_with("NOTES.txt"));
    bencher.bench_local(|| {
        let files = rendered.iter().map(|(path, text)| (path.as_str(), text.as_str()));
        sort_manifests(files, KindOrder::Install, COMPAT, &mut Vec::new()).unwrap()
    });
}

/// From files to manifests, with so many charts below one.
#[divan::bench(args = [25, 50, 100, 200], max_time = 10, sample_count = 5)]
fn umbrella(bencher: Bencher<'_, '_>, charts: usize) {
    let inner = CASES.get("ingress-nginx").map_or_else(looping, |case| case.files.clone());
    let mut files = BTreeMap::from([(
        "Chart.yaml".to_owned(),
        "apiVersion: v2\nname: u\nversion: 1.0.0\n".to_owned(),
    )]);
    for chart in 0..charts {
        for (name, text) in &inner {
            let named = |line: &str| {
                if line.starts_with("name: ") {
                    format!("name: c{chart}\n")
                } else {
                    line.to_owned()
                }
            };
            let text = if name == "Chart.yaml" {
                text.split_inclusive('\n').map(named).collect()
            } else {
                text.clone()
            };
            files.insert(format!("charts/c{chart}/{name}"), text);
        }
    }
    let case = Case { files, values: "global: {a: 1}\n".to_owned() };
    let given = read_values(case.values.as_bytes(), COMPAT).unwrap();
    let mut options = RenderOptions::new(COMPAT);
    options.capabilities.kube_version = KubeVersion::parse("v1.33.0", COMPAT).unwrap();
    bencher.bench_local(|| {
        render(load(&case), &given, &release(), &options, &Sealed, &Scope::background()).unwrap()
    });
}

/// Calls of `tpl`, each with another text.
#[divan::bench(args = [5_000, 10_000, 20_000, 40_000], max_time = 10, sample_count = 5)]
fn tpl(bencher: Bencher<'_, '_>, calls: usize) {
    let template = "{{- range $index := until (int .Values.calls) }}\n\
                    k{{ $index }}: {{ tpl (printf \"{{ .Values.name | upper }}-%d-{{ include \\\"name\\\" . }}\" $index) $ }}\n\
                    {{- end }}\n";
    let files = [
        ("Chart.yaml", "apiVersion: v2\nname: t\nversion: 1.0.0\n"),
        ("templates/_n.tpl", "{{ define \"name\" }}{{ .Chart.Name | quote }}{{ end }}"),
        ("templates/t.yaml", template),
    ];
    let files = files.into_iter().map(|(name, text)| (name.to_owned(), text.to_owned()));
    let values = format!("calls: {calls}\nname: app\n");
    let prepared = prepare(&Case { files: files.collect(), values });
    bencher.bench_local(|| prepared.render());
}
