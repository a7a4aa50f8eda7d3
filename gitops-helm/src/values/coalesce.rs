//! Who wins: the given values over those of the chart, those of a parent over those of its
//! dependencies, and globals everywhere.
//!
//! Follows helm pkg/chart/common/util/coalesce.go.

use serde_json::Value;

use crate::{Compat, Warning, chart::Chart, values::Values, warning::go_bad_bool};

/// The values of a dependency are no table. The text is Helm's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("type mismatch on {chart}: {found}")]
pub struct CoalesceError {
    /// The dependency.
    pub chart: String,
    /// The value as Go shows it.
    pub found: String,
}

/// The values that a chart and all below it are rendered with: `null` removes a default.
///
/// # Errors
/// When the values of a dependency are no table.
pub fn coalesce(
    chart: &Chart,
    values: &Values,
    compat: Compat,
    warnings: &mut Vec<Warning>,
) -> Result<Values, CoalesceError> {
    let mut values = values.clone();
    Coalesce { compat, merge: false, warnings }.chart(chart, &mut values, None)?;
    share_globals(chart, &mut values);
    Ok(values)
}

/// A chart's own values, which are taken from it, with those of the charts below it and with every
/// `null`, for they are coalesced again later.
///
/// # Errors
/// When the values of a dependency are no table.
pub(crate) fn merge_with_nulls(
    chart: &mut Chart,
    compat: Compat,
    warnings: &mut Vec<Warning>,
) -> Result<Values, CoalesceError> {
    let mut values = chart.values.take().unwrap_or_default();
    let coalesce = &mut Coalesce { compat, merge: true, warnings };
    coalesce.dependencies(chart, &mut values, Place { name: chart.name(), within: None })?;
    share_globals(chart, &mut values);
    Ok(values)
}

/// Puts the entries of `source` below those of `target`, which win.
pub(crate) fn merge_tables(target: &mut Values, source: &Values, warnings: &mut Vec<Warning>) {
    let nulls = Nulls { merge: true, skip: false };
    Coalesce { compat: Compat::Helm4, merge: true, warnings }.tables(target, source, None, nulls);
}

/// The same, where `null` in `target` removes what `source` has.
pub(crate) fn merge_tables_without_nulls(target: &mut Values, source: &Values) {
    let warnings = &mut Vec::new();
    let nulls = Nulls { merge: false, skip: false };
    Coalesce { compat: Compat::Helm4, merge: false, warnings }.tables(target, source, None, nulls);
}

struct Coalesce<'w> {
    compat: Compat,
    /// Keeps `null`.
    merge: bool,
    warnings: &'w mut Vec<Warning>,
}

/// What becomes of `null` in tables.
#[derive(Clone, Copy)]
struct Nulls {
    /// Those of the target stay, and hide what the source has.
    merge: bool,
    /// Those of the source are not there.
    skip: bool,
}

/// Where a value stands, for warnings.
#[derive(Clone, Copy)]
struct Place<'p> {
    name: &'p str,
    within: Option<&'p Self>,
}

impl Place<'_> {
    fn text(&self) -> String {
        match self.within.map(Place::text) {
            Some(prefix) if !prefix.is_empty() => format!("{prefix}.{}", self.name),
            _ => self.name.to_owned(),
        }
    }
}

