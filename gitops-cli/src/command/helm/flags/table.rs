//! Which flags Helm's commands have.

use gitops_helm::Compat;

use super::value::Kind;

/// A flag of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flag {
    pub(super) name: &'static str,
    pub(super) short: Option<char>,
    pub(super) kind: Kind,
    /// The one version of Helm that has it; `None` for both.
    pub(super) only: Option<Compat>,
    /// What Helm 4 says against it.
    pub(super) deprecated: Option<&'static str>,
    /// Whether anything here follows from it.
    pub(super) used: bool,
}

const fn flag(name: &'static str, kind: Kind) -> Flag {
    Flag { name, short: None, kind, only: None, deprecated: None, used: true }
}

/// A flag that matters to a cluster, a cache or a terminal only.
const fn idle(name: &'static str, kind: Kind) -> Flag {
    Flag { used: false, ..flag(name, kind) }
}

impl Flag {
    const fn short(mut self, letter: char) -> Self {
        self.short = Some(letter);
        self
    }

    const fn only(mut self, compat: Compat) -> Self {
        self.only = Some(compat);
        self
    }

    const fn deprecated(mut self, advice: &'static str) -> Self {
        self.deprecated = Some(advice);
        self
    }
}

/// A command with what it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Command {
    pub(super) path: &'static [&'static str],
    pub(super) aliases: &'static [&'static str],
    pub(super) usage: &'static str,
    pub(super) flags: &'static [&'static [Flag]],
    pub(super) words: Words,
}

/// How many words a command takes.
#[derive(Clone, Copy, Debug)]
pub(super) enum Words {
    Any,
    /// As `Any` for Helm 3.
    OneAtLeastSinceHelm4,
    OneAtLeast,
    One,
    OneAtMost,
}

const HELM4: Compat = Compat::Helm4;
const HELM3: Compat = Compat::Helm3;

/// What every command takes.
pub(super) const GLOBAL: &[Flag] = &[
    flag("helm-compat", Kind::Text),
    flag("error-format", Kind::Text),
    flag("namespace", Kind::Text).short('n'),
    flag("debug", Kind::Bool),
    flag("registry-config", Kind::Text),
    flag("repository-config", Kind::Text),
    flag("help", Kind::Bool).short('h'),
    idle("kubeconfig", Kind::Text),
    idle("kube-context", Kind::Text),
    idle("kube-token", Kind::Text),
    idle("kube-as-user", Kind::Text),
    idle("kube-as-group", Kind::Texts),
    idle("kube-apiserver", Kind::Text),
    idle("kube-ca-file", Kind::Text),
    idle("kube-tls-server-name", Kind::Text),
    idle("kube-insecure-skip-tls-verify", Kind::Bool),
    idle("repository-cache", Kind::Text),
    idle("burst-limit", Kind::Int),
    idle("qps", Kind::Float32),
    idle("content-cache", Kind::Text).only(HELM4),
    idle("color", Kind::Color).only(HELM4),
    idle("colour", Kind::Color).only(HELM4),
    idle("v", Kind::Int).short('v'),
];

const VALUES: &[Flag] = &[
    flag("values", Kind::Csv).short('f'),
    flag("set", Kind::Texts),
    flag("set-string", Kind::Texts),
    flag("set-file", Kind::Texts),
    flag("set-json", Kind::Texts),
    flag("set-literal", Kind::Texts),
];

const ACCESS: &[Flag] = &[
    flag("username", Kind::Text),
    flag("password", Kind::Text),
    flag("cert-file", Kind::Text),
    flag("key-file", Kind::Text),
    flag("ca-file", Kind::Text),
    flag("insecure-skip-tls-verify", Kind::Bool),
    flag("plain-http", Kind::Bool),
];

const VERIFY: &[Flag] = &[flag("verify", Kind::Bool), flag("keyring", Kind::Text)];

const PLACE: &[Flag] = &[
    flag("version", Kind::Text),
    flag("repo", Kind::Text),
    flag("pass-credentials", Kind::Bool),
    flag("devel", Kind::Bool),
];

