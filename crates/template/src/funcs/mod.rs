//! The functions, one family per file.

#![expect(clippy::unnecessary_wraps, reason = "all functions have one signature")]

mod address;
pub(crate) mod builtin;
mod coerce;
mod collections;
mod crypto;
pub(crate) mod dates;
pub(crate) mod encoding;
mod flow;
mod numbers;
mod reflection;
pub(crate) mod semver;
mod text;

pub use address::is_request_url;
pub(crate) use text::Patterns;

use crate::Function;

/// The families of sprig.
const SPRIG: &[&[Function]] = &[
    text::STRINGS,
    collections::LISTS,
    collections::DICTS,
    flow::FLOW,
    encoding::ENCODING,
    numbers::MATH,
    reflection::REFLECTION,
    address::PATHS,
    semver::SEMVER,
    numbers::RANDOM,
    address::NETWORK,
    text::REGEX,
    address::URL,
    dates::DATES,
    crypto::HASHES,
    crypto::PASSWORDS,
    crypto::CERTIFICATES,
];

/// sprig's functions that give something else each time, or ask the machine.
const NOT_HERMETIC: &[&str] = &[
    "date",
    "date_in_zone",
    "date_modify",
    "now",
    "htmlDate",
    "htmlDateInZone",
    "dateInZone",
    "dateModify",
    "randAlphaNum",
    "randAlpha",
    "randAscii",
    "randNumeric",
    "randBytes",
    "uuidv4",
    "env",
    "expandenv",
    "getHostByName",
];

/// Which Helm's functions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HelmVersion {
    /// Helm 3.22.
    V3,
    /// Helm 4.3.
    #[default]
    V4,
}

/// What Helm 4 has over Helm 3.
const SINCE_V4: &[&str] = &[
    "mustToYaml",
    "mustToToml",
    "mustToDuration",
    "durationSeconds",
    "durationMilliseconds",
    "durationMicroseconds",
    "durationNanoseconds",
    "durationMinutes",
    "durationHours",
    "durationDays",
    "durationWeeks",
    "durationRoundTo",
    "durationTruncateTo",
];

/// The functions of sprig v3.3. The environment is not among them: no template sees it.
pub fn sprig() -> impl Iterator<Item = &'static Function> {
    SPRIG.iter().copied().flatten()
}

/// sprig's `HermeticTxtFuncMap`: the same arguments give the same text.
pub fn hermetic() -> impl Iterator<Item = &'static Function> {
    sprig().filter(|function| !NOT_HERMETIC.contains(&function.name))
}

/// The functions that charts may call, which are sprig's and Helm's own.
pub fn helm(version: HelmVersion) -> impl Iterator<Item = &'static Function> {
    let own = [encoding::HELM_ENCODING, flow::HELM_FLOW, dates::DURATIONS].into_iter().flatten();
    sprig()
        .chain(own)
        .filter(move |function| version == HelmVersion::V4 || !SINCE_V4.contains(&function.name))
}