impl Coalesce<'_> {
    fn chart(
        &mut self,
        chart: &Chart,
        values: &mut Values,
        within: Option<&Place<'_>>,
    ) -> Result<(), CoalesceError> {
        let place = Place { name: chart.name(), within };
        self.defaults(chart, values, place);
        self.dependencies(chart, values, place)
    }

    fn dependencies(
        &mut self,
        chart: &Chart,
        values: &mut Values,
        place: Place<'_>,
    ) -> Result<(), CoalesceError> {
        for dependency in &chart.dependencies {
            let name = dependency.name();
            let below = values.entry(name).or_insert_with(|| Value::Object(Values::new()));
            let Value::Object(below) = below else {
                let found = go_bad_bool(below);
                return Err(CoalesceError { chart: name.to_owned(), found });
            };
            let mut below = std::mem::take(below);
            self.globals(&mut below, values, place);
            self.chart(dependency, &mut below, Some(&place))?;
            return_globals(&below, values);
            values.insert(name.to_owned(), Value::Object(below));
        }
        Ok(())
    }

    /// The chart's own values, below those that are given.
    fn defaults(&mut self, chart: &Chart, values: &mut Values, place: Place<'_>) {
        let clean = self.compat == Compat::Helm4;
        for (key, default) in chart.values.iter().flatten() {
            let place = Place { name: key, within: Some(&place) };
            match values.get_mut(key) {
                Some(Value::Null) if !self.merge => {
                    values.shift_remove(key);
                }
                Some(Value::Object(table)) => match default {
                    Value::Object(default) => {
                        let is_child = chart.dependencies.iter().any(|child| child.name() == key);
                        let merge = self.merge || is_child;
                        let nulls = Nulls { merge, skip: clean && !merge };
                        self.tables(table, default, Some(&place), nulls);
                    }
                    Value::Null => {}
                    _ => self.warnings.push(Warning::NotATable(place.text())),
                },
                Some(_) => {}
                None => {
                    let skip = clean && !self.merge;
                    if !(skip && default.is_null()) {
                        values.insert(key.clone(), copy(default, skip));
                    }
                }
            }
        }
    }

    /// Gives a dependency the globals of its parent, which win.
    fn globals(&mut self, below: &mut Values, values: &Values, place: Place<'_>) {
        match below.get("global") {
            None | Some(Value::Object(_)) => {}
            Some(_) => return self.warnings.push(Warning::GlobalDestination),
        }
        let empty = Values::new();
        let source = match values.get("global") {
            None => &empty,
            Some(Value::Object(source)) => source,
            Some(_) => return self.warnings.push(Warning::GlobalSource),
        };
        let global = below.entry("global").or_insert_with(|| Value::Object(Values::new()));
        let global = global.as_object_mut().expect("it was found to be a table");
        for (key, value) in source {
            match (value, global.get_mut(key)) {
                (Value::Object(table), Some(Value::Object(own))) => {
                    let own = std::mem::replace(own, table.clone());
                    let Some(Value::Object(table)) = global.get_mut(key) else { continue };
                    let place = Place { name: key, within: Some(&place) };
                    let nulls = Nulls { merge: true, skip: false };
                    self.tables(table, &own, Some(&place), nulls);
                }
                (Value::Object(_), Some(_)) => {
                    self.warnings.push(Warning::GlobalConflict(key.clone()));
                }
                (Value::Object(_), None) => {
                    global.insert(key.clone(), value.clone());
                }
                (_, Some(Value::Object(_))) => {
                    self.warnings.push(Warning::GlobalTable(key.clone()));
                }
                _ => {
                    global.insert(key.clone(), value.clone());
                }
            }
        }
    }

    fn tables(
        &mut self,
        target: &mut Values,
        source: &Values,
        within: Option<&Place<'_>>,
        nulls: Nulls,
    ) {
        for (key, value) in source {
            if nulls.skip && value.is_null() {
                continue;
            }
            let place = Place { name: key, within };
            match target.get_mut(key) {
                Some(Value::Null) => {
                    if !nulls.merge && !value.is_null() {
                        target.shift_remove(key);
                    }
                }
                None => {
                    target.insert(key.clone(), copy(value, nulls.skip));
                }
                Some(Value::Object(target)) => match value {
                    Value::Object(value) => self.tables(target, value, Some(&place), nulls),
                    Value::Null => {}
                    value => {
                        self.warnings.push(Warning::ScalarIgnored(place.text(), value.clone()));
                    }
                },
                Some(_) => {
                    if value.is_object() {
                        let table = copy(value, nulls.skip);
                        self.warnings.push(Warning::TableIgnored(place.text(), table));
                    }
                }
            }
        }
    }
}

/// Quirk: the tables within a table of globals are shared between a parent and its dependencies,
/// so the parent sees what a dependency's own values add there.
fn return_globals(below: &Values, values: &mut Values) {
    each_shared_table(below, values, |own, shared| {
        if own != shared {
            shared.clone_from(own);
        }
    });
}

/// Quirk: and all dependencies see what any of them adds.
fn share_globals(chart: &Chart, values: &mut Values) {
    for dependency in &chart.dependencies {
        let Some(Value::Object(mut below)) = values.get_mut(dependency.name()).map(Value::take)
        else {
            continue;
        };
        each_shared_table(values, &mut below, |shared, own| {
            if own != shared {
                own.clone_from(shared);
            }
        });
        share_globals(dependency, &mut below);
        values.insert(dependency.name().to_owned(), Value::Object(below));
    }
}

/// Calls `visit` with each pair of tables within tables that both globals have.
fn each_shared_table(from: &Values, to: &mut Values, mut visit: impl FnMut(&Values, &mut Values)) {
    let (Some(Value::Object(from)), Some(Value::Object(to))) =
        (from.get("global"), to.get_mut("global"))
    else {
        return;
    };
    for (key, table) in from {
        let (Value::Object(table), Some(Value::Object(to))) = (table, to.get_mut(key)) else {
            continue;
        };
        for (key, inner) in table {
            if let (Value::Object(inner), Some(Value::Object(to))) = (inner, to.get_mut(key)) {
                visit(inner, to);
            }
        }
    }
}

/// Whether a table, or one within it, has a `null`. To copy a table as it is costs less.
fn has_null(table: &Values) -> bool {
    table.values().any(|value| match value {
        Value::Null => true,
        Value::Object(table) => has_null(table),
        _ => false,
    })
}

/// A copy of a value, where wanted without the `null`s of its tables.
fn copy(value: &Value, skip_nulls: bool) -> Value {
    match value {
        Value::Object(table) if skip_nulls && has_null(table) => without_nulls(table),
        other => other.clone(),
    }
}

fn without_nulls(table: &Values) -> Value {
    let mut entries = Values::with_capacity(table.len());
    for (key, value) in table.iter().filter(|(_, value)| !value.is_null()) {
        let value = match value {
            Value::Object(table) => without_nulls(table),
            other => other.clone(),
        };
        entries.insert(key.clone(), value);
    }
    Value::Object(entries)
}
