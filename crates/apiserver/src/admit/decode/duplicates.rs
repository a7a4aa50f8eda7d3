//! Keys that stand twice in a JSON object, of which the parsed value knows the last only.

use std::{collections::HashSet, fmt};

use indexmap::IndexSet;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// What a client is told about the fields of what it sent, each once: those that no type knows, and
/// those that it gave twice. For a built-in kind, whose reader knows its types, in the order in which they
/// come, and nothing of what is in an unknown field; for others the unknown ones last.
pub(super) fn complaints(sent: &[u8], unknown: &[String], custom: bool) -> Vec<String> {
    let mut scan = Scan {
        path: String::new(),
        unknown: if custom { HashSet::new() } else { unknown.iter().map(String::as_str).collect() },
        told: IndexSet::new(),
    };
    // What cannot be read was refused before.
    let _ = (&mut scan).deserialize(&mut serde_json::Deserializer::from_slice(sent));
    let mut told = scan.told;
    told.extend(unknown.iter().map(|path| format!("unknown field {path:?}")));
    told.into_iter().collect()
}

struct Scan<'u> {
    /// Where the reader is, such as `spec.ports[0]`.
    path: String,
    unknown: HashSet<&'u str>,
    told: IndexSet<String>,
}

impl<'de> DeserializeSeed<'de> for &mut Scan<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Scan<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        let length = self.path.len();
        while let Some(key) = map.next_key::<String>()? {
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(&key);
            if self.unknown.contains(self.path.as_str()) {
                self.told.insert(format!("unknown field {:?}", self.path));
                map.next_value::<IgnoredAny>()?;
            } else {
                if !seen.insert(key) {
                    self.told.insert(format!("duplicate field {:?}", self.path));
                }
                map.next_value_seed(&mut *self)?;
            }
            self.path.truncate(length);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let length = self.path.len();
        for index in 0_usize.. {
            use fmt::Write as _;
            // Writing into a String cannot fail.
            let _ = write!(self.path, "[{index}]");
            let more = items.next_element_seed(&mut *self)?.is_some();
            self.path.truncate(length);
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}
