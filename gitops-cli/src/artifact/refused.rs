//! Wrong command lines, told as Flux tells them.

use std::{error::Error as _, process::ExitCode};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::say;

/// Tells a wrong command line; `None` for other commands and other errors.
pub(crate) fn refused(error: &clap::Error) -> Option<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [verb, noun, rest @ ..] = arguments.as_slice() else { return None };
    let ours = ["push", "pull", "tag", "list", "diff"].contains(&verb.as_str())
        && ["artifact", "artifacts"].contains(&noun.as_str());
    if !ours {
        return None;
    }
    say('✗', &text(error, rest)?);
    Some(ExitCode::FAILURE)
}

fn text(error: &clap::Error, arguments: &[String]) -> Option<String> {
    let part = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.as_str()),
        _ => None,
    };
    // `--flag <VALUE>` and `--flag[=<VALUE>]`.
    let flag = part(ContextKind::InvalidArg)?;
    let flag = flag.split([' ', '[', '=']).next().unwrap_or(flag);
    let value = part(ContextKind::InvalidValue).unwrap_or_default();
    match error.kind() {
        ErrorKind::UnknownArgument => Some(match flag.strip_prefix("--") {
            Some(_) => format!("unknown flag: {flag}"),
            None => {
                let letter = flag.trim_start_matches('-').chars().next()?;
                let shorts = |word: &&String| word.starts_with('-') && !word.starts_with("--");
                let word = arguments.iter().filter(shorts).find(|word| word.contains(letter))?;
                format!("unknown shorthand flag: '{letter}' in {word}")
            }
        }),
        // What stands last and wants a value has none.
        ErrorKind::InvalidValue if value.is_empty() => {
            let last = arguments.last()?;
            Some(match last.strip_prefix('-').filter(|rest| !rest.starts_with('-')) {
                Some(letters) => {
                    format!("flag needs an argument: '{}' in {last}", letters.chars().last()?)
                }
                None => format!("flag needs an argument: {flag}"),
            })
        }
        ErrorKind::ValueValidation | ErrorKind::InvalidValue => {
            let why = error.source().map(ToString::to_string).unwrap_or_default();
            Some(format!("invalid argument {value:?} for {flag:?} flag: {why}"))
        }
        _ => None,
    }
}
