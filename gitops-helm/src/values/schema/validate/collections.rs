//! Objects and lists against a schema.

use serde_json::{Map, Value};

use super::{
    super::{
        compile::Draft,
        error::{Mistake, quote, quote_all},
        number::{float, integer},
    },
    Evaluated, Run, as_float, equal,
};

impl Run<'_, '_> {
    pub(super) fn fields(
        &mut self,
        object: &Map<String, Value>,
        fields: &Map<String, Value>,
        value: &Value,
        tell: bool,
        evaluated: &mut Evaluated,
        mistakes: &mut Vec<Mistake>,
    ) {
        self.count(object, ["minProperties", "maxProperties"], fields.len(), mistakes);
        if let Some(missing) = missing(fields, object.get("required")) {
            let word = if missing.len() == 1 { "property" } else { "properties" };
            mistakes.push(self.mistake(&format!("missing {word} {}", quote_all(missing))));
        }
        for (name, wanted) in
            object.get("dependencies").and_then(Value::as_object).into_iter().flatten()
        {
            if !fields.contains_key(name) {
                continue;
            }
            if wanted.is_array() {
                self.depends(name, missing(fields, Some(wanted)), mistakes);
            } else {
                self.keep(evaluated, mistakes, |run| run.check(wanted, value, tell));
            }
        }
        self.each_field(object, fields, tell, evaluated, mistakes);
        if self.schema.draft > Draft::Four
            && let Some(names) = object.get("propertyNames")
        {
            for name in fields.keys() {
                // A name stands nowhere (`property-names.txtar`).
                let place = std::mem::take(&mut self.place);
                let checked =
                    self.at(None, |run| run.check(names, &Value::from(name.as_str()), tell));
                self.place = place;
                if let Err(cause) = checked {
                    let mut mistake =
                        self.mistake(&format!("invalid propertyName {}", quote(name)));
                    mistake.causes = cause.into_causes();
                    mistakes.push(mistake);
                }
            }
        }
        if self.schema.draft < Draft::Nineteen {
            return;
        }
        let tables =
            |keyword: &str| object.get(keyword).and_then(Value::as_object).into_iter().flatten();
        for (name, schema) in tables("dependentSchemas") {
            if fields.contains_key(name) {
                self.keep(evaluated, mistakes, |run| run.check(schema, value, tell));
            }
        }
        for (name, wanted) in tables("dependentRequired") {
            if fields.contains_key(name) {
                self.depends(name, missing(fields, Some(wanted)), mistakes);
            }
        }
    }

    fn each_field(
        &mut self,
        object: &Map<String, Value>,
        fields: &Map<String, Value>,
        tell: bool,
        evaluated: &mut Evaluated,
        mistakes: &mut Vec<Mistake>,
    ) {
        let properties = object.get("properties").and_then(Value::as_object);
        let patterns = object.get("patternProperties").and_then(Value::as_object);
        let mut sorted: Vec<_> = fields.iter().collect();
        sorted.sort_unstable_by(|a, b| a.0.cmp(b.0));
        let mut additional = Vec::new();
        for (name, value) in sorted {
            if !tell && !mistakes.is_empty() {
                return;
            }
            let mut known = false;
            let mut below: Vec<&Value> = Vec::new();
            below.extend(properties.and_then(|properties| properties.get(name)));
            for schema in patterns.into_iter().flat_map(Map::values) {
                if self.schema.name_pattern(schema).is_some_and(|pattern| pattern.is_match(name)) {
                    below.push(schema);
                }
            }
            if below.is_empty() {
                match object.get("additionalProperties") {
                    Some(Value::Bool(false)) => {
                        known = true;
                        additional.push(name.as_str());
                    }
                    Some(Value::Bool(true)) => known = true,
                    Some(schema) => below.push(schema),
                    None => {}
                }
            }
            for schema in below {
                known = true;
                mistakes.extend(self.at(Some(name), |run| run.check(schema, value, tell)).err());
            }
            if known {
                evaluated.properties.insert(name.clone());
            }
        }
        if !additional.is_empty() {
            let names = quote_all(additional);
            mistakes.push(self.mistake(&format!("additional properties {names} not allowed")));
        }
    }

    fn depends(&self, name: &str, missing: Option<Vec<&str>>, mistakes: &mut Vec<Mistake>) {
        if let Some(missing) = missing {
            let (missing, name) = (quote_all(missing), quote(name));
            mistakes
                .push(self.mistake(&format!("properties {missing} required, if {name} exists")));
        }
    }

