//! Strategic merges of objects whose lists have keys: few names, so that elements meet, directives in all
//! places, values that do not fit, and styles of all kinds in both objects.

use crate::{
    case::{Case, Field},
    objects::trees::{Tree, document, scalar, tree},
    rng::Rng,
};

const SCHEMA: &str = r#"{"definitions": {"x": {"properties": {"spec": {"properties": {"list": {"type": "array", "items": {"type": "object", "properties": {"sub": {"type": "array", "items": {"type": "object"}, "x-kubernetes-patch-merge-key": "id", "x-kubernetes-patch-strategy": "merge"}}}, "x-kubernetes-patch-merge-key": "name", "x-kubernetes-patch-strategy": "merge"}, "set": {"type": "array", "items": {"type": "string"}, "x-kubernetes-patch-strategy": "merge"}}}}, "x-kubernetes-group-version-kind": [{"group": "example.com", "kind": "Thing", "version": "v1"}]}}}"#;

/// One object, and one or two patches of it.
pub(crate) fn merges(r: &mut Rng) -> Case {
    let kind = r.below(KINDS.len());
    let mut case = Case { top: "base".to_owned(), ..Case::default() };
    let base = Maker { r, patch: false }.object(kind);
    let text = document(r, &base);
    case.files.insert("base/a.yaml".to_owned(), vec![text]);
    let mut fields = vec![field("resources:\n", vec!["- a.yaml\n".to_owned()])];
    let mut entries = Vec::new();
    let merges = r.chance(30);
    for at in 0..=r.below(2) {
        let patch = Maker { r, patch: true }.object(kind);
        let text = document(r, &patch);
        let path = format!("p{at}.yaml");
        case.files.insert(format!("base/{path}"), vec![text]);
        let target = if r.chance(40) { "  target: {name: app}\n" } else { "" };
        entries.push(if merges {
            format!("- {path}\n")
        } else {
            format!("- path: {path}\n{target}")
        });
    }
    fields.push(field(if merges { "patchesStrategicMerge:\n" } else { "patches:\n" }, entries));
    if KINDS[kind].1 == "Thing" && r.chance(70) {
        case.files.insert("base/schema.json".to_owned(), vec![SCHEMA.to_owned()]);
        fields.push(field("openapi: ", vec!["{path: schema.json}\n".to_owned()]));
    }
    if r.chance(10) {
        fields.push(field("namePrefix: ", vec!["p-\n".to_owned()]));
    }
    if r.chance(10) {
        fields.push(field("commonLabels: ", vec!["{l: v}\n".to_owned()]));
    }
    case.kustomizations.insert("base/kustomization.yaml".to_owned(), fields);
    case
}

/// One object of any shape, in odd styles.
pub(crate) fn documents(r: &mut Rng) -> Case {
    let mut case = Case { top: "base".to_owned(), ..Case::default() };
    let mut fields = head(KINDS[r.below(KINDS.len())], "app");
    for name in ["data", "spec", "other"] {
        if r.chance(60) {
            fields.push((name.to_owned(), tree(r, 4)));
        }
    }
    let mut text = document(r, &fields);
    match r.below(20) {
        0 => text = text.replace('\n', "\r\n"),
        1 => text.insert_str(0, "--- # c\n"),
        2 => text.push_str("...\n"),
        3 => text.insert(0, '\u{feff}'),
        _ => {}
    }
    case.files.insert("base/a.yaml".to_owned(), vec![text]);
    let mut list = vec![field("resources:\n", vec!["- a.yaml\n".to_owned()])];
    match r.below(6) {
        0 => list.push(field("namePrefix: ", vec!["p-\n".to_owned()])),
        1 => list.push(field("namespace: ", vec!["one\n".to_owned()])),
        2 => list.push(field("commonAnnotations: ", vec!["{note: a}\n".to_owned()])),
        3 => {
            let patch = "- target: {name: app}\n  patch: |-\n    - {op: add, path: /metadata/labels, value: {a: b}}\n";
            list.push(field("patches:\n", vec![patch.to_owned()]));
        }
        _ => {}
    }
    case.kustomizations.insert("base/kustomization.yaml".to_owned(), list);
    case
}

fn field(head: &str, items: Vec<String>) -> Field {
    Field { head: head.to_owned(), items }
}

