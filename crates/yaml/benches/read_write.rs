//! How fast 10 MB of manifests are read and printed, and a few small objects.
//!
//! `cargo bench -p gitops-yaml`

use divan::{Bencher, counter::BytesCount};
use gitops_yaml::{Node, read_all, to_yaml};

fn main() {
    divan::main();
}

/// A Deployment and a ConfigMap as they stand in repositories: comments, quotes, flow collections
/// and block scalars included.
const OBJECTS: &str = r#"# what runs
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
  labels:
    app.kubernetes.io/name: web
    app.kubernetes.io/part-of: shop
  annotations:
    example.com/note: "a quoted, short text: with a colon"
spec:
  replicas: 3 # scaled by hand
  selector:
    matchLabels: {app.kubernetes.io/name: web}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: web
    spec:
      serviceAccountName: web
      containers:
        - name: web
          image: registry.example.com/shop/web:1.27.3
          args: ["--listen=:8080", "--verbose"]
          env:
            - name: LOG_LEVEL
              value: info
            - name: PASSWORD
              valueFrom:
                secretKeyRef: {name: web, key: password}
          ports:
            - containerPort: 8080
              protocol: TCP
          resources:
            requests: {cpu: 100m, memory: 128Mi}
            limits:
              memory: 256Mi
          readinessProbe:
            httpGet:
              path: /healthz
              port: 8080
            periodSeconds: 10
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
  namespace: shop
data:
  greeting: Hello, this is a longer line of text that has to be folded when it is printed, because it is long.
  web.conf: |
    server {
      listen 8080;
      location / {
        proxy_pass http://backend:9000;
      }
    }
---
"#;

fn stream(bytes: usize) -> String {
    OBJECTS.repeat(bytes / OBJECTS.len() + 1)
}

#[divan::bench(args = [4_000, 10_000_000])]
fn read(bencher: Bencher<'_, '_>, bytes: usize) {
    let text = stream(bytes);
    bencher
        .counter(BytesCount::of_str(&text))
        .bench_local(|| read_all(divan::black_box(&text)).expect("the text is YAML"));
}

#[divan::bench(args = [4_000, 10_000_000])]
fn write(bencher: Bencher<'_, '_>, bytes: usize) {
    let nodes = read_all(stream(bytes)).expect("the text is YAML");
    let print = |nodes: &[Node]| -> usize {
        nodes.iter().map(|node| to_yaml(node).expect("the nodes have a form").len()).sum()
    };
    bencher.counter(BytesCount::new(print(&nodes))).bench_local(|| print(divan::black_box(&nodes)));
}

#[divan::bench]
fn copy(bencher: Bencher<'_, '_>) {
    let nodes = read_all(stream(10_000_000)).expect("the text is YAML");
    bencher.bench_local(|| divan::black_box(&nodes).clone());
}
