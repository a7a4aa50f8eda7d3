//! Jobs and their schedules.

use serde_json::{Value, json};

use super::{
    super::{
        checks::{Checks, Read as _},
        place::Place,
        pod,
    },
    Subject, matches, required_choice,
};

pub(super) fn job(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    specification(checks, spec, &place);
    if spec["selector"].is_object() {
        pod::label_selector(checks, &spec["selector"], &place.field("selector"));
    } else {
        checks.required(&place.field("selector"), "");
    }
    let labels = &spec["template"]["metadata"]["labels"];
    if !matches(&spec["selector"], labels) {
        let text = "`selector` does not match template `labels`";
        checks.invalid(&place.field("template.metadata.labels"), labels.clone(), text);
    }
    let Some(old) = subject.old else { return generated(checks, subject.new, &place) };
    let old = &old["spec"];
    let indexed = spec.text("completionMode") == "Indexed";
    for name in [
        "completions",
        "selector",
        "template",
        "completionMode",
        "podFailurePolicy",
        "backoffLimitPerIndex",
        "managedBy",
        "successPolicy",
    ] {
        if name == "completions" && indexed {
            if spec[name] != old[name] && spec[name] != spec["parallelism"] {
                let text = "can only be modified in tandem with spec.parallelism";
                checks.invalid(&place.field(name), spec[name].clone(), text);
            }
            continue;
        }
        let suspended = old.flag("suspend") && name == "template";
        if !suspended {
            checks.immutable(&place.field(name), &spec[name], &old[name]);
        }
    }
}

/// A selector that the job did not ask to choose itself is the server's.
fn generated(checks: &mut Checks, job: &Value, place: &Place<'_>) {
    let spec = &job["spec"];
    if spec.flag("manualSelector") {
        return;
    }
    let (uid, name) = (job["metadata"].text("uid"), job["metadata"].text("name"));
    let expected = json!({
        "controller-uid": uid,
        "batch.kubernetes.io/controller-uid": uid,
        "job-name": name,
        "batch.kubernetes.io/job-name": name,
    });
    if spec["selector"].is_object() && !matches(&spec["selector"], &expected) {
        let selector = spec["selector"].clone();
        checks.invalid(&place.field("selector"), selector, "`selector` not auto-generated");
    }
}

fn specification(checks: &mut Checks, spec: &Value, place: &Place<'_>) {
    for name in [
        "parallelism",
        "completions",
        "activeDeadlineSeconds",
        "backoffLimit",
        "ttlSecondsAfterFinished",
        "backoffLimitPerIndex",
        "maxFailedIndexes",
    ] {
        checks.not_negative(place, spec, name);
    }
    let mode = spec.text("completionMode");
    if !mode.is_empty() {
        checks.one_of(&place.field("completionMode"), mode, &["NonIndexed", "Indexed"]);
    }
    if mode == "Indexed" {
        if spec.int("completions").is_none() {
            checks.required(&place.field("completions"), "when completion mode is Indexed");
        }
        if let Some(number) = spec.int("parallelism").filter(|number| *number > 100_000) {
            let text = "must be less than or equal to 100000 when completion mode is Indexed";
            checks.invalid(&place.field("parallelism"), number, text);
        }
    } else {
        for name in ["backoffLimitPerIndex", "maxFailedIndexes"] {
            if let Some(number) = spec.int(name) {
                checks.invalid(&place.field(name), number, "requires indexed completion mode");
            }
        }
    }
    let failures = spec.get_some("podFailurePolicy");
    if let Some(policy) = spec.get("podReplacementPolicy").and_then(Value::as_str) {
        let known: &[&str] =
            if failures.is_some() { &["Failed"] } else { &["Failed", "TerminatingOrFailed"] };
        checks.one_of(&place.field("podReplacementPolicy"), policy, known);
    }
    pod::template(checks, &spec["template"], &place.field("template"));
    let policy = spec["template"]["spec"].text("restartPolicy");
    let at = place.field("template.spec.restartPolicy");
    match policy {
        "Always" | "" => checks.required(&at, "valid values: \"OnFailure\", \"Never\""),
        "OnFailure" | "Never" => {
            if failures.is_some() && policy != "Never" {
                let text = "only \"Never\" is supported when podFailurePolicy is specified";
                checks.invalid(&at, policy, text);
            }
        }
        _ => checks.unsupported(&at, policy, &["OnFailure", "Never"]),
    }
}