    pub(super) fn items(
        &mut self,
        object: &Map<String, Value>,
        items: &[Value],
        tell: bool,
        evaluated: &mut Evaluated,
        mistakes: &mut Vec<Mistake>,
    ) {
        self.count(object, ["minItems", "maxItems"], items.len(), mistakes);
        if object.get("uniqueItems") == Some(&Value::Bool(true))
            && let Some((first, second)) = self.duplicates(items)
        {
            let text = format!("items at {} and {} are equal", integer(first), integer(second));
            mistakes.push(self.mistake(&text));
        }
        let (first, rest) = if self.schema.draft < Draft::Twenty {
            match object.get("items") {
                Some(Value::Array(first)) => (first.as_slice(), object.get("additionalItems")),
                other => (&[][..], other),
            }
        } else {
            let first = object.get("prefixItems").and_then(Value::as_array);
            (first.map_or(&[][..], Vec::as_slice), object.get("items"))
        };
        let tuple = !first.is_empty() && self.schema.draft < Draft::Twenty;
        for (index, item) in items.iter().enumerate() {
            let schema = match first.get(index) {
                Some(schema) => schema,
                None if tuple && rest == Some(&Value::Bool(false)) => {
                    let count = integer(items.len() - first.len());
                    let text = format!("last {count} additionalItem(s) not allowed");
                    mistakes.push(self.mistake(&text));
                    break;
                }
                None => match rest {
                    Some(schema) => schema,
                    None => break,
                },
            };
            evaluated.items.insert(index);
            let name = index.to_string();
            mistakes.extend(self.at(Some(&name), |run| run.check(schema, item, tell)).err());
        }
        evaluated.all_items |= rest.is_some();
        if self.schema.draft > Draft::Four
            && let Some(schema) = object.get("contains")
        {
            self.contains(object, schema, items, evaluated, mistakes);
        }
    }

    fn contains(
        &mut self,
        object: &Map<String, Value>,
        schema: &Value,
        items: &[Value],
        evaluated: &mut Evaluated,
        mistakes: &mut Vec<Mistake>,
    ) {
        let mut causes = Vec::new();
        let mut matched = Vec::new();
        for (index, item) in items.iter().enumerate() {
            match self.at(Some(&index.to_string()), |run| run.check(schema, item, true)) {
                Ok(_) => matched.push(index),
                Err(mistake) => causes.push(mistake),
            }
        }
        let list: Vec<_> = matched.iter().map(usize::to_string).collect();
        let list = list.join(" ");
        let bound = |keyword: &str| object.get(keyword).and_then(Value::as_f64);
        let text = match bound("minContains").filter(|_| self.schema.draft >= Draft::Nineteen) {
            Some(least) if as_float(matched.len()) < least => {
                let least = float(least);
                Some(if matched.is_empty() {
                    format!("min {least} items required to match contains schema, but none matched")
                } else {
                    let count = integer(matched.len());
                    format!(
                        "min {least} items required to match contains schema, but matched {count} \
                         items at {list}"
                    )
                })
            }
            None if matched.is_empty() => Some("no items match contains schema".to_owned()),
            _ => None,
        };
        if let Some(text) = text {
            let mut mistake = self.mistake(&text);
            mistake.causes = causes;
            mistakes.push(mistake);
        }
        if let Some(most) = bound("maxContains").filter(|most| as_float(matched.len()) > *most) {
            let (most, count) = (float(most), integer(matched.len()));
            mistakes.push(self.mistake(&format!(
                "max {most} items required to match contains schema, but matched {count} items at \
                 {list}"
            )));
        }
        if self.schema.draft >= Draft::Twenty {
            evaluated.items.extend(matched);
        }
    }

    /// The first two items that are equal.
    fn duplicates(&mut self, items: &[Value]) -> Option<(usize, usize)> {
        // Scalars are found by their text; only the rest is compared one by one.
        let mut seen = std::collections::BTreeMap::new();
        let mut found: Option<(usize, usize)> = None;
        let mut compound: Vec<usize> = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let first = if item.is_array() || item.is_object() {
                let first = compound.iter().copied().find(|first| {
                    *self.steps = self.steps.saturating_sub(1);
                    *self.steps > 0 && equal(&items[*first], item)
                });
                compound.push(index);
                first
            } else {
                let key = match item.as_f64() {
                    Some(number) => format!("n{number}"),
                    None => format!("v{item}"),
                };
                let first = seen.get(&key).copied();
                seen.entry(key).or_insert(index);
                first
            };
            if let Some(first) = first
                && found.is_none_or(|found| (first, index) < found)
            {
                found = Some((first, index));
            }
        }
        found
    }
}

fn missing<'w>(fields: &Map<String, Value>, wanted: Option<&'w Value>) -> Option<Vec<&'w str>> {
    let wanted = wanted?.as_array()?.iter().filter_map(Value::as_str);
    let missing: Vec<_> = wanted.filter(|name| !fields.contains_key(*name)).collect();
    (!missing.is_empty()).then_some(missing)
}
