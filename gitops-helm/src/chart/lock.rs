//! Chart.lock: which versions of its dependencies a chart was last given.

use serde_json::Value;

use crate::{
    chart::Dependency,
    decode::{DocumentError, decode_record, text},
};

/// The versions that the ranges of a chart's dependencies were resolved to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lock {
    /// When, in RFC 3339.
    pub generated: String,
    /// Over the declared and the locked dependencies.
    pub digest: String,
    /// Name, repository and exact version of each.
    pub dependencies: Vec<Dependency>,
}

impl Lock {
    /// The fields as Chart.lock has them.
    pub fn to_json(&self) -> Value {
        let dependencies: Vec<_> = self.dependencies.iter().map(Dependency::to_json).collect();
        serde_json::json!({
            "generated": self.generated,
            "digest": self.digest,
            "dependencies": dependencies,
        })
    }

    pub(crate) fn decode(value: &Value) -> Result<Self, DocumentError> {
        let mut lock = Self::default();
        let fields = &["generated", "digest", "dependencies"];
        decode_record(value, "Lock", "v2.Lock", fields, None, |field, value, at| match field {
            "generated" => text(value, at, &mut lock.generated),
            "digest" => text(value, at, &mut lock.digest),
            _ => {
                lock.dependencies = Dependency::decode_list(value, at)?;
                Ok(())
            }
        })?;
        Ok(lock)
    }
}
