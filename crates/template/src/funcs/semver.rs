//! Versions: `semver` and `semverCompare`.
//!
//! Follows Masterminds/semver v3.5.

use std::{any::Any, collections::HashMap, fmt};

use gitops_core::{Version, VersionRange, VersionRangeError};

use crate::{
    Arguments, CallError, Context, Function, Method, Object,
    value::{Field, IntKind, Kind, Text, Type, Value},
};

const POINTER: &str = "*semver.Version";
const STRUCT: &str = "semver.Version";

pub(super) const SEMVER: &[Function] = &[
    Function::new("semver", &[Type::String], semver),
    Function::new("semverCompare", &[Type::String, Type::String], semver_compare),
];

type Outcome = Result<Value, CallError>;

fn semver(_: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let version = SemVer::parse(arguments.text(0), POINTER).map_err(CallError::new)?;
    Ok(Value::object(version))
}

/// What versions are in what ranges: charts ask the same of many templates.
#[derive(Debug, Default)]
pub(crate) struct Comparisons(HashMap<(Text, Text), bool>);

/// Comparisons that are kept in a run.
const MOST_COMPARISONS: usize = 256;

fn semver_compare(context: &mut Context<'_>, arguments: Arguments<'_>) -> Outcome {
    let (Value::Str(range), Value::Str(version)) = (arguments.any(0), arguments.any(1)) else {
        unreachable!("the parameters are strings")
    };
    let asked = (range.clone(), version.clone());
    if let Some(contains) = context.comparisons.0.get(&asked) {
        return Ok(Value::Bool(*contains));
    }
    let contains = compare(range, version)?;
    if context.comparisons.0.len() < MOST_COMPARISONS {
        context.comparisons.0.insert(asked, contains);
    }
    Ok(Value::Bool(contains))
}

fn compare(range: &str, version: &str) -> Result<bool, CallError> {
    let range: VersionRange = range.parse().map_err(|error| {
        CallError::new(match error {
            VersionRangeError::Improper(text) => {
                format!("improper constraint: {}", crate::quote::quoted(&text))
            }
            other => other.to_string(),
        })
    })?;
    let version = SemVer::parse(version, POINTER).map_err(CallError::new)?;
    Ok(range.contains(&version.version))
}

/// A version with the parts that templates ask for.
#[derive(Clone, Debug)]
pub(super) struct SemVer {
    /// `Inc…` gives a struct where `semver` gives a pointer.
    type_name: &'static str,
    numbers: [u64; 3],
    pre: String,
    metadata: String,
    original: String,
    version: Version,
}

impl SemVer {
    fn parse(text: &str, type_name: &'static str) -> Result<Self, String> {
        if text.len() > 256 {
            return Err("version string is too long (max 256 bytes)".to_owned());
        }
        let parts = Parts::of(text).ok_or_else(|| "invalid semantic version".to_owned())?;
        let mut numbers = [0; 3];
        for (number, digits) in numbers.iter_mut().zip(parts.numbers) {
            *number = digits.parse().map_err(|_| {
                format!(
                    "error parsing version segment: strconv.ParseUint: parsing \"{digits}\": \
                     value out of range"
                )
            })?;
        }
        let zero = |part: &str| {
            part.len() > 1 && part.starts_with('0') && part.bytes().all(|b| b.is_ascii_digit())
        };
        if parts.pre.split('.').any(zero) {
            return Err("version segment starts with 0".to_owned());
        }
        let version = Version::parse(text).ok_or_else(|| "invalid semantic version".to_owned())?;
        Ok(Self {
            type_name,
            numbers,
            pre: parts.pre.to_owned(),
            metadata: parts.metadata.to_owned(),
            original: text.to_owned(),
            version,
        })
    }

    /// What a deep copy of any version is.
    ///
    /// Quirk: mitchellh/copystructure copies exported fields, and a version has none.
    pub(super) fn copied(&self) -> Self {
        Self {
            type_name: self.type_name,
            numbers: [0; 3],
            pre: String::new(),
            metadata: String::new(),
            original: String::new(),
            version: Version::parse("0.0.0").expect("it is one"),
        }
    }

    /// The version with other parts, as Go's `Inc…` and `Set…` make it: the original text is
    /// written anew, with the `v` that it had.
    fn with(&self, numbers: [u64; 3], pre: &str, metadata: &str) -> Result<Self, String> {
        let mut text = if self.original.starts_with('v') { "v" } else { "" }.to_owned();
        text.push_str(&written(numbers, pre, metadata));
        Self::parse(&text, STRUCT)
    }
}

fn written([major, minor, patch]: [u64; 3], pre: &str, metadata: &str) -> String {
    let mut text = format!("{major}.{minor}.{patch}");
    for (sign, part) in [('-', pre), ('+', metadata)] {
        if !part.is_empty() {
            text.push(sign);
            text.push_str(part);
        }
    }
    text
}

impl fmt::Display for SemVer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&written(self.numbers, &self.pre, &self.metadata))
    }
}

/// The texts of a version's parts.
struct Parts<'t> {
    /// As many as there are.
    numbers: Vec<&'t str>,
    pre: &'t str,
    metadata: &'t str,
}