const TEMPLATE: &[Flag] = &[
    flag("explain", Kind::Text),
    flag("explain-format", Kind::Text),
    flag("no-hooks", Kind::Bool),
    flag("generate-name", Kind::Bool).short('g'),
    flag("name-template", Kind::Text),
    flag("dependency-update", Kind::Bool),
    flag("skip-crds", Kind::Bool),
    flag("skip-schema-validation", Kind::Bool),
    flag("enable-dns", Kind::Bool),
    flag("show-only", Kind::Texts).short('s'),
    flag("output-dir", Kind::Text),
    flag("include-crds", Kind::Bool),
    flag("skip-tests", Kind::Bool),
    flag("is-upgrade", Kind::Bool),
    flag("kube-version", Kind::Text),
    flag("api-versions", Kind::Csv).short('a'),
    flag("release-name", Kind::Bool),
    flag("dry-run", Kind::DryRun).only(HELM4),
    flag("dry-run", Kind::DryRunOfHelm3).only(HELM3),
    flag("validate", Kind::Bool).deprecated("use '--dry-run=server' instead"),
    flag("post-renderer", Kind::Texts),
    flag("post-renderer-args", Kind::Texts),
    idle("create-namespace", Kind::Bool),
    idle("force-replace", Kind::Bool).only(HELM4),
    idle("force", Kind::Bool).deprecated("use --force-replace instead"),
    idle("force-conflicts", Kind::Bool).only(HELM4),
    idle("server-side", Kind::Bool).only(HELM4),
    idle("replace", Kind::Bool),
    idle("timeout", Kind::Duration),
    idle("wait", Kind::Wait).only(HELM4),
    idle("wait", Kind::Bool).only(HELM3),
    idle("wait-for-jobs", Kind::Bool),
    idle("description", Kind::Text),
    idle("disable-openapi-validation", Kind::Bool),
    idle("rollback-on-failure", Kind::Bool).only(HELM4),
    idle("atomic", Kind::Bool).deprecated("use --rollback-on-failure instead"),
    idle("render-subchart-notes", Kind::Bool).deprecated(NO_NOTES),
    idle("labels", Kind::Pairs).short('l'),
    idle("hide-notes", Kind::Bool).deprecated(NO_NOTES),
    idle("take-ownership", Kind::Bool),
];

const NO_NOTES: &str = "this flag has no effect for 'helm template' and will be removed in Helm 5";

const LINT: &[Flag] = &[
    flag("strict", Kind::Bool),
    flag("with-subcharts", Kind::Bool),
    flag("quiet", Kind::Bool),
    flag("skip-schema-validation", Kind::Bool),
    flag("kube-version", Kind::Text),
];

const PACKAGE: &[Flag] = &[
    flag("sign", Kind::Bool),
    flag("key", Kind::Text),
    flag("keyring", Kind::Text),
    flag("passphrase-file", Kind::Text),
    flag("version", Kind::Text),
    flag("app-version", Kind::Text),
    flag("destination", Kind::Text).short('d'),
    flag("dependency-update", Kind::Bool).short('u'),
];

const SHOW: &[&[Flag]] = &[PLACE, ACCESS, VERIFY];

const fn show(path: &'static [&'static str], usage: &'static str) -> Command {
    Command { path, aliases: &[], usage, flags: SHOW, words: Words::One }
}

/// The commands; groups stand before what they hold.
pub(super) const COMMANDS: &[Command] = &[
    Command {
        path: &["template"],
        aliases: &[],
        usage: "template [NAME] [CHART]",
        flags: &[TEMPLATE, VALUES, PLACE, ACCESS, VERIFY],
        words: Words::OneAtLeast,
    },
    Command {
        path: &["lint"],
        aliases: &[],
        usage: "lint PATH",
        flags: &[LINT, VALUES],
        words: Words::OneAtLeastSinceHelm4,
    },
    Command {
        path: &["show"],
        aliases: &["inspect"],
        usage: "show",
        flags: &[],
        words: Words::Any,
    },
    show(&["show", "all"], "show all [CHART]"),
    show(&["show", "chart"], "show chart [CHART]"),
    Command {
        flags: &[PLACE, ACCESS, VERIFY, &[flag("jsonpath", Kind::Text)]],
        ..show(&["show", "values"], "show values [CHART]")
    },
    show(&["show", "readme"], "show readme [CHART]"),
    show(&["show", "crds"], "show crds [CHART]"),
    Command {
        path: &["package"],
        aliases: &[],
        usage: "package [CHART_PATH] [...]",
        flags: &[PACKAGE, ACCESS],
        words: Words::Any,
    },
    Command {
        path: &["dependency"],
        aliases: &["dep", "dependencies"],
        usage: "dependency update|build|list",
        flags: &[],
        words: Words::Any,
    },
    Command {
        path: &["dependency", "list"],
        aliases: &["ls"],
        usage: "dependency list CHART",
        flags: &[&[flag("max-col-width", Kind::Uint)]],
        words: Words::OneAtMost,
    },
    Command {
        path: &["dependency", "update"],
        aliases: &["up"],
        usage: "dependency update CHART",
        flags: &[ACCESS, VERIFY, &[flag("skip-refresh", Kind::Bool)]],
        words: Words::OneAtMost,
    },
    Command {
        path: &["dependency", "build"],
        aliases: &[],
        usage: "dependency build CHART",
        flags: &[ACCESS, VERIFY, &[flag("skip-refresh", Kind::Bool)]],
        words: Words::OneAtMost,
    },
];

/// Flags that do not go together, since Helm 4.
pub(super) const EXCLUSIVE: &[[&str; 2]] =
    &[["force", "force-conflicts"], ["force-replace", "force-conflicts"], ["validate", "dry-run"]];
