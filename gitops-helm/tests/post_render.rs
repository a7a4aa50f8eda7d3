//! What a post-renderer is given, and what becomes of what it gives; as helm 4.3.0 does it.

#![allow(clippy::unwrap_used, clippy::from_iter_instead_of_collect, reason = "tests")]

use std::{error::Error, sync::Arc};

use gitops_core::{MemoryTree, Scope};
use gitops_helm::{
    Chart, Compat, LoadOptions, PostRenderStrategy, PostRenderer, Release, ReleaseInfo,
    RenderError, RenderOptions, Shown, Values, render,
};
use gitops_template::Sealed;
use parking_lot::Mutex;

const FILES: &[(&str, &str)] = &[
    ("Chart.yaml", "apiVersion: v2\nname: web\nversion: 1.0.0\n"),
    (
        "templates/a.yaml",
        "# c\nkind: ConfigMap\nmetadata:\n  name: a\ndata: 0x10\n---\nkind: Service\nmetadata: \
         {name: s}\n",
    ),
    (
        "templates/h.yaml",
        "kind: Job\nmetadata:\n  name: h\n  annotations:\n    helm.sh/hook: pre-install\n",
    ),
];

type Change = fn(&str) -> Result<String, Box<dyn Error + Send + Sync>>;

/// Notes what it is given.
#[derive(Debug)]
struct Noting {
    given: Mutex<Vec<String>>,
    change: Change,
}

impl PostRenderer for Noting {
    fn run(&self, manifests: &str) -> Result<String, Box<dyn Error + Send + Sync>> {
        self.given.lock().push(manifests.to_owned());
        (self.change)(manifests)
    }
}

fn rendered(
    compat: Compat,
    strategy: PostRenderStrategy,
    change: Change,
) -> (Result<Release, RenderError>, Vec<String>) {
    let tree = MemoryTree::from_iter(FILES.iter().copied());
    let chart = Chart::load(&tree, "".as_ref(), &LoadOptions::new(compat)).unwrap();
    let noting = Arc::new(Noting { given: Mutex::default(), change });
    let mut options = RenderOptions::new(compat);
    let renderer: Arc<dyn PostRenderer> = Arc::<Noting>::clone(&noting);
    options.post_renderer = Some(renderer);
    options.post_render_strategy = strategy;
    let release = ReleaseInfo::install("my", "default");
    let scope = Scope::background();
    let result = render(chart, &Values::new(), &release, &options, &Sealed, &scope);
    let given = std::mem::take(&mut *noting.given.lock());
    (result, given)
}

const MARK: &str = "postrenderer.helm.sh/postrender-filename";

#[test]
fn documents_go_out_with_their_file_and_come_back_to_it() {
    let (release, given) =
        rendered(Compat::Helm4, PostRenderStrategy::Combined, |text| Ok(text.to_owned()));
    assert_eq!(
        given,
        [format!(
            "# c\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations:\n    {MARK}: \
             'web/templates/a.yaml'\ndata: 0x10\n---\nkind: Service\nmetadata: {{name: s, \
             annotations: {{{MARK}: 'web/templates/a.yaml'}}}}\n---\nkind: Job\nmetadata:\n  name: h\n  \
             annotations:\n    helm.sh/hook: pre-install\n    {MARK}: 'web/templates/h.yaml'\n"
        )]
    );
    assert_eq!(
        release.unwrap().text(Shown::ALL),
        "---\n# Source: web/templates/a.yaml\n# c\nkind: ConfigMap\nmetadata:\n  name: a\ndata: \
         0x10\n\n---\n# Source: web/templates/a.yaml\nkind: Service\nmetadata: {name: s}\n---\n\
         # Source: web/templates/h.yaml\nkind: Job\nmetadata:\n  name: h\n  annotations:\n    \
         helm.sh/hook: pre-install\n\n"
    );
}

#[test]
fn new_documents_get_files_of_their_own() {
    let new: Change = |_| Ok("kind: A\nmetadata:\n  name: x\n---\nkind: B\n".to_owned());
    let (release, _) = rendered(Compat::Helm4, PostRenderStrategy::Combined, new);
    assert_eq!(
        release.unwrap().text(Shown::ALL),
        "---\n# Source: generated-by-postrender-0.yaml\nkind: A\nmetadata:\n  name: x\n\n---\n\
         # Source: generated-by-postrender-1.yaml\nkind: B\n"
    );
    let (release, given) = rendered(Compat::Helm4, PostRenderStrategy::Separate, new);
    assert_eq!(given.len(), 2);
    assert!(given[0].starts_with("kind: Job\n") && given[1].starts_with("# c\n"));
    let paths: Vec<_> = release.unwrap().manifests.into_iter().map(|found| found.path).collect();
    let names = ["hooks-0", "manifests-0", "hooks-1", "manifests-1"];
    assert_eq!(paths, names.map(|name| format!("generated-by-postrender-{name}.yaml")));
}

#[test]
fn hooks_stay_as_they_are_where_that_is_wanted() {
    let change: Change = |text| Ok(text.replace("name: ", "name: x-"));
    let (release, given) = rendered(Compat::Helm4, PostRenderStrategy::NoHooks, change);
    assert!(given.len() == 1 && !given[0].contains("Job"));
    let release = release.unwrap();
    assert_eq!(release.hooks[0].name, "h");
    assert_eq!(release.manifests[0].head.name, "x-a");
    // Helm 3 knows nothing else, shows the names of files, and takes what it gets.
    let (release, given) = rendered(Compat::Helm3, PostRenderStrategy::Combined, change);
    assert!(given[0].starts_with("---\n# Source: web/templates/a.yaml\n# c\n"), "{given:?}");
    let release = release.unwrap();
    assert_eq!(release.hooks[0].name, "h");
    let names: Vec<_> = release.manifests.iter().map(|found| found.head.name.as_str()).collect();
    assert_eq!(names, ["x-a", "x-s"]);
    assert!(release.manifest_stream().contains("{name: x-s}"));
    let (release, _) =
        rendered(Compat::Helm3, PostRenderStrategy::Combined, |_| Ok("# nothing\n".to_owned()));
    let shown = Shown { crds: false, hooks: false, tests: false };
    assert_eq!(release.unwrap().text(shown), "# nothing\n");
}

#[test]
fn failures_say_what_was_post_rendered() {
    let told = |strategy, change| {
        let (release, _) = rendered(Compat::Helm4, strategy, change);
        gitops_core::one_line(&release.unwrap_err())
    };
    assert_eq!(
        told(PostRenderStrategy::Combined, |_| Err("no".into())),
        "error while running post render on files: no"
    );
    assert_eq!(
        told(PostRenderStrategy::Separate, |_| Err("no".into())),
        "error while running post render on hooks: no"
    );
    assert!(
        told(PostRenderStrategy::NoHooks, |_| Ok("a: [".to_owned()))
            .starts_with("error while running post render on manifests: parsing ")
    );
}