/// API version and kind, and whether the pods of a template stand in it.
const KINDS: &[(&str, &str)] = &[
    ("apps/v1", "Deployment"),
    ("apps/v1", "StatefulSet"),
    ("v1", "Pod"),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    ("v1", "ConfigMap"),
    ("networking.k8s.io/v1", "Ingress"),
    ("admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("example.com/v1", "Thing"),
];

type Fields = Vec<(String, Tree)>;

fn head((api_version, kind): (&str, &str), name: &str) -> Fields {
    let metadata = Tree::Map(vec![("name".to_owned(), Tree::text(name))]);
    vec![
        ("apiVersion".to_owned(), Tree::text(api_version)),
        ("kind".to_owned(), Tree::text(kind)),
        ("metadata".to_owned(), metadata),
    ]
}

struct Maker<'r> {
    r: &'r mut Rng,
    patch: bool,
}

impl Maker<'_> {
    fn object(&mut self, kind: usize) -> Fields {
        let mut object = head(KINDS[kind], "app");
        if let Some((_, Tree::Map(metadata))) = object.last_mut() {
            self.some(metadata, 30, "labels", |m| m.map(&["a", "b"]));
            self.some(metadata, 20, "annotations", |m| m.map(&["a", "b"]));
            self.some(metadata, 15, "finalizers", Self::words);
            self.some(metadata, 10, "ownerReferences", |m| {
                m.list(|m| m.keyed("uid", &["1", "2"], &[]))
            });
        }
        let mut spec = Vec::new();
        match KINDS[kind].1 {
            "Pod" => spec = self.pods(),
            "Deployment" => {
                self.some(&mut spec, 30, "replicas", |m| scalar(m.r, false));
                self.some(&mut spec, 30, "strategy", |m| m.map(&["type", "rollingUpdate"]));
                let pods = self.pods();
                let template = vec![("spec".to_owned(), Tree::Map(pods))];
                spec.push(("template".to_owned(), self.directed(template)));
            }
            "StatefulSet" => self.some(&mut spec, 80, "volumeClaimTemplates", |m| {
                m.list(|m| m.keyed("name", &["v", "w"], &[]))
            }),
            "Service" => {
                self.some(&mut spec, 90, "ports", |m| m.list(|m| m.port("port")));
                self.some(&mut spec, 40, "selector", |m| m.map(&["a", "b"]));
            }
            "Ingress" => self.some(&mut spec, 90, "tls", |m| {
                m.list(|m| m.keyed("secretName", &["s"], &["hosts"]))
            }),
            "Thing" => {
                self.some(&mut spec, 80, "list", |m| {
                    m.list(|m| m.keyed("name", &["a", "b"], &["sub", "v"]))
                });
                self.some(&mut spec, 40, "set", Self::words);
                self.some(&mut spec, 30, "any", |m| tree(m.r, 2));
            }
            "ServiceAccount" => {
                self.some(&mut object, 70, "secrets", |m| {
                    m.list(|m| m.keyed("name", &["a", "b"], &[]))
                });
            }
            "ConfigMap" => self.some(&mut object, 90, "data", |m| m.map(&["a", "b", "c"])),
            "Role" => self
                .some(&mut object, 90, "rules", |m| m.list(|m| m.keyed("verbs", &["[a]"], &["x"]))),
            _ => self.some(&mut object, 90, "webhooks", |m| {
                m.list(|m| m.keyed("name", &["a", "b"], &["rules", "v"]))
            }),
        }
        if !spec.is_empty() {
            object.push(("spec".to_owned(), self.directed(spec)));
        }
        object
    }

    fn pods(&mut self) -> Fields {
        let mut spec = Vec::new();
        self.some(&mut spec, 85, "containers", |m| m.list(Self::container));
        self.some(&mut spec, 20, "initContainers", |m| m.list(Self::container));
        self.some(&mut spec, 30, "volumes", |m| {
            m.list(|m| m.keyed("name", &["v", "w"], &["emptyDir", "configMap"]))
        });
        self.some(&mut spec, 15, "hostAliases", |m| {
            m.list(|m| m.keyed("ip", &["1.1.1.1", "2"], &["hostnames"]))
        });
        self.some(&mut spec, 15, "imagePullSecrets", |m| {
            m.list(|m| m.keyed("name", &["a", "b"], &[]))
        });
        self.some(&mut spec, 15, "tolerations", |m| {
            m.list(|m| m.keyed("key", &["a", "b"], &["effect"]))
        });
        self.some(&mut spec, 15, "topologySpreadConstraints", |m| {
            m.list(|m| m.keyed("topologyKey", &["z", "h"], &["whenUnsatisfiable"]))
        });
        self.some(&mut spec, 15, "nodeSelector", |m| m.map(&["a", "b"]));
        spec
    }

    fn container(&mut self) -> Tree {
        let mut fields = Vec::new();
        self.some(&mut fields, 96, "name", |m| Tree::text(m.r.pick(&["a", "b", "c"])));
        self.some(&mut fields, 40, "image", |m| Tree::text(m.r.pick(&["i:1", "j", "null"])));
        self.some(&mut fields, 30, "args", Self::words);
        self.some(&mut fields, 35, "ports", |m| m.list(|m| m.port("containerPort")));
        self.some(&mut fields, 35, "env", |m| {
            m.list(|m| m.keyed("name", &["A", "B", "\"1\""], &["value", "valueFrom"]))
        });
        self.some(&mut fields, 25, "volumeMounts", |m| {
            m.list(|m| m.keyed("mountPath", &["/a", "/b"], &["name"]))
        });
        self.some(&mut fields, 15, "resources", |m| m.map(&["limits", "requests"]));
        self.some(&mut fields, 15, "envFrom", |m| m.list(|m| m.keyed("prefix", &["P"], &["x"])));
        self.directed(fields)
    }

    fn port(&mut self, number: &str) -> Tree {
        let mut fields = Vec::new();
        self.some(&mut fields, 90, number, |m| Tree::text(m.r.pick(&["80", "443", "\"80\""])));
        self.some(&mut fields, 45, "protocol", |m| Tree::text(m.r.pick(&["TCP", "UDP"])));
        self.some(&mut fields, 50, "name", |m| Tree::text(m.r.pick(&["http", "x"])));
        if self.r.chance(30) {
            fields.reverse();
        }
        self.directed(fields)
    }

    fn keyed(&mut self, key: &str, names: &[&str], others: &[&str]) -> Tree {
        let mut fields = Vec::new();
        self.some(&mut fields, 96, key, |m| Tree::text(m.r.pick(names)));
        for other in others {
            self.some(&mut fields, 35, other, |m| match *other {
                "sub" => m.list(|m| m.keyed("id", &["1", "2"], &["v"])),
                "hostnames" | "hosts" => m.words(),
                "emptyDir" | "configMap" | "valueFrom" => m.map(&["a", "b"]),
                _ => tree(m.r, 1),
            });
        }
        self.directed(fields)
    }

    fn map(&mut self, keys: &[&str]) -> Tree {
        let mut fields = Vec::new();
        for key in keys {
            self.some(&mut fields, 60, key, |m| scalar(m.r, true));
        }
        self.directed(fields)
    }

    fn words(&mut self) -> Tree {
        let word = |r: &mut Rng| Tree::text(r.pick(&["a", "b", "c", "\"1\"", "1", "null"]));
        Tree::List((0..self.r.below(4)).map(|_| word(self.r)).collect())
    }

    fn list(&mut self, item: impl Fn(&mut Self) -> Tree) -> Tree {
        let mut items: Vec<Tree> = (0..self.r.below(4)).map(|_| item(self)).collect();
        if self.patch && self.r.chance(6) {
            let at = self.r.below(items.len() + 1);
            items.insert(at, Tree::Map(vec![self.directive()]));
        }
        Tree::List(items)
    }

    fn directed(&mut self, mut fields: Fields) -> Tree {
        if self.patch && self.r.chance(5) {
            let at = self.r.below(fields.len() + 1);
            let directive = self.directive();
            fields.insert(at, directive);
        }
        Tree::Map(fields)
    }

    fn directive(&mut self) -> (String, Tree) {
        ("$patch".to_owned(), Tree::text(self.r.pick(&["delete", "replace", "merge"])))
    }

    fn some(
        &mut self,
        fields: &mut Fields,
        percent: usize,
        name: &str,
        make: impl FnOnce(&mut Self) -> Tree,
    ) {
        if self.r.chance(percent) {
            let value = make(self);
            fields.push((name.to_owned(), value));
        }
    }
}
