//! Which of the charts below a chart take part, and what a chart takes from their values.
//!
//! Follows helm pkg/chart/v2/util/dependencies.go.

mod conditions;
mod import_values;
mod list;
mod path;
mod resolve;

pub use list::list_dependencies;
pub use resolve::{ResolveError, resolve_dependencies};

use crate::{
    Compat, Warning,
    chart::Chart,
    values::{CoalesceError, Values},
};

/// Makes a chart ready to be rendered with these values: dependencies get their aliases, those
/// that are switched off go, and values that are imported become the chart's own.
///
/// # Errors
/// When the values of a dependency are no table.
pub fn process_dependencies(
    chart: &mut Chart,
    values: &Values,
    compat: Compat,
    warnings: &mut Vec<Warning>,
) -> Result<(), CoalesceError> {
    conditions::process(chart, values, "", compat, warnings)?;
    import_values::process(chart, compat, warnings)
}

/// The dependencies that Chart.yaml names and that are not below `charts/`, in the order of
/// Chart.yaml.
pub fn missing_dependencies(chart: &Chart) -> Vec<&str> {
    chart
        .metadata
        .dependencies
        .iter()
        .map(|dependency| dependency.name.as_str())
        .filter(|name| !chart.dependencies.iter().any(|child| child.name() == *name))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::{File, LoadOptions, coalesce};

    fn chart(files: &[(&str, &str)]) -> Chart {
        let files =
            files.iter().map(|(name, text)| File::new(*name, text.as_bytes().to_vec())).collect();
        Chart::from_files(files, &LoadOptions::default()).unwrap()
    }

    fn values(chart: &Chart, given: &Value, compat: Compat) -> Value {
        let mut chart = chart.clone();
        let given = given.as_object().unwrap();
        let warnings = &mut Vec::new();
        process_dependencies(&mut chart, given, compat, warnings).unwrap();
        let names: Vec<_> = chart.dependencies.iter().map(Chart::name).collect();
        let mut values = coalesce(&chart, given, compat, warnings).unwrap();
        values.insert("names".to_owned(), json!(names));
        Value::Object(values)
    }

    const PARENT: &str = "apiVersion: v2\nname: p\nversion: 1.0.0\ndependencies:\n\
        - {name: a, version: 1.x, condition: 'a.enabled,other', tags: [t]}\n\
        - {name: a, version: 1.x, alias: b, tags: [t], import-values: [data]}\n\
        - {name: c, version: 2.x}\n";

    fn family() -> Chart {
        chart(&[
            ("Chart.yaml", PARENT),
            ("values.yaml", "own: {x: 1}\nglobal: {g: {m: {p: 1}}}\na: {enabled: true}\n"),
            ("charts/a/Chart.yaml", "name: a\nversion: 1.0.0"),
            (
                "charts/a/values.yaml",
                "v: 1\nexports: {data: {own: {x: 2, z: 2}}}\nglobal: {g: {m: {q: 2}}}\n",
            ),
            ("charts/c/Chart.yaml", "name: c\nversion: 1.0.0"),
        ])
    }

    #[test]
    fn aliases_tags_and_conditions() {
        let chart = family();
        let names = |given: Value| values(&chart, &given, Compat::Helm4)["names"].clone();
        // `c` is of no declared version: it is there first, as if nobody had declared it.
        assert_eq!(names(json!({})), json!(["c", "a", "b"]));
        assert_eq!(names(json!({"tags": {"t": false}})), json!(["c", "a"]));
        assert_eq!(names(json!({"a": {"enabled": false}})), json!(["c", "b"]));
        assert_eq!(names(json!({"tags": {"t": false}, "a": {"enabled": "x"}})), json!(["c"]));
        assert_eq!(missing_dependencies(&chart), Vec::<&str>::new());
    }

    #[test]
    fn imports_stand_below_own_values() {
        let values = values(&family(), &json!({}), Compat::Helm4);
        assert_eq!(values["own"], json!({"x": 1.0, "z": 2.0}));
    }

    #[test]
    fn tables_within_globals_are_shared() {
        let values = values(&family(), &json!({}), Compat::Helm4);
        assert_eq!(values["global"]["g"]["m"], json!({"p": 1.0, "q": 2.0}));
        assert_eq!(values["c"]["global"]["g"]["m"], json!({"p": 1.0, "q": 2.0}));
    }

    #[test]
    fn nulls_differ_by_profile() {
        let chart = chart(&[
            ("Chart.yaml", "apiVersion: v2\nname: p\nversion: 1.0.0\n"),
            ("values.yaml", "a: null\nb: {c: null, d: 1}\n"),
            ("charts/s/Chart.yaml", "name: s\nversion: 1.0.0"),
            ("charts/s/values.yaml", "x: null\nz: 1\n"),
        ]);
        let given = json!({"s": {"z": null}, "b": {"d": null}});
        let four = values(&chart, &given, Compat::Helm4);
        assert_eq!(four, json!({"s": {"global": {}}, "b": {}, "names": ["s"]}));
        let three = values(&chart, &given, Compat::Helm3);
        assert_eq!(
            three,
            json!({"s": {"global": {}, "x": null}, "b": {"c": null}, "a": null, "names": ["s"]})
        );
    }
}
