//! How one map is merged into another.
//!
//! Follows mergo v1.0.1 for `map[string]interface {}`. Maps and lists that are taken over are
//! shared with the source, as in Go.

use crate::{CallError, Context, Map, MapKind, Value, funcs::encoding::DEEPEST};

/// Fills what is missing or empty in `target` from `source`; with `overwrite` what the source has
/// wins, but for empty maps.
pub(in crate::funcs) fn merge(
    target: &Map,
    source: &Map,
    overwrite: bool,
    context: &mut Context<'_>,
) -> Result<(), CallError> {
    Merge { overwrite, context }.maps(target, source, 0)
}

struct Merge<'c, 'r> {
    overwrite: bool,
    context: &'c mut Context<'r>,
}

impl Merge<'_, '_> {
    fn maps(&mut self, target: &Map, source: &Map, depth: u32) -> Result<(), CallError> {
        if depth > DEEPEST {
            return Err(CallError::new("merge: the maps hold themselves, or are too deep"));
        }
        if target.is_nil() || target.is_same(source) && !self.overwrite {
            return Ok(());
        }
        for (key, value) in source.snapshot() {
            self.context.spend(1, 0)?;
            let had = target.get(&key);
            if value.is_nil() {
                if self.overwrite {
                    insert(target, key, Value::Nil)?;
                }
                continue;
            }
            let merged = match (&had, value.as_map()) {
                (Some(had), Some(value)) => {
                    if let Some(had) = had.as_map() {
                        self.maps(&had, &value, depth + 1)?;
                        // What was empty before may have been filled just now.
                        !had.is_empty()
                    } else {
                        false
                    }
                }
                _ => false,
            };
            if merged {
                continue;
            }
            let replace = match &had {
                None => true,
                Some(had) => !had.is_true() || self.overwrite,
            };
            if replace {
                insert(target, key, value)?;
            }
        }
        Ok(())
    }
}

fn insert(target: &Map, key: crate::Text, value: Value) -> Result<(), CallError> {
    let fits = match target.kind() {
        MapKind::Any | MapKind::CommonValues | MapKind::ChartutilValues => true,
        kind => kind.element().accepts(value.type_of()) && !value.is_nil(),
    };
    if !fits {
        return Err(CallError::new(format!(
            "reflect.Value.SetMapIndex: value of type interface {{}} is not assignable to type {}",
            target.kind().element()
        )));
    }
    target.insert(key, value);
    Ok(())
}
