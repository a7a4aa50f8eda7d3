//! What the templates of each chart see.

use std::borrow::Cow;

use bytestring::ByteString;
use gitops_template::{Entries, Map, Text, Value, bytes::from_bytes};

use super::{ReleaseInfo, Seen, chart_value, convert, files::Files, values_kind};
use crate::{Chart, Compat};

/// A template of a chart, or of one below it.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) path: Text,
    pub(crate) text: ByteString,
    /// The directory of its chart's templates.
    base_path: Text,
    /// The number of slashes in its path.
    depth: usize,
    /// The number of its chart, a chart before those below it.
    chart: usize,
}

/// A template with what it sees.
#[derive(Debug)]
pub(crate) struct Renderable {
    pub(crate) path: Text,
    pub(crate) text: ByteString,
    /// The directory of its chart's templates.
    pub(crate) base_path: Text,
    /// Shared by the templates of a chart.
    pub(crate) values: Map,
}

/// A text among the templates of a chart.
pub(super) fn of_text(
    path: &str,
    text: &str,
    Seen { chart, values, release, capabilities }: Seen<'_>,
    compat: Compat,
) -> Renderable {
    let shared = Shared {
        release: release_value(release),
        capabilities: super::capabilities::capabilities(capabilities, compat),
        compat,
    };
    let kind = values_kind(compat);
    let values = Value::Map(convert::map(values, kind));
    let scope = shared.visit(chart, true, values, &mut Vec::new());
    Renderable {
        path: path.into(),
        text: text.into(),
        base_path: join(chart.name(), "templates"),
        values: scope.with_kind(kind),
    }
}

/// All templates, in the order in which Helm parses and runs them: the deepest path first, then
/// from the end of the alphabet. Of two files with one path the later wins.
pub(crate) fn templates_of(chart: &Chart) -> Vec<Template> {
    let mut found = Found::default();
    found.visit(chart, None);
    let mut found = found.templates;
    // Those of one path keep their order.
    found.sort_by(|a, b| b.depth.cmp(&a.depth).then_with(|| b.path.cmp(&a.path)));
    found.dedup_by(|later, earlier| {
        let same = later.path == earlier.path;
        if same {
            std::mem::swap(later, earlier);
        }
        same
    });
    found
}

/// The templates of a chart with what they see.
pub(super) fn renderables(
    templates: &[Template],
    Seen { chart, values, release, capabilities }: Seen<'_>,
    compat: Compat,
) -> Vec<Renderable> {
    let shared = Shared {
        release: release_value(release),
        capabilities: super::capabilities::capabilities(capabilities, compat),
        compat,
    };
    let kind = values_kind(compat);
    let mut scopes = Vec::new();
    shared.visit(chart, true, Value::Map(convert::map(values, kind)), &mut scopes);
    let renderable = |template: &Template| Renderable {
        path: template.path.clone(),
        text: template.text.clone(),
        base_path: template.base_path.clone(),
        values: scopes[template.chart].with_kind(kind),
    };
    templates.iter().map(renderable).collect()
}

/// The templates that were found.
#[derive(Default)]
struct Found {
    /// How many charts were looked at.
    charts: usize,
    templates: Vec<Template>,
}

impl Found {
    fn visit(&mut self, chart: &Chart, parent: Option<&str>) {
        let number = self.charts;
        self.charts += 1;
        let path = match parent {
            Some(parent) => format!("{parent}/charts/{}", chart.name()),
            None => chart.name().to_owned(),
        };
        let below = match (&chart.known_below_as, parent) {
            (Some(name), Some(parent)) => Cow::Owned(format!("{parent}/charts/{name}")),
            _ => Cow::Borrowed(path.as_str()),
        };
        for child in &chart.dependencies {
            self.visit(child, Some(&below));
        }
        let base_path = join(&path, "templates");
        self.templates.reserve(chart.templates.len());
        for file in &chart.templates {
            let name = file.name.rsplit('/').next().unwrap_or(&file.name);
            if chart.metadata.kind.eq_ignore_ascii_case("library") && !name.starts_with('_') {
                continue;
            }
            let path = join(&path, &file.name);
            // A text that Go takes as it is shares the memory of the file.
            let text = ByteString::try_from(file.data.clone())
                .unwrap_or_else(|_| from_bytes(&file.data).into_owned().into());
            let base_path = base_path.clone();
            let depth = path.bytes().filter(|byte| *byte == b'/').count();
            self.templates.push(Template { path, text, base_path, depth, chart: number });
        }
    }
}

struct Shared {
    release: Value,
    capabilities: Value,
    compat: Compat,
}

impl Shared {
    /// What the templates of a chart see; those of all charts are put into `scopes`, a chart before
    /// those below it.
    fn visit(&self, chart: &Chart, is_root: bool, values: Value, scopes: &mut Vec<Map>) -> Map {
        let subcharts = Map::new();
        let scope: Map = Map::from_iter([
            ("Chart", chart_value::chart(&chart.metadata, is_root, self.compat)),
            ("Files", Value::object(Files::new(&chart.files, self.compat))),
            ("Release", self.release.clone()),
            ("Capabilities", self.capabilities.clone()),
            ("Values", values.clone()),
            ("Subcharts", Value::Map(subcharts.clone())),
        ]);
        scopes.push(scope.clone());
        for child in &chart.dependencies {
            let kind = values_kind(self.compat);
            let of_child = match values.as_map().and_then(|values| values.get(child.name())) {
                Some(Value::Map(map)) => map.with_kind(kind),
                _ => Map::of(kind, Entries::new()),
            };
            let seen = self.visit(child, false, Value::Map(of_child), scopes);
            subcharts.insert(child.name(), Value::Map(seen));
        }
        scope
    }
}

/// Go's `path.Join` of two.
fn join(base: &str, name: &str) -> Text {
    let is_clean = |path: &str| {
        let mut parts = path.as_bytes().split(|byte| *byte == b'/');
        parts.all(|part| !matches!(part, b"" | b"." | b".."))
    };
    if is_clean(base) && is_clean(name) {
        return Text::concat(&[base, "/", name]);
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(name.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/").into()
}

fn release_value(release: &ReleaseInfo) -> Value {
    Value::Map(Map::from_iter([
        ("Name", Value::string(&release.name)),
        ("Namespace", Value::string(&release.namespace)),
        ("IsUpgrade", Value::Bool(release.is_upgrade)),
        ("IsInstall", Value::Bool(!release.is_upgrade)),
        ("Revision", Value::int(release.revision)),
        ("Service", Value::from("Helm")),
    ]))
}