pub(super) fn cron_job(checks: &mut Checks, subject: &Subject<'_>) {
    let place = Place::ROOT.field("spec");
    let spec = &subject.new["spec"];
    let schedule = spec.text("schedule");
    let at = place.field("schedule");
    if schedule.is_empty() {
        checks.required(&at, "");
    } else {
        if let Err(text) = cron(schedule) {
            checks.invalid(&at, schedule, &text);
        }
        if schedule.contains("TZ") {
            let text = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
            checks.invalid(&at, schedule, text);
        }
    }
    checks.not_negative(&place, spec, "startingDeadlineSeconds");
    if let Some(zone) = spec.get("timeZone").and_then(Value::as_str) {
        time_zone(checks, zone, &place.field("timeZone"));
    }
    required_choice(
        checks,
        &place.field("concurrencyPolicy"),
        spec.text("concurrencyPolicy"),
        &["Allow", "Forbid", "Replace"],
    );
    let template = place.field("jobTemplate");
    let at = template.field("spec");
    let job = &spec["jobTemplate"]["spec"];
    specification(checks, job, &at);
    if let Some(selector) = job.get_some("selector") {
        checks.invalid(
            &at.field("selector"),
            selector.clone(),
            "`selector` will be auto-generated",
        );
    }
    if job.flag("manualSelector") {
        let cause = crate::status::Cause::unsupported(
            at.field("manualSelector").to_string(),
            true,
            ["nil", "false"],
        );
        checks.push(cause);
    }
    checks.not_negative(&place, spec, "successfulJobsHistoryLimit");
    checks.not_negative(&place, spec, "failedJobsHistoryLimit");
    let name = subject.new["metadata"].text("name");
    if subject.old.is_none() && name.len() > 52 {
        let metadata = Place::ROOT.field("metadata");
        checks.invalid(&metadata.field("name"), name, "must be no more than 52 characters");
    }
}

fn time_zone(checks: &mut Checks, zone: &str, place: &Place<'_>) {
    if zone.is_empty() {
        return checks.invalid(place, zone, "timeZone must be nil or non-empty string");
    }
    let sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '+');
    let wrong = |part: &str| {
        matches!(part, "" | "." | "..") || part.starts_with('-') || !part.chars().all(sign)
    };
    if zone.split('/').any(wrong) {
        return checks.invalid(place, zone, &format!("unknown time zone {zone}"));
    }
    if zone.eq_ignore_ascii_case("Local") {
        checks.invalid(
            place,
            zone,
            "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
        );
    } else if jiff::tz::TimeZone::get(zone).is_err() {
        checks.invalid(place, zone, &format!("unknown time zone {zone}"));
    }
}

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

/// Reads a schedule as robfig's cron does, with its texts.
fn cron(schedule: &str) -> Result<(), String> {
    let schedule = match schedule.strip_prefix("TZ=").or_else(|| schedule.strip_prefix("CRON_TZ="))
    {
        Some(rest) => rest.split_once(' ').map_or("", |(_, rest)| rest).trim(),
        None => schedule,
    };
    if schedule.starts_with('@') {
        let known =
            ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];
        if known.contains(&schedule) {
            return Ok(());
        }
        if let Some(span) = schedule.strip_prefix("@every ") {
            let fits = !span.is_empty() && span.ends_with(['s', 'm', 'h']);
            return if fits {
                Ok(())
            } else {
                Err(format!("failed to parse duration {schedule}: time: invalid duration {span:?}"))
            };
        }
        return Err(format!("unrecognized descriptor: {schedule}"));
    }
    let fields: Vec<&str> = schedule.split_whitespace().collect();
    if fields.len() != 5 {
        let words = fields.join(" ");
        return Err(format!("expected exactly 5 fields, found {}: [{words}]", fields.len()));
    }
    let bounds: [(u32, u32, &[&str], u32); 5] =
        [(0, 59, &[], 0), (0, 23, &[], 0), (1, 31, &[], 0), (1, 12, &MONTHS, 1), (0, 6, &DAYS, 0)];
    for (field, (low, high, names, first)) in fields.iter().zip(bounds) {
        for part in field.split(',').filter(|part| !part.is_empty()) {
            range(part, low, high, names, first)?;
        }
    }
    Ok(())
}

fn range(text: &str, low: u32, high: u32, names: &[&str], first: u32) -> Result<(), String> {
    let number = |word: &str| -> Result<u32, String> {
        let lower = word.to_lowercase();
        if let Some(place) = names.iter().position(|name| *name == lower) {
            return Ok(u32::try_from(place).unwrap_or(0) + first);
        }
        let wrong = |why: &str| {
            format!("failed to parse int from {word}: strconv.Atoi: parsing {word:?}: {why}")
        };
        match word.parse::<i64>() {
            Ok(number) if number < 0 => {
                Err(format!("negative number ({number}) not allowed: {word}"))
            }
            Ok(number) => u32::try_from(number).map_err(|_| wrong("value out of range")),
            Err(_) => Err(wrong("invalid syntax")),
        }
    };
    let (head, step) = match text.split('/').collect::<Vec<_>>()[..] {
        [head] => (head, None),
        [head, step] => (head, Some(step)),
        _ => return Err(format!("too many slashes: {text}")),
    };
    let (start, end) = match head.split('-').collect::<Vec<_>>()[..] {
        ["*" | "?"] => (low, high),
        [one] => {
            let start = number(one)?;
            (start, if step.is_some() { high } else { start })
        }
        [from, to] => (number(from)?, number(to)?),
        _ => return Err(format!("too many hyphens: {text}")),
    };
    let step = step.map_or(Ok(1), number)?;
    if start < low {
        return Err(format!("beginning of range ({start}) below minimum ({low}): {text}"));
    }
    if end > high {
        return Err(format!("end of range ({end}) above maximum ({high}): {text}"));
    }
    if start > end {
        return Err(format!("beginning of range ({start}) beyond end of range ({end}): {text}"));
    }
    if step == 0 {
        return Err(format!("step of range should be a positive number: {text}"));
    }
    Ok(())
}