impl<'t> Parts<'t> {
    fn of(text: &'t str) -> Option<Self> {
        let rest = text.strip_prefix('v').unwrap_or(text);
        let (rest, metadata) = match rest.split_once('+') {
            Some((rest, metadata)) => (rest, suffix(metadata)?),
            None => (rest, ""),
        };
        let (rest, pre) = match rest.split_once('-') {
            Some((rest, pre)) => (rest, suffix(pre)?),
            None => (rest, ""),
        };
        let numbers: Vec<_> = rest.split('.').collect();
        let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        (numbers.len() <= 3 && numbers.iter().all(digits)).then_some(Self {
            numbers,
            pre,
            metadata,
        })
    }
}

/// Words of letters, digits and `-` with dots between them.
fn suffix(text: &str) -> Option<&str> {
    let word = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    text.split('.').all(word).then_some(text)
}

const NOTHING: Method = Method { params: &[], variadic: false };
const VERSION: Method = Method { params: &[Type::Named(POINTER)], variadic: false };
const TEXT: Method = Method { params: &[Type::String], variadic: false };

impl Object for SemVer {
    fn type_name(&self) -> &'static str {
        self.type_name
    }

    fn kind(&self) -> Kind {
        if self.type_name == POINTER { Kind::Pointer } else { Kind::Struct }
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn method(&self, name: &str) -> Option<Method> {
        Some(match name {
            "Major" | "Minor" | "Patch" | "Prerelease" | "Metadata" | "Original" | "String"
            | "IncMajor" | "IncMinor" | "IncPatch" | "Value" | "MarshalText" | "MarshalJSON" => {
                NOTHING
            }
            "Compare" | "Equal" | "LessThan" | "LessThanEqual" | "GreaterThan"
            | "GreaterThanEqual" => VERSION,
            "SetPrerelease" | "SetMetadata" => TEXT,
            _ => return None,
        })
    }

    fn call(&self, name: &str, arguments: &[Value], _: &mut Context<'_>) -> Outcome {
        let number = |at: usize| Ok(Value::Int(IntKind::Uint64, self.numbers[at].cast_signed()));
        let made = |result: Result<Self, String>| result.map(Value::object).map_err(CallError::new);
        let [major, minor, patch] = self.numbers;
        let (pre, metadata) = (self.pre.as_str(), self.metadata.as_str());
        match (name, arguments) {
            ("Major", _) => number(0),
            ("Minor", _) => number(1),
            ("Patch", _) => number(2),
            ("Prerelease", _) => Ok(Value::from(pre)),
            ("Metadata", _) => Ok(Value::from(metadata)),
            ("Original", _) => Ok(Value::from(self.original.as_str())),
            ("IncMajor", _) => made(self.with([major.wrapping_add(1), 0, 0], "", "")),
            ("IncMinor", _) => made(self.with([major, minor.wrapping_add(1), 0], "", "")),
            // A pre-release is followed by its release.
            ("IncPatch", _) if !pre.is_empty() => made(self.with(self.numbers, "", "")),
            ("IncPatch", _) => made(self.with([major, minor, patch.wrapping_add(1)], "", "")),
            ("MarshalText", _) => Ok(Value::Bytes(self.to_string().as_bytes().into())),
            ("MarshalJSON", _) => Ok(Value::Bytes(format!("\"{self}\"").as_bytes().into())),
            ("SetPrerelease", [Value::Str(pre)]) => self.set(pre, metadata, "prerelease"),
            ("SetMetadata", [Value::Str(metadata)]) => self.set(pre, metadata, "metadata"),
            (_, [Value::Object(other)]) => self.compare(name, other.as_any()),
            _ => Ok(Value::from(self.to_string())),
        }
    }

    fn text(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn fields(&self) -> Vec<Field> {
        let field = |name, value| Field { name, key: "-", omit_empty: false, value };
        let [major, minor, patch] =
            self.numbers.map(|number| Value::Int(IntKind::Uint64, number.cast_signed()));
        vec![
            field("major", major),
            field("minor", minor),
            field("patch", patch),
            field("pre", Value::string(&self.pre)),
            field("metadata", Value::string(&self.metadata)),
            field("original", Value::string(&self.original)),
        ]
    }

    fn serialized(&self) -> Value {
        Value::from(self.to_string())
    }
}

impl SemVer {
    fn set(&self, pre: &str, metadata: &str, part: &str) -> Outcome {
        if [pre, metadata].iter().any(|part| !part.is_empty() && suffix(part).is_none()) {
            return Err(CallError::new(format!("invalid {part} string")));
        }
        self.with(self.numbers, pre, metadata).map(Value::object).map_err(CallError::new)
    }

    fn compare(&self, name: &str, other: &dyn Any) -> Outcome {
        let Some(other) = other.downcast_ref::<Self>() else {
            return Err(CallError::new(format!("there is no version to compare with in {name}")));
        };
        let order = self.version.cmp(&other.version);
        Ok(match name {
            "Compare" => Value::int(order as i64),
            "Equal" => Value::Bool(order.is_eq()),
            "LessThan" => Value::Bool(order.is_lt()),
            "LessThanEqual" => Value::Bool(order.is_le()),
            "GreaterThan" => Value::Bool(order.is_gt()),
            _ => Value::Bool(order.is_ge()),
        })
    }
}
