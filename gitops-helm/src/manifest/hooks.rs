//! Hooks: objects that are not installed with the others, but when something happens.

use crate::manifest::Head;

pub(super) const HOOK: &str = "helm.sh/hook";
const WEIGHT: &str = "helm.sh/hook-weight";
const DELETE_POLICY: &str = "helm.sh/hook-delete-policy";
const OUTPUT_LOG_POLICY: &str = "helm.sh/hook-output-log-policy";

/// An object with the annotation `helm.sh/hook`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// The name of the object.
    pub name: String,
    /// Its kind.
    pub kind: String,
    /// The path of its template.
    pub path: String,
    /// Its text.
    pub manifest: String,
    /// When it is installed.
    pub events: Vec<HookEvent>,
    /// Lower ones come first.
    pub weight: i64,
    /// When it is deleted: `before-hook-creation`, `hook-succeeded`, `hook-failed`.
    pub delete_policies: Vec<String>,
    /// When its log is shown: `hook-succeeded`, `hook-failed`.
    pub output_log_policies: Vec<String>,
}

/// When a hook is installed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum HookEvent {
    /// Before everything else, on install.
    PreInstall,
    /// After everything else, on install.
    PostInstall,
    /// Before anything is deleted.
    PreDelete,
    /// After everything is deleted.
    PostDelete,
    /// Before anything is upgraded.
    PreUpgrade,
    /// After everything is upgraded.
    PostUpgrade,
    /// Before anything is rolled back.
    PreRollback,
    /// After everything is rolled back.
    PostRollback,
    /// When somebody asks for a test.
    Test,
}

impl HookEvent {
    /// The name in the annotation.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PreInstall => "pre-install",
            Self::PostInstall => "post-install",
            Self::PreDelete => "pre-delete",
            Self::PostDelete => "post-delete",
            Self::PreUpgrade => "pre-upgrade",
            Self::PostUpgrade => "post-upgrade",
            Self::PreRollback => "pre-rollback",
            Self::PostRollback => "post-rollback",
            Self::Test => "test",
        }
    }

    /// The event of a name; `test-success` is Helm 2's name of `test`.
    pub fn parse(name: &str) -> Option<Self> {
        if name == "test-success" {
            return Some(Self::Test);
        }
        [
            Self::PreInstall,
            Self::PostInstall,
            Self::PreDelete,
            Self::PostDelete,
            Self::PreUpgrade,
            Self::PostUpgrade,
            Self::PreRollback,
            Self::PostRollback,
            Self::Test,
        ]
        .into_iter()
        .find(|event| event.as_str() == name)
    }

    /// The events of an annotation, `None` when one of them is unknown.
    pub(super) fn parse_list(annotation: &str) -> Option<Vec<Self>> {
        words(annotation).map(|word| Self::parse(&word)).collect()
    }
}

impl Hook {
    pub(super) fn new(path: &str, document: &str, head: &Head, events: Vec<HookEvent>) -> Self {
        let policies =
            |key| head.annotation(key).map(|list| words(list).collect()).unwrap_or_default();
        Self {
            name: head.name.clone(),
            kind: head.kind.clone(),
            path: path.to_owned(),
            manifest: document.to_owned(),
            events,
            weight: head.annotation(WEIGHT).and_then(|weight| weight.parse().ok()).unwrap_or(0),
            delete_policies: policies(DELETE_POLICY),
            output_log_policies: policies(OUTPUT_LOG_POLICY),
        }
    }

    /// Whether it is installed when a test is asked for.
    pub fn is_test(&self) -> bool {
        self.events.contains(&HookEvent::Test)
    }
}

fn words(list: &str) -> impl Iterator<Item = String> {
    list.split(',').map(|word| word.trim().to_lowercase())
}
